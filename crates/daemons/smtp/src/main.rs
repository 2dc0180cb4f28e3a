//! smtp(8) and lmtp(8): mail to other hosts.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_smtp_client::Client>()
}
