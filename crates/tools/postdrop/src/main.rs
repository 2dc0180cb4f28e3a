//! postdrop(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postdrop::PROGRAM, ferrofix_postdrop::main)
}
