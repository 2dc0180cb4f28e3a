//! trivial-rewrite(8); see the library.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_trivial_rewrite::TrivialRewrite>()
}
