//! tlsmgr(8): TLS state that processes share.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_tlsmgr::TlsManager>()
}
