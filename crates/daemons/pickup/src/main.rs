//! pickup(8): takes mail from the maildrop.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_pickup::Pickup>()
}
