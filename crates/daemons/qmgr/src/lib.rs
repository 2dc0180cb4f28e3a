//! qmgr(8), the queue manager.

pub mod scheduler;

/// Placeholder.
pub fn run() -> std::process::ExitCode { std::process::ExitCode::SUCCESS }
