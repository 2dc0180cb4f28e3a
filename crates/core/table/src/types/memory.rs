//! Tables in memory: `internal:`, `inline:`, and `texthash:`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::fs::File;
use std::io::Read;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::flags::Flags;
use crate::fold::{Utf8, casefold};
use crate::local::{Entry, LocalTable, Owner, Seek, Update};
use crate::open::{Opened, Opening, reason};
use crate::rhs;
use crate::source::{self, Rules};
use crate::text;

/// Keys and values in memory.
#[derive(Default)]
pub(crate) struct Memory {
    entries: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
    position: RefCell<Option<Vec<u8>>>,
}

impl LocalTable for Memory {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.entries.borrow().get(key).cloned())
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Option<Result<Update, Error>> {
        self.entries.borrow_mut().insert(key.to_vec(), value.to_vec());
        Some(Ok(Update::Stored))
    }

    fn delete(&self, key: &[u8]) -> Option<Result<bool, Error>> {
        Some(Ok(self.entries.borrow_mut().remove(key).is_some()))
    }

    fn sequence(&self, seek: Seek) -> Option<Result<Option<Entry>, Error>> {
        let entries = self.entries.borrow();
        let mut position = self.position.borrow_mut();
        let after = match (seek, position.take()) {
            (Seek::Next, Some(key)) => Bound::Excluded(key),
            (Seek::First | Seek::Next, _) => Bound::Unbounded,
        };
        let found = entries.range((after, Bound::Unbounded)).next();
        *position = found.map(|(key, _)| key.clone());
        Some(Ok(found.map(|(key, value)| (key.clone(), value.clone()))))
    }
}

/// `internal:name`.
pub(crate) fn open_internal(_opening: &Opening<'_>) -> Result<Opened, String> {
    Ok(Opened::local(Memory::default(), Flags::FIXED).folding())
}

/// `inline:{ key=value, { key = text with blanks } }`.
pub(crate) fn open_inline(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let name = opening.name;
    let body = text::inside_braces(name).filter(|body| !body.is_empty());
    let body =
        body.ok_or_else(|| format!("bad syntax: \"inline:{name}\"; need \"inline:{{name=value...}}\""))?;
    let rhs_is_file = opening.flags.contains(Flags::SRC_RHS_IS_FILE);
    let table = Memory::default();
    let fill = || -> Result<usize, String> {
        let mut count = 0;
        for element in text::elements(body) {
            let pair = if element.starts_with('{') { text::extract_trimmed(element)? } else { element };
            let (key, value) = text::split_quoted_pair(pair)?;
            let value = if rhs_is_file { rhs::files_to_base64(value)? } else { value.as_bytes().to_vec() };
            table.entries.borrow_mut().insert(fold(opening, key.as_bytes()), value);
            count += 1;
        }
        Ok(count)
    };
    let why = match fill() {
        Ok(0) => "empty table".to_owned(),
        Ok(_) => return Ok(Opened::local(table, Flags::FIXED).folding()),
        Err(why) => why,
    };
    let value = if rhs_is_file { "filename" } else { "value" };
    Err(format!("{why}: \"inline:{name}\"; need \"inline:{{name={value}...}}\""))
}

/// `texthash:/file/name`.
pub(crate) fn open_texthash(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let (table, owner) = loop {
        let before = SystemTime::now();
        let mut file = File::open(opening.name)
            .map_err(|error| format!("open database {}: {}", opening.name, reason(&error)))?;
        let mut content = Vec::new();
        let failed = |error| format!("read {}: {}", opening.name, reason(&error));
        file.read_to_end(&mut content).map_err(failed)?;
        let status = file.metadata().map_err(failed)?;
        let table = read_text(opening, &content)?;
        if !is_hot(status.modified().ok(), before) {
            break (table, Owner::of_file(status.uid()));
        }
        std::thread::sleep(Duration::from_millis(300));
    };
    Ok(Opened::local(table, Flags::FIXED).folding().owned_by(owner))
}

/// The text of a table that should have an index file, but has none and cannot get one.
pub(crate) fn open_unindexed(opening: &Opening<'_>) -> Option<Opened> {
    let content = std::fs::read(opening.name).ok()?;
    let owner = std::fs::metadata(opening.name).ok()?.uid();
    let mut entries = BTreeMap::new();
    let utf8 = if opening.utf8() { Utf8::Enabled } else { Utf8::Disabled };
    for (key, value) in crate::build::read(opening, &content) {
        entries.entry(casefold(&key, utf8)).or_insert(value);
    }
    let table = Memory { entries: RefCell::new(entries), position: RefCell::default() };
    Some(Opened::local(table, Flags::FIXED).folding().owned_by(Owner::of_file(owner)))
}

/// Whether a file may have changed while it was read.
fn is_hot(modified: Option<SystemTime>, before: SystemTime) -> bool {
    let now = SystemTime::now();
    modified.is_some_and(|time| time + Duration::from_secs(1) >= before && time <= now)
}

fn read_text(opening: &Opening<'_>, content: &[u8]) -> Result<Memory, String> {
    let label = opening.name;
    let rules = Rules {
        label,
        utf8: opening.utf8(),
        rhs_is_file: opening.flags.contains(Flags::SRC_RHS_IS_FILE),
        incomplete: " -- ignoring this line",
        skipping: "skipping this entry",
    };
    let mut entries = BTreeMap::new();
    for entry in source::entries(content, rules) {
        let shown = bytes::show(&entry.key);
        match entries.entry(fold(opening, &entry.key)) {
            Slot::Vacant(slot) => {
                slot.insert(entry.value);
            }
            Slot::Occupied(_) if opening.flags.contains(Flags::DUP_IGNORE) => {}
            Slot::Occupied(mut slot) if opening.flags.contains(Flags::DUP_REPLACE) => {
                slot.insert(entry.value);
            }
            Slot::Occupied(_) if opening.flags.contains(Flags::DUP_WARN) => {
                log::warning!("{label}, line {}: duplicate entry: \"{shown}\"", entry.line);
            }
            Slot::Occupied(_) => {
                return Err(format!("{label}, line {}: duplicate entry: \"{shown}\"", entry.line));
            }
        }
    }
    Ok(Memory { entries: RefCell::new(entries), position: RefCell::default() })
}

fn fold(opening: &Opening<'_>, key: &[u8]) -> Vec<u8> {
    if !opening.flags.contains(Flags::FOLD_FIX) {
        return key.to_vec();
    }
    casefold(key, if opening.utf8() { Utf8::Enabled } else { Utf8::Disabled })
}
