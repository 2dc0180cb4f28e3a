//! postlogd(8): writes the mail log file.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_postlogd::Postlogd>()
}
