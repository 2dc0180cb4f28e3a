//! anvil(8): session counts and request rates of clients.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_anvil::Anvil>()
}
