//! The cdb file format: a constant table that is read where it lies.
//!
//! All numbers are 32 bits, low byte first. The file begins with 256 pairs (where a hash table is, how many slots it has);
//! then come the records (length of the key, length of the value, key, value) in the order in which they were added;
//! then the hash tables. The low 8 bits of a key's hash choose the table, the others the slot where the search begins. A
//! slot is a hash and the position of its record; position 0 ends the search.
//!
//! A file is not trusted: every length and position in it is checked against its size.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

const TABLES: usize = 256;
const SLOT: u64 = 8;
const HEADER: u64 = TABLES as u64 * SLOT;
/// So many slots are read at once: nearly every search ends among them.
const SLOTS_AT_ONCE: u64 = 16;

fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33) ^ u32::from(byte))
}

/// A file that lookups are made in.
pub(crate) struct Reader {
    file: File,
    size: u64,
    /// Where each hash table is, and how many slots it has.
    tables: Vec<(u64, u64)>,
}

/// A key and its value.
type Entry = (Vec<u8>, Vec<u8>);

impl Reader {
    /// Reads the head of a file.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut reader = Self { file, size, tables: Vec::new() };
        let header = reader.read(0, HEADER)?;
        reader.tables = pairs(&header).map(|(at, slots)| (u64::from(at), u64::from(slots))).collect();
        Ok(reader)
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The value of a key: that of the first record, where several have it.
    pub(crate) fn find(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let hash = hash(key);
        let table = usize::try_from(hash).unwrap_or_default() % TABLES;
        let (at, slots) = self.tables.get(table).copied().unwrap_or_default();
        if slots == 0 {
            return Ok(None);
        }
        let mut slot = u64::from(hash >> 8) % slots;
        let mut left = slots;
        while left > 0 {
            let count = SLOTS_AT_ONCE.min(slots - slot).min(left);
            let chunk = self.read(at + slot * SLOT, count * SLOT)?;
            for (stored, position) in pairs(&chunk) {
                if position == 0 {
                    return Ok(None);
                }
                if stored == hash
                    && let Some(value) = self.value_of(key, u64::from(position))?
                {
                    return Ok(Some(value));
                }
            }
            left -= count;
            slot = (slot + count) % slots;
        }
        Ok(None)
    }

    /// The value of the record at a position, if it has this key.
    fn value_of(&self, key: &[u8], at: u64) -> io::Result<Option<Vec<u8>>> {
        let (key_length, value_length) = self.lengths(at)?;
        if usize::try_from(key_length).ok() != Some(key.len()) || self.read(at + SLOT, key_length)? != key {
            return Ok(None);
        }
        self.read(at + SLOT + key_length, value_length).map(Some)
    }

    /// The record at a position, and the position of the one after it. Position 0 means the first.
    pub(crate) fn record(&self, at: u64) -> io::Result<Option<(Entry, u64)>> {
        let at = if at == 0 { HEADER } else { at };
        let end = self.tables.first().map_or(0, |&(at, _)| at).clamp(HEADER, self.size);
        if at >= end {
            return Ok(None);
        }
        let (key_length, value_length) = self.lengths(at)?;
        let (key, value) = (at + SLOT, at + SLOT + key_length);
        let next = value + value_length;
        if next > end {
            return Err(malformed());
        }
        Ok(Some(((self.read(key, key_length)?, self.read(value, value_length)?), next)))
    }

    fn lengths(&self, at: u64) -> io::Result<(u64, u64)> {
        let head = self.read(at, SLOT)?;
        let (key, value) = pairs(&head).next().ok_or_else(malformed)?;
        Ok((u64::from(key), u64::from(value)))
    }

    fn read(&self, at: u64, length: u64) -> io::Result<Vec<u8>> {
        // Before there is a buffer, which a bad length would make too large.
        if at.checked_add(length).is_none_or(|end| end > self.size) {
            return Err(malformed());
        }
        let mut buffer = vec![0; usize::try_from(length).map_err(|_| malformed())?];
        self.file.read_exact_at(&mut buffer, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => malformed(),
            _ => error,
        })?;
        Ok(buffer)
    }
}

fn pairs(text: &[u8]) -> impl Iterator<Item = (u32, u32)> + '_ {
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
    text.chunks_exact(8).map(move |pair| {
        let (first, second) = pair.split_at(4);
        (number(first), number(second))
    })
}

fn malformed() -> io::Error {
    io::Error::from_raw_os_error(nix::libc::EPROTO)
}

/// A file in the making, in memory until it is complete.
#[derive(Default)]
pub(crate) struct Maker {
    /// The records one after the other, those included that were replaced.
    text: Vec<u8>,
    records: Vec<Record>,
    /// The records with each hash.
    by_hash: HashMap<u32, Vec<usize>>,
    /// What the file will need for records.
    size: u64,
}

struct Record {
    hash: u32,
    start: usize,
    key_length: usize,
    length: usize,
    replaced: bool,
}

impl Maker {
    /// Whether a record has this key.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.position(key).is_some()
    }

    fn position(&self, key: &[u8]) -> Option<usize> {
        let same_hash = self.by_hash.get(&hash(key))?;
        same_hash.iter().copied().find(|&at| {
            self.records.get(at).is_some_and(|record| {
                let start = record.start + 8;
                !record.replaced && self.text.get(start..start + record.key_length) == Some(key)
            })
        })
    }

    /// Takes the record with this key out.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        let Some(record) = self.position(key).and_then(|at| self.records.get_mut(at)) else { return };
        record.replaced = true;
        self.size -= record.length as u64;
    }

    /// Adds a record at the end.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let too_large = || io::Error::from_raw_os_error(nix::libc::EFBIG);
        let length = |text: &[u8]| u32::try_from(text.len()).map_err(|_| too_large());
        let (key_length, value_length) = (length(key)?, length(value)?);
        let size = self.size + SLOT + u64::from(key_length) + u64::from(value_length);
        // Positions are of 32 bits, also those in the hash tables, of which each record takes two slots.
        let slots = (self.records.len() as u64 + 1) * 2 * SLOT;
        if HEADER + size + slots > u64::from(u32::MAX) {
            return Err(too_large());
        }
        let start = self.text.len();
        self.text.extend_from_slice(&key_length.to_le_bytes());
        self.text.extend_from_slice(&value_length.to_le_bytes());
        self.text.extend_from_slice(key);
        self.text.extend_from_slice(value);
        self.size = size;
        let hash = hash(key);
        self.by_hash.entry(hash).or_default().push(self.records.len());
        let length = self.text.len() - start;
        self.records.push(Record { hash, start, key_length: key.len(), length, replaced: false });
        Ok(())
    }

    /// Writes the file.
    pub(crate) fn write(&self, file: &File) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(65_536, file);
        let mut entries: Vec<Vec<(u32, u32)>> = vec![Vec::new(); TABLES];
        let mut position = HEADER;
        let kept = || self.records.iter().filter(|record| !record.replaced);
        let narrow = |number: u64| u32::try_from(number).map_err(|_| malformed());
        for record in kept() {
            let table = usize::try_from(record.hash).unwrap_or_default() % TABLES;
            if let Some(entries) = entries.get_mut(table) {
                entries.push((record.hash, narrow(position)?));
            }
            position += record.length as u64;
        }
        for entries in &entries {
            let slots = entries.len() as u64 * 2;
            write_pair(&mut out, narrow(position)?, narrow(slots)?)?;
            position += slots * SLOT;
        }
        for record in kept() {
            out.write_all(self.text.get(record.start..record.start + record.length).unwrap_or_default())?;
        }
        for entries in &entries {
            for (hash, position) in hash_table(entries) {
                write_pair(&mut out, hash, position)?;
            }
        }
        out.flush()
    }
}

/// The slots of a hash table with these hashes and positions. Half of them stay empty.
fn hash_table(entries: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let count = entries.len() * 2;
    let mut slots = vec![(0, 0); count];
    for &(hash, position) in entries {
        let start = usize::try_from(hash >> 8).unwrap_or_default() % count;
        let (before, after) = slots.split_at_mut(start);
        if let Some(free) = after.iter_mut().chain(before).find(|slot| slot.1 == 0) {
            *free = (hash, position);
        }
    }
    slots
}

fn write_pair(out: &mut impl Write, first: u32, second: u32) -> io::Result<()> {
    out.write_all(&first.to_le_bytes())?;
    out.write_all(&second.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader_of(maker: &Maker) -> Reader {
        let file = tempfile::tempfile().unwrap();
        maker.write(&file).unwrap();
        Reader::new(file).unwrap()
    }

    fn all(reader: &Reader) -> Vec<Entry> {
        let mut at = 0;
        let step = || {
            let (entry, next) = reader.record(at).unwrap()?;
            at = next;
            Some(entry)
        };
        std::iter::from_fn(step).collect()
    }

    #[test]
    fn what_is_added_is_found() {
        let mut maker = Maker::default();
        for number in 0..3000u32 {
            maker.add(format!("key{number}").as_bytes(), &vec![b'v'; number as usize % 70]).unwrap();
        }
        let reader = reader_of(&maker);
        for number in 0..3000u32 {
            let value = reader.find(format!("key{number}").as_bytes()).unwrap();
            assert_eq!(value, Some(vec![b'v'; number as usize % 70]));
            assert_eq!(reader.find(format!("no{number}").as_bytes()).unwrap(), None);
        }
        assert_eq!(reader.find(b"").unwrap(), None);
        let entries = all(&reader);
        assert_eq!(entries.len(), 3000);
        assert_eq!(entries[2].0, b"key2");
    }

    #[test]
    fn nothing_at_all() {
        let reader = reader_of(&Maker::default());
        assert_eq!(reader.find(b"a").unwrap(), None);
        assert!(all(&reader).is_empty());
        assert_eq!(reader.size, HEADER);
    }

    #[test]
    fn the_first_of_several_counts_and_replaced_ones_are_gone() {
        let mut maker = Maker::default();
        maker.add(b"a", b"1").unwrap();
        maker.add(b"b", b"2").unwrap();
        maker.add(b"b", b"3").unwrap();
        assert!(maker.contains(b"a") && !maker.contains(b"c"));
        maker.remove(b"a");
        assert!(!maker.contains(b"a"));
        maker.add(b"a", b"4").unwrap();
        let reader = reader_of(&maker);
        assert_eq!(reader.find(b"a").unwrap(), Some(b"4".to_vec()));
        assert_eq!(reader.find(b"b").unwrap(), Some(b"2".to_vec()));
        let pair = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
        assert_eq!(all(&reader), [pair(b"b", b"2"), pair(b"b", b"3"), pair(b"a", b"4")]);
    }

    #[test]
    fn damage_is_an_error_or_a_miss_and_nothing_worse() {
        let mut maker = Maker::default();
        for number in 0..40u32 {
            maker.add(&number.to_be_bytes(), b"value").unwrap();
        }
        let file = tempfile::tempfile().unwrap();
        maker.write(&file).unwrap();
        let mut good = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
        file.read_exact_at(&mut good, 0).unwrap();
        let mut seed = 1u32;
        for _ in 0..2000 {
            let mut text = good.clone();
            for _ in 0..8 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = seed as usize % text.len();
                text[at] = (seed >> 24) as u8;
            }
            text.truncate(good.len() - (seed >> 8) as usize % 300);
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&text, 0).unwrap();
            let reader = Reader::new(file).unwrap();
            for number in 0..40u32 {
                if let Err(error) = reader.find(&number.to_be_bytes()) {
                    assert_eq!(error.raw_os_error(), Some(nix::libc::EPROTO));
                }
            }
            let mut at = 0;
            while let Ok(Some((_, next))) = reader.record(at) {
                assert!(next > at);
                at = next;
            }
        }
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&good[..100], 0).unwrap();
        assert!(Reader::new(file).is_err());
    }
}
