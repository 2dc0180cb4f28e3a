//! discard(8): pretends to deliver.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_discard::Discard>()
}
