//! postmap(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    databases::link();
    command::run(&ferrofix_postmap::PROGRAM, ferrofix_postmap::main)
}
