//! postqueue(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postqueue::PROGRAM, ferrofix_postqueue::main)
}
