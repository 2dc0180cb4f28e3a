//! TLS sessions for resumption, in memory.

use std::collections::{HashMap, VecDeque};

/// The least lifetime of sessions, in seconds.
const SHORTEST: i64 = 120;

/// One cache takes no more memory than this, in bytes; the oldest sessions go first.
const SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// What an entry takes beside its name and session, about.
const OVERHEAD: usize = 200;

/// The sessions of one kind of program.
#[derive(Debug)]
pub struct Sessions {
    lifetime: i64,
    limit: usize,
    by_id: HashMap<Vec<u8>, Kept>,
    /// Oldest first; an entry whose serial number is no longer the one in `by_id` was replaced or deleted.
    order: VecDeque<(u64, Vec<u8>)>,
    serial: u64,
    size: usize,
}

#[derive(Debug)]
struct Kept {
    session: Vec<u8>,
    expires: i64,
    serial: u64,
}

/// The lifetime that a setting of so many seconds means: zero, or not too little.
pub fn lifetime(setting: i64) -> i64 {
    if setting <= 0 { 0 } else { setting.max(SHORTEST) }
}

impl Sessions {
    /// No sessions yet; they live so many seconds.
    pub fn new(lifetime: i64) -> Self {
        Self::with_limit(lifetime, SIZE_LIMIT)
    }

    fn with_limit(lifetime: i64, limit: usize) -> Self {
        Self { lifetime, limit, by_id: HashMap::new(), order: VecDeque::new(), serial: 0, size: 0 }
    }

    /// A session that is still good.
    pub fn find(&mut self, id: &[u8], now: i64) -> Option<&[u8]> {
        self.expire(now);
        self.by_id.get(id).map(|kept| kept.session.as_slice())
    }

    /// Keeps a session; it replaces an older one of the same name.
    pub fn store(&mut self, id: &[u8], session: &[u8], now: i64) {
        self.remove(id);
        self.serial += 1;
        let kept = Kept {
            session: session.to_vec(),
            expires: now.saturating_add(self.lifetime),
            serial: self.serial,
        };
        self.size += cost(id, session);
        self.order.push_back((self.serial, id.to_vec()));
        self.by_id.insert(id.to_vec(), kept);
        self.expire(now);
    }

    /// Forgets a session; whether it was there.
    pub fn remove(&mut self, id: &[u8]) -> bool {
        let Some(kept) = self.by_id.remove(id) else { return false };
        self.size -= cost(id, &kept.session);
        if self.order.len() > 2 * self.by_id.len() + 16 {
            self.order.retain(|(serial, id)| self.by_id.get(id).is_some_and(|kept| kept.serial == *serial));
        }
        true
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    // All live equally long, so that the first to come is the first to go.
    fn expire(&mut self, now: i64) {
        while let Some((serial, id)) = self.order.front() {
            let kept = self.by_id.get(id).filter(|kept| kept.serial == *serial);
            let is_due = kept.is_none_or(|kept| kept.expires <= now || self.size > self.limit);
            if !is_due {
                return;
            }
            if let Some(kept) = kept {
                self.size -= cost(id, &kept.session);
                let id = id.clone();
                self.by_id.remove(&id);
            }
            self.order.pop_front();
        }
    }
}

fn cost(id: &[u8], session: &[u8]) -> usize {
    2 * id.len() + session.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_live_as_long_as_they_may() {
        let mut sessions = Sessions::new(lifetime(60));
        sessions.store(b"a", b"one", 1000);
        sessions.store(b"b", b"two", 1050);
        assert_eq!(sessions.find(b"a", 1119), Some(&b"one"[..]));
        assert_eq!(sessions.find(b"a", 1120), None);
        assert_eq!(sessions.find(b"b", 1120), Some(&b"two"[..]));
        assert_eq!(sessions.len(), 1);
        assert_eq!(lifetime(0), 0);
        assert_eq!(lifetime(3600), 3600);
    }

    #[test]
    fn the_newest_session_of_a_name_counts() {
        let mut sessions = Sessions::new(120);
        sessions.store(b"a", b"one", 1000);
        sessions.store(b"a", b"two", 1100);
        assert_eq!(sessions.find(b"a", 1150), Some(&b"two"[..]));
        assert!(sessions.remove(b"a"));
        assert!(!sessions.remove(b"a"));
        assert!(sessions.is_empty() && sessions.size == 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut sessions = Sessions::with_limit(3600, 10_000);
        for number in 0..1000u32 {
            sessions.store(&number.to_be_bytes(), &[0; 800], 1000);
            sessions.store(b"same", b"x", 1000);
        }
        assert!(sessions.size <= 10_000 && sessions.len() < 12, "{}", sessions.len());
        assert!(sessions.order.len() < 50, "{}", sessions.order.len());
        assert!(sessions.find(&999u32.to_be_bytes(), 1000).is_some());
    }
}
