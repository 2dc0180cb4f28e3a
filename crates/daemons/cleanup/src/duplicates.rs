//! The duplicate recipient filter.

use std::collections::HashSet;

use address::casefold;

/// Texts that were seen, compared without regard to case; bounded.
#[derive(Debug)]
pub(crate) struct Duplicates {
    limit: usize,
    seen: HashSet<Vec<u8>>,
}

impl Duplicates {
    /// Remembers `limit` texts; 0 is no limit.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, seen: HashSet::new() }
    }

    /// Whether the text was seen before; it is now.
    pub(crate) fn insert(&mut self, text: &[u8]) -> bool {
        let key = casefold(text);
        if self.seen.contains(&key) {
            return true;
        }
        if self.limit == 0 || self.seen.len() < self.limit {
            self.seen.insert(key);
        }
        false
    }

    /// Whether the text was seen before.
    pub(crate) fn contains(&self, text: &[u8]) -> bool {
        self.seen.contains(&casefold(text))
    }
}
