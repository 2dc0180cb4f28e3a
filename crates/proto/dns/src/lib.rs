//! DNS and host name lookups, answered in Postfix's terms.
//!
//! **What it does.** [`Resolver::lookup`] asks the name servers of resolv.conf for one record type, follows aliases, checks the names in the
//! answer and gives either an [`Answer`] or a [`Failure`] whose [`Status`] and text are those of Postfix's DNS client, since both end up in
//! bounces, in deferral logs and in SMTP replies. [`Resolver::native_addresses_of`] and [`Resolver::native_name_of`] are the system's own idea
//! of names (hosts file and all), for `smtp_host_lookup = native` and for the names of SMTP clients.
//!
//! **What it trusts.** resolv.conf, hosts and nsswitch.conf, read when the [`Resolver`] is made: make it before the process enters its chroot
//! jail and no copies are needed inside. Name servers are trusted to answer, never to answer well: a host name that is none
//! is refused with a warning, and the number of records is limited.
//!
//! **What it promises.** "Not found" is said only if a name server said so; everything else is [`Status::Retry`] or worse. Identical
//! questions asked at the same time are sent once.
//!
//! **When it fails.** A dead server costs its timeout and the next is tried, `attempts` times round, as in resolv.conf(5). Nothing here panics on foreign
//! input or ends the process.

mod answer;
mod config;
mod exchange;
mod hostname;
mod hosts;
mod lookup;
mod native;
mod record;

pub use config::{ResolvConf, Search};
pub use lookup::{Filter, Lookup, Resolver, Stop};
pub use native::{Family, NativeError, NativeFailure};
pub use record::{Answer, Data, Failure, Record, Status, Type};

/// Records kept of one answer (or of one merged list); more are dropped with a warning.
pub const RECORD_LIMIT: usize = 100;
