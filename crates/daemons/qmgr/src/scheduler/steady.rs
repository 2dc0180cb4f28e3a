//! Steady streams: mail that goes to one destination again and again, also when each delivery is over before the next
//! message comes, so that nothing of the destination is left in between.

use std::collections::HashMap;
use std::time::Duration;

/// Deliveries in a row that make a steady stream.
pub(super) const STEADY: u32 = 20;

/// A row ends when nothing begins for longer than this after a delivery.
const PAUSE: Duration = Duration::from_secs(1);

/// How many destinations are remembered; of more at a time, some are not.
const LIMIT: usize = 1000;

/// The destinations of a transport that mail went to a moment ago.
#[derive(Debug, Default)]
pub(super) struct Recent(HashMap<Box<[u8]>, Row>);

/// Deliveries that followed each other.
#[derive(Debug)]
struct Row {
    length: u32,
    end: Duration,
}

impl Row {
    fn goes_on(&self, now: Duration) -> bool {
        self.end + PAUSE >= now
    }
}

impl Recent {
    /// Remembers a destination that has nothing more to do, with the deliveries in a row so far.
    pub(super) fn leave(&mut self, destination: Box<[u8]>, length: u32, now: Duration) {
        if self.0.len() >= LIMIT {
            self.0.retain(|_, row| row.goes_on(now));
        }
        if self.0.len() < LIMIT {
            self.0.insert(destination, Row { length, end: now });
        }
    }

    /// How many deliveries in a row a destination has had, and may go on with.
    pub(super) fn resume(&mut self, destination: &[u8], now: Duration) -> u32 {
        self.0.remove(destination).filter(|row| row.goes_on(now)).map_or(0, |row| row.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_few_and_not_for_long() {
        let mut recent = Recent::default();
        let name = |n: usize| n.to_string().into_bytes().into_boxed_slice();
        let second = Duration::from_secs;
        for n in 0..LIMIT + 5 {
            recent.leave(name(n), 7, second(100));
        }
        assert_eq!(recent.0.len(), LIMIT);
        assert_eq!(recent.resume(&name(1), second(101)), 7);
        assert_eq!(recent.resume(&name(1), second(101)), 0);
        assert_eq!(recent.resume(&name(2), second(102)), 0);
        assert_eq!(recent.resume(&name(LIMIT), second(100)), 0);
        for n in 0..10 {
            recent.leave(name(n), 7, second(102));
        }
        assert!(recent.0.len() <= LIMIT);
        assert_eq!(recent.resume(&name(9), second(103)), 7);
    }
}
