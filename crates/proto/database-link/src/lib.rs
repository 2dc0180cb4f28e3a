//! Connections to database servers, for the crates that have the clients.
//!
//! **What it does.** Byte streams over the network or a local socket ([`link`]), encrypted where that is asked for
//! ([`Secure`]), and a place for those that nobody uses at the moment ([`Pool`]).
//!
//! **What it trusts.** The files that the administrator named, which are read when a table is opened, before a daemon
//! enters its jail. Not servers: what their certificates must prove is said in [`Proof`].
//!
//! **What it promises.** Nothing here takes longer than the caller allows: all of it can be dropped at any time.
//!
//! **When it fails.** The caller gets the reason, and logs it in its own words.

pub mod link;
mod pool;
mod secure;

pub use link::{Link, Name, Stream};
pub use pool::{Pool, Turn};
pub use secure::{Files, Proof, Secure};
