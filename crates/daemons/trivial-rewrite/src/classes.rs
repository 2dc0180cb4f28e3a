//! Address classes: what kind of domain an address is in.

use std::rc::Rc;

use ipc::rewrite::Flags;
use table::{DomainList, Env, ListFlags, StringList};

use crate::local::LocalDomains;
use crate::params::RewriteParams;

/// The lists that define the classes. A list that main.cf leaves empty does not exist.
pub struct Classes {
    /// This system's own domains.
    pub local: LocalDomains,
    /// `virtual_alias_domains`.
    pub alias: Option<StringList>,
    /// `virtual_mailbox_domains`.
    pub mailbox: Option<StringList>,
    /// `relay_domains`.
    pub relay: Option<DomainList>,
}

impl Classes {
    /// Opens the lists.
    pub fn open(params: &RewriteParams, local: LocalDomains, parents: ListFlags, env: &Rc<Env>) -> Self {
        let strings = |title, patterns: &str| {
            (!patterns.is_empty()).then(|| StringList::open(title, patterns, env, ListFlags::Exact))
        };
        let relay = &params.relay_domains;
        Self {
            local,
            alias: strings("virtual_alias_domains", &params.virtual_alias_domains),
            mailbox: strings("virtual_mailbox_domains", &params.virtual_mailbox_domains),
            relay: (!relay.is_empty()).then(|| DomainList::open("relay_domains", relay, env, parents)),
        }
    }

    /// The class of a domain.
    pub async fn of(&self, domain: &[u8]) -> Result<Flags, table::Error> {
        if self.local.contains(domain).await? {
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
