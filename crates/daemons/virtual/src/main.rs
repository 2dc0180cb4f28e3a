//! virtual(8): delivers to mailboxes of users without accounts.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_virtual::Virtual>()
}
