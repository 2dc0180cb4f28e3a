//! What happens later: a dead transport or destination gets another chance, a pause between deliveries ends.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::{QueueId, Scheduler, TransportId};

/// Whose wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A transport that could not be reached.
    Transport(TransportId),
    /// A destination that was dead or pauses.
    Queue(QueueId),
}

/// Timers in order. One that was called off stays inside until its time and is then not recognised by its owner.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Duration, u64, Timer)>>,
    count: u64,
}

impl Timers {
    /// Sets a timer; the number tells it from the owner's earlier ones and is never 0.
    pub(super) fn set(&mut self, at: Duration, timer: Timer) -> u64 {
        self.count += 1;
        self.heap.push(Reverse((at, self.count, timer)));
        self.count
    }

    /// The next timer that is due.
    pub(super) fn due(&mut self, now: Duration) -> Option<(u64, Timer)> {
        let Reverse((at, number, timer)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some((number, timer))
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }
}

impl Scheduler {
    pub(super) fn expire(&mut self, (number, timer): (u64, Timer)) {
        match timer {
            Timer::Transport(transport) => {
                if self.transports.get(transport).is_some_and(|found| found.timer == number) {
                    self.unthrottle_transport(transport);
                }
            }
            Timer::Queue(queue) => {
                if self.queues.get(queue).is_some_and(|found| found.timer == number) {
                    self.wake_queue(queue);
                }
            }
        }
    }
}
