//! The program `smtpd`.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_smtpd::Smtpd>()
}
