//! How Ferrofix's programs talk to each other: Postfix's attribute protocol over Unix sockets, and one typed module for
//! each internal service, used by both ends of it.
//!
//! A conversation is a sequence of [`Attrs`] lists, `name NUL value NUL ... NUL`, over a [`Stream`]. A server greets with
//! the name of its protocol first. Socket names are relative (`private/rewrite`), since daemons and queue tools run in
//! the queue directory.
//!
//! A peer is not trusted: names and values have length limits, numbers must be numbers, a missing attribute is an error
//! that names it. An error ends the conversation and never the program; clients reconnect once, as Postfix's do, because
//! a server may have ended between two requests for good reasons.

pub mod anvil;
mod attrs;
pub mod bounce;
pub mod cleanup;
mod client;
pub mod deliver;
pub mod flush;
pub mod master;
pub mod recipient;
mod remembered;
pub mod rewrite;
mod spare;
mod stream;
pub mod tlsmgr;
pub mod trigger;
pub mod verify;

pub use attrs::Attrs;
pub use client::Client;
pub use recipient::Recipient;
pub use spare::Spare;
pub use stream::Stream;

/// Why a conversation with an internal service failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused, or the peer went away in the middle.
    #[error("{}", reason(.0))]
    Io(#[from] std::io::Error),
    /// The peer closed the connection between two lists.
    #[error("premature end-of-input on {0} socket while reading input attribute name")]
    Closed(String),
    /// The peer sent a list without an attribute that the protocol requires.
    #[error("missing attribute {0}")]
    Missing(&'static str),
    /// The peer sent a value that is not what the protocol requires.
    #[error("unexpected value for attribute {0}")]
    Malformed(&'static str),
    /// The peer sent a name or value beyond the limit.
    #[error("attribute longer than {0} bytes")]
    TooLong(usize),
    /// The peer speaks another protocol.
    #[error("unexpected protocol greeting \"{got}\" (expected: \"{expected}\")")]
    Protocol {
        /// What the peer announced.
        got: String,
        /// What it should have.
        expected: &'static str,
    },
    /// The peer took longer than `ipc_timeout`.
    #[error("timeout")]
    Timeout,
}

/// What a conversation step returns.
pub type Result<T> = std::result::Result<T, Error>;

/// The system's words for an error, without the number that Rust adds.
fn reason(fault: &std::io::Error) -> String {
    let text = fault.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
