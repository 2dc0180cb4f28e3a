//! Looking for mail in `incoming` and `deferred`, some files at a time, between deliveries.

use std::io;

use queue::{QueueId, QueueName, Spool};

/// What a queue run is asked to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Begin now, or again when the present run is over.
    pub(crate) start: bool,
    /// Heed no time stamps.
    pub(crate) all: bool,
    /// Deliver also by `defer_transports`.
    pub(crate) flush: bool,
}

impl Wish {
    /// To begin.
    pub(crate) const START: Self = Self { start: true, all: false, flush: false };

    fn add(&mut self, other: Self) {
        self.start |= other.start;
        self.all |= other.all;
        self.flush |= other.flush;
    }
}

/// What trigger requests ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// Of the incoming queue.
    pub(crate) incoming: Wish,
    /// Of the deferred queue.
    pub(crate) deferred: Wish,
    /// Give dead transports and destinations another chance.
    pub(crate) enable_all: bool,
}

impl Wishes {
    /// Reads requests. They cannot conflict, so their order and number do not matter.
    pub(crate) fn of(requests: &[u8]) -> Self {
        let mut wishes = Self::default();
        for &request in requests {
            match request {
                ipc::trigger::WAKEUP | ipc::trigger::SCAN_INCOMING => wishes.incoming.start = true,
                ipc::trigger::SCAN_DEFERRED => wishes.deferred.start = true,
                ipc::trigger::FLUSH_DEAD => {
                    wishes.enable_all = true;
                    wishes.incoming.flush = true;
                    wishes.deferred.flush = true;
                }
                ipc::trigger::SCAN_ALL => {
                    wishes.incoming.all = true;
                    wishes.deferred.all = true;
                }
                other => log::debug!("request ignored: {other}"),
            }
        }
        wishes
    }
}

/// The runs of one queue, one after the other.
#[derive(Debug)]
pub(crate) struct Scan {
    queue: QueueName,
    now: Wish,
    next: Wish,
    handle: Option<queue::Scan>,
}

impl Scan {
    /// No run yet.
    pub(crate) fn new(queue: QueueName) -> Self {
        Self { queue, now: Wish::default(), next: Wish::default(), handle: None }
    }

    /// The queue.
    pub(crate) fn queue(&self) -> QueueName {
        self.queue
    }

    /// What the present run does.
    pub(crate) fn mode(&self) -> Wish {
        self.now
    }

    /// Whether a run is under way or wanted.
    pub(crate) fn is_active(&self) -> bool {
        self.handle.is_some() || self.next.start
    }

    /// Asks for a run. What it is to do also holds for the rest of the present run.
    pub(crate) fn request(&mut self, wish: Wish) {
        if self.handle.is_some() {
            self.now.all |= wish.all;
            self.now.flush |= wish.flush;
        }
        self.next.add(wish);
    }

    /// The next file's name; `None` when the run is over and no other is wanted.
    pub(crate) fn next(&mut self, spool: &Spool) -> io::Result<Option<QueueId>> {
        // One run after the present one at most: a run in which nothing was asked for finds all there is.
        for _ in 0..2 {
            if self.handle.is_none() {
                if !self.next.start {
                    return Ok(None);
                }
                self.now = std::mem::take(&mut self.next);
                log::debug!("start {} queue scan", self.queue);
                self.handle = Some(spool.scan(self.queue)?);
            }
            let Some(handle) = &mut self.handle else { break };
            // Entries that are no queue files are none of our business.
            if let Some(id) = handle.by_ref().find_map(Result::ok) {
                return Ok(Some(id));
            }
            let fault = handle.take_fault();
            self.handle = None;
            log::debug!("done {} queue scan", self.queue);
            if let Some(fault) = fault {
                return Err(fault);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue::Layout;

    #[test]
    fn a_burst_of_triggers_is_one_run() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("incoming")).unwrap();
        let spool = Spool::at(folder.path(), &Layout::default());
        let mut scan = Scan::new(QueueName::Incoming);
        assert_eq!(scan.next(&spool).unwrap(), None);
        for name in ["A1", "B2"] {
            std::fs::write(folder.path().join("incoming").join(name), "").unwrap();
        }
        scan.request(Wish::START);
        assert!(scan.next(&spool).unwrap().is_some());
        for _ in 0..100 {
            scan.request(Wishes::of(b"WIII").incoming);
        }
        let mut count = 1;
        while let Some(_id) = scan.next(&spool).unwrap() {
            count += 1;
        }
        assert_eq!((count, scan.is_active()), (4, false));
    }

    #[test]
    fn requests_of_postqueue_and_flush() {
        // postqueue -f
        let wishes = Wishes::of(b"DFA");
        let all = Wish { start: true, all: true, flush: true };
        assert!(wishes.enable_all);
        assert_eq!((wishes.deferred, wishes.incoming), (all, Wish { start: false, ..all }));
        // A mode that came without a start is for the next run.
        let mut scan = Scan::new(QueueName::Incoming);
        scan.request(wishes.incoming);
        assert!(!scan.is_active() && !scan.mode().all);
        scan.request(Wish::START);
        assert!(scan.is_active() && scan.next.all);
    }
}
