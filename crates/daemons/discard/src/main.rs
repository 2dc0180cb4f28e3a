//! discard(8): pretends to deliver.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_discard::Discard>()
}
