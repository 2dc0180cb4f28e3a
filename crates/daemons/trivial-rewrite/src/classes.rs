//! Address classes: what kind of domain an address is in.

use std::net::IpAddr;
use std::rc::Rc;

use address::{Splitter, valid_mailhost_addr};
use ipc::rewrite::Flags;
use table::address::{LocalDomains, Site};
use table::{DomainList, Env, ListFlags, LocalFuture, StringList};

use crate::params::RewriteParams;

/// The lists that define the classes. A list that main.cf leaves empty does not exist.
pub struct Classes {
    /// This system's own domains.
    pub local: LocalDomains,
    /// How extensions are split off addresses.
    pub splitter: Splitter,
    /// `virtual_alias_domains`.
    pub alias: Option<StringList>,
    /// `virtual_mailbox_domains`.
    pub mailbox: Option<StringList>,
    /// `relay_domains`.
    pub relay: Option<DomainList>,
}

impl Classes {
    /// Opens the lists, for a system with these addresses.
    pub fn open(params: &RewriteParams, addresses: Vec<IpAddr>, parents: ListFlags, env: &Rc<Env>) -> Self {
        let list = |title, patterns: &str| StringList::open(title, patterns, env, ListFlags::Exact);
        let strings = |title, patterns: &str| (!patterns.is_empty()).then(|| list(title, patterns));
        let local = LocalDomains {
            myorigin: params.myorigin.clone().into_bytes(),
            mydestination: list("mydestination", &params.mydestination),
            is_own_address: Box::new(move |address| addresses.contains(&address)),
        };
        let splitter = Splitter::new(params.recipient_delimiter.as_bytes())
            .with_double_bounce_sender(params.double_bounce_sender.as_bytes())
            .with_owner_request_special(params.owner_request_special);
        let relay = &params.relay_domains;
        Self {
            local,
            splitter,
            alias: strings("virtual_alias_domains", &params.virtual_alias_domains),
            mailbox: strings("virtual_mailbox_domains", &params.virtual_mailbox_domains),
            relay: (!relay.is_empty()).then(|| DomainList::open("relay_domains", relay, env, parents)),
        }
    }

    /// Whether all lists are main.cf's, or in files.
    pub fn is_in_files(&self) -> bool {
        let strings = [Some(&self.local.mydestination), self.alias.as_ref(), self.mailbox.as_ref()];
        strings.into_iter().flatten().all(StringList::is_local) && self.relay.iter().all(DomainList::is_local)
    }

    /// The class of a domain.
    pub async fn of(&self, domain: &[u8]) -> Result<Flags, table::Error> {
        if self.is_local(domain).await? {
            return Ok(Flags::CLASS_LOCAL);
        }
        if self.is_alias(domain).await? {
            return Ok(Flags::CLASS_ALIAS);
        }
        if self.is_mailbox(domain).await? {
            return Ok(Flags::CLASS_VIRTUAL);
        }
        if self.is_relay(domain).await? {
            return Ok(Flags::CLASS_RELAY);
        }
        Ok(Flags::CLASS_DEFAULT)
    }

    /// Whether the domain is in `mydestination`, or an address of this system in brackets.
    pub async fn is_local(&self, domain: &[u8]) -> Result<bool, table::Error> {
        if self.local.is_destination(domain).await? {
            return Ok(true);
        }
        let literal = domain.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        if let Some(Err(fault)) = literal.map(valid_mailhost_addr) {
            log::warning!("{fault}");
        }
        Ok(false)
    }

    /// Whether the domain is in `virtual_alias_domains`.
    pub async fn is_alias(&self, domain: &[u8]) -> Result<bool, table::Error> {
        match &self.alias {
            Some(list) => list.matches(domain).await,
            None => Ok(false),
        }
    }

    /// Whether the domain is in `virtual_mailbox_domains`.
    pub async fn is_mailbox(&self, domain: &[u8]) -> Result<bool, table::Error> {
        match &self.mailbox {
            Some(list) => list.matches(domain).await,
            None => Ok(false),
        }
    }

    /// Whether the domain is in `relay_domains`, or below it where that counts.
    pub async fn is_relay(&self, domain: &[u8]) -> Result<bool, table::Error> {
        match &self.relay {
            Some(list) => list.matches(domain).await,
            None => Ok(false),
        }
    }
}

impl Site for Classes {
    fn splitter(&self) -> &Splitter {
        &self.splitter
    }

    fn is_local<'a>(&'a self, domain: &'a [u8]) -> LocalFuture<'a, Result<bool, table::Error>> {
        Box::pin(self.local.contains(domain))
    }
}
