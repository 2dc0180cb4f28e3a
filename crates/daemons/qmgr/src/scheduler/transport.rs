//! Delivery services: how they are configured, whether they work, whose turn it is.

use std::collections::HashMap;
use std::time::Duration;

use dsn::Dsn;

use super::feedback::Feedback;
use super::job::{ByAge, Job, Schedule};
use super::list::{InList, Links, List};
use super::steady::Recent;
use super::timer::Timer;
use super::{EntryId, JobId, QueueId, Scheduler, TransportId};

/// How many delivery agents of one transport may be asked for at a time. With one, each delivery would wait for the
/// greeting of an agent; the number only has to cover that wait.
const PENDING_LIMIT: u32 = 10;

/// How a transport is configured: `TRANSPORT_...` in main.cf, or the `default_...`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `_destination_concurrency_limit`; 0 is no limit.
    pub concurrency_limit: u32,
    /// `_initial_destination_concurrency`.
    pub initial_concurrency: u32,
    /// `_destination_recipient_limit`; 0 is no limit.
    pub recipient_limit: usize,
    /// `_recipient_limit`: recipients in memory.
    pub recipients: i64,
    /// `_extra_recipient_limit`: recipients in memory set aside for jobs that go first.
    pub extra_recipients: i64,
    /// `_recipient_refill_limit`.
    pub refill_limit: i64,
    /// `_recipient_refill_delay`.
    pub refill_delay: Duration,
    /// `_delivery_slot_cost`.
    pub slot_cost: i64,
    /// `_delivery_slot_loan`.
    pub slot_loan: i64,
    /// `_delivery_slot_discount`, in percent.
    pub slot_discount: i64,
    /// `_minimum_delivery_slots`.
    pub minimum_slots: i64,
    /// `_destination_concurrency_positive_feedback`.
    pub positive: Feedback,
    /// `_destination_concurrency_negative_feedback`.
    pub negative: Feedback,
    /// `_destination_concurrency_failed_cohort_limit`; 0 is no limit.
    pub failed_cohort_limit: i64,
    /// `_destination_rate_delay`.
    pub rate_delay: Duration,
    /// `_transport_rate_delay`.
    pub transport_rate_delay: Duration,
}

impl Settings {
    /// For a transport that is not to be used: its settings are wrong.
    pub fn fallback() -> Self {
        Self {
            concurrency_limit: 1,
            initial_concurrency: 1,
            recipient_limit: 1,
            recipients: 1,
            extra_recipients: 1,
            refill_limit: 1,
            refill_delay: Duration::from_secs(1),
            slot_cost: 0,
            slot_loan: 0,
            slot_discount: 0,
            minimum_slots: 0,
            positive: Feedback::ONE,
            negative: Feedback::ONE,
            failed_cohort_limit: 1,
            rate_delay: Duration::ZERO,
            transport_rate_delay: Duration::ZERO,
        }
    }

    /// With the limits that follow from each other.
    #[must_use]
    pub fn consistent(mut self) -> Self {
        if self.rate_delay > Duration::ZERO {
            self.concurrency_limit = 1;
        }
        if self.concurrency_limit != 0 {
            self.initial_concurrency = self.initial_concurrency.min(self.concurrency_limit);
        }
        self
    }
}

/// A delivery service.
#[derive(Debug)]
pub struct Transport {
    pub(super) name: Box<[u8]>,
    pub(super) settings: Settings,
    turn: Links<Transport>,
    /// Why it is dead.
    pub(super) dead: Option<Dsn>,
    pub(super) timer: u64,
    /// A delivery of a transport with a rate delay is being prepared or under way.
    rate_lock: bool,
    /// Agents that were asked for.
    pending: u32,
    /// Deliveries that could be made now, over all destinations.
    pub(super) usable: u32,
    pub(super) queues: HashMap<Box<[u8]>, QueueId>,
    pub(super) recent: Recent,
    pub(super) schedule: List<Job, Schedule>,
    pub(super) by_age: List<Job, ByAge>,
    pub(super) current: Option<JobId>,
    pub(super) next_unread: Option<JobId>,
    pub(super) candidate: Option<CachedCandidate>,
    pub(super) blocker_tag: u64,
    /// Recipient slots that no job has.
    pub(super) free_recipients: i64,
}

/// Which job may preempt which, found recently.
#[derive(Clone, Copy, Debug)]
pub(super) struct CachedCandidate {
    pub(super) current: JobId,
    pub(super) candidate: Option<JobId>,
    pub(super) second: u64,
}

/// The list of transports, in turn.
#[derive(Debug)]
pub struct Turn;

impl InList<Turn> for Transport {
    fn links(&self) -> &Links<Self> {
        &self.turn
    }

    fn links_mut(&mut self) -> &mut Links<Self> {
        &mut self.turn
    }
}

impl Scheduler {
    /// The transport of this name, if it was used before.
    pub fn find_transport(&self, name: &[u8]) -> Option<TransportId> {
        self.transport_names.get(name).copied()
    }

    pub(super) fn obtain_transport(&mut self, name: &[u8]) -> TransportId {
        if let Some(known) = self.find_transport(name) {
            return known;
        }
        let settings = (self.settings)(name);
        let id = self.transports.insert(Transport {
            name: name.into(),
            free_recipients: settings.recipients,
            settings,
            turn: Links::default(),
            dead: None,
            timer: 0,
            rate_lock: false,
            pending: 0,
            usable: 0,
            queues: HashMap::new(),
            recent: Recent::default(),
            schedule: List::default(),
            by_age: List::default(),
            current: None,
            next_unread: None,
            candidate: None,
            // Odd, so that it is never the 0 of what does not block.
            blocker_tag: 1,
        });
        self.transport_names.insert(name.into(), id);
        // New ones come first, as in Postfix.
        self.transport_order.prepend(&mut self.transports, id);
        id
    }

    /// The next transport in turn that has something to deliver and is not waiting for too many agents yet.
    pub(super) fn choose_transport(&mut self) -> Option<TransportId> {
        let id = self.transport_order.iter(&self.transports).find(|&id| {
            let transport = &self.transports[id];
            transport.dead.is_none()
                && !transport.rate_lock
                && transport.pending < PENDING_LIMIT
                && transport.usable > transport.pending
        })?;
        self.transport_order.rotate_past(&mut self.transports, id);
        let transport = &mut self.transports[id];
        transport.pending += 1;
        transport.rate_lock = transport.settings.transport_rate_delay > Duration::ZERO;
        Some(id)
    }

    /// An agent is there. How long to wait before [`select`](Self::select) and its delivery: usually not at all.
    pub fn ready(&mut self, transport: TransportId) -> Duration {
        let transport = &mut self.transports[transport];
        transport.pending = transport.pending.saturating_sub(1);
        transport.settings.transport_rate_delay
    }

    /// What to deliver by an agent that is there; `None`: nothing any more, let it go.
    pub fn select(&mut self, transport: TransportId) -> Option<EntryId> {
        let entry = self.select_entry(transport);
        if entry.is_none() {
            self.transports[transport].rate_lock = false;
        }
        entry
    }

    /// There is no agent: the transport is dead for a while, and mail for it is deferred.
    ///
    /// After [`Action::Connect`](super::Action::Connect), in place of [`ready`](Self::ready).
    pub fn unavailable(&mut self, transport: TransportId) {
        let found = &mut self.transports[transport];
        found.pending = found.pending.saturating_sub(1);
        self.transport_failed(transport);
    }

    /// The agent went away before it had the whole request: as [`unavailable`](Self::unavailable), after
    /// [`select`](Self::select).
    pub fn undelivered(&mut self, entry: EntryId) {
        let queue = self.entries[entry].queue;
        let transport = self.queues[queue].transport;
        self.unselect_entry(entry);
        self.transport_failed(transport);
    }

    fn transport_failed(&mut self, transport: TransportId) {
        let dsn = Dsn::new(dsn::Status::new("4.3.0"), "mail transport unavailable");
        self.throttle_transport(transport, &dsn);
        self.defer_transport(transport, &dsn);
    }

    fn throttle_transport(&mut self, id: TransportId, dsn: &Dsn) {
        let transport = &mut self.transports[id];
        if transport.dead.is_some() {
            return;
        }
        log::debug!(
            "qmgr_transport_throttle: transport {}: status: {} reason: {}",
            bytes::show(&transport.name),
            dsn.status,
            bytes::show(&dsn.reason)
        );
        transport.dead = Some(dsn.clone());
        transport.timer = self.timers.set(self.now + self.limits.transport_rest, Timer::Transport(id));
    }

    /// The next delivery of a transport with a rate delay may be prepared.
    pub(super) fn unlock_rate(&mut self, id: TransportId) {
        self.transports[id].rate_lock = false;
    }

    /// It works, or gets another chance.
    pub(super) fn unthrottle_transport(&mut self, id: TransportId) {
        let transport = &mut self.transports[id];
        if transport.dead.take().is_some() {
            log::debug!("qmgr_transport_unthrottle: transport {}", bytes::show(&transport.name));
            transport.timer = 0;
        }
        transport.rate_lock = false;
    }
}
