//! local(8): delivers to the accounts, aliases and files of this machine.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_local::Local>()
}
