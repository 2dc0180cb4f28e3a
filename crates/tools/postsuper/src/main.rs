//! postsuper(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postsuper::PROGRAM, ferrofix_postsuper::main)
}
