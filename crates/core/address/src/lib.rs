//! Mail addresses, host names and network addresses as text: no tables, no sockets, no logging.
//!
//! What is here: the RFC 822 token trees ([`tok822`]), quoting of local parts ([`quote`]), address
//! extensions ([`split`]), case folding ([`fold`]), address lists ([`crunch`]), VERP ([`verp`]),
//! syntax checks for host names and network addresses ([`hostname`], [`mailhost`], [`inet`]),
//! internationalised domain names ([`idn`]), and `host:port` endpoints ([`host_port`]).
//!
//! It trusts nothing: every function takes bytes from strangers and has a result for all of them;
//! nothing panics. Mail addresses are bytes in and bytes out, and not assumed to be UTF-8 or even
//! text. A check that fails returns a fault whose `Display` is the warning that Postfix logs, so a
//! caller that wants to complain logs it and one that does not drops it.
//!
//! Two forms of an address exist. *External* form is quoted as in message headers and SMTP
//! commands (`"foo bar"@example.com`); *internal* form has no quotes (`foo bar@example.com`), and
//! the last `@` ends the local part.
#![forbid(unsafe_code)]

pub mod crunch;
pub mod fold;
pub mod form;
pub mod host_port;
pub mod hostname;
pub mod idn;
pub mod inet;
pub mod mailhost;
pub mod quote;
mod shown;
pub mod split;
pub mod tok822;
pub mod uri;
pub mod verp;

pub use fold::{casefold, eq_fold};
pub use form::AddressForm;
pub use hostname::{valid_hostaddr, valid_hostname};
pub use mailhost::{valid_mailhost_addr, valid_mailhost_literal};
pub use quote::{QuoteFlags, quote_821_local, quote_822_local, unquote_822_local};
pub use split::Splitter;
pub use tok822::{Address, Token};

/// The local part that must always be deliverable.
pub const POSTMASTER: &[u8] = b"postmaster";
/// The sender name shown for bounces.
pub const MAILER_DAEMON: &[u8] = b"MAILER-DAEMON";
/// Default of `double_bounce_sender`.
pub const DOUBLE_BOUNCE: &[u8] = b"double-bounce";

/// Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong).
pub fn valid_utf8(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok()
}

/// The local part and the domain around the last `@`; no domain when there is no `@`.
pub fn split_at_domain(address: &[u8]) -> (&[u8], Option<&[u8]>) {
    match address.iter().rposition(|&byte| byte == b'@') {
        Some(at) => (&address[..at], Some(&address[at + 1..])),
        None => (address, None),
    }
}

/// What follows the last `@`, if there is one.
pub fn domain(address: &[u8]) -> Option<&[u8]> {
    split_at_domain(address).1
}

/// What precedes the last `@`, or all of it.
pub fn local_part(address: &[u8]) -> &[u8] {
    split_at_domain(address).0
}
