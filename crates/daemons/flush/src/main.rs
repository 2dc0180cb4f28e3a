//! flush(8): remembers which mail waits for which site.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_flush::Flush>()
}
