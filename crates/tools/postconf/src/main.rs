//! postconf(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_postconf::PROGRAM, ferrofix_postconf::run)
}
