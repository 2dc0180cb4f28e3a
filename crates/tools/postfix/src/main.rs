//! postfix(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_tool_postfix::PROGRAM, ferrofix_tool_postfix::main)
}
