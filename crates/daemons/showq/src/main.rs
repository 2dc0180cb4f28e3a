//! showq(8): the mail queue for mailq, postqueue and exporters.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_showq::Showq>()
}
