//! postcat(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postcat::PROGRAM, ferrofix_postcat::main)
}
