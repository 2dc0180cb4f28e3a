//! Which domains this system is the final destination for, by `mydestination` and its own addresses.

use std::net::IpAddr;
use std::rc::Rc;

use address::inet::parse_address;
use address::valid_mailhost_addr;
use table::{Env, ListFlags, StringList};

/// The domains and addresses of this system.
pub struct LocalDomains {
    names: StringList,
    addresses: Vec<IpAddr>,
}

impl LocalDomains {
    /// `mydestination`, and the addresses of `inet_interfaces` and `proxy_interfaces`.
    pub fn open(mydestination: &str, addresses: Vec<IpAddr>, env: &Rc<Env>) -> Self {
        Self { names: StringList::open("mydestination", mydestination, env, ListFlags::Exact), addresses }
    }

    /// Whether a domain or `[address]` is this system's.
    pub async fn contains(&self, domain: &[u8]) -> Result<bool, table::Error> {
        // One dot at the end is not wrong, two are.
        let domain = domain.strip_suffix(b".").unwrap_or(domain);
        if domain.is_empty() || domain.ends_with(b".") {
            return Ok(false);
        }
        if self.names.matches(domain).await? {
            return Ok(true);
        }
        let literal = domain.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        let Some(literal) = literal else { return Ok(false) };
        match valid_mailhost_addr(literal) {
            Ok(bare) => Ok(parse_address(bare).is_some_and(|address| self.addresses.contains(&address))),
            Err(fault) => {
                log::warning!("{fault}");
                Ok(false)
            }
        }
    }
}
