//! proxymap(8): tables that are open for all.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_proxymap::Proxymap>()
}
