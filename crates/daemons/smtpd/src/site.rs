//! Which domains and addresses are this machine's, and address lookups that depend on it.

use crate::server::Server;
use address::Splitter;
use conf::MainCf;
use std::net::IpAddr;
use std::rc::Rc;
use table::address::{AddressFound, Search, Strategy, find};
use table::{Env, Error, ListFlags, LocalFuture, Maps, StringList};

/// `$mydestination`, `$myorigin`, and the addresses of this machine.
pub(crate) struct Site {
    destinations: StringList,
    origin: String,
    own: Vec<IpAddr>,
    proxies: Vec<IpAddr>,
    splitter: Splitter,
}

conf::param_set! {
    struct SiteParams {
        mydestination, myorigin, recipient_delimiter, double_bounce_sender, owner_request_special
    }
}

impl Site {
    pub(crate) fn open(main: &MainCf, env: &Rc<Env>) -> Result<Site, conf::Error> {
        let params = SiteParams::load(main)?;
        let own = conf::interfaces::own_addresses(main)?;
        Ok(Site {
            destinations: StringList::open("mydestination", &params.mydestination, env, ListFlags::Exact),
            origin: params.myorigin,
            own: own.into_iter().map(|interface| interface.address).collect(),
            proxies: conf::interfaces::proxy_addresses(main)?,
            splitter: Splitter::new(params.recipient_delimiter.as_bytes())
                .with_double_bounce_sender(params.double_bounce_sender.as_bytes())
                .with_owner_request_special(params.owner_request_special),
        })
    }

    /// Another address of this machine.
    #[cfg(test)]
    pub(crate) fn add_own(&mut self, address: IpAddr) {
        self.own.push(address);
    }

    /// The address is one that this mail system receives mail on.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(&address)
    }

    /// As [`Site::is_own`], or that of a proxy in front of it.
    pub(crate) fn is_own_or_proxy(&self, address: IpAddr) -> bool {
        self.is_own(address) || self.proxies.contains(&address)
    }

    /// The domain is in `$mydestination`, or an address literal of this machine.
    pub(crate) async fn is_destination(&self, domain: &[u8]) -> Result<bool, Error> {
        let domain = match domain {
            [rest @ .., b'.'] if !rest.is_empty() && !rest.ends_with(b".") => rest,
            _ => domain,
        };
        if self.destinations.matches(domain).await? {
            return Ok(true);
        }
        let literal = address::valid_mailhost_literal(domain).ok();
        let ip = literal.and_then(address::inet::parse_address);
        Ok(ip.is_some_and(|ip| self.is_own_or_proxy(ip)))
    }
}

impl table::address::Site for Site {
    fn splitter(&self) -> &Splitter {
        &self.splitter
    }

    fn is_local<'a>(&'a self, domain: &'a [u8]) -> LocalFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            if address::eq_fold(domain, self.origin.as_bytes()) {
                return Ok(true);
            }
            self.is_destination(domain).await
        })
    }
}

impl Server {
    /// Looks up an address as rewriting does: whole, without extension, local part, `@domain`.
    pub(crate) async fn find_address(
        &self,
        maps: &Maps,
        address: &[u8],
    ) -> Result<Option<AddressFound>, Error> {
        if maps.is_empty() {
            return Ok(None);
        }
        find(maps, address, Search::USUAL, &self.site).await
    }

    /// Looks up an address as access tables do: whole, without extension, domain and parents, local part.
    pub(crate) async fn find_access_address(
        &self,
        maps: &Maps,
        address: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        let parents = if self.rules.parent_domains { Strategy::PARENTS } else { Strategy::DOT_PARENTS };
        let strategy = Strategy::FULL
            .and(Strategy::WITHOUT_EXTENSION)
            .and(Strategy::DOMAIN)
            .and(Strategy::LOCAL_PART_AT)
            .and(parents);
        let found = find(maps, address, Search::USUAL.with_strategy(strategy), &self.site).await?;
        Ok(found.map(|found| found.value))
    }
}
