//! smtp(8) and lmtp(8): mail to other hosts.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_smtp_client::Client>()
}
