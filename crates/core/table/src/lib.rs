//! Lookup tables: `type:name` specifications, searches over several tables, and lists that may contain tables.
//!
//! A [`Table`] is opened once, before a daemon enters its jail, and never fails to open: one that cannot be used logs
//! Postfix's error text at once and answers every later request with an error. A lookup has three outcomes: a value,
//! nothing, or an error, and an error is never "nothing": mail waits, a client gets a temporary reply.
//!
//! Local tables (index files, text, patterns) answer without a task switch; `proxy:` and database tables answer from
//! another process, so that [`Table::lookup`] is asynchronous. Programs without a runtime use
//! [`Table::lookup_blocking`].
//!
//! What is trusted: the configuration. What is not: keys, which come from the network; they are bytes, and are checked
//! for UTF-8 where `smtputf8_enable` asks for it. Values come from files that an administrator controls, or from a
//! user's alias file; [`Table::owner`] tells which.

pub mod address;
mod address_list;
pub mod build;
mod cdb;
mod change;
mod cidr;
pub mod client;
mod env;
mod error;
mod flags;
mod fold;
mod lines;
mod list;
mod local;
mod macros;
mod map_search;
mod maps;
mod open;
mod rhs;
mod source;
mod table;
mod text;
mod types;

pub use address_list::{AddressList, HostList};
pub use cidr::CidrPattern;
pub use env::{Env, Registry};
pub use error::Error;
pub use flags::{Flags, Mode};
pub use fold::{Utf8, casefold};
pub use list::{DomainList, ListFlags, StringList};
pub use local::{Entry, LocalFuture, LocalTable, Owner, RemoteTable, Seek, Trust, Update};
pub use map_search::MapSearch;
pub use maps::{FindFlags, Found, Maps};
pub use open::{Backend, OnFailure, Opened, Opener, Opening, reason};
pub use table::Table;
pub use types::{LINKED_TYPES, TYPES, link};

/// What stands in messages in place of the system's words for an error, when there are none.
pub const NO_ERROR: &str = "Application error";
