//! Jobs: a message's deliveries by one transport, in the order in which they are made.
//!
//! Jobs are served by age. So that a mailing list message does not hold up everybody behind it, a younger job may
//! *preempt* the current one. The rule, which bounds how much any message is slowed down: for every `slot_cost`
//! deliveries that a job makes, others may make one delivery before it. That is a *slot*; `slot_loan` and
//! `slot_discount` let a candidate go before all of its slots are earned (but they must be earned before the next one),
//! and jobs smaller than `minimum_slots` slots are not preempted at all. The best candidate is the one that waited
//! longest for its size.
//!
//! A job that preempts stands directly before the one it preempted, which is its *parent*; preempting jobs can be
//! preempted. Jobs whose destinations have no room are *blockers*: they are passed over until one of their destinations
//! has room again. Jobs with nothing left to select are *retired*: off the lists, in case more recipients are read.
//!
//! Recipients in memory are limited for each transport. A job with recipients still in the file gets what others do not
//! need, the oldest first, plus a part of a small extra supply when it preempts.

use super::list::{InList, Links, List};
use super::peer::{JobPeers, Peer};
use super::transport::CachedCandidate;
use super::{Action, EntryId, JobId, MessageId, PeerId, QueueId, Scheduler, TransportId};

/// See the [module](self).
#[derive(Debug)]
pub struct Job {
    pub(super) message: MessageId,
    pub(super) transport: TransportId,
    pub(super) peers: List<Peer, JobPeers>,
    in_schedule: Links<Job>,
    in_ages: Links<Job>,
    in_children: Links<Job>,
    parent: Option<JobId>,
    children: List<Job, Children>,
    /// Depth in the stack of preempting jobs; `None` when it is on no list.
    pub(super) level: Option<u32>,
    blocker_tag: u64,
    /// Deliveries made as a preempting job, less those it was expected to make.
    slots_used: i64,
    /// Deliveries made, less what preempting jobs were granted for them.
    slots_available: i64,
    /// Deliveries selected so far.
    pub(super) selected: i64,
    /// Deliveries read so far.
    pub(super) read: i64,
    /// Recipients in memory.
    pub(super) recipients: i64,
    /// Recipients it may have in memory.
    pub(super) recipient_limit: i64,
}

/// The order in which a transport serves its jobs.
#[derive(Debug)]
pub struct Schedule;
/// A transport's jobs by age.
#[derive(Debug)]
pub struct ByAge;
/// The jobs that preempted one job.
#[derive(Debug)]
pub struct Children;

macro_rules! in_list {
    ($($list:ty: $field:ident;)*) => {
        $(impl InList<$list> for Job {
            fn links(&self) -> &Links<Self> {
                &self.$field
            }

            fn links_mut(&mut self) -> &mut Links<Self> {
                &mut self.$field
            }
        })*
    };
}

in_list! {
    Schedule: in_schedule;
    ByAge: in_ages;
    Children: in_children;
}

impl Job {
    /// Whether a delivery waits to be selected.
    pub(super) fn has_entries(&self) -> bool {
        self.selected < self.read
    }
}

impl Scheduler {
    /// The job of a message in a transport, ready for more recipients.
    pub(super) fn obtain_job(&mut self, message: MessageId, transport: TransportId) -> JobId {
        let known =
            self.messages[message].jobs.iter().copied().find(|&job| self.jobs[job].transport == transport);
        let id = known.unwrap_or_else(|| self.create_job(message, transport));
        if self.jobs[id].level.is_none() {
            self.link_job(id);
        }
        let owner = &mut self.transports[transport];
        owner.candidate = None;
        if self.jobs[id].blocker_tag == owner.blocker_tag {
            self.jobs[id].blocker_tag = 0;
            // Other blockers may stand before or behind it: look through all of them again.
            owner.current = owner.schedule.head();
        }
        id
    }

    fn create_job(&mut self, message: MessageId, transport: TransportId) -> JobId {
        let id = self.jobs.insert(Job {
            message,
            transport,
            peers: List::default(),
            in_schedule: Links::default(),
            in_ages: Links::default(),
            in_children: Links::default(),
            parent: None,
            children: List::default(),
            level: None,
            blocker_tag: 0,
            slots_used: 0,
            slots_available: 0,
            selected: 0,
            read: 0,
            recipients: 0,
            recipient_limit: 0,
        });
        self.messages[message].jobs.push(id);
        id
    }

    /// Puts a job on its transport's lists. It usually is the youngest; a revived one is not.
    fn link_job(&mut self, id: JobId) {
        let (message, transport) = (self.jobs[id].message, self.jobs[id].transport);
        let queued_at = self.messages[message].queued_at;
        let owner = &mut self.transports[transport];
        let is_older =
            |job: &Job, messages: &super::Arena<super::Message>| messages[job.message].queued_at <= queued_at;

        // Behind every job of its age that does not preempt, and so behind those that preempt it.
        let (mut before, mut passed_current) = (None, owner.current.is_none());
        let mut at = owner.schedule.tail();
        while let Some(job) = at {
            if self.jobs[job].parent.is_none() && is_older(&self.jobs[job], &self.messages) {
                break;
            }
            passed_current |= owner.current == Some(job);
            before = Some(job);
            at = List::<Job, Schedule>::prev(&self.jobs, job);
        }
        let (mut before_by_age, mut passed_unread) = (None, owner.next_unread.is_none());
        let mut at = owner.by_age.tail();
        while let Some(job) = at {
            if is_older(&self.jobs[job], &self.messages) {
                break;
            }
            passed_unread |= owner.next_unread == Some(job);
            before_by_age = Some(job);
            at = List::<Job, ByAge>::prev(&self.jobs, job);
        }

        self.jobs[id].level = Some(0);
        owner.schedule.insert_before(&mut self.jobs, id, before);
        owner.by_age.insert_before(&mut self.jobs, id, before_by_age);
        if passed_current {
            owner.current = Some(id);
        }
        if passed_unread && let Some(younger) = owner.next_unread.replace(id) {
            self.move_limits(younger);
        }

        // As much as there is; what is too much comes back when the number of recipients is known.
        let owner = &mut self.transports[transport];
        let free = owner.free_recipients;
        if free > 0 {
            owner.free_recipients = 0;
            self.jobs[id].recipient_limit += free;
            self.messages[message].recipient_limit += free;
        }
    }

    /// Gives recipient slots that a job does not use to the oldest job that has recipients to read.
    pub(super) fn move_limits(&mut self, id: JobId) {
        let (message, transport) = (self.jobs[id].message, self.jobs[id].transport);
        let mut next = self.transports[transport].next_unread;
        if next == Some(id) {
            let mut at = List::<Job, ByAge>::next(&self.jobs, id);
            while let Some(job) = at {
                if self.messages[self.jobs[job].message].more {
                    break;
                }
                at = List::<Job, ByAge>::next(&self.jobs, job);
            }
            next = at;
            self.transports[transport].next_unread = next;
        }
        let (job, owner) = (&mut self.jobs[id], &mut self.messages[message]);
        let unused = (job.recipient_limit - job.recipients).min(owner.recipient_limit - owner.recipients);
        if unused <= 0 {
            return;
        }
        job.recipient_limit -= unused;
        owner.recipient_limit -= unused;
        let pool = &mut self.transports[transport].free_recipients;
        *pool += unused;
        // The pool is negative while preempting jobs have part of the extra supply.
        if let Some(next) = next
            && *pool > 0
        {
            let job = &mut self.jobs[next];
            job.recipient_limit += *pool;
            self.messages[job.message].recipient_limit += *pool;
            *pool = 0;
        }
    }

    /// After a delivery: slots go back to those who lent them, and then to the next job.
    pub(super) fn return_slots(&mut self, message: MessageId, finished: JobId) {
        let more = self.messages[message].more;
        for at in 0..self.messages[message].jobs.len() {
            let id = self.messages[message].jobs[at];
            let job = &self.jobs[id];
            if id != finished && job.recipients < job.recipient_limit && (job.level.is_none() || !more) {
                self.move_limits(id);
            }
        }
        if !more {
            self.move_limits(finished);
        }
    }

    /// The next delivery of a transport.
    pub(super) fn select_entry(&mut self, transport: TransportId) -> Option<EntryId> {
        let mut current = self.transports[transport].current?;
        // A slot that costs one delivery would make no difference.
        if self.transports[transport].settings.slot_cost >= 2 {
            current = self.preempt(current);
        }
        let mut at = Some(current);
        while let Some(id) = at {
            at = List::<Job, Schedule>::next(&self.jobs, id);
            let tag = self.transports[transport].blocker_tag;
            if self.jobs[id].blocker_tag == tag {
                continue;
            }
            if let Some(peer) = self.select_job_peer(id) {
                let entry = self.start_entry(peer);
                self.count_slots(id);
                self.transports[transport].current = Some(id);
                if !self.jobs[id].has_entries() && !self.messages[self.jobs[id].message].more {
                    self.retire_job(id);
                }
                return entry;
            }
            if self.jobs[id].has_entries() {
                self.mark_blocker(id, tag);
            } else if !self.messages[self.jobs[id].message].refilling {
                self.retire_job(id);
            }
        }
        self.transports[transport].current = None;
        None
    }

    fn mark_blocker(&mut self, id: JobId, tag: u64) {
        self.jobs[id].blocker_tag = tag;
        let peers: List<Peer, JobPeers> = self.jobs[id].peers;
        for peer in peers.iter(&self.peers) {
            let peer = &self.peers[peer];
            if !peer.todo.is_empty() {
                self.queues[peer.queue].blocker_tag = tag;
            }
        }
    }

    /// A destination that held up jobs may have room again: then all of them are looked at again.
    pub(super) fn update_blockers(&mut self, id: QueueId) {
        let queue = &mut self.queues[id];
        let transport = &mut self.transports[queue.transport];
        if queue.blocker_tag != transport.blocker_tag {
            return;
        }
        if queue.has_room() && queue.todo_count > 0 {
            transport.blocker_tag += 2;
            transport.current = transport.schedule.head();
            transport.candidate = None;
        }
        if queue.has_room() || queue.is_throttled() {
            queue.blocker_tag = 0;
        }
    }

    /// A destination of the job with room. Reads recipients in time: one slow destination must not keep the rest of a
    /// mailing list in the file.
    fn select_job_peer(&mut self, id: JobId) -> Option<PeerId> {
        let message = self.jobs[id].message;
        let settings = &self.transports[self.jobs[id].transport].settings;
        let owner = &self.messages[message];
        let room = owner.recipient_limit - owner.recipients;
        let is_time = self.now.saturating_sub(owner.refilled_at) >= settings.refill_delay;
        if owner.can_refill() && (room >= settings.refill_limit || room > 0 && is_time) {
            self.request_refill(message);
        }
        if self.jobs[id].has_entries()
            && let Some(peer) = self.select_peer(id)
        {
            return Some(peer);
        }
        let owner = &self.messages[message];
        if owner.can_refill() && owner.recipient_limit > owner.recipients {
            self.request_refill(message);
        }
        None
    }

    fn request_refill(&mut self, message: MessageId) {
        self.messages[message].refilling = true;
        self.actions.push_back(Action::Refill(message));
    }

    fn count_slots(&mut self, id: JobId) {
        let job = &mut self.jobs[id];
        job.slots_available += 1;
        job.slots_used += 1;
        // It has become a better candidate itself, unless it is the one that candidates are for.
        let candidate = &mut self.transports[job.transport].candidate;
        if candidate.is_some_and(|cached| cached.current != id) {
            *candidate = None;
        }
    }

    /// The job that goes first: `current`, or one that preempts it from now on.
    fn preempt(&mut self, current: JobId) -> JobId {
        let job = &self.jobs[current];
        let settings = &self.transports[job.transport].settings;
        let (cost, loan, discount) = (settings.slot_cost, settings.slot_loan, settings.slot_discount);
        if job.slots_available <= 0 || self.entries_at_most(current) < settings.minimum_slots * cost {
            return current;
        }
        let Some(candidate) = self.best_candidate(current) else { return current };
        let expected = self.entries_at_most(candidate) - self.jobs[candidate].selected;
        let earned = self.jobs[current].slots_available / cost + loan;
        if (earned as f64) < (expected * (100 - discount)) as f64 / 100.0 {
            return current;
        }

        if self.jobs[candidate].level.is_some_and(|level| level > 0) {
            self.pop_job(candidate);
        }
        let transport = self.jobs[current].transport;
        let owner = &mut self.transports[transport];
        owner.schedule.unlink(&mut self.jobs, candidate);
        owner.schedule.insert_before(&mut self.jobs, candidate, Some(current));
        owner.current = Some(candidate);
        owner.candidate = None;
        self.jobs[candidate].parent = Some(current);
        self.jobs[candidate].level = self.jobs[current].level.map(|level| level + 1);
        let mut children = self.jobs[current].children;
        children.append(&mut self.jobs, candidate);
        self.jobs[current].children = children;

        // Paid in advance, so that two jobs cannot be granted the same slots; `pop_job` settles the difference.
        self.jobs[current].slots_available -= expected * cost;
        self.jobs[candidate].slots_used = -expected;

        let message = self.jobs[candidate].message;
        if self.messages[message].more {
            let extra = owner.settings.extra_recipients;
            let slots = (extra + owner.free_recipients + 1) / 2;
            owner.free_recipients -= slots;
            self.jobs[candidate].recipient_limit += slots;
            self.messages[message].recipient_limit += slots;
        }
        log::debug!(
            "qmgr_job_preempt: {} by {}, level {}",
            self.messages[self.jobs[current].message].envelope.queue_id,
            self.messages[message].envelope.queue_id,
            self.jobs[candidate].level.unwrap_or(0)
        );
        candidate
    }

    /// How many deliveries a job may come to, if all recipients in the file are for it.
    fn entries_at_most(&self, id: JobId) -> i64 {
        self.jobs[id].read + self.messages[self.jobs[id].message].unread
    }

    /// The job behind `current` that waited longest for its size, of those small enough for the slots that `current`
    /// can still earn.
    fn best_candidate(&mut self, current: JobId) -> Option<JobId> {
        let job = &self.jobs[current];
        let transport = &self.transports[job.transport];
        let second = self.now.as_secs();
        if let Some(cached) = transport.candidate
            && cached.current == current
            && (cached.second == second || cached.candidate.is_none())
        {
            return cached.candidate;
        }
        let slots = (job.read - job.selected + job.slots_available) / transport.settings.slot_cost;
        let (mut best, mut best_score) = (None, 0.0);
        // Behind it are no jobs that preempt it. Those with children are preempted themselves.
        let mut at = if slots > 0 { List::<Job, Schedule>::next(&self.jobs, current) } else { None };
        while let Some(id) = at {
            at = List::<Job, Schedule>::next(&self.jobs, id);
            let job = &self.jobs[id];
            if !job.children.is_empty() || job.blocker_tag == transport.blocker_tag {
                continue;
            }
            let total = self.entries_at_most(id);
            let needed = total - job.selected;
            let waited =
                self.now.saturating_sub(self.messages[job.message].queued_at).as_secs_f64().floor() + 1.0;
            if needed > 0 && needed <= slots {
                let score = waited / total as f64;
                if score > best_score {
                    (best, best_score) = (Some(id), score);
                }
            }
            // Younger ones cannot score more than the seconds they waited.
            if waited <= best_score && job.level == Some(0) {
                break;
            }
        }
        let transport = self.jobs[current].transport;
        self.transports[transport].candidate = Some(CachedCandidate { current, candidate: best, second });
        best
    }

    /// Takes a job off the stack of preempting jobs, but not off the schedule.
    fn pop_job(&mut self, id: JobId) {
        let Job { parent, level, slots_used, transport, .. } = self.jobs[id];
        if let Some(parent) = parent {
            // A parent by adoption did not grant the slots, and gets none back.
            if level == self.jobs[parent].level.map(|level| level + 1) {
                let cost = self.transports[transport].settings.slot_cost;
                self.jobs[parent].slots_available -= slots_used * cost;
            }
            let mut children = self.jobs[parent].children;
            children.unlink(&mut self.jobs, id);
            self.jobs[parent].children = children;
            self.jobs[id].parent = None;
        }
        self.orphan_children(id, parent);
        self.jobs[id].level = Some(0);
        self.transports[transport].candidate = None;
    }

    fn orphan_children(&mut self, id: JobId, parent: Option<JobId>) {
        let mut children = std::mem::take(&mut self.jobs[id].children);
        while let Some(child) = children.head() {
            children.unlink(&mut self.jobs, child);
            self.jobs[child].parent = parent;
            if let Some(parent) = parent {
                let mut adopted = self.jobs[parent].children;
                adopted.append(&mut self.jobs, child);
                self.jobs[parent].children = adopted;
            }
        }
    }

    /// Takes a job with nothing to select off the lists; [`obtain_job`](Self::obtain_job) revives it.
    fn retire_job(&mut self, id: JobId) {
        if self.jobs[id].level.is_some_and(|level| level > 0) {
            self.pop_job(id);
        }
        self.move_limits(id);
        self.unlink_job(id);
    }

    fn unlink_job(&mut self, id: JobId) {
        self.orphan_children(id, None);
        let transport = &mut self.transports[self.jobs[id].transport];
        if transport.current == Some(id) {
            transport.current = List::<Job, Schedule>::next(&self.jobs, id);
        }
        if transport.candidate.is_some_and(|cached| cached.current == id || cached.candidate == Some(id)) {
            transport.candidate = None;
        }
        transport.schedule.unlink(&mut self.jobs, id);
        transport.by_age.unlink(&mut self.jobs, id);
        self.jobs[id].level = None;
    }

    /// The job's message is leaving.
    pub(super) fn remove_job(&mut self, id: JobId) {
        if self.jobs[id].level.is_some_and(|level| level > 0) {
            self.pop_job(id);
        }
        self.move_limits(id);
        if self.jobs[id].level.is_some() {
            self.unlink_job(id);
        }
        self.jobs.remove(id);
    }
}
