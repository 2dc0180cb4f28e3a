//! A world for the scheduler to live in: virtual time, agents that take a while, outcomes as a test wants them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use ipc::deliver::Outcome;

use super::feedback::Feedback;
use super::queue::Status;
use super::*;

pub(super) fn settings() -> Settings {
    Settings {
        concurrency_limit: 20,
        initial_concurrency: 5,
        recipient_limit: 50,
        recipients: 20_000,
        extra_recipients: 1000,
        refill_limit: 100,
        refill_delay: Duration::from_secs(5),
        slot_cost: 5,
        slot_loan: 3,
        slot_discount: 50,
        minimum_slots: 3,
        positive: Feedback::ONE,
        negative: Feedback::ONE,
        failed_cohort_limit: 1,
        rate_delay: Duration::ZERO,
        transport_rate_delay: Duration::ZERO,
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        messages: 20_000,
        recipients: 20_000,
        recipients_per_message: 10,
        destination_rest: Duration::from_secs(300),
        transport_rest: Duration::from_secs(60),
        clog_warning: Duration::ZERO,
        debug_feedback: false,
        splitter: Splitter::new("+"),
    }
}

pub(super) fn envelope(name: &str) -> Envelope {
    Envelope {
        queue_id: ::queue::QueueId::parse(name).unwrap(),
        sender: b"s@example.com".to_vec(),
        encoding: String::new(),
        dsn_envid: Vec::new(),
        dsn_ret: 0,
        send_options: 0,
        verp: None,
        filter: None,
        inspected: false,
        redirect: None,
        client: Default::default(),
        log_ident: Vec::new(),
        rewrite_context: Vec::new(),
        arrival: Duration::ZERO,
        create_time: 0,
        activated: Duration::ZERO,
        warn_offset: 0,
        warn_time: 0,
        data_offset: 0,
        data_size: 0,
        content_length: 0,
        trace_flags: 0,
        trace_offset: 0,
        read_flags: 0,
        resume_at: 0,
        seen_all: true,
    }
}

pub(super) fn sent() -> Report {
    Report::Answer(Outcome { hop_status: None, is_final: true })
}

pub(super) fn dead() -> Report {
    let dsn = Dsn::new(dsn::Status::new("4.4.1"), "connection refused");
    Report::Answer(Outcome { hop_status: Some(dsn), is_final: false })
}

/// `transport:nexthop` for a recipient.
pub(super) fn to(recipient: &str, route: &str) -> (Recipient, Route) {
    let (transport, nexthop) = route.split_once(':').unwrap();
    (
        Recipient { address: recipient.into(), offset: 1, ..Recipient::default() },
        Route { transport: transport.into(), nexthop: nexthop.into() },
    )
}

/// What happened to a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) message: String,
    pub(super) transport: String,
    pub(super) queue: String,
    pub(super) recipients: Vec<String>,
}

type Judge = Box<dyn FnMut(&Event) -> (Duration, Report)>;

pub(super) struct World {
    pub(super) scheduler: Scheduler,
    pub(super) now: Duration,
    /// Deliveries at a time by one transport, like `maxproc`.
    pub(super) agents: usize,
    pub(super) unavailable: Vec<String>,
    /// How long a delivery takes and how it ends.
    pub(super) judge: Judge,
    busy: BTreeMap<String, usize>,
    waiting: Vec<TransportId>,
    running: BinaryHeap<Reverse<(Duration, usize)>>,
    entries: Vec<(EntryId, Option<Report>, String)>,
    delayed: BinaryHeap<Reverse<(Duration, TransportId)>>,
    /// Recipients in the files, not read yet.
    pub(super) unread: BTreeMap<String, Vec<(Recipient, Route)>>,
    pub(super) started: Vec<Event>,
    pub(super) done: Vec<(Duration, String, bool)>,
    pub(super) deferred: Vec<String>,
    /// Check everything after every step.
    pub(super) checks: bool,
}

impl World {
    pub(super) fn new(limits: Limits, settings: impl Fn(&[u8]) -> Settings + 'static) -> Self {
        Self {
            scheduler: Scheduler::new(limits, move |name| settings(name).consistent()),
            now: Duration::from_secs(1000),
            agents: 100,
            unavailable: Vec::new(),
            judge: Box::new(|_| (Duration::from_secs(1), sent())),
            busy: BTreeMap::new(),
            waiting: Vec::new(),
            running: BinaryHeap::new(),
            entries: Vec::new(),
            delayed: BinaryHeap::new(),
            unread: BTreeMap::new(),
            started: Vec::new(),
            done: Vec::new(),
            deferred: Vec::new(),
            checks: true,
        }
    }

    /// A message whose first recipients are read; the others stay in the file.
    pub(super) fn submit(&mut self, name: &str, mut recipients: Vec<(Recipient, Route)>) -> MessageId {
        self.scheduler.advance(self.now);
        let limit = (self.scheduler.first_read_limit(0) as usize).min(recipients.len());
        let rest = recipients.split_off(limit);
        let (unread, more) = (rest.len() as i64, !rest.is_empty());
        self.unread.insert(name.into(), rest);
        let message = self.scheduler.add(envelope(name), false, unread, more);
        self.scheduler.place(message, recipients);
        message
    }

    fn check(&self) {
        if self.checks {
            self.scheduler.check();
        }
    }

    fn refill(&mut self, message: MessageId) {
        let limit = self.scheduler.refill_limit(message) as usize;
        let name = self.scheduler.message(message).envelope.queue_id.to_string();
        let file = self.unread.get_mut(&name).unwrap();
        let batch: Vec<_> = file.drain(..limit.min(file.len())).collect();
        let left = file.len();
        let owner = self.scheduler.message_mut(message);
        (owner.unread, owner.more) = (left as i64, left > 0);
        self.scheduler.place(message, batch);
    }

    /// Does what the scheduler wants until it wants nothing.
    pub(super) fn settle(&mut self) {
        loop {
            self.check();
            if let Some(action) = self.scheduler.next_action() {
                self.act(action);
                continue;
            }
            let free = self.waiting.iter().position(|&transport| {
                let name = String::from_utf8_lossy(self.scheduler.transport_name(transport)).into_owned();
                self.busy.get(&name).copied().unwrap_or(0) < self.agents
            });
            match free {
                Some(at) => {
                    let transport = self.waiting.remove(at);
                    let delay = self.scheduler.ready(transport);
                    if delay.is_zero() {
                        self.start(transport);
                    } else {
                        self.delayed.push(Reverse((self.now + delay, transport)));
                    }
                }
                None => return,
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect(transport) => {
                let name = String::from_utf8_lossy(self.scheduler.transport_name(transport)).into_owned();
                if self.unavailable.contains(&name) {
                    self.scheduler.unavailable(transport);
                } else {
                    self.waiting.push(transport);
                }
            }
            Action::Refill(message) => self.refill(message),
            Action::Defer { message, recipients, .. } => {
                let names =
                    recipients.iter().map(|found| String::from_utf8_lossy(&found.address).into_owned());
                self.deferred.extend(names);
                self.scheduler.release(message, true);
            }
            Action::Done(message) => {
                if self.scheduler.message(message).more {
                    return self.refill(message);
                }
                let found = self.scheduler.remove(message).unwrap();
                assert!(!found.is_busy());
                self.done.push((self.now, found.envelope.queue_id.to_string(), found.deferred));
            }
        }
    }

    fn start(&mut self, transport: TransportId) {
        let Some(entry) = self.scheduler.select(transport) else { return };
        let name = String::from_utf8_lossy(self.scheduler.transport_name(transport)).into_owned();
        let (found, queue, message) = self.scheduler.delivery(entry);
        assert!(queue.busy <= queue.window(), "window exceeded");
        let event = Event {
            at: self.now,
            message: message.envelope.queue_id.to_string(),
            transport: name.clone(),
            queue: String::from_utf8_lossy(&queue.name).into_owned(),
            recipients: found
                .recipients
                .iter()
                .map(|r| String::from_utf8_lossy(&r.address).into_owned())
                .collect(),
        };
        let (takes, report) = (self.judge)(&event);
        self.started.push(event);
        *self.busy.entry(name.clone()).or_default() += 1;
        self.running.push(Reverse((self.now + takes, self.entries.len())));
        self.entries.push((entry, Some(report), name));
    }

    /// Goes on to the next thing that happens; false when nothing will.
    pub(super) fn step(&mut self) -> bool {
        self.step_before(Duration::MAX)
    }

    fn step_before(&mut self, end: Duration) -> bool {
        self.settle();
        let next = [
            self.running.peek().map(|Reverse((at, _))| *at),
            self.delayed.peek().map(|Reverse((at, _))| *at),
            self.scheduler.next_timer(),
        ];
        let Some(next) = next.into_iter().flatten().min().filter(|&next| next <= end) else { return false };
        self.now = self.now.max(next);
        self.scheduler.advance(self.now);
        while let Some(&Reverse((at, transport))) = self.delayed.peek()
            && at <= self.now
        {
            self.delayed.pop();
            self.start(transport);
        }
        while let Some(&Reverse((at, number))) = self.running.peek()
            && at <= self.now
        {
            self.running.pop();
            let (entry, report, name) = &mut self.entries[number];
            *self.busy.get_mut(name).unwrap() -= 1;
            let (entry, report) = (*entry, report.take().unwrap());
            self.scheduler.finish(entry, report);
            self.check();
        }
        true
    }

    pub(super) fn run(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 1_000_000, "no end");
        }
    }

    pub(super) fn run_until(&mut self, at: Duration) {
        while self.step_before(at) {}
        self.now = at;
        self.scheduler.advance(at);
    }

    pub(super) fn queue(&self, transport: &str, name: &str) -> Option<&Queue> {
        let transport = self.scheduler.find_transport(transport.as_bytes())?;
        let id = self.scheduler.transports[transport].queues.get(name.as_bytes())?;
        Some(&self.scheduler.queues[*id])
    }

    pub(super) fn window(&self, transport: &str, name: &str) -> Option<u32> {
        self.queue(transport, name).map(Queue::window)
    }
}

impl Scheduler {
    /// Everything that must be true at any time.
    pub(super) fn check(&self) {
        let mut recipients = 0;
        for (id, transport) in self.transports.iter() {
            let usable: u32 = transport
                .queues
                .values()
                .map(|&queue| {
                    let queue = &self.queues[queue];
                    assert_eq!(queue.transport, id);
                    let todo = queue.todo.iter(&self.entries).count() as u32;
                    assert_eq!(todo, queue.todo_count);
                    assert!(!queue.is_throttled() || todo == 0, "mail waits for a dead destination");
                    if let Status::Ready(window) = queue.status {
                        assert!(window >= 1);
                        let limit = transport.settings.concurrency_limit;
                        assert!(limit == 0 || window <= limit.max(queue.busy));
                    }
                    queue.window().saturating_sub(queue.busy).min(todo)
                })
                .sum();
            assert_eq!(usable, transport.usable);
            let scheduled: Vec<_> = transport.schedule.iter(&self.jobs).collect();
            let mut by_age: Vec<_> = transport.by_age.iter(&self.jobs).collect();
            let ages: Vec<_> =
                by_age.iter().map(|&job| self.messages[self.jobs[job].message].queued_at).collect();
            assert!(ages.is_sorted());
            let mut sorted = scheduled.clone();
            sorted.sort();
            by_age.sort();
            assert_eq!(sorted, by_age);
            // A job that can be selected is never hidden before the current one.
            for &job in &scheduled {
                if transport.current == Some(job) {
                    break;
                }
                let found = &self.jobs[job];
                let can = found.has_entries()
                    && found.peers.iter(&self.peers).any(|peer| {
                        let peer = &self.peers[peer];
                        !peer.todo.is_empty() && self.queues[peer.queue].has_room()
                    });
                assert!(!can || transport.dead.is_some(), "a job is forgotten");
            }
            let owned: i64 = self
                .jobs
                .iter()
                .filter(|(_, job)| job.transport == id)
                .map(|(_, job)| job.recipient_limit)
                .sum();
            assert_eq!(owned + transport.free_recipients, transport.settings.recipients);
        }
        for (_, entry) in self.entries.iter() {
            recipients += entry.recipients.len() as i64;
        }
        assert_eq!(recipients, self.recipients);
        if self.messages.is_empty() {
            assert!(self.jobs.is_empty() && self.peers.is_empty() && self.entries.is_empty());
            assert!(self.peer_names.is_empty());
        }
    }
}
