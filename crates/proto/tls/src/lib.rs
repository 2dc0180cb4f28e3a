//! TLS for SMTP servers and clients, on rustls.
//!
//! **What it does.** A [`Server`] or [`Client`] is a context made once, before a chroot, from what main.cf says about certificates, trust
//! anchors, protocols and ciphers. [`Server::accept`] and [`Client::connect`] do one handshake over any tokio stream and give the encrypted
//! stream with a [`Summary`]: the facts for the `TLS connection established` log line and for Received: headers, in OpenSSL's vocabulary, since that is what
//! log analysers and header readers know.
//!
//! **What it trusts.** Its own key files. A peer's certificate is never a reason to fail the handshake: whether the chain is trusted
//! and the names match is reported in the summary, and the caller decides, as in Postfix.
//!
//! **What it promises.** Nothing below TLS 1.2, no renegotiation, no compression, no anonymous suites. Settings that ask for
//! such things are accepted with one warning that says what happens instead.
//!
//! **When it fails.** A context that cannot be made is an [`Error::Setup`], already worded for the log; the caller turns TLS off or
//! stops. A handshake that fails is an [`Error::Handshake`] or [`Error::Lost`].

mod chain;
mod client;
mod digest;
mod handshake;
mod keyinfo;
mod keyring;
mod level;
mod log_mask;
mod names;
mod peer;
mod problem;
mod protocols;
mod server;
mod signature;
mod summary;
mod tickets;
mod trust;

pub use client::{Client, ClientSettings, ClientStream, Target};
pub use keyring::Keyring;
pub use level::Level;
pub use log_mask::LogMask;
pub use protocols::knows_grade;
pub use server::{AskCertificate, Server, ServerSettings, ServerStream};
pub use summary::{Peer, Problem, Role, Signature, Standing, Summary};
pub use tickets::Tickets;

/// The TLS library's own types, for implementing [`Tickets::External`].
pub use rustls::server::ProducesTickets;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The context cannot be made from these settings. One line for each warning; see [`Error::warn`].
    #[error("{0}")]
    Setup(String),
    /// The peers could not agree, or one of them broke the rules.
    #[error("{0}")]
    Handshake(String),
    /// The connection ended during the handshake.
    #[error("lost connection")]
    Lost,
    /// The operating system says no.
    #[error("{0}")]
    Io(std::io::Error),
}

impl Error {
    /// Logs why a context cannot be made.
    pub fn warn(&self) {
        self.to_string().lines().for_each(|line| log::warning!("{line}"));
    }

    /// Logs a failed handshake as Postfix does; `peer` is `name[address]`.
    pub fn log(&self, role: Role, peer: &str) {
        let what = match role {
            Role::Server => "SSL_accept error from",
            Role::Client => "SSL_connect error to",
        };
        match self {
            Self::Handshake(text) | Self::Setup(text) => {
                log::info!("{what} {peer}: -1");
                log::warning!("TLS library problem: {text}");
            }
            Self::Lost => log::info!("{what} {peer}: lost connection"),
            Self::Io(error) => log::info!("{what} {peer}: {}", system_text(error)),
        }
    }
}

fn from_io(error: std::io::Error) -> Error {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::UnexpectedEof => Error::Lost,
        ErrorKind::InvalidData => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            Error::Handshake(inner.map_or_else(|| error.to_string(), problem::describe))
        }
        _ => Error::Io(error),
    }
}

/// What the C library says of an error.
fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}
