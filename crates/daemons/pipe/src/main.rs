//! pipe(8): delivers to external commands.

fn main() -> std::process::ExitCode {
    daemon::run::<ferrofix_pipe::Pipe>()
}
