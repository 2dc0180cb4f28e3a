//! See the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ferrofix_bench::main()
}
