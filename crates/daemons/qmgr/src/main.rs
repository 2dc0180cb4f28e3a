//! qmgr(8), the Postfix-compatible queue manager.

use std::process::ExitCode;

fn main() -> ExitCode {
    ferrofix_qmgr::run()
}
