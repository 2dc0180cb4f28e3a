//! The scheduler: which message goes to which destination when. No sockets, no files, no clock of its own.
//!
//! What comes in: the time ([`Scheduler::advance`]), messages with their recipients and where those go
//! ([`Scheduler::add`], [`Scheduler::place`]), and how things went ([`Scheduler::select`] when a delivery agent is
//! ready, [`Scheduler::finish`], [`Scheduler::unavailable`]). What comes out, by [`Scheduler::next_action`]: a delivery
//! agent is wanted, a message wants more recipients read, a message is through.
//!
//! The parts are named as in Postfix. A *transport* is a delivery service; it has a *queue* for each destination, with
//! a window of parallel deliveries that widens with success and narrows with failure. A message has a *job* in each
//! transport it uses, a job has a *peer* for each of its destinations, and the *entries* of a peer are the deliveries to
//! make, each with some recipients. Jobs are ordered by age, but a small job may go before a large one, when the large
//! one has earned enough *slots* by its own deliveries (see [`job`]).

pub mod arena;
mod defer;
mod enable;
mod entry;
mod error;
pub mod feedback;
pub mod job;
pub mod list;
mod message;
mod peer;
mod queue;
mod steady;
mod timer;
pub mod transport;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use address::Splitter;
use dsn::Dsn;
use ipc::Recipient;

use arena::Arena;
pub use arena::Id;
pub use entry::{Entry, Report};
use job::Job;
use list::List;
pub use message::{Envelope, Message, Route};
use peer::Peer;
pub use queue::Queue;
use timer::Timers;
pub use transport::{Settings, Transport};

/// A message in memory.
pub type MessageId = Id<Message>;
/// A delivery to make or under way.
pub type EntryId = Id<Entry>;
/// A delivery service.
pub type TransportId = Id<Transport>;
/// A destination.
pub type QueueId = Id<Queue>;
type JobId = Id<Job>;
type PeerId = Id<Peer>;

/// The name of the service that defers.
pub const RETRY: &[u8] = b"retry";
/// The name of the service that bounces.
pub const ERROR: &[u8] = b"error";

/// The general limits, from main.cf.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `qmgr_message_active_limit`.
    pub messages: i64,
    /// `qmgr_message_recipient_limit`.
    pub recipients: i64,
    /// `qmgr_message_recipient_minimum`.
    pub recipients_per_message: i64,
    /// `minimal_backoff_time`: how long a dead destination rests.
    pub destination_rest: Duration,
    /// `transport_retry_time`: how long a dead transport rests.
    pub transport_rest: Duration,
    /// `qmgr_clog_warn_time`; zero for no warnings (also when `helpful_warnings` is off).
    pub clog_warning: Duration,
    /// `destination_concurrency_feedback_debug`.
    pub debug_feedback: bool,
    /// `recipient_delimiter` and its exceptions.
    pub splitter: Splitter,
}

/// How a transport of a name is configured.
type SettingsOf = Box<dyn Fn(&[u8]) -> Settings>;

/// What the scheduler wants done.
#[derive(Debug)]
pub enum Action {
    /// Get hold of a delivery agent of this transport, then call [`Scheduler::ready`] or [`Scheduler::unavailable`].
    Connect(TransportId),
    /// Read more recipients of a message, then call [`Scheduler::place`] or [`Scheduler::refill_failed`].
    Refill(MessageId),
    /// Defer recipients without the help of retry(8), which is dead too; then call [`Scheduler::release`].
    Defer {
        /// The message.
        message: MessageId,
        /// Who.
        recipients: Vec<Recipient>,
        /// Why.
        dsn: Dsn,
    },
    /// All recipients in memory were tried: decide what becomes of the message, and call [`Scheduler::remove`] in the end.
    Done(MessageId),
}

/// See the [module](self).
pub struct Scheduler {
    limits: Limits,
    settings: SettingsOf,
    now: Duration,
    transports: Arena<Transport>,
    transport_names: HashMap<Box<[u8]>, TransportId>,
    transport_order: List<Transport, transport::Turn>,
    queues: Arena<Queue>,
    entries: Arena<Entry>,
    jobs: Arena<Job>,
    peers: Arena<Peer>,
    peer_names: HashMap<(JobId, QueueId), PeerId>,
    messages: Arena<Message>,
    recipients: i64,
    timers: Timers,
    actions: VecDeque<Action>,
}

impl Scheduler {
    /// An empty scheduler. `settings` says how a transport is configured; it is asked when a transport is first used.
    pub fn new(limits: Limits, settings: impl Fn(&[u8]) -> Settings + 'static) -> Self {
        Self {
            limits,
            settings: Box::new(settings),
            now: Duration::ZERO,
            transports: Arena::default(),
            transport_names: HashMap::new(),
            transport_order: List::default(),
            queues: Arena::default(),
            entries: Arena::default(),
            jobs: Arena::default(),
            peers: Arena::default(),
            peer_names: HashMap::new(),
            messages: Arena::default(),
            recipients: 0,
            timers: Timers::default(),
            actions: VecDeque::new(),
        }
    }

    /// How many messages are in memory.
    pub fn message_count(&self) -> usize {
        self.messages.len()
    }

    /// How many recipients are in memory.
    pub fn recipient_count(&self) -> i64 {
        self.recipients
    }

    /// What is to be done next; `None` until something happens.
    pub fn next_action(&mut self) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        self.choose_transport().map(Action::Connect)
    }

    /// The time is now this (since any fixed point); waiting that is over ends. Never goes back.
    pub fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.due(self.now) {
            self.expire(timer);
        }
    }

    /// When [`advance`](Self::advance) should be called at the latest.
    pub fn next_timer(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// The name of a transport, for log lines.
    pub fn transport_name(&self, transport: TransportId) -> &[u8] {
        &self.transports[transport].name
    }

    /// A message.
    pub fn message(&self, message: MessageId) -> &Message {
        &self.messages[message]
    }

    /// A message, to change what is known about it.
    pub fn message_mut(&mut self, message: MessageId) -> &mut Message {
        &mut self.messages[message]
    }

    /// A selected delivery, with its destination.
    pub fn delivery(&self, entry: EntryId) -> (&Entry, &Queue, &Message) {
        let entry = &self.entries[entry];
        (entry, &self.queues[entry.queue], &self.messages[entry.message])
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler")
            .field("now", &self.now)
            .field("transports", &self.transports.len())
            .field("queues", &self.queues.len())
            .field("entries", &self.entries.len())
            .field("messages", &self.messages.len())
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}
