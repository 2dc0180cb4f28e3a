//! spawn(8): runs a command for each client.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_spawn::Spawn>()
}
