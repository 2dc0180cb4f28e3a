//! Tables in databases, against real servers: MariaDB, PostgreSQL and OpenLDAP's slapd from Debian's packages, which the
//! tests start for themselves with data of their own, and SQLite; and in place of MongoDB, which Debian has not, a server
//! of other people's that speaks its protocol.
//!
//! What the tables promise is tested in this process (`ldap`, `mongodb`, `mysql`, `pgsql`, `sqlite`); that answers, exit
//! codes and warnings are those of Debian's Postfix, with its postmap(1) beside ours (`differential`,
//! `differential_ldap`); that mail waits while a server is down, is neither lost nor doubled (`outage`), and nobody else
//! waits for a slow one, with the installed system (`system`); that administrators' guides work as they are written
//! (`g2`, `g4`).

mod differential;
mod differential_ldap;
mod directory;
mod documents;
mod g2;
mod g4;
mod ldap;
mod mongodb;
mod mysql;
mod outage;
mod pgsql;
mod place;
mod postmap;
mod promises;
mod random;
mod server;
mod sqlite;
mod system;
