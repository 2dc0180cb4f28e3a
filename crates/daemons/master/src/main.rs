//! master(8): runs the other daemons.

fn main() -> std::process::ExitCode {
    ferrofix_master::main()
}
