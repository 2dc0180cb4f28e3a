//! Addresses through the rewriting service, the canonical maps and masquerading.

use address::{Address, eq_fold, quote_822_local, unquote_822_local};
use ipc::cleanup::{Status, flags};
use ipc::rewrite::Rule;
use table::Maps;

use crate::config::Classes;
use crate::masquerade::masquerade;
use crate::state::{Context, Message};

/// How often a canonical map may answer with an address that is in the map again.
const MAX_RECURSION: u32 = 10;

/// Whether an address is a sender's or a recipient's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Sender,
    Recipient,
}

/// Where an address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Envelope,
    Header,
}

impl Role {
    fn class(self, place: Place) -> Classes {
        match (self, place) {
            (Self::Sender, Place::Envelope) => Classes::ENVELOPE_SENDER,
            (Self::Recipient, Place::Envelope) => Classes::ENVELOPE_RECIPIENT,
            (Self::Sender, Place::Header) => Classes::HEADER_SENDER,
            (Self::Recipient, Place::Header) => Classes::HEADER_RECIPIENT,
        }
    }
}

impl Context {
    /// Whether anything beside the rewriting service changes such addresses.
    fn transforms(&self, class: Classes, role: Role) -> bool {
        let [own, common] = self.canonical_maps(class, role);
        own.is_some() || common.is_some() || self.masquerades(class)
    }

    /// The canonical maps for such addresses: the one for their role first.
    fn canonical_maps(&self, class: Classes, role: Role) -> [Option<&Maps>; 2] {
        let (config, tables) = (&self.config, &self.tables);
        let (own, own_classes) = match role {
            Role::Sender => (&tables.sender_canonical, config.sender_canonical_classes),
            Role::Recipient => (&tables.recipient_canonical, config.recipient_canonical_classes),
        };
        [
            own.as_ref().filter(|_| own_classes.contains(class)),
            tables.canonical.as_ref().filter(|_| config.canonical_classes.contains(class)),
        ]
    }

    fn masquerades(&self, class: Classes) -> bool {
        !self.config.masquerade_domains.is_empty() && self.config.masquerade_classes.contains(class)
    }
}

impl Message {
    /// The canonical form of an envelope address, from and to internal form.
    pub(crate) async fn rewrite_envelope(&mut self, role: Role, address: &[u8]) -> Vec<u8> {
        let rewritten = self.cx.peers.rewrite(Rule::Local, &quote_822_local(address)).await;
        let internal = unquote_822_local(&rewritten);
        if role == Role::Sender && self.is_mailer_daemon(&internal).await {
            return Vec::new();
        }
        self.transform_envelope(role, internal).await
    }

    /// Applies the canonical maps and masquerading to an envelope address in internal form.
    async fn transform_envelope(&mut self, role: Role, address: Vec<u8>) -> Vec<u8> {
        let class = role.class(Place::Envelope);
        if !self.has(flags::MAP_OK) || !self.cx.transforms(class, role) {
            return address;
        }
        match self.transform(role, class, quote_822_local(&address)).await {
            Some(changed) => unquote_822_local(&changed),
            None => address,
        }
    }

    /// Rewrites an address of a header in place; whether it changed.
    pub(crate) async fn rewrite_header_address(
        &mut self,
        rule: Rule,
        role: Role,
        address: &mut Address,
    ) -> bool {
        let original = address.externalize();
        let mut current = self.cx.peers.rewrite(rule, &original).await;
        let mut has_changed = current != original;
        let class = role.class(Place::Header);
        if self.has(flags::MAP_OK)
            && self.cx.transforms(class, role)
            && let Some(changed) = self.transform(role, class, current.clone()).await
        {
            current = changed;
            has_changed = true;
        }
        // Also when nothing changed: it decides about white space in the header if another address did.
        *address = Address::scan(&current);
        has_changed
    }

    /// Canonical maps and masquerading for an address in external form; `None` when it stays as it is.
    async fn transform(&mut self, role: Role, class: Classes, address: Vec<u8>) -> Option<Vec<u8>> {
        let cx = std::rc::Rc::clone(&self.cx);
        let mut current = address;
        let mut has_changed = false;
        for maps in cx.canonical_maps(class, role).into_iter().flatten() {
            has_changed |= self.map_to_one(maps, &mut current).await;
        }
        if cx.masquerades(class) {
            let exceptions = cx.tables.masquerade_exceptions.as_ref();
            match masquerade(&current, &cx.config.masquerade_domains, exceptions).await {
                Ok(Some(changed)) => {
                    current = changed;
                    has_changed = true;
                }
                Ok(None) => {}
                Err(_) => {
                    log::info!(
                        "{}: masquerade_exceptions map lookup problem -- message not accepted, try again later",
                        self.queue_id
                    );
                    self.errors |= Status::WRITE;
                }
            }
        }
        has_changed.then_some(current)
    }

    /// Replaces an address in external form by what a canonical map says, as often as it says something else.
    async fn map_to_one(&mut self, maps: &Maps, address: &mut Vec<u8>) -> bool {
        let cx = std::rc::Rc::clone(&self.cx);
        let mut has_changed = false;
        for _ in 0..MAX_RECURSION {
            let results = match cx.map_external(maps, address, cx.config.propagate_canonical).await {
                Ok(Some(results)) => results,
                Ok(None) => return has_changed,
                Err(_) => {
                    log::warning!(
                        "{}: {} map lookup problem for {} -- message not accepted, try again later",
                        self.queue_id,
                        maps.title(),
                        bytes::show(address)
                    );
                    self.errors |= Status::WRITE;
                    return has_changed;
                }
            };
            if results.len() > 1 {
                log::warning!(
                    "{}: multi-valued {} entry for {}",
                    self.queue_id,
                    maps.title(),
                    bytes::show(address)
                );
            }
            let Some(result) = results.into_iter().next() else { return has_changed };
            has_changed |= result != *address;
            let is_itself = eq_fold(&result, address);
            *address = result;
            if is_itself {
                return has_changed;
            }
        }
        log::warning!(
            "{}: unreasonable {} map nesting for {} -- message not accepted, try again later",
            self.queue_id,
            maps.title(),
            bytes::show(address)
        );
        has_changed
    }

    /// Whether this is the address that bounces of other systems come from, which is no address to answer to.
    async fn is_mailer_daemon(&self, address: &[u8]) -> bool {
        let (local, domain) = address::split_at_domain(address);
        if domain.is_none() || !local.eq_ignore_ascii_case(address::MAILER_DAEMON) {
            return false;
        }
        let own = self.cx.peers.rewrite(Rule::Local, address::MAILER_DAEMON).await;
        eq_fold(&unquote_822_local(&own), address)
    }
}
