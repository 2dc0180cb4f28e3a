//! sendmail(1), mailq(1), newaliases(1).

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(&ferrofix_sendmail::PROGRAM, ferrofix_sendmail::main)
}
