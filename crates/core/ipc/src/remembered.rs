//! Answers that are remembered for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How many answers are remembered.
const LIMIT: usize = 1000;

/// Answers that are some seconds old at most. Two generations keep it small: when the young one is full it becomes the
/// old one, and what nobody asked for in the meantime is forgotten.
#[derive(Debug)]
pub(crate) struct Remembered<K, V> {
    ttl: Duration,
    young: HashMap<K, (V, Instant)>,
    old: HashMap<K, (V, Instant)>,
}

impl<K: Clone + Eq + Hash, V: Clone> Remembered<K, V> {
    /// Nothing yet, and each answer for so long.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, young: HashMap::new(), old: HashMap::new() }
    }

    /// A fresh answer.
    pub(crate) fn find(&mut self, key: &K) -> Option<V> {
        let fresh = |(_, since): &&(V, Instant)| since.elapsed() < self.ttl;
        if let Some((answer, _)) = self.young.get(key).filter(fresh) {
            return Some(answer.clone());
        }
        let (answer, since) = self.old.get(key).filter(fresh).cloned()?;
        self.keep(key.clone(), (answer.clone(), since));
        Some(answer)
    }

    /// Remembers an answer of now.
    pub(crate) fn add(&mut self, key: K, answer: V) {
        self.keep(key, (answer, Instant::now()));
    }

    fn keep(&mut self, key: K, entry: (V, Instant)) {
        if self.young.len() >= LIMIT / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_bounded() {
        let mut cache = Remembered::new(Duration::from_secs(60));
        for n in 0..10 * LIMIT {
            cache.add(n, n);
            assert!(cache.young.len() + cache.old.len() <= LIMIT);
        }
        assert_eq!(cache.find(&(10 * LIMIT - 1)), Some(10 * LIMIT - 1));
        assert_eq!(cache.find(&0), None);
        cache.ttl = Duration::ZERO;
        assert_eq!(cache.find(&(10 * LIMIT - 1)), None);
    }
}
