//! Lists of hosts by address, or by name and address: `mynetworks`, `smtpd_authorized_xclient_hosts`.

use std::rc::Rc;

use crate::cidr::{Address, CidrPattern};
use crate::env::Env;
use crate::error::Error;
use crate::list::{Item, ListFlags, Patterns, What, name_matches};

/// Network addresses, net/mask patterns and tables of addresses.
pub struct AddressList(Hosts);

/// Host names as well as addresses.
pub struct HostList(Hosts, ListFlags);

impl AddressList {
    /// Reads the list. The title, usually the parameter's name, appears in log messages. The flags mean nothing to
    /// addresses, which have no parents.
    pub fn open(title: &str, patterns: &str, env: &Rc<Env>, flags: ListFlags) -> Self {
        let _ = flags;
        Self(Hosts::open(title, patterns, env))
    }

    /// Whether there is nothing that could match.
    pub fn is_empty(&self) -> bool {
        self.0.patterns.is_empty()
    }

    /// Whether the address (without brackets) is in the list.
    pub async fn matches(&self, address: &[u8]) -> Result<bool, Error> {
        let address = self.0.patterns.fold(address);
        let parsed = parse(&address);
        for (item, network) in self.0.items() {
            if self.0.address_matches(item, network, &address, parsed).await? {
                return Ok(item.positive);
            }
        }
        Ok(false)
    }

    /// As [`AddressList::matches`], for programs without a runtime.
    pub fn matches_blocking(&self, address: &[u8]) -> Result<bool, Error> {
        crate::types::wait(self.0.patterns.waiting(), self.matches(address))
    }
}

impl HostList {
    /// Reads the list. The title, usually the parameter's name, appears in log messages.
    pub fn open(title: &str, patterns: &str, env: &Rc<Env>, flags: ListFlags) -> Self {
        Self(Hosts::open(title, patterns, env), flags)
    }

    /// Whether there is nothing that could match.
    pub fn is_empty(&self) -> bool {
        self.0.patterns.is_empty()
    }

    /// Whether the name or the address (without brackets) is in the list.
    pub async fn matches(&self, name: &[u8], address: &[u8]) -> Result<bool, Error> {
        let name = self.0.patterns.fold(name);
        let address = self.0.patterns.fold(address);
        let parsed = parse(&address);
        for (item, network) in self.0.items() {
            if name_matches(&self.0.patterns, item, &name, self.1).await?
                || self.0.address_matches(item, network, &address, parsed).await?
            {
                return Ok(item.positive);
            }
        }
        Ok(false)
    }

    /// As [`HostList::matches`], for programs without a runtime.
    pub fn matches_blocking(&self, name: &[u8], address: &[u8]) -> Result<bool, Error> {
        crate::types::wait(self.0.patterns.waiting(), self.matches(name, address))
    }
}

/// The elements, and what those that look like addresses mean.
struct Hosts {
    patterns: Patterns,
    networks: Vec<Network>,
}

/// What an element means to an address.
enum Network {
    /// Only the address in the same spelling can match.
    Literal,
    Pattern(CidrPattern),
    /// The element looks like a pattern, but is none: a match against it fails with this text.
    Bad(String),
}

impl Hosts {
    fn open(title: &str, patterns: &str, env: &Rc<Env>) -> Self {
        let patterns = Patterns::open(title, patterns, env);
        let networks = patterns.items.iter().map(Network::of).collect();
        Self { patterns, networks }
    }

    fn items(&self) -> impl Iterator<Item = (&Item, &Network)> {
        self.patterns.items.iter().zip(&self.networks)
    }

    async fn address_matches(
        &self,
        item: &Item,
        network: &Network,
        address: &[u8],
        parsed: Option<Address>,
    ) -> Result<bool, Error> {
        if !address.iter().all(|&byte| is_v6_byte(byte)) {
            return Ok(false);
        }
        let text = match &item.what {
            What::Table(table) => return self.patterns.ask(table, address).await,
            What::Broken => return Err(self.patterns.failed()),
            What::Text(text) => text,
        };
        let bare = text.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(text);
        if bare == address {
            return Ok(true);
        }
        if address.contains(&b':') != text.contains(&b':') {
            return Ok(false);
        }
        match network {
            Network::Literal => Ok(false),
            Network::Pattern(pattern) => Ok(parsed.is_some_and(|address| pattern.matches(address))),
            Network::Bad(why) => {
                log::warning!("{}: {why}", self.patterns.title);
                Err(Error::retry(self.patterns.title.clone()))
            }
        }
    }
}

impl Network {
    /// COMPAT: what cannot be a network, such as a parent domain or an IPv4 address without mask, is not an error but
    /// never matches: lists mix names and addresses.
    fn of(item: &Item) -> Self {
        let What::Text(text) = &item.what else { return Self::Literal };
        let is_pattern = text.iter().any(|byte| matches!(byte, b':' | b'/'))
            && !text.iter().all(|&byte| is_v4_byte(byte))
            && text.iter().all(|&byte| is_v6_byte(byte) || matches!(byte, b'[' | b']' | b'/'));
        if !is_pattern {
            return Self::Literal;
        }
        match CidrPattern::parse(&String::from_utf8_lossy(text)) {
            Ok(pattern) => Self::Pattern(pattern),
            Err(why) => Self::Bad(why),
        }
    }
}

fn parse(address: &[u8]) -> Option<Address> {
    Address::parse(std::str::from_utf8(address).ok()?)
}

fn is_v4_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

fn is_v6_byte(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':')
}
