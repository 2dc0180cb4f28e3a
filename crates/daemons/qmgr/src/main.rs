//! qmgr(8), the Postfix-compatible queue manager.

use std::process::ExitCode;

fn main() -> ExitCode {
    databases::link();
    ferrofix_qmgr::run()
}
