//! smtpd(8), the SMTP server.
//!
//! **What it does.** It talks SMTP to clients, decides what to let in (access restrictions, limits, recipient tables),
//! and hands each message to cleanup(8), which queues it. One process serves many clients.
//!
//! **What it trusts.** Its configuration and tables, and Postfix's own services: trivial-rewrite(8) for what an address
//! means, anvil(8) for how often a client came, cleanup(8) for whether a message is safe. It trusts nothing that comes
//! from a client: every line is limited, nothing read before STARTTLS survives it, and a bare newline does not end a
//! message (`smtpd_forbid_bare_newline`).
//!
//! **What it promises.** A message is acknowledged only after cleanup(8) has said that it is on disk. A restriction that
//! cannot be evaluated never lets mail in: the client is told to try again later, and so it is when something is
//! configured that this server does not have.
//!
//! **When it fails.** A session that is lost before the end of a message leaves nothing in the queue. A panic ends one
//! session; the others go on.
//!
//! The parts: [`session`] is the state of one client's session, without sockets; `command/` has the commands,
//! `restriction/` the access restrictions; [`connection`] drives a session over a socket, [`service`] is the program.
#![forbid(unsafe_code)]

mod command;
pub mod connection;
mod ehlo;
mod envelope;
mod error_class;
mod evidence;
mod expand;
pub mod input;
mod intake;
mod limits;
pub mod line;
pub mod outgoing;
pub mod outside;
pub mod params;
pub mod peer;
mod policy;
mod reply;
mod restriction;
pub mod server;
pub mod service;
pub mod session;
mod site;
mod stats;
mod text;
pub mod token;
mod transaction;
mod transcript;
mod verify_sender;
mod xforward;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod dialogue;
#[cfg(test)]
mod testing;

pub use service::Smtpd;
