//! `cdb:`, constant tables in files named `NAME.cdb`.
//!
//! Such a file is written whole, under another name, and then takes the place of the old one. Who has the old one open
//! keeps its contents, and learns from [`LocalTable::is_replaced`] that there is a newer one. Readers take no locks.
//!
//! As in Postfix, and unlike `hash:`, a table without its file is an error; nothing builds the file but postmap(1) and
//! postalias(1).

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cdb::{Maker, Reader};
use crate::error::Error;
use crate::flags::{Flags, Mode};
use crate::local::{Entry, LocalTable, Owner, Seek, Update};
use crate::open::{Opened, Opening, reason};
use crate::types::index::{text, with_nul};

const BOTH: Flags = Flags::from_bits(Flags::TRY0NULL.bits() | Flags::TRY1NULL.bits());
/// A text that is newer than the file, but changed less than this many seconds ago, may just be being worked on.
const SETTLED: i64 = 100;

/// `cdb:/file/name`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    match opening.mode {
        Mode::Read => open_for_lookups(opening),
        Mode::Truncate => open_for_building(opening),
        Mode::Write | Mode::Create => Err("unsupported non-bulk change request".to_owned()),
    }
}

/// A file that lookups are made in.
struct Constant {
    /// Its path.
    path: String,
    reader: Reader,
    /// When it was written.
    modified: i64,
    /// What is still possible about the NUL at the end of keys.
    nul: Cell<Flags>,
    /// Where the next entry of a walk is.
    position: Cell<Option<u64>>,
}

fn open_for_lookups(opening: &Opening<'_>) -> Result<Opened, String> {
    let path = format!("{}.cdb", opening.name);
    let file = File::open(&path).map_err(|error| format!("open database {path}: {}", reason(&error)))?;
    let status = file.metadata().map_err(|error| format!("fstat {path}: {}", reason(&error)))?;
    let reader = Reader::new(file)
        .map_err(|error| format!("dict_cdbq_open: unable to init {path}: {}", reason(&error)))?;
    let modified = status.mtime();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let settled = i64::try_from(now).unwrap_or(i64::MAX) - SETTLED;
    if fs::metadata(opening.name).is_ok_and(|text| text.mtime() > modified && text.mtime() < settled) {
        log::warning!("database {path} is older than source file {}", opening.name);
    }
    let nul = opening.flags.only(BOTH);
    let nul = if nul == Flags::NONE { BOTH } else { nul };
    let owner = Owner::of_file(status.uid());
    let table = Constant { path, reader, modified, nul: Cell::new(nul), position: Cell::new(None) };
    Ok(Opened::local(table, Flags::FIXED | nul).folding().owned_by(owner))
}

impl LocalTable for Constant {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let find = |key: &[u8]| self.reader.find(key).map_err(|error| self.fault("reading", &error));
        if self.nul.get().contains(Flags::TRY1NULL)
            && let Some(value) = find(&with_nul(key))?
        {
            self.nul.set(Flags::TRY1NULL);
            return Ok(Some(text(value)));
        }
        if self.nul.get().contains(Flags::TRY0NULL)
            && let Some(value) = find(key)?
        {
            self.nul.set(Flags::TRY0NULL);
            return Ok(Some(text(value)));
        }
        Ok(None)
    }

    fn sequence(&self, seek: Seek) -> Option<Result<Option<Entry>, Error>> {
        let at = match seek {
            Seek::First => Some(0),
            Seek::Next => self.position.take(),
        };
        let record = at.map_or(Ok(None), |at| self.reader.record(at));
        Some(match record {
            Ok(Some(((key, value), next))) => {
                self.position.set(Some(next));
                Ok(Some((text(key), text(value))))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(self.fault("seeking", &error)),
        })
    }

    fn is_replaced(&self) -> bool {
        let status = self.reader.file().metadata();
        status.is_ok_and(|status| status.nlink() == 0 || status.mtime() != self.modified)
    }
}

impl Constant {
    fn fault(&self, doing: &str, error: &io::Error) -> Error {
        Error::Fault(format!("error {doing} {}: {}", self.path, reason(error)))
    }
}

/// A file in the making.
struct Building {
    name: String,
    /// The path of the finished file.
    path: String,
    /// The path until then.
    unfinished: String,
    flags: Flags,
    maker: RefCell<Maker>,
    /// Open and locked until the table is complete or given up.
    file: RefCell<Option<File>>,
}

fn open_for_building(opening: &Opening<'_>) -> Result<Opened, String> {
    let path = format!("{}.cdb", opening.name);
    let unfinished = format!("{path}.tmp");
    let file = lock(&unfinished)?;
    let failed = |error| format!("fstat({unfinished}): {}", reason(&error));
    let owner = Owner::of_file(file.metadata().map_err(failed)?.uid());
    file.set_len(0).map_err(|error| format!("truncate {unfinished}: {}", reason(&error)))?;
    let has_nul = opening.flags.contains(Flags::TRY1NULL);
    let nul = if has_nul { Flags::TRY1NULL } else { Flags::TRY0NULL };
    let table = Building {
        name: opening.name.to_owned(),
        path,
        unfinished,
        flags: opening.flags.without(BOTH) | nul,
        maker: RefCell::default(),
        file: RefCell::new(Some(file)),
    };
    Ok(Opened::local(table, Flags::FIXED | nul).folding().owned_by(owner))
}

/// Opens and locks the file that the table is written to.
///
/// The file may come into place, and so lose its name, while its lock is waited for. The lock of a file that has no name
/// keeps nobody out; there is a new file then.
fn lock(path: &str) -> Result<File, String> {
    loop {
        let mut options = File::options();
        let opened = options.read(true).write(true).create(true).truncate(false).mode(0o644).open(path);
        let file = opened.map_err(|error| format!("open database {path}: {}", reason(&error)))?;
        sys::lock::flock(&file, sys::lock::Mode::Exclusive, sys::lock::Wait::Forever)
            .map_err(|error| format!("lock {path}: {}", reason(&error)))?;
        let opened = file.metadata().map_err(|error| format!("fstat({path}): {}", reason(&error)))?;
        match fs::metadata(path) {
            Ok(named) if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) => return Ok(file),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("stat({path}): {}", reason(&error))),
        }
    }
}

impl LocalTable for Building {
    fn lookup(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Err(Error::Unsupported { table: format!("cdb:{}", self.name), operation: "lookup" })
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Option<Result<Update, Error>> {
        Some(if self.flags.contains(Flags::TRY1NULL) {
            self.put(key, &with_nul(key), &with_nul(value))
        } else {
            self.put(key, key, value)
        })
    }

    fn close(&self) -> Result<(), Error> {
        let Some(file) = self.file.take() else { return Ok(()) };
        self.finish(&file).inspect_err(|_| self.discard())
    }
}

impl Building {
    fn put(&self, key: &[u8], stored_key: &[u8], stored_value: &[u8]) -> Result<Update, Error> {
        let mut maker = self.maker.borrow_mut();
        // A key that is there twice counts as it was given first.
        if !self.flags.contains(Flags::DUP_IGNORE) && maker.contains(stored_key) {
            if self.flags.contains(Flags::DUP_REPLACE) {
                maker.remove(stored_key);
            } else {
                let text = format!("{}: duplicate entry: \"{}\"", self.name, bytes::show(key));
                if !self.flags.contains(Flags::DUP_WARN) {
                    return Err(Error::Fault(text));
                }
                log::warning!("{text}");
                return Ok(Update::Kept);
            }
        }
        let added = maker.add(stored_key, stored_value);
        added.map_err(|error| {
            Error::Fault(format!("error writing {}: {}", self.unfinished, reason(&error)))
        })?;
        Ok(Update::Stored)
    }

    fn finish(&self, file: &File) -> Result<(), Error> {
        // DURABILITY: the contents first, then the name: after a crash there is the old table or the new one.
        let written = self.maker.borrow().write(file).and_then(|()| file.sync_all());
        let failed = |doing: String, error| Error::Fault(format!("{doing}: {}", reason(&error)));
        written.map_err(|error| failed(format!("finish database {}", self.unfinished), error))?;
        fs::rename(&self.unfinished, &self.path).map_err(|error| {
            failed(format!("rename database from {} to {}", self.unfinished, self.path), error)
        })
    }

    /// What was written is of no use.
    fn discard(&self) {
        fs::remove_file(Path::new(&self.unfinished)).ok();
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // While the lock is held: the file is not yet somebody else's.
        if self.file.borrow().is_some() {
            self.discard();
        }
    }
}
