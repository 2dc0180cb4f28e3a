//! The cleanup(8) daemon.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_cleanup::Cleanup>()
}
