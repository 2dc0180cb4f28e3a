//! `transport_maps`: the delivery service and destination of single addresses and domains.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use table::address::{Search, Site, Strategy, find};
use table::{ListFlags, Maps};

/// How long the entry for `*` is remembered.
const WILDCARD_TTL: Duration = Duration::from_secs(30);

/// What a table entry `service:destination` says; empty parts say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    channel: Vec<u8>,
    nexthop: Vec<u8>,
}

impl Entry {
    fn parse(value: &[u8]) -> Self {
        let (channel, nexthop) = bytes::split_once(value, b':').unwrap_or((value, b""));
        Self { channel: channel.to_vec(), nexthop: nexthop.to_vec() }
    }
}

/// Where mail goes: a delivery service and, in its terms, a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The delivery service.
    pub channel: Vec<u8>,
    /// The destination.
    pub nexthop: Vec<u8>,
}

impl Route {
    /// `:nexthop` changes the destination only, `:` nothing. A service without a destination resets that to the
    /// recipient's domain, or to a reason for the services that return mail.
    fn update(&mut self, entry: &Entry, domain: &[u8]) {
        if entry.channel.is_empty() {
            if !entry.nexthop.is_empty() {
                self.nexthop.clone_from(&entry.nexthop);
            }
            return;
        }
        self.channel.clone_from(&entry.channel);
        self.nexthop = match entry.channel.as_slice() {
            _ if !entry.nexthop.is_empty() => entry.nexthop.clone(),
            b"error" | b"retry" => b"Address is undeliverable".to_vec(),
            _ => domain.to_vec(),
        };
    }
}

/// The tables of `transport_maps` or `address_verify_transport_maps`.
pub struct Transports {
    maps: Maps,
    search: Search,
    wildcard: RefCell<Option<(Option<Entry>, Instant)>>,
}

impl Transports {
    /// Searches these tables; a domain's parents match as they are, or only with a dot before them.
    pub fn new(maps: Maps, parents: ListFlags) -> Self {
        let parents = match parents {
            ListFlags::Parent => Strategy::PARENTS,
            ListFlags::Exact => Strategy::DOT_PARENTS,
        };
        let strategy = Strategy::FULL.and(Strategy::WITHOUT_EXTENSION).and(Strategy::DOMAIN).and(parents);
        Self { maps, search: Search::USUAL.with_strategy(strategy), wildcard: RefCell::default() }
    }

    /// Applies the entry for an address in internal form with the given domain; whether there was one.
    pub async fn apply(
        &self,
        site: &impl Site,
        address: &[u8],
        domain: &[u8],
        route: &mut Route,
    ) -> Result<bool, table::Error> {
        if address.is_empty() {
            log::warning!("transport_lookup: null address - skipping table lookup");
            return Ok(false);
        }
        let found = find(&self.maps, address, self.search, site).await?;
        let entry = match found {
            Some(found) => Some(Entry::parse(&found.value)),
            None => self.wildcard().await?,
        };
        if let Some(entry) = &entry {
            route.update(entry, domain);
        }
        Ok(entry.is_some())
    }

    /// The entry for `*`.
    async fn wildcard(&self) -> Result<Option<Entry>, table::Error> {
        if let Some((entry, since)) = &*self.wildcard.borrow()
            && since.elapsed() <= WILDCARD_TTL
        {
            return Ok(entry.clone());
        }
        let entry = self.maps.find(b"*").await?.map(|found| Entry::parse(&found.value));
        self.wildcard.replace(Some((entry.clone(), Instant::now())));
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_parts_say_nothing() {
        let start = Route { channel: b"smtp".to_vec(), nexthop: b"relay".to_vec() };
        for (value, channel, nexthop) in [
            (":", "smtp", "relay"),
            (":[host]:25", "smtp", "[host]:25"),
            ("lmtp", "lmtp", "d"),
            ("lmtp:", "lmtp", "d"),
            ("lmtp:unix:/x", "lmtp", "unix:/x"),
            ("error:", "error", "Address is undeliverable"),
            ("retry", "retry", "Address is undeliverable"),
            ("error:no such: user", "error", "no such: user"),
        ] {
            let mut route = start.clone();
            route.update(&Entry::parse(value.as_bytes()), b"d");
            assert_eq!(route, Route { channel: channel.into(), nexthop: nexthop.into() }, "{value}");
        }
    }
}
