//! Messages in memory: what their queue file says, and where their recipients go.

use std::cmp::Ordering;
use std::time::Duration;

use address::verp::VerpDelimiters;
use ipc::{Recipient, deliver};

use super::error::error_nexthop;
use super::{Action, ERROR, JobId, MessageId, QueueId, RETRY, Scheduler, TransportId};

/// What a queue file says about a message as a whole.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The file's name.
    pub queue_id: queue::QueueId,
    /// Sender in internal form.
    pub sender: Vec<u8>,
    /// Body encoding.
    pub encoding: String,
    /// ENVID of the sender's.
    pub dsn_envid: Vec<u8>,
    /// RET of the sender's.
    pub dsn_ret: u32,
    /// SMTPUTF8 and REQUIRETLS options.
    pub send_options: u32,
    /// Whether each recipient gets a sender address of its own, and how that is made.
    pub verp: Option<VerpDelimiters>,
    /// `content_filter` or a FILTER action: `transport:nexthop`.
    pub filter: Option<Vec<u8>>,
    /// The message goes by a transport that inspects it.
    pub inspected: bool,
    /// A REDIRECT action: the one recipient in place of all others.
    pub redirect: Option<Vec<u8>>,
    /// Who brought it.
    pub client: deliver::Client,
    /// Its queue id where it was first logged.
    pub log_ident: Vec<u8>,
    /// How header addresses are completed.
    pub rewrite_context: Vec<u8>,
    /// When it arrived.
    pub arrival: Duration,
    /// When its queue file was made, in seconds.
    pub create_time: i64,
    /// When it came into the active queue.
    pub activated: Duration,
    /// Offset of the record with `warn_time`; 0 if there is none.
    pub warn_offset: u64,
    /// When to warn the sender of a delay; 0: never, negative: done.
    pub warn_time: i64,
    /// Where the content begins.
    pub data_offset: i64,
    /// How many bytes of the file it takes.
    pub data_size: i64,
    /// How many bytes it has as SMTP counts them.
    pub content_length: i64,
    /// `FLAG_...` of delivery requests that have to do with reports.
    pub trace_flags: u32,
    /// Offset of their record when it is to be killed after the report; 0 otherwise.
    pub trace_offset: u64,
    /// Flags of the size record.
    pub read_flags: i64,
    /// Where the recipients that were not read yet begin; 0 if there are none.
    pub resume_at: u64,
    /// Only recipients are to be read from there.
    pub seen_all: bool,
}

/// Where mail for a recipient goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The delivery service.
    pub transport: Vec<u8>,
    /// The destination in its terms.
    pub nexthop: Vec<u8>,
}

impl Route {
    /// Where a text such as `4.3.2 deferred transport` makes retry(8) or error(8) log it.
    pub fn problem(service: &[u8], text: &str) -> Self {
        Self { transport: service.to_vec(), nexthop: text.as_bytes().to_vec() }
    }
}

/// A message in memory.
#[derive(Debug)]
pub struct Message {
    /// What its file says.
    pub envelope: Envelope,
    /// Its next attempt was asked for: dead destinations get another chance.
    pub flush: bool,
    /// It is to be delivered also by `defer_transports`.
    pub flush_transports: bool,
    /// The administrator wants it returned.
    pub force_expire: bool,
    /// Some recipient must be tried again.
    pub deferred: bool,
    /// Recipients are in the file that were not read yet.
    pub more: bool,
    /// How many, at most.
    pub unread: i64,
    /// Recipients in memory.
    pub(super) recipients: i64,
    /// Recipients it may have in memory.
    pub(super) recipient_limit: i64,
    /// Deliveries, and other things that must end before the message is through.
    pub(super) references: usize,
    pub(super) queued_at: Duration,
    pub(super) refilled_at: Duration,
    pub(super) refilling: bool,
    refill_failed: bool,
    pub(super) jobs: Vec<JobId>,
}

impl Message {
    pub(super) fn can_refill(&self) -> bool {
        self.more && self.references > 0 && !self.refilling && !self.refill_failed
    }

    /// Whether something still has to end before the message is through.
    pub fn is_busy(&self) -> bool {
        self.references > 0
    }
}

/// A recipient with its destination.
struct Bound {
    transport: TransportId,
    queue: QueueId,
    recipient: Recipient,
}

impl Scheduler {
    /// How many recipients of a new message may be read: many while memory is free, its minimum otherwise.
    ///
    /// `reserved` recipients were read for other messages and are about to be placed.
    pub fn first_read_limit(&self, reserved: i64) -> i64 {
        (self.limits.recipients - self.recipients - reserved)
            .max(self.limits.recipients_per_message)
            .clamp(1, 5000)
    }

    /// How many recipients may be read for [`Action::Refill`], or when all before were tried.
    pub fn refill_limit(&self, message: MessageId) -> i64 {
        let message = &self.messages[message];
        (message.recipient_limit - message.recipients).clamp(1, 5000)
    }

    /// Adds a message. `unread` recipients are not read yet; `more` says whether there are any.
    pub fn add(&mut self, envelope: Envelope, flush: bool, unread: i64, more: bool) -> MessageId {
        self.messages.insert(Message {
            envelope,
            flush,
            flush_transports: flush,
            force_expire: false,
            deferred: false,
            more,
            unread,
            recipients: 0,
            recipient_limit: self.limits.recipients_per_message,
            references: 0,
            queued_at: self.now,
            refilled_at: self.now,
            refilling: false,
            refill_failed: false,
            jobs: Vec::new(),
        })
    }

    /// Takes over recipients that were read. [`Action::Done`] follows if there is nothing to deliver.
    ///
    /// Before a second call for a message, `more` and `unread` must be up to date.
    pub fn place(&mut self, message: MessageId, recipients: Vec<(Recipient, Route)>) {
        let mut bound = Vec::with_capacity(recipients.len());
        let mut last: Option<(Route, TransportId, QueueId)> = None;
        for (recipient, route) in recipients {
            // Runs of recipients with the same route need one look-up, unless the queue is the recipient's own.
            if let Some((known, transport, queue)) = &last
                && *known == route
            {
                bound.push(Bound { transport: *transport, queue: *queue, recipient });
                continue;
            }
            match self.bind(message, &recipient, &route) {
                Ok(queue) => {
                    let transport = self.queues[queue].transport;
                    if self.transports[transport].name[..] == route.transport[..]
                        && self.queues[queue].name.eq_ignore_ascii_case(&route.nexthop)
                    {
                        last = Some((route, transport, queue));
                    }
                    bound.push(Bound { transport, queue, recipient });
                }
                Err(dsn) => self.defer_recipients(message, vec![recipient], &dsn),
            }
        }
        if bound.len() > 1 {
            bound.sort_by(|left, right| self.compare(left, right));
        }
        self.assign(message, bound);
        let owner = &mut self.messages[message];
        owner.refilled_at = self.now;
        let was_refilling = std::mem::replace(&mut owner.refilling, false);
        let (more, references) = (owner.more, owner.references);
        for at in 0..self.messages[message].jobs.len() {
            let job = self.messages[message].jobs[at];
            if !more {
                self.move_limits(job);
            }
            // It was passed over while its recipients were being read.
            if was_refilling && self.jobs[job].level.is_some() {
                let transport = &mut self.transports[self.jobs[job].transport];
                transport.current = transport.schedule.head();
            }
        }
        if references == 0 {
            self.actions.push_back(Action::Done(message));
        }
    }

    /// More recipients could not be read; that is looked into when those in memory are through.
    pub fn refill_failed(&mut self, message: MessageId) {
        let owner = &mut self.messages[message];
        (owner.refilling, owner.refill_failed) = (false, true);
        if owner.references == 0 {
            self.actions.push_back(Action::Done(message));
        }
    }

    /// What [`Action::Defer`] asked for is done.
    pub fn release(&mut self, message: MessageId, deferred: bool) {
        self.messages[message].deferred |= deferred;
        self.release_message(message);
    }

    /// Forgets a message that is through.
    pub fn remove(&mut self, message: MessageId) -> Option<Message> {
        while let Some(&job) = self.messages[message].jobs.last() {
            self.remove_job(job);
            self.messages[message].jobs.pop();
        }
        self.messages.remove(message)
    }

    /// Finds the destination of a recipient; mail for a dead one goes to retry(8). An error: that is dead too.
    fn bind(
        &mut self,
        message: MessageId,
        recipient: &Recipient,
        route: &Route,
    ) -> Result<QueueId, Box<dsn::Dsn>> {
        let flush = self.messages[message].flush;
        let mut transport = self.obtain_transport(&route.transport);
        if flush && self.transports[transport].dead.is_some() {
            self.unthrottle_transport(transport);
        }
        let retried;
        let mut nexthop = route.nexthop.as_slice();
        if let Some(dead) = self.transports[transport].dead.clone() {
            transport = self.error_transport(RETRY).ok_or_else(|| Box::new(dead.clone()))?;
            retried = error_nexthop(&dead);
            nexthop = &retried;
        }
        let name = self.queue_name(transport, recipient, nexthop);
        let queue = self.obtain_queue(transport, &name, nexthop);
        if flush && self.queues[queue].is_throttled() {
            self.unthrottle_queue(queue);
        }
        if let super::queue::Status::Throttled(dead) = &self.queues[queue].status {
            let dead = dead.clone();
            return self.error_queue(RETRY, &dead).ok_or_else(|| Box::new(dead));
        }
        Ok(queue)
    }

    /// A destination is a nexthop; for agents that take one recipient at a time it is a recipient at the nexthop, so
    /// that the limits are for each recipient, whatever extension the address has.
    fn queue_name(&self, transport: TransportId, recipient: &Recipient, nexthop: &[u8]) -> Vec<u8> {
        let transport = &self.transports[transport];
        let is_error = transport.name[..] == *RETRY || transport.name[..] == *ERROR;
        let mut name = Vec::new();
        if !is_error && transport.settings.recipient_limit == 1 {
            let local = address::local_part(&recipient.address);
            let local = self.limits.splitter.split(local).map_or(local, |(name, _)| name);
            name.extend_from_slice(local);
            name.push(b'@');
        }
        name.extend_from_slice(nexthop);
        name.make_ascii_lowercase();
        name
    }

    fn compare(&self, left: &Bound, right: &Bound) -> Ordering {
        let by_queue = if left.queue == right.queue {
            Ordering::Equal
        } else {
            let key =
                |bound: &Bound| (&self.transports[bound.transport].name, &self.queues[bound.queue].name);
            key(left).cmp(&key(right))
        };
        by_queue.then_with(|| {
            let domain = |bound: &Bound| address::domain(&bound.recipient.address).map(address::casefold);
            match (domain(left), domain(right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                // Those without a domain come last.
                (left, right) => right.is_some().cmp(&left.is_some()),
            }
            .then_with(|| left.recipient.address.cmp(&right.recipient.address))
        })
    }

    /// Makes deliveries of recipients: as many in one as the transport allows, also in those that wait already.
    fn assign(&mut self, message: MessageId, bound: Vec<Bound>) {
        let one_each = self.messages[message].envelope.verp.is_some();
        let mut last = None;
        for Bound { transport, queue, recipient } in bound {
            let (job, peer) = match last {
                Some((known, job, peer)) if known == queue => (job, peer),
                _ => {
                    let job = self.obtain_job(message, transport);
                    (job, self.obtain_peer(job, queue))
                }
            };
            last = Some((queue, job, peer));
            let limit = self.transports[transport].settings.recipient_limit;
            let open = self.peers[peer]
                .todo
                .tail()
                .filter(|&entry| !one_each && (limit == 0 || self.entries[entry].recipients.len() < limit));
            let entry = open.unwrap_or_else(|| self.create_entry(peer, message));
            self.add_to_entry(entry, recipient);
            self.jobs[job].recipients += 1;
            self.messages[message].recipients += 1;
            self.recipients += 1;
        }
        // What is left in the file has changed, and with it which job is a good candidate.
        for at in 0..self.messages[message].jobs.len() {
            let job = &self.jobs[self.messages[message].jobs[at]];
            if job.has_entries() {
                let transport = job.transport;
                self.transports[transport].candidate = None;
            }
        }
    }
}
