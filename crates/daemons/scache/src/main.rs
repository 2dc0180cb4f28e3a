//! scache(8): tells those who ask that no connection is cached.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_scache::ConnectionCache>()
}
