//! pipe(8): delivers to external commands.

fn main() -> std::process::ExitCode {
    databases::link();
    daemon::run::<ferrofix_pipe::Pipe>()
}
