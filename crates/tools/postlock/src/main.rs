//! postlock(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postlock::PROGRAM, ferrofix_postlock::main)
}
