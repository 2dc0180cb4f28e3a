//! The entries of a table that is being built, before they are written in order.
//!
//! Written in the order of their keys they fill the pages of an LMDB file one after the other; in the order of a source
//! text each would have to find its page, and split it.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use lmdb::Existing;

/// Keys and values, each key once.
#[derive(Default)]
pub(super) struct Batch {
    /// All of them, one after the other.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// The last entry with a key of this hash value.
    by_hash: HashMap<u64, usize, Same>,
    hashing: RandomState,
}

#[derive(Clone, Copy)]
struct Entry {
    key: Piece,
    value: Piece,
    /// The one before with a key of the same hash value.
    before: Option<usize>,
}

#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    length: usize,
}

/// What an entry takes in an LMDB page besides key and value.
const OVERHEAD: usize = 12;

impl Batch {
    /// Adds an entry; false when the key has another value, which it keeps.
    pub(super) fn insert(&mut self, key: &[u8], value: &[u8], existing: Existing) -> bool {
        let hash = self.hashing.hash_one(key);
        let last = self.by_hash.get(&hash).copied();
        let mut next = last;
        while let Some(entry) = next.and_then(|index| self.entries.get(index)) {
            if self.piece(entry.key) == key {
                let is_kept = existing == Existing::Keep;
                if let Some(index) = next.filter(|_| !is_kept) {
                    let value = self.store(value);
                    self.entries.iter_mut().skip(index).take(1).for_each(|entry| entry.value = value);
                }
                return !is_kept;
            }
            next = entry.before;
        }
        let (key, value) = (self.store(key), self.store(value));
        self.by_hash.insert(hash, self.entries.len());
        self.entries.push(Entry { key, value, before: last });
        true
    }

    /// About how large a file with the entries will be.
    pub(super) fn size(&self) -> usize {
        let pages = self.bytes.len() + self.entries.len() * OVERHEAD;
        // Keys come again in branch pages, and large values have pages of their own.
        pages + pages / 2
    }

    /// The entries in the order of their keys.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let start_of = |key: &[u8]| {
            let mut start = [0; 16];
            for (place, byte) in start.iter_mut().zip(key) {
                *place = *byte;
            }
            u128::from_be_bytes(start)
        };
        // Most comparisons end with the first bytes, and those are at hand.
        let mut order: Vec<(u128, &Entry)> =
            self.entries.iter().map(|entry| (start_of(self.piece(entry.key)), entry)).collect();
        order.sort_unstable_by(|(one, a), (other, b)| {
            one.cmp(other).then_with(|| self.piece(a.key).cmp(self.piece(b.key)))
        });
        order.into_iter().map(|(_, entry)| (self.piece(entry.key), self.piece(entry.value)))
    }

    fn store(&mut self, text: &[u8]) -> Piece {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        Piece { start, length: text.len() }
    }

    fn piece(&self, piece: Piece) -> &[u8] {
        self.bytes.get(piece.start..piece.start + piece.length).unwrap_or_default()
    }
}

/// The hash of what is a hash value already.
#[derive(Clone, Copy, Default)]
struct Same(u64);

impl BuildHasher for Same {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_once_and_in_order() {
        let mut batch = Batch::default();
        for key in ["b", "a", "", "a\0", "abcdefghijklmnopqr", "abcdefghijklmnopqq", "abcdefghijklmnop"] {
            assert!(batch.insert(key.as_bytes(), b"1", Existing::Keep));
        }
        assert!(!batch.insert(b"a", b"2", Existing::Keep));
        assert!(batch.insert(b"b", b"2", Existing::Replace));
        assert!(batch.insert(b"c", b"2", Existing::Replace));
        let keys = "|a|a\0|abcdefghijklmnop|abcdefghijklmnopqq|abcdefghijklmnopqr|b|c";
        let found: Vec<_> = batch.sorted().collect();
        let expected: Vec<(&[u8], &[u8])> = keys
            .split('|')
            .map(|key| (key.as_bytes(), if key >= "b" { b"2".as_slice() } else { b"1" }))
            .collect();
        assert_eq!(found, expected);
    }
}
