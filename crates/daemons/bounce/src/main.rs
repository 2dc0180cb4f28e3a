//! bounce(8), also run as the services `defer` and `trace`: keeps delivery status and reports it to senders.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_bounce::Bounce>()
}
