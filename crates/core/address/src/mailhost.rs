//! Network addresses as SMTP writes them: `1.2.3.4`, `IPv6:fc00::1`, `[...]`.

use std::net::IpAddr;

use crate::hostname::{Fault, valid_ipv4_hostaddr, valid_ipv6_hostaddr};
use crate::inet::{self, Families};

/// Stands before an IPv6 address in mail (RFC 5321, section 4.1.3).
pub const IPV6_PREFIX: &str = "IPv6:";

/// More than any printed address can have.
const MAX_ADDRESS_LENGTH: usize = 64;

/// Checks an IPv4 address, or an IPv6 address with `IPv6:` (in any case) before it, and gives it
/// without that.
pub fn valid_mailhost_addr(address: &[u8]) -> Result<&[u8], Fault<'_>> {
    match strip_ipv6_prefix(address) {
        Some(bare) => valid_ipv6_hostaddr(bare).map(|()| bare),
        None => valid_ipv4_hostaddr(address).map(|()| address),
    }
}

/// Checks an address in brackets, and gives it without brackets and `IPv6:`.
pub fn valid_mailhost_literal(literal: &[u8]) -> Result<&[u8], Fault<'_>> {
    let Some(inner) = literal.strip_prefix(b"[") else { return Err(Fault::literal_start(literal)) };
    let Some(end) = inner.iter().position(|&byte| byte == b']') else {
        return Err(Fault::literal_end(literal));
    };
    if end + 1 != inner.len() {
        return Err(Fault::literal_tail(literal));
    }
    if end >= MAX_ADDRESS_LENGTH {
        return Err(Fault::literal_length(literal));
    }
    valid_mailhost_addr(&inner[..end])
}

/// An address in its one printed form, with and without `IPv6:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailhostAddress {
    /// `IPv6:fc00::1` or `1.2.3.4`.
    pub mailhost: String,
    /// `fc00::1` or `1.2.3.4`.
    pub bare: String,
    /// The address.
    pub address: IpAddr,
}

/// Reads an address in SMTP form and prints it as it should be; an IPv4 address inside IPv6
/// becomes IPv4 when that protocol is in use. None when it is none or its protocol is not in use.
pub fn normalize_mailhost_addr(text: &[u8], families: Families) -> Option<MailhostAddress> {
    let bare = valid_mailhost_addr(text).ok()?;
    let address = inet::unmap(inet::parse_address(bare)?, families);
    if !families.includes(address) {
        return None;
    }
    let bare = inet::printable_address(address);
    let mailhost = if address.is_ipv6() { format!("{IPV6_PREFIX}{bare}") } else { bare.clone() };
    Some(MailhostAddress { mailhost, bare, address })
}

/// What follows `IPv6:`, if that is there.
pub fn strip_ipv6_prefix(text: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = text.split_at_checked(IPV6_PREFIX.len())?;
    prefix.eq_ignore_ascii_case(IPV6_PREFIX.as_bytes()).then_some(rest)
}
