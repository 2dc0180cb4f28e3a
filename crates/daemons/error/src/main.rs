//! error(8), also run as the service `retry`: fails every delivery.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_error::Failure>()
}
