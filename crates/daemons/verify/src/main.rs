//! verify(8): finds out by probes which addresses exist, and remembers it.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_verify::Verify>()
}
