//! How many clients a process may have: its share of what its service may have.

use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use ipc::master::Share as Word;
use sys::shared::Counters;

use crate::Fatal;

/// How long a service counts as stressed after it had as many clients as it may, in seconds.
const STRESS_STAYS: u32 = 1000;

/// Up to so many clients more than its siblings a process takes without looking whether they would like some.
const LEAD: usize = 4;

/// The process's own clients and those of its siblings.
#[derive(Debug)]
pub(crate) struct Share {
    /// Nothing where no master shares out: then the process has `limit` for itself.
    table: Option<Counters>,
    alone: AtomicU32,
    slot: usize,
    limit: Option<usize>,
}

/// Whether a client may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is counted in.
    Granted,
    /// The service has as many clients as it may.
    Full,
    /// There is room, but a sibling has less to do. It may be too busy to notice: then come back and insist.
    LeaveIt,
}

impl Share {
    /// What master says, or `limit` for this process alone.
    pub(crate) fn new(word: Option<Word>, limit: Option<usize>) -> Result<Self, Fatal> {
        let Some(word) = word else {
            return Ok(Self { table: None, alone: AtomicU32::new(0), slot: 0, limit });
        };
        let table = sys::descriptor::inherit(word.descriptor)
            .and_then(Counters::map)
            .map_err(|error| Fatal::new(format!("client table: {}", sys::reason(&error))))?;
        if table.words().len() < Word::WORDS {
            return Err(Fatal::new("client table: too short"));
        }
        Ok(Self { table: Some(table), alone: AtomicU32::new(0), slot: word.slot, limit: word.limit })
    }

    fn own(&self) -> &AtomicU32 {
        self.table.and_then(|table| table.words().get(self.slot)).unwrap_or(&self.alone)
    }

    fn slots(&self) -> &[AtomicU32] {
        self.table.and_then(|table| table.words().get(1..)).unwrap_or(std::slice::from_ref(&self.alone))
    }

    /// How many clients the service has.
    fn total(&self) -> usize {
        self.slots().iter().map(|slot| Word::clients(slot.load(Ordering::SeqCst))).sum()
    }

    /// Says to the siblings that this process takes clients.
    pub(crate) fn accept(&self) {
        self.own().fetch_or(Word::ACCEPTS, Ordering::SeqCst);
    }

    /// Says that it takes none any more.
    pub(crate) fn retire(&self) {
        self.own().fetch_and(!Word::ACCEPTS, Ordering::SeqCst);
    }

    /// Counts a client in, if it may come. With `insist` without regard for siblings that have less to do.
    pub(crate) fn enter(&self, insist: Insist) -> Admission {
        if insist == Insist::No && self.leads() {
            return Admission::LeaveIt;
        }
        // First counted, then looked: of two that come at the same time at least one sees the other.
        self.own().fetch_add(1, Ordering::SeqCst);
        if self.limit.is_some_and(|limit| self.total() > limit) {
            self.leave();
            return Admission::Full;
        }
        Admission::Granted
    }

    /// Counts a client in whose place may be taken meanwhile, so that it can be counted out.
    pub(crate) fn come_back(&self) {
        self.own().fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a client out.
    pub(crate) fn leave(&self) {
        self.own().fetch_sub(1, Ordering::SeqCst);
    }

    fn leads(&self) -> bool {
        let own = Word::clients(self.own().load(Ordering::SeqCst));
        if own < LEAD || self.table.is_none() {
            return false;
        }
        let others = self.slots().iter().enumerate().filter(|(at, _)| at + 1 != self.slot);
        let accepting =
            others.map(|(_, slot)| slot.load(Ordering::SeqCst)).filter(|word| word & Word::ACCEPTS != 0);
        accepting.map(Word::clients).min().is_some_and(|least| own >= least + LEAD + least / 8)
    }

    /// Whether the service has as many clients as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.table.is_some() && self.limit.is_some_and(|limit| self.total() >= limit)
    }

    /// Takes note that the service had as many clients as it may.
    pub(crate) fn note_stress(&self) {
        if let Some(until) = self.stressed_until() {
            until.store(seconds().saturating_add(STRESS_STAYS), Ordering::SeqCst);
        }
    }

    /// Whether it had, not long ago.
    pub(crate) fn is_stressed(&self) -> bool {
        self.stressed_until().is_some_and(|until| until.load(Ordering::SeqCst) > seconds())
    }

    fn stressed_until(&self) -> Option<&AtomicU32> {
        self.table.and_then(|table| table.words().first())
    }
}

/// Whether a client is taken that a sibling could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insist {
    Yes,
    No,
}

/// A client's place; it is free again when this is dropped, however the client's session ended.
pub(crate) struct Place(Rc<Share>);

impl Place {
    /// For a client that [`Share::enter`] has let in.
    pub(crate) fn of(share: &Rc<Share>) -> Self {
        Self(Rc::clone(share))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

fn seconds() -> u32 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| u32::try_from(time.tv_sec()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn siblings(limit: usize) -> (Share, Share) {
        let table = Counters::map(sys::shared::create(Word::WORDS).unwrap()).unwrap();
        let share = |slot| Share { table: Some(table), alone: AtomicU32::new(0), slot, limit: Some(limit) };
        (share(1), share(2))
    }

    #[test]
    fn siblings_share_the_limit() {
        let (one, other) = siblings(2);
        assert_eq!(one.enter(Insist::No), Admission::Granted);
        assert_eq!(other.enter(Insist::No), Admission::Granted);
        assert_eq!(one.enter(Insist::No), Admission::Full);
        // One that retires still counts.
        other.retire();
        assert_eq!(one.enter(Insist::Yes), Admission::Full);
        other.leave();
        assert_eq!(one.enter(Insist::No), Admission::Granted);
        assert_eq!(one.total(), 2);
    }

    #[test]
    fn who_leads_leaves_clients_to_siblings_that_accept() {
        let (one, other) = siblings(100);
        for _ in 0..LEAD {
            assert_eq!(one.enter(Insist::No), Admission::Granted);
        }
        assert_eq!(one.enter(Insist::No), Admission::Granted);
        other.accept();
        assert_eq!(one.enter(Insist::No), Admission::LeaveIt);
        assert_eq!(one.enter(Insist::Yes), Admission::Granted);
        for _ in 0..LEAD {
            assert_eq!(other.enter(Insist::No), Admission::Granted);
        }
        assert_eq!(one.enter(Insist::No), Admission::Granted);
    }

    #[test]
    fn stress_is_everybodys() {
        let (one, other) = siblings(1);
        assert!(!other.is_stressed());
        assert_eq!(one.enter(Insist::No), Admission::Granted);
        assert!(other.is_full());
        one.note_stress();
        assert!(other.is_stressed());
    }
}
