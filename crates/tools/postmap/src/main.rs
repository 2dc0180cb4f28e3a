//! postmap(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postmap::PROGRAM, ferrofix_postmap::main)
}
