//! `mongodb:`, the lookup tables in MongoDB databases; see mongodb_table(5).
//!
//! **What it does.** A lookup becomes a `find`, and the fields of the documents that it finds become one value. The
//! client is small on purpose: it says hello, logs in, finds and reads on, over the wire ([`connection`]), and has no
//! command that changes anything. [`uri`] says which servers there are, [`servers`] which of them is asked.
//!
//! **What it trusts.** The settings, and the database as far as values go. Not keys: they come from the network, and
//! reach a query only as a part of a quoted text ([`filter`]). Not servers before they have proved what the URI asks
//! for, and never as to lengths and nesting.
//!
//! **What it promises.** A slow or dead server is a temporary error within a limited time, and holds up its own client
//! only: there are as many connections as questions at the same time. Certificates are read when a table is opened,
//! before a daemon enters its jail. Passwords are not logged.
//!
//! **When it fails.** Settings that cannot be used are an error when the table is opened. Everything later is logged in
//! Postfix's words and is [`table::Error::Retry`].

mod bson;
mod connection;
mod filter;
mod find;
mod hello;
mod json;
mod login;
mod lookup;
mod open;
mod results;
mod scram;
mod servers;
mod uri;

/// The types, for [`table::link`].
pub const TYPES: &[(&str, table::Opener)] = &[("mongodb", open::open)];
