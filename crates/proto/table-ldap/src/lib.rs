//! `ldap:`, the lookup tables in LDAP directories; see ldap_table(5).
//!
//! **What it does.** A lookup becomes a search, and the attributes of the entries that it finds become one value; those
//! that name other entries are followed. The client is small on purpose: it binds, searches and starts TLS, over the
//! wire, with the protocol version of the settings, and can do nothing that changes a directory.
//!
//! **What it trusts.** The settings, and the directory as far as values go. Not keys: they come from the network, and
//! reach a search only through the quoting of the place that they are for ([`quote`]).
//!
//! **What it promises.** A slow or dead server is a temporary error within a limited time, and holds up its own client
//! only: there are as many connections as questions at the same time. Certificates are read when a table is opened,
//! before a daemon enters its jail. Passwords are not logged.
//!
//! **When it fails.** Settings that cannot be used are an error when the table is opened. Everything later is logged in
//! Postfix's words, with the codes and texts of OpenLDAP's library, and is [`table::Error::Retry`].

mod ber;
mod chase;
mod code;
mod connection;
mod filter;
mod login;
mod lookup;
mod message;
mod open;
mod quote;
mod results;
mod search;

mod url;

/// The types, for [`table::link`].
pub const TYPES: &[(&str, table::Opener)] = &[("ldap", open::open)];
