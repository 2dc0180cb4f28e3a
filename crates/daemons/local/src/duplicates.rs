//! Deliveries that were done already for this recipient.

use std::collections::HashSet;

use address::casefold;

/// A set of names of deliveries, case ignored, up to `duplicate_filter_limit` of them.
#[derive(Debug)]
pub(crate) struct Duplicates {
    seen: HashSet<Vec<u8>>,
    limit: usize,
}

impl Duplicates {
    /// An empty set; no limit if that is 0 or less.
    pub(crate) fn new(limit: i64) -> Self {
        let limit = usize::try_from(limit).ok().filter(|&limit| limit > 0).unwrap_or(usize::MAX);
        Self { seen: HashSet::new(), limit }
    }

    /// Whether the name is in the set; afterwards it is, if there is room.
    pub(crate) fn been_here(&mut self, name: &[u8]) -> bool {
        let name = casefold(name);
        if self.seen.contains(&name) {
            return true;
        }
        if self.seen.len() < self.limit {
            self.seen.insert(name);
        }
        false
    }

    /// Whether the name is in the set.
    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.seen.contains(&casefold(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_set_forgets() {
        let mut set = Duplicates::new(1);
        assert!(!set.been_here(b"File x"));
        assert!(set.been_here(b"file X"));
        assert!(!set.been_here(b"y") && !set.been_here(b"y"));
        assert!(set.contains(b"FILE x") && !set.contains(b"y"));
    }
}
