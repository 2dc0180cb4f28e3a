//! Destinations: how many deliveries at a time each can take, and which are left alone for a while.
//!
//! A destination starts with the initial concurrency. Each success adds positive feedback, each failure of the whole
//! destination (not of a recipient) negative feedback; when a feedback adds up to one, the window changes by one. A
//! failure also counts as a share of a *cohort*, which is as many failures as the window is wide; after
//! `failed_cohort_limit` cohorts without a success the destination is dead, and what waits for it is deferred.

use std::time::Duration;

use dsn::Dsn;

use super::entry::{Entry, QueueTodo};
use super::feedback::HYSTERESIS;
use super::list::List;
use super::timer::Timer;
use super::{ERROR, QueueId, RETRY, Scheduler, TransportId};

/// A destination of a transport.
#[derive(Debug)]
pub struct Queue {
    pub(super) transport: TransportId,
    /// By which it is found: the nexthop, or a recipient at the nexthop.
    pub(super) name: Box<[u8]>,
    pub(super) nexthop: Box<[u8]>,
    pub(super) status: Status,
    /// Deliveries under way.
    pub(super) busy: u32,
    /// Deliveries that wait.
    pub(super) todo: List<Entry, QueueTodo>,
    pub(super) todo_count: u32,
    success: f64,
    failure: f64,
    fail_cohorts: f64,
    /// Whether the agent may keep its connection, and look for a kept one: `FLAG_CONN_...` of delivery requests.
    pub(super) connection_flags: u32,
    pub(super) last_done: Option<Duration>,
    /// Deliveries in a row without a pause or a failure, also from before the destination was last forgotten.
    pub(super) row: u32,
    pub(super) clog_warn_at: Duration,
    pub(super) blocker_tag: u64,
    pub(super) timer: u64,
    /// What it adds to its transport's count of possible deliveries.
    usable: u32,
}

/// Whether mail is delivered to a destination.
#[derive(Debug)]
pub(super) enum Status {
    /// So many deliveries at a time; at least one.
    Ready(u32),
    /// It is dead, and this is why.
    Throttled(Dsn),
    /// The pause after a delivery (`_destination_rate_delay`).
    Suspended,
}

impl Queue {
    /// The destination in the transport's terms.
    pub fn nexthop(&self) -> &[u8] {
        &self.nexthop
    }

    /// `FLAG_CONN_...` bits for a delivery request.
    pub fn connection_flags(&self) -> u32 {
        self.connection_flags
    }

    /// Deliveries at a time; 0 while there are to be none.
    pub fn window(&self) -> u32 {
        match self.status {
            Status::Ready(window) => window,
            Status::Throttled(_) | Status::Suspended => 0,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.status, Status::Ready(_))
    }

    pub(super) fn is_throttled(&self) -> bool {
        matches!(self.status, Status::Throttled(_))
    }

    pub(super) fn has_room(&self) -> bool {
        self.window() > self.busy
    }

    pub(super) fn is_idle(&self) -> bool {
        self.todo_count == 0 && self.busy == 0
    }
}

impl Scheduler {
    pub(super) fn obtain_queue(&mut self, transport: TransportId, name: &[u8], nexthop: &[u8]) -> QueueId {
        if let Some(&known) = self.transports[transport].queues.get(name) {
            return known;
        }
        let row = self.transports[transport].recent.resume(name, self.now);
        let id = self.queues.insert(Queue {
            transport,
            name: name.into(),
            nexthop: nexthop.into(),
            status: Status::Ready(self.transports[transport].settings.initial_concurrency),
            busy: 0,
            todo: List::default(),
            todo_count: 0,
            success: 0.0,
            failure: 0.0,
            fail_cohorts: 0.0,
            connection_flags: 0,
            last_done: None,
            row,
            clog_warn_at: Duration::ZERO,
            blocker_tag: 0,
            timer: 0,
            usable: 0,
        });
        self.transports[transport].queues.insert(name.into(), id);
        id
    }

    /// Keeps the transport's count of possible deliveries right; after every change of window, busy or todo.
    pub(super) fn recount(&mut self, id: QueueId) {
        let queue = &mut self.queues[id];
        let usable = queue.window().saturating_sub(queue.busy).min(queue.todo_count);
        let transport = &mut self.transports[queue.transport];
        transport.usable = transport.usable + usable - queue.usable;
        queue.usable = usable;
    }

    /// A delivery to the destination worked, or its rest is over.
    pub(super) fn unthrottle_queue(&mut self, id: QueueId) {
        let queue = &mut self.queues[id];
        let settings = &self.transports[queue.transport].settings;
        log::debug!("qmgr_queue_unthrottle: queue {}", bytes::show(&queue.name));
        queue.fail_cohorts = 0.0;
        match queue.status {
            Status::Suspended => return,
            Status::Throttled(_) => {
                queue.timer = 0;
                let window = if queue.busy > 0 { queue.busy } else { settings.initial_concurrency };
                queue.status = Status::Ready(window);
                (queue.success, queue.failure) = (0.0, 0.0);
            }
            Status::Ready(window) => {
                let limit = settings.concurrency_limit;
                // Wider than what is in use, but not by so much that negative feedback has no effect.
                let may_grow = limit == 0 || limit > window;
                if may_grow && window < queue.busy + settings.initial_concurrency {
                    let feedback = settings.positive.value(window);
                    let mut window = window;
                    queue.success += feedback;
                    // Half a feedback early: sums of fractions do not come out even.
                    while queue.success + feedback / 2.0 >= f64::from(HYSTERESIS) {
                        window += HYSTERESIS;
                        queue.success -= f64::from(HYSTERESIS);
                        queue.failure = 0.0;
                    }
                    if limit > 0 {
                        window = window.min(limit);
                    }
                    queue.status = Status::Ready(window);
                    self.debug_feedback("qmgr_queue_unthrottle", id, feedback);
                }
            }
        }
        self.debug_window("qmgr_queue_unthrottle", id);
        self.recount(id);
    }

    /// A delivery found the whole destination unusable.
    pub(super) fn throttle_queue(&mut self, id: QueueId, dsn: &Dsn) {
        let queue = &mut self.queues[id];
        let settings = &self.transports[queue.transport].settings;
        let Status::Ready(mut window) = queue.status else { return };
        queue.row = 0;
        log::debug!(
            "qmgr_queue_throttle: queue {}: {} {}",
            bytes::show(&queue.name),
            dsn.status,
            bytes::show(&dsn.reason)
        );
        queue.fail_cohorts += 1.0 / f64::from(window);
        let limit = settings.failed_cohort_limit;
        if limit > 0 && queue.fail_cohorts >= limit as f64 {
            queue.status = Status::Throttled(dsn.clone());
            queue.connection_flags = 0;
            queue.timer = self.timers.set(self.now + self.limits.destination_rest, Timer::Queue(id));
        } else {
            let feedback = settings.negative.value(window);
            queue.failure -= feedback;
            while queue.failure - feedback / 2.0 < 0.0 {
                window = window.saturating_sub(HYSTERESIS);
                queue.success = 0.0;
                queue.failure += f64::from(HYSTERESIS);
            }
            // The sums go on at 1, so that a failure can still cancel a success.
            queue.status = Status::Ready(window.max(1));
            self.debug_feedback("qmgr_queue_throttle", id, feedback);
        }
        self.debug_window("qmgr_queue_throttle", id);
        self.recount(id);
    }

    /// No delivery for a while after the one that just ended.
    pub(super) fn suspend_queue(&mut self, id: QueueId, delay: Duration) {
        let queue = &mut self.queues[id];
        queue.status = Status::Suspended;
        queue.timer = self.timers.set(self.now + delay, Timer::Queue(id));
        self.recount(id);
    }

    /// The rest of a dead destination, or the pause, is over.
    pub(super) fn wake_queue(&mut self, id: QueueId) {
        if let Status::Suspended = self.queues[id].status {
            let queue = &mut self.queues[id];
            queue.status = Status::Ready(1);
            queue.timer = 0;
            self.recount(id);
            if !self.queues[id].is_idle() {
                self.update_blockers(id);
            }
        } else {
            self.unthrottle_queue(id);
        }
        self.drop_idle_queue(id);
    }

    /// Forgets a destination with nothing to remember.
    pub(super) fn drop_idle_queue(&mut self, id: QueueId) {
        let queue = &self.queues[id];
        if !queue.is_idle() || !queue.is_ready() {
            return;
        }
        if let Some(queue) = self.queues.remove(id) {
            let transport = &mut self.transports[queue.transport];
            transport.queues.remove(&queue.name);
            transport.recent.leave(queue.name, queue.row, self.now);
        }
    }

    fn debug_feedback(&self, function: &str, id: QueueId, feedback: f64) {
        if self.limits.debug_feedback && !self.is_error_queue(id) {
            log::info!("{function}: feedback {feedback}");
        }
    }

    fn debug_window(&self, function: &str, id: QueueId) {
        if !self.limits.debug_feedback || self.is_error_queue(id) {
            return;
        }
        let queue = &self.queues[id];
        log::info!(
            "{function}: queue {}: limit {} window {} success {} failure {} fail_cohorts {}",
            bytes::show(&queue.name),
            self.transports[queue.transport].settings.concurrency_limit,
            queue.window(),
            queue.success,
            queue.failure,
            queue.fail_cohorts
        );
    }

    fn is_error_queue(&self, id: QueueId) -> bool {
        let name = &*self.transports[self.queues[id].transport].name;
        name == RETRY || name == ERROR
    }
}
