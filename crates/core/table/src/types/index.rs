//! Index files: `hash:`, `btree:` and `lmdb:`, all of them LMDB files named `NAME.lmdb`.
//!
//! COMPAT: `hash:` and `btree:` are Berkeley DB files in Postfix. Here a `NAME.db` is not looked at; the index is built
//! from the text `NAME` when it is missing, or older than the text.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lmdb::{Access, Database, Existing, Lock};

use crate::build;
use crate::error::Error;
use crate::flags::{Flags, Mode};
use crate::local::{Entry, LocalTable, Owner, Seek, Update};
use crate::open::{OnFailure, Opened, Opening};
use crate::types::batch::Batch;
use crate::types::memory;

/// An index file.
struct IndexFile {
    title: String,
    name: String,
    database: RefCell<Database>,
    /// What is still possible about the NUL at the end of keys: [`Flags::TRY0NULL`], [`Flags::TRY1NULL`].
    nul: Cell<Flags>,
    flags: Flags,
    /// What a bulk update is to store.
    batch: Option<RefCell<Batch>>,
    /// A new file, and the name that it gets when it is complete.
    unfinished: RefCell<Option<(PathBuf, PathBuf)>>,
}

/// The index file of a table name.
pub(crate) fn path_of(name: &str) -> PathBuf {
    PathBuf::from(format!("{name}.lmdb"))
}

/// `hash:/file/name`, `btree:/file/name`, `lmdb:/file/name`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    let path = path_of(opening.name);
    if opening.mode == Mode::Read
        && opening.env.rebuild
        && let Some(opened) = refresh(opening, &path)
    {
        return Ok(opened);
    }
    let access = match opening.mode {
        Mode::Read => Access::Read,
        Mode::Write => Access::Write,
        Mode::Create => Access::Create,
        Mode::Truncate => Access::Replace,
    };
    // A reader must never see a new file before it is complete.
    let is_new = access == Access::Replace && fs::symlink_metadata(&path).is_err();
    let actual = if is_new { unfinished_path(&path) } else { path.clone() };
    let failed = |error| format!("open database {}: {error}", path.display());
    let database = Database::open(&actual, access, opening.env.lmdb_map_size).map_err(failed)?;
    let owner = Owner::of_file(database.owner().map_err(failed)?);
    if opening.mode == Mode::Read && opening.flags.contains(Flags::LOCK) && is_outdated(opening.name, &path) {
        log::warning!("database {} is older than source file {}", path.display(), opening.name);
    }
    let both = Flags::TRY0NULL | Flags::TRY1NULL;
    let nul = opening.flags.only(both);
    let nul = if nul == Flags::NONE { both } else { nul };
    let table = IndexFile {
        title: opening.title(),
        name: opening.name.to_owned(),
        database: RefCell::new(database),
        nul: Cell::new(nul),
        flags: opening.flags,
        batch: (access == Access::Replace).then(RefCell::default),
        unfinished: RefCell::new(is_new.then_some((actual, path))),
    };
    Ok(Opened::local(table, Flags::FIXED | Flags::MULTI_WRITER | nul).folding().owned_by(owner))
}

fn unfinished_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    PathBuf::from(name)
}

/// Builds a missing or outdated index from the text. Returns a table when there is no index and none can be written:
/// the text itself, in memory.
fn refresh(opening: &Opening<'_>, path: &Path) -> Option<Opened> {
    let source = fs::metadata(opening.name).ok().filter(fs::Metadata::is_file)?;
    let built = fs::metadata(path).ok();
    let is_current = built.as_ref().is_some_and(|index| match (index.modified(), source.modified()) {
        (Ok(index), Ok(source)) => index >= source,
        _ => true,
    });
    if is_current {
        return None;
    }
    match build::refresh(opening, &source) {
        Ok(()) => {
            let why = if built.is_some() { "was older than" } else { "did not exist and was built from" };
            let text = format!("database {} {why} source file {}", path.display(), opening.name);
            match opening.on_failure {
                OnFailure::Substitute => log::info!("{text}"),
                // Commands speak when something is wrong.
                OnFailure::Report => log::debug!("{text}"),
            }
            None
        }
        Err(_) if built.is_some() => None,
        Err(why) => {
            log::debug!("{}: {why}", opening.title());
            memory::open_unindexed(opening)
        }
    }
}

/// Whether the text is newer than the index, and not because somebody is just working on it.
fn is_outdated(source: &str, index: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|status| status.modified()).ok();
    let (Some(source), Some(index)) = (modified(Path::new(source)), modified(index)) else { return false };
    let settled = SystemTime::now() - Duration::from_secs(100);
    // COMPAT: whole seconds, as Postfix compares them.
    let seconds =
        |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    seconds(source) > seconds(index) && source < settled
}

impl LocalTable for IndexFile {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.locked(Lock::Shared, || {
            let get = |key: &[u8]| {
                let found = self.database.borrow_mut().get(key);
                found.map_err(|error| self.fault("error reading", error))
            };
            if self.nul.get().contains(Flags::TRY1NULL)
                && let Some(value) = get(&with_nul(key))?
            {
                self.nul.set(Flags::TRY1NULL);
                return Ok(Some(text(value)));
            }
            if self.nul.get().contains(Flags::TRY0NULL)
                && let Some(value) = get(key)?
            {
                self.nul.set(Flags::TRY0NULL);
                return Ok(Some(text(value)));
            }
            Ok(None)
        })
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Option<Result<Update, Error>> {
        if self.nul.get().contains(Flags::TRY1NULL) {
            self.nul.set(Flags::TRY1NULL);
        }
        let has_nul = self.nul.get().contains(Flags::TRY1NULL);
        let (stored_key, stored_value) =
            if has_nul { (with_nul(key), with_nul(value)) } else { (key.to_vec(), value.to_vec()) };
        let longest = self.database.borrow().longest_key();
        if stored_key.len() > longest || stored_key.is_empty() {
            // LMDB has a limit that Berkeley DB has not; one overlong key must not take the other entries with it.
            let shown = bytes::show_limited(key, 50);
            log::warning!(
                "{}: bad key size {}: \"{shown}...\" -- ignoring this entry",
                self.title,
                key.len()
            );
            return Some(Ok(Update::Kept));
        }
        let existing =
            if self.flags.contains(Flags::DUP_REPLACE) { Existing::Replace } else { Existing::Keep };
        if let Some(batch) = &self.batch {
            let stored = batch.borrow_mut().insert(&stored_key, &stored_value, existing);
            return Some(if stored { Ok(Update::Stored) } else { self.duplicate(key) });
        }
        Some(self.locked(Lock::Exclusive, || {
            let stored = self.database.borrow_mut().put(&stored_key, &stored_value, existing);
            match stored {
                Ok(true) => Ok(Update::Stored),
                Ok(false) => self.duplicate(key),
                Err(error) => Err(self.fault("error updating", error)),
            }
        }))
    }

    fn delete(&self, key: &[u8]) -> Option<Result<bool, Error>> {
        Some(self.locked(Lock::Exclusive, || {
            for (flag, stored) in [(Flags::TRY1NULL, with_nul(key)), (Flags::TRY0NULL, key.to_vec())] {
                if !self.nul.get().contains(flag) {
                    continue;
                }
                let deleted = self.database.borrow_mut().delete(&stored);
                if deleted.map_err(|error| self.fault("error deleting from", error))? {
                    self.nul.set(flag);
                    return Ok(true);
                }
            }
            Ok(false)
        }))
    }

    fn sequence(&self, seek: Seek) -> Option<Result<Option<Entry>, Error>> {
        let seek = match seek {
            Seek::First => lmdb::Seek::First,
            Seek::Next => lmdb::Seek::Next,
        };
        Some(self.locked(Lock::Shared, || {
            let entry = self.database.borrow_mut().sequence(seek);
            let entry = entry.map_err(|error| self.fault("error seeking", error))?;
            Ok(entry.map(|(key, value)| (text(key), text(value))))
        }))
    }

    fn is_replaced(&self) -> bool {
        self.database.borrow().is_unlinked()
    }

    fn close(&self) -> Result<(), Error> {
        if let Some(batch) = &self.batch {
            self.write(&batch.borrow()).map_err(|error| self.fault("error updating", error))?;
        }
        let Some((from, to)) = self.unfinished.take() else { return Ok(()) };
        fs::rename(&from, &to).map_err(|error| {
            Error::Fault(format!(
                "rename {} to {}: {}",
                from.display(),
                to.display(),
                crate::open::reason(&error)
            ))
        })
    }
}

impl Drop for IndexFile {
    fn drop(&mut self) {
        if let Some((path, _)) = self.unfinished.take() {
            // A build that failed: the file is of no use, and a leftover does no harm.
            fs::remove_file(path).ok();
        }
    }
}

impl IndexFile {
    /// Runs a request with the file locked, where that is asked for; bulk updates hold a lock of their own.
    fn locked<T>(&self, lock: Lock, request: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        if !self.flags.contains(Flags::LOCK) {
            return request();
        }
        let set = |lock, what| {
            let done = self.database.borrow().lock(lock);
            done.map_err(|error| Error::Fault(format!("{}: {what} dictionary: {error}", self.name)))
        };
        set(lock, "lock")?;
        let answer = request();
        set(Lock::None, "unlock")?;
        answer
    }

    /// Replaces the contents of the file.
    fn write(&self, batch: &Batch) -> Result<(), lmdb::Error> {
        let mut database = self.database.borrow_mut();
        database.reserve(batch.size())?;
        loop {
            match batch.sorted().try_for_each(|(key, value)| database.append(key, value)) {
                Ok(()) => {}
                Err(lmdb::Error::Restarted) => continue,
                Err(error) => return Err(error),
            }
            match database.commit() {
                Err(lmdb::Error::Restarted) => {}
                ended => return ended,
            }
        }
    }

    fn duplicate(&self, key: &[u8]) -> Result<Update, Error> {
        let (title, shown) = (&self.title, bytes::show(key));
        if self.flags.contains(Flags::DUP_IGNORE) {
            return Ok(Update::Kept);
        }
        if self.flags.contains(Flags::DUP_WARN) {
            log::warning!("{title}: duplicate entry: \"{shown}\"");
            return Ok(Update::Kept);
        }
        Err(Error::Fault(format!("{title}: duplicate entry: \"{shown}\"")))
    }

    fn fault(&self, doing: &str, error: lmdb::Error) -> Error {
        Error::Fault(format!("{doing} {}: {error}", self.title))
    }
}

pub(crate) fn with_nul(text: &[u8]) -> Vec<u8> {
    [text, b"\0"].concat()
}

/// Keys and values end at their first NUL.
pub(crate) fn text(mut stored: Vec<u8>) -> Vec<u8> {
    if let Some(end) = stored.iter().position(|&byte| byte == 0) {
        stored.truncate(end);
    }
    stored
}
