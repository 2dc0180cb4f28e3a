//! postkick(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postkick::PROGRAM, ferrofix_postkick::main)
}
