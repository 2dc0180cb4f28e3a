//! The cleanup(8) daemon.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_cleanup::Cleanup>()
}
