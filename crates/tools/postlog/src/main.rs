//! postlog(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postlog::PROGRAM, ferrofix_postlog::main)
}
