//! postalias(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    databases::link();
    command::run(&ferrofix_postalias::PROGRAM, ferrofix_postalias::main)
}
