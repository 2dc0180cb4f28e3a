//! Tables in databases, against real servers: MariaDB, PostgreSQL and OpenLDAP's slapd from Debian's packages, which the
//! tests start for themselves with data of their own, and SQLite.
//!
//! What the tables promise is tested in this process (`ldap`, `mysql`, `pgsql`, `sqlite`); that answers, exit codes and warnings
//! are those of Debian's Postfix, with its postmap(1) beside ours (`differential`,
//! `differential_ldap`); that mail waits while a server is
//! down, and nobody else waits for a slow one, with the installed system (`system`).

mod differential;
mod differential_ldap;
mod directory;
mod ldap;
mod mysql;
mod pgsql;
mod place;
mod postmap;
mod promises;
mod random;
mod server;
mod sqlite;
mod system;
