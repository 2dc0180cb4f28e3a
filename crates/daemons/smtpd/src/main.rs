//! The program `smtpd`.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_smtpd::Smtpd>()
}
