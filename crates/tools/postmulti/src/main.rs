//! postmulti(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postmulti::PROGRAM, ferrofix_postmulti::main)
}
