//! Deliveries: some recipients of one message with the same destination.

use dsn::{Dsn, Status};
use ipc::{Recipient, deliver};

use super::list::{InList, Links, List};
use super::steady::STEADY;
use super::{Action, EntryId, MessageId, PeerId, QueueId, Scheduler};

/// A delivery that waits or is under way.
#[derive(Debug)]
pub struct Entry {
    /// Whose.
    pub message: MessageId,
    /// To whom.
    pub recipients: Vec<Recipient>,
    pub(super) queue: QueueId,
    peer: PeerId,
    in_queue: Links<Entry>,
    in_peer: Links<Entry>,
    /// How many recipients it counts for, also when they have been handed on.
    size: i64,
}

/// The list of a destination's waiting deliveries.
#[derive(Debug)]
pub struct QueueTodo;

/// The list of a peer's waiting deliveries.
#[derive(Debug)]
pub struct PeerTodo;

impl InList<QueueTodo> for Entry {
    fn links(&self) -> &Links<Self> {
        &self.in_queue
    }

    fn links_mut(&mut self) -> &mut Links<Self> {
        &mut self.in_queue
    }
}

impl InList<PeerTodo> for Entry {
    fn links(&self) -> &Links<Self> {
        &self.in_peer
    }

    fn links_mut(&mut self) -> &mut Links<Self> {
        &mut self.in_peer
    }
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Todo,
    Busy,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The delivery agent answered.
    Answer(deliver::Outcome),
    /// It went away without an answer, or its answer makes no sense.
    Crash,
}

impl Scheduler {
    pub(super) fn create_entry(&mut self, peer: PeerId, message: MessageId) -> EntryId {
        let (job, queue) = (self.peers[peer].job, self.peers[peer].queue);
        let id = self.entries.insert(Entry {
            message,
            recipients: Vec::new(),
            queue,
            peer,
            in_queue: Links::default(),
            in_peer: Links::default(),
            size: 0,
        });
        self.messages[message].references += 1;
        let owner = &mut self.peers[peer];
        owner.references += 1;
        owner.todo.append(&mut self.entries, id);
        let destination = &mut self.queues[queue];
        destination.todo.append(&mut self.entries, id);
        destination.todo_count += 1;
        self.jobs[job].read += 1;
        self.recount(queue);
        self.warn_of_clog(queue);
        id
    }

    /// Adds a recipient; the caller keeps the counts of job, message and scheduler.
    pub(super) fn add_to_entry(&mut self, id: EntryId, recipient: Recipient) {
        let entry = &mut self.entries[id];
        entry.size += 1;
        entry.recipients.push(recipient);
    }

    /// The peer's next delivery is about to begin.
    pub(super) fn start_entry(&mut self, peer: PeerId) -> Option<EntryId> {
        let owner = &mut self.peers[peer];
        let id = owner.todo.head()?;
        owner.todo.unlink(&mut self.entries, id);
        let (job, queue) = (owner.job, owner.queue);
        let destination = &mut self.queues[queue];
        destination.todo.unlink(&mut self.entries, id);
        destination.todo_count -= 1;
        destination.busy += 1;
        self.jobs[job].selected += 1;

        // The agents keep connections while deliveries follow each other, and go on using kept ones until the last:
        // a burst of no more than the initial concurrency keeps none.
        let back_to_back = destination.last_done.is_some_and(|done| done.as_secs() + 1 >= self.now.as_secs());
        if destination.last_done.is_some() && !back_to_back {
            destination.row = 0;
        }
        // COMPAT: a steady stream of single messages counts as well, where Postfix forgets a destination between two;
        // `connections_are_kept_in_a_steady_stream`.
        let goes_on = back_to_back || destination.row >= STEADY;
        if destination.connection_flags & deliver::FLAG_CONN_STORE == 0 {
            if goes_on {
                destination.connection_flags |= deliver::FLAG_CONN_LOAD | deliver::FLAG_CONN_STORE;
            }
        } else if destination.busy <= 1 && !goes_on {
            destination.connection_flags &= !deliver::FLAG_CONN_STORE;
        }
        self.recount(queue);
        Some(id)
    }

    /// It did not begin after all.
    pub(super) fn unselect_entry(&mut self, id: EntryId) {
        let Entry { queue, peer, .. } = self.entries[id];
        let destination = &mut self.queues[queue];
        destination.busy -= 1;
        destination.todo.append(&mut self.entries, id);
        destination.todo_count += 1;
        let owner = &mut self.peers[peer];
        owner.todo.prepend(&mut self.entries, id);
        let job = owner.job;
        self.jobs[job].selected -= 1;
        self.recount(queue);
    }

    /// A delivery is over. Never before its agent is.
    pub fn finish(&mut self, id: EntryId, report: Report) {
        let Entry { message, queue, .. } = self.entries[id];
        let transport = self.queues[queue].transport;
        let crashed = report == Report::Crash;
        let (problem, again) = match report {
            Report::Crash => (Some(Dsn::new(Status::new("4.3.0"), "unknown mail transport error")), true),
            Report::Answer(outcome) => (outcome.hop_status, !outcome.is_final),
        };
        if again {
            self.messages[message].deferred = true;
            if let Some(problem) = &problem
                && self.queues[queue].is_ready()
            {
                let mut reason = b"delivery temporarily suspended: ".to_vec();
                reason.extend_from_slice(&problem.reason);
                let status =
                    if problem.status == Status::default() { Status::new("4.0.0") } else { problem.status };
                let dsn = Dsn { status, reason, ..problem.clone() };
                self.throttle_queue(queue, &dsn);
                if self.queues[queue].is_throttled() {
                    self.defer_todo(queue, &dsn);
                }
            }
        }
        if !crashed {
            self.unthrottle_transport(transport);
            if problem.is_none() {
                self.unthrottle_queue(queue);
            }
        } else {
            self.unlock_rate(transport);
        }
        self.finish_entry(id, Stage::Busy);
    }

    /// Gives a waiting delivery to another destination, of an error service.
    pub(super) fn move_todo(&mut self, id: EntryId, queue: QueueId) {
        let Entry { message, peer, size, .. } = self.entries[id];
        let from = self.peers[peer].job;
        let job = self.obtain_job(message, self.queues[queue].transport);
        let peer = self.obtain_peer(job, queue);
        let moved = self.create_entry(peer, message);
        self.entries[moved].recipients = std::mem::take(&mut self.entries[id].recipients);
        self.entries[moved].size = size;
        self.entries[id].size = 0;
        self.jobs[from].recipients -= size;
        self.jobs[job].recipients += size;
        self.finish_entry(id, Stage::Todo);
    }

    pub(super) fn finish_entry(&mut self, id: EntryId, stage: Stage) {
        let Some(Entry { message, queue, peer, size, .. }) = self.unlink_entry(id, stage) else { return };
        let job = self.peers[peer].job;
        let transport = self.jobs[job].transport;
        self.jobs[job].recipients -= size;
        self.messages[message].recipients -= size;
        self.recipients -= size;
        self.return_slots(message, job);

        if stage == Stage::Busy {
            let delay = self.transports[transport].settings.rate_delay;
            if !delay.is_zero() {
                if self.queues[queue].is_throttled() {
                    self.unthrottle_queue(queue);
                }
                if self.queues[queue].is_ready() && self.queues[queue].busy == 0 {
                    self.suspend_queue(queue, delay);
                }
            }
        }
        let destination = &self.queues[queue];
        let is_suspended = matches!(destination.status, super::queue::Status::Suspended);
        if !is_suspended && destination.blocker_tag == self.transports[transport].blocker_tag {
            self.update_blockers(queue);
        }
        let owner = &mut self.peers[peer];
        owner.references -= 1;
        if owner.references == 0 {
            self.remove_peer(peer);
        }
        if stage == Stage::Busy {
            let destination = &mut self.queues[queue];
            destination.last_done = Some(self.now);
            destination.row = destination.row.saturating_add(1);
        }
        if self.queues[queue].is_idle() {
            // What is remembered about dead destinations must not outgrow memory.
            let too_many = self.queues.len() as i64 > 2 * self.limits.recipients;
            if too_many && self.queues[queue].is_throttled() {
                self.unthrottle_queue(queue);
            }
            self.drop_idle_queue(queue);
        }
        self.release_message(message);
    }

    fn unlink_entry(&mut self, id: EntryId, stage: Stage) -> Option<Entry> {
        let Entry { queue, peer, .. } = self.entries[id];
        let destination = &mut self.queues[queue];
        match stage {
            Stage::Busy => destination.busy -= 1,
            Stage::Todo => {
                let todo: &mut List<Entry, QueueTodo> = &mut destination.todo;
                todo.unlink(&mut self.entries, id);
                destination.todo_count -= 1;
                let owner = &mut self.peers[peer];
                owner.todo.unlink(&mut self.entries, id);
                let job = owner.job;
                self.jobs[job].selected += 1;
            }
        }
        self.recount(queue);
        self.entries.remove(id)
    }

    /// One reason less for a message to stay in memory.
    pub(super) fn release_message(&mut self, id: MessageId) {
        let message = &mut self.messages[id];
        message.references -= 1;
        if message.references == 0 && !message.refilling {
            self.actions.push_back(Action::Done(id));
        }
    }

    // A destination that falls behind fills the active queue, and then no other mail gets through either.
    fn warn_of_clog(&mut self, id: QueueId) {
        let queue = &self.queues[id];
        let length = i64::from(queue.todo_count + queue.busy);
        let limit = self.limits.messages;
        if self.limits.clog_warning.is_zero() || length <= limit / 5 || self.now < queue.clog_warn_at {
            return;
        }
        let total = self.messages.len();
        let share = length as f64 / total as f64;
        let transport = &self.transports[queue.transport];
        let (nexthop, name) = (bytes::show(&queue.nexthop), bytes::show(&transport.name));
        log::warning!("mail for {nexthop} is using up {length} of {total} active queue entries");
        if share < 0.9 {
            log::warning!("this may slow down other mail deliveries");
        }
        let concurrency = transport.settings.concurrency_limit;
        if concurrency > 0 && concurrency <= queue.busy + 1 {
            log::warning!(
                "you may need to increase the main.cf {name}_destination_concurrency_limit from {concurrency}"
            );
        } else if f64::from(queue.window()) > limit as f64 * share {
            log::warning!("you may need to increase the main.cf qmgr_message_active_limit from {limit}");
        } else if transport.queues.len() > 1 {
            log::warning!("you may need a separate master.cf transport for {nexthop}");
        } else {
            log::warning!("you may need to reduce {name} connect and helo timeouts");
            log::warning!("so that Postfix quickly skips unavailable hosts");
            log::warning!(
                "you may need to increase the main.cf minimal_backoff_time and maximal_backoff_time"
            );
            log::warning!("so that Postfix wastes less time on undeliverable mail");
            log::warning!("you may need to increase the master.cf {name} process limit");
        }
        log::warning!("please avoid flushing the whole queue when you have");
        log::warning!("lots of deferred mail, that is bad for performance");
        log::warning!("to turn off these warnings specify: qmgr_clog_warn_time = 0");
        self.queues[id].clog_warn_at = self.now + self.limits.clog_warning;
    }
}
