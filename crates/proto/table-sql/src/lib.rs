//! `mysql:`, `pgsql:` and `sqlite:`, the lookup tables in SQL databases; see mysql_table(5), pgsql_table(5) and
//! sqlite_table(5).
//!
//! **What it does.** A lookup becomes a query, the columns of all rows become one value. MySQL and MariaDB are spoken to
//! here, over the wire ([`mysql`]), and so is PostgreSQL ([`pgsql`]); SQLite is the library itself ([`sqlite`]). The
//! clients are small on purpose: they send one statement and read its rows as text, and cannot do what a table never
//! wants, such as several statements in one query, or reading a file for the server.
//!
//! **What it trusts.** The settings, and the database as far as values go. Not keys: they come from the network, and reach
//! a query only through the quoting of the connection that it is for.
//!
//! **What it promises.** A slow or dead server is a temporary error within a limited time, and holds up its own client
//! only. Files (certificates, option files, SQLite databases) are read when a table is opened, before a daemon enters
//! its jail; sockets and names are looked for when a connection is made, as in Postfix. Passwords are not logged.
//!
//! **When it fails.** Settings that cannot be used are an error when the table is opened. Everything later is logged in
//! Postfix's words and is [`table::Error::Retry`].

pub mod mysql;
pub mod pgsql;
pub mod sqlite;
mod statement;

use std::time::Duration;

/// The types, for [`table::link`].
pub const TYPES: &[(&str, table::Opener)] =
    &[("mysql", mysql::open), ("pgsql", pgsql::open), ("sqlite", sqlite::open)];

/// How long it may take to reach a server, and then to log in.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// How long a server may take to answer. SMTP clients wait for 5 minutes.
const QUERY_LIMIT: Duration = Duration::from_secs(100);

/// How long a server that failed is left alone, and an idle connection is kept, in seconds.
const INTERVAL: i32 = 60;
