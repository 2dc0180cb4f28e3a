//! trivial-rewrite(8); see the library.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_trivial_rewrite::TrivialRewrite>()
}
