//! What a session asks of Postfix's other services: address resolution, the event counter, the queue.
//!
//! The session itself opens no socket. Postfix's own services answer in production ([`postfix`]), a script in tests.

pub mod by_hand;
pub mod postfix;

use crate::outgoing::Outgoing;
use ipc::anvil::{Counts, Event};
use ipc::verify::AddressStatus;
use std::future::Future;
use std::pin::Pin;

/// An answer that takes time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The address class that trivial-rewrite put a recipient into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Class {
    /// `$mydestination`, `$inet_interfaces`, `$proxy_interfaces`.
    Local,
    /// `$virtual_alias_domains`.
    Alias,
    /// `$virtual_mailbox_domains`.
    Virtual,
    /// `$relay_domains`.
    Relay,
    /// Everything else.
    #[default]
    Default,
}

impl Class {
    /// The destination is delivered here, not passed on.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Class::Local | Class::Alias | Class::Virtual)
    }
}

/// What an address resolves to.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// The delivery transport.
    pub transport: Vec<u8>,
    /// The next hop.
    pub nexthop: Vec<u8>,
    /// The rewritten address, lower case.
    pub recipient: Vec<u8>,
    /// The address class.
    pub class: Class,
    /// A lookup failed; nothing is known.
    pub failed: bool,
    /// The address is malformed.
    pub error: bool,
    /// The address is source routed.
    pub routed: bool,
}

impl From<ipc::rewrite::Resolved> for Resolved {
    fn from(reply: ipc::rewrite::Resolved) -> Resolved {
        use ipc::rewrite::Flags;
        let class = [
            (Flags::CLASS_LOCAL, Class::Local),
            (Flags::CLASS_ALIAS, Class::Alias),
            (Flags::CLASS_VIRTUAL, Class::Virtual),
            (Flags::CLASS_RELAY, Class::Relay),
        ]
        .into_iter()
        .find(|(flag, _)| reply.flags.has(*flag))
        .map_or(Class::Default, |(_, class)| class);
        Resolved {
            class,
            failed: reply.flags.has(Flags::FAIL),
            error: reply.flags.has(Flags::ERROR),
            routed: reply.flags.has(Flags::ROUTED),
            recipient: address::casefold(&reply.recipient),
            transport: reply.transport,
            nexthop: reply.nexthop,
        }
    }
}

/// Free space in the file system of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes in a block.
    pub block_size: u64,
    /// Blocks that an unprivileged process may use.
    pub free_blocks: u64,
}

/// The services that a session uses.
pub trait Outside {
    /// Rewrites an address in local context and resolves it.
    fn resolve<'a>(&'a self, sender: Option<&'a [u8]>, address: &'a [u8]) -> Answer<'a, Resolved>;
    /// Rewrites an address in local context.
    fn rewrite<'a>(&'a self, address: &'a [u8]) -> Answer<'a, Vec<u8>>;
    /// Counts an event of a client of a service; `None` when anvil(8) cannot be asked.
    fn event<'a>(&'a self, event: Event, service: &'a str, client: &'a str) -> Answer<'a, Option<Counts>>;
    /// Asks for delivery of the mail for a site.
    fn flush_site<'a>(&'a self, site: &'a str) -> Answer<'a, ipc::flush::Status>;
    /// Starts a message.
    fn open_mail(&self, flags: u32) -> Answer<'_, ipc::Result<Outgoing>>;
    /// Asks whether mail for an address can be delivered; `None` when verify(8) cannot be asked.
    fn verify<'a>(&'a self, address: &'a [u8]) -> Answer<'a, Option<(AddressStatus, Vec<u8>)>>;
    /// Free space for the queue.
    fn free_space(&self) -> Result<Space, std::io::Error>;
}
