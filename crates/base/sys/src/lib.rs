//! The island of unsafe code: what Unix offers and the standard library does not wrap.
//!
//! Everything that needs `unsafe`, or that changes who the process is, lives here behind functions that are safe to call
//! in any order. The crate knows Unix and nothing of mail. It trusts the kernel and the C library; it reports every
//! failure as an `io::Error` and never exits.

pub mod descriptor;
pub mod identity;
mod local_socket;
pub mod lock;
pub mod process;
pub mod safe_open;
pub mod shared;
pub mod time;
pub mod watchdog;

pub use identity::{Group, User};
pub use local_socket::{LocalListener, LocalSocket};

/// The system's words for an error, as C programs print them, without the number that Rust adds.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
