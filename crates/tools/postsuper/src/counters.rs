//! What was done.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::by_id::Change;

/// Counts of changes; also read by the thread that waits for signals.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requeued: AtomicU64,
    held: AtomicU64,
    released: AtomicU64,
    deleted: AtomicU64,
    expired: AtomicU64,
    /// Names that match their inode now.
    fixed: AtomicU64,
    /// Names that were found not to match.
    mismatched: AtomicU64,
    /// Files that were found in the wrong directory.
    misplaced: AtomicU64,
}

/// What to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Requeued,
    Held,
    Released,
    Deleted,
    Expired,
    Fixed,
    Mismatched,
    Misplaced,
}

impl Counters {
    pub(crate) fn add(&self, event: Event) {
        self.of(event).fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn mismatches(&self) -> u64 {
        self.get(Event::Mismatched)
    }

    pub(crate) fn names_changed(&self) -> bool {
        self.get(Event::Mismatched) > 0 || self.get(Event::Fixed) > 0
    }

    /// To be said when the program ends before its time.
    pub(crate) fn warn_if_incomplete(&self) {
        if self.names_changed() || self.get(Event::Misplaced) > 0 {
            log::warning!("OPERATION INCOMPLETE -- RERUN COMMAND TO FIX THE QUEUE FIRST");
        }
    }

    /// Reports the kinds of change that were asked for.
    pub(crate) fn report(&self, wanted: impl Fn(&[Change]) -> bool) {
        let expire = [Change::Expire, Change::ExpireAndRelease];
        let release = [Change::Release, Change::ExpireAndRelease];
        for (changes, title, event) in [
            (&[Change::Requeue][..], "Requeued", Event::Requeued),
            (&[Change::Delete], "Deleted", Event::Deleted),
            (&expire, "Force-expired", Event::Expired),
            (&[Change::Hold], "Placed on hold", Event::Held),
            (&release, "Released from hold", Event::Released),
        ] {
            if wanted(changes) {
                self.report_one(title, event);
            }
        }
        if self.get(Event::Fixed) > 0 {
            self.report_one("Renamed to match inode number", Event::Fixed);
        }
        if self.names_changed() {
            log::warning!("QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS");
        }
    }

    fn report_one(&self, title: &str, event: Event) {
        let count = self.get(event);
        let plural = if count == 1 { "" } else { "s" };
        log::info!("{title}: {count} message{plural}");
    }

    fn get(&self, event: Event) -> u64 {
        self.of(event).load(Ordering::Relaxed)
    }

    fn of(&self, event: Event) -> &AtomicU64 {
        match event {
            Event::Requeued => &self.requeued,
            Event::Held => &self.held,
            Event::Released => &self.released,
            Event::Deleted => &self.deleted,
            Event::Expired => &self.expired,
            Event::Fixed => &self.fixed,
            Event::Mismatched => &self.mismatched,
            Event::Misplaced => &self.misplaced,
        }
    }
}
