//! SMTP (RFC 5321) and LMTP (RFC 2033) as text: replies, EHLO keywords, message content on the wire, and the client's dialogue.
//!
//! **What it does.** [`reply`] puts a server's lines together; [`ehlo`] knows the keywords; [`content`] writes message lines with dots
//! doubled and long lines broken; [`footer`] extends a server's own replies. [`client`] is the client's side of a session as state machines that own
//! no socket: bytes to send come out, replies go in, and what the replies mean for whom comes out again. A thin adapter in the `smtp`
//! program moves the bytes and keeps the time.
//!
//! **What it trusts.** Nothing a server says. Lines and replies are limited, control characters are replaced, a reply that is
//! none is reported and counted against the server.
//!
//! **What it promises.** With PIPELINING a message needs two writes after the handshake: the envelope, then the content with its end and QUIT. A
//! recipient is reported delivered only by a positive reply to the end of the message.
//!
//! **When it fails.** A machine in the wrong state ends the session; it never panics.

pub mod client;
pub mod content;
pub mod ehlo;
pub mod footer;
pub mod reply;
mod stage;

pub use reply::{Assembler, Reply};
pub use stage::Stage;

/// Which of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// SMTP: one reply to the end of a message.
    Smtp,
    /// LMTP: one reply for each recipient that was accepted.
    Lmtp,
}

impl Protocol {
    /// Its name in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Lmtp => "LMTP",
        }
    }
}
