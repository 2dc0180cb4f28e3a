//! LMDB files as Postfix writes and reads them: one unnamed database in one file, no lock file, locks on the file itself.
//!
//! Several programs share such a file: daemons that look things up, `postmap` that replaces all of it, caches that update
//! single entries. LMDB's own locks are off; instead each program locks the file (the whole of it, with locks that belong
//! to the open file and conflict with Postfix's own): readers share it around each lookup, an update excludes others, and
//! a bulk writer excludes others for a moment, which proves that nobody reads pages that the last transaction freed, and
//! then shares it with readers, who see the old contents until it commits.
//!
//! A file that has grown beyond the size limit that some process mapped is mapped anew; a transaction that runs out of
//! space doubles the limit. A single update is then repeated here; a bulk update has to be repeated by the caller, who is
//! told by [`Error::Restarted`].
//!
//! A file is trusted to be an LMDB file: LMDB maps it into memory and follows the offsets in it. Handles stay on one
//! thread.

mod ffi;

use std::io;
use std::path::Path;

use ffi::Raw;

/// What a database is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Lookups.
    Read,
    /// Lookups and single updates of a file that exists.
    Write,
    /// Lookups and single updates; the file is created when it does not exist.
    Create,
    /// One transaction that replaces all contents, committed by [`Database::commit`]; the file is created when it does
    /// not exist.
    Replace,
    /// One transaction that adds to the contents, committed by [`Database::commit`]; the file is created when it does
    /// not exist.
    Extend,
}

impl Access {
    fn is_bulk(self) -> bool {
        matches!(self, Self::Replace | Self::Extend)
    }
}

/// Who else may access the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lock {
    /// Others that share it.
    Shared,
    /// Nobody.
    Exclusive,
    /// Everybody.
    None,
}

/// What [`Database::put`] does about a key that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// Its value is replaced.
    Replace,
    /// Its value stays.
    Keep,
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Which entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seek {
    /// The first one.
    First,
    /// The one after the last answer.
    Next,
}

/// Why a request failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// An LMDB error number, or one of the system.
    Code(i32),
    /// The bulk update ran out of space. There is more space now, and nothing of the update in it: begin again.
    Restarted,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => f.write_str(&ffi::message(*code)),
            Self::Restarted => f.write_str("transaction restarted"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Code(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// How often a single request is repeated after more space was made.
const REQUEST_RETRIES: u32 = 30;
/// How often a bulk update may run out of space: each time doubles it.
const BULK_RETRIES: u32 = 2 * usize::BITS;
/// Room for an empty database and a transaction that empties it.
const MINIMUM_SIZE: usize = 10_240;

/// An open LMDB file.
pub struct Database {
    raw: Raw,
    access: Access,
    limit: usize,
    bulk_retries: u32,
    position: Option<Vec<u8>>,
}

impl Database {
    /// Opens a file, with a size limit of `map_size` or what its present size needs. A new file gets mode 0644 less the
    /// umask.
    pub fn open(path: &Path, access: Access, map_size: usize) -> Result<Self, Error> {
        // LMDB would create the file.
        let size = match path.metadata() {
            Ok(status) => usize::try_from(status.len()).unwrap_or(usize::MAX),
            Err(error) if access == Access::Write => return Err(error.into()),
            Err(_) => 0,
        };
        let limit = map_size.max(size.saturating_add(MINIMUM_SIZE)).min(isize::MAX as usize);
        let raw = Raw::open(path, access == Access::Read, limit)?;
        let mut database = Self { raw, access, limit, bulk_retries: 0, position: None };
        if access.is_bulk() {
            // Nobody is left who could read pages that earlier transactions freed. From here on the shared lock keeps
            // other writers out, and lets readers in.
            database.lock(Lock::Exclusive)?;
            database.lock(Lock::Shared)?;
            database.begin_bulk()?;
        }
        Ok(database)
    }

    /// Locks the file, and waits for that.
    pub fn lock(&self, lock: Lock) -> Result<(), Error> {
        Ok(self.raw.lock(lock)?)
    }

    /// Whether the file has been removed or replaced since it was opened.
    pub fn is_unlinked(&self) -> bool {
        self.raw.status().is_ok_and(|status| status.st_nlink == 0)
    }

    /// The file's owner.
    pub fn owner(&self) -> Result<u32, Error> {
        Ok(self.raw.status()?.st_uid)
    }

    /// The longest key that fits.
    pub fn longest_key(&self) -> usize {
        self.raw.longest_key()
    }

    /// The present size limit.
    pub fn size_limit(&self) -> usize {
        self.limit
    }

    /// The value of a key.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if !self.fits(key) {
            return Ok(None);
        }
        self.attempt(|raw| raw.get(key))
    }

    /// Stores a value; whether it was stored.
    pub fn put(&mut self, key: &[u8], value: &[u8], existing: Existing) -> Result<bool, Error> {
        self.attempt(|raw| raw.put(key, value, existing))
    }

    /// Stores an entry behind all others, in a bulk update of entries in the order of their keys' bytes. It costs less than
    /// [`Database::put`], and the pages get full.
    pub fn append(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.attempt(|raw| raw.append(key, value))
    }

    /// Makes room for entries of so many bytes in all, at the beginning of a bulk update: it need not begin again then.
    pub fn reserve(&mut self, size: usize) -> Result<(), Error> {
        // Pages of the present contents are free only after the update.
        let present = usize::try_from(self.raw.status()?.st_size).unwrap_or(0);
        let limit = present.saturating_add(size).saturating_add(MINIMUM_SIZE).min(isize::MAX as usize);
        if limit <= self.limit {
            return Ok(());
        }
        self.raw.set_map_size(limit).map_err(Error::Code)?;
        self.limit = limit;
        self.begin_bulk()
    }

    /// Removes a key; whether it was there.
    pub fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        if !self.fits(key) {
            return Ok(false);
        }
        self.attempt(|raw| raw.delete(key))
    }

    /// An entry, in the order of the keys' bytes.
    pub fn sequence(&mut self, seek: Seek) -> Result<Option<Entry>, Error> {
        let after = match seek {
            Seek::First => None,
            Seek::Next => self.position.take(),
        };
        let entry = self.attempt(|raw| raw.entry_after(after.as_deref()))?;
        self.position = entry.as_ref().map(|(key, _)| key.clone());
        Ok(entry)
    }

    /// Makes a bulk update the contents of the file.
    ///
    /// DURABILITY: LMDB syncs the data before the page that makes it current, and that page before this returns.
    pub fn commit(&mut self) -> Result<(), Error> {
        match self.raw.commit() {
            Ok(()) => Ok(()),
            Err(code) => self.recover(code),
        }
    }

    fn fits(&self, key: &[u8]) -> bool {
        !key.is_empty() && key.len() <= self.longest_key()
    }

    fn attempt<T>(&mut self, mut request: impl FnMut(&mut Raw) -> Result<T, i32>) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            let code = match request(&mut self.raw) {
                Ok(answer) => return Ok(answer),
                Err(code) => code,
            };
            tries += 1;
            if tries >= REQUEST_RETRIES {
                return Err(Error::Code(code));
            }
            self.recover(code)?;
        }
    }

    /// Removes the cause of an error, where that can be done.
    fn recover(&mut self, code: i32) -> Result<(), Error> {
        match code {
            ffi::MAP_FULL => {
                let limit = self.limit.checked_mul(2).filter(|&limit| limit <= isize::MAX as usize);
                let Some(limit) = limit else { return Err(Error::Code(code)) };
                self.raw.set_map_size(limit).map_err(Error::Code)?;
                self.limit = limit;
            }
            ffi::MAP_RESIZED => self.limit = self.raw.adopt_map_size().map_err(Error::Code)?,
            _ => return Err(Error::Code(code)),
        }
        if !self.access.is_bulk() {
            return Ok(());
        }
        self.bulk_retries += 1;
        if self.bulk_retries > BULK_RETRIES {
            return Err(Error::Code(code));
        }
        self.begin_bulk()?;
        Err(Error::Restarted)
    }

    fn begin_bulk(&mut self) -> Result<(), Error> {
        self.raw.begin().map_err(Error::Code)?;
        if self.access == Access::Replace {
            self.raw.clear().map_err(Error::Code)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_updates() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lmdb");
        assert_eq!(Database::open(&path, Access::Read, 0).err(), Some(Error::Code(libc::ENOENT)));
        assert_eq!(Database::open(&path, Access::Write, 0).err(), Some(Error::Code(libc::ENOENT)));
        let mut database = Database::open(&path, Access::Create, 0).unwrap();
        assert_eq!(database.put(b"a", b"1", Existing::Keep), Ok(true));
        assert_eq!(database.put(b"a", b"2", Existing::Keep), Ok(false));
        assert_eq!(database.get(b"a"), Ok(Some(b"1".to_vec())));
        assert_eq!(database.put(b"a", b"2", Existing::Replace), Ok(true));
        let mut reader = Database::open(&path, Access::Read, 0).unwrap();
        assert_eq!(reader.get(b"a"), Ok(Some(b"2".to_vec())));
        assert_eq!(reader.get(&[b'x'; 600]), Ok(None));
        assert_eq!(database.delete(b"a"), Ok(true));
        assert_eq!(database.delete(b"a"), Ok(false));
        assert_eq!(reader.get(b"a"), Ok(None));
        assert!(!reader.is_unlinked());
        std::fs::remove_file(&path).unwrap();
        assert!(reader.is_unlinked());
    }

    #[test]
    fn sequence_survives_removal() {
        let directory = tempfile::tempdir().unwrap();
        let mut database = Database::open(&directory.path().join("a.lmdb"), Access::Create, 0).unwrap();
        for key in ["a", "b", "c"] {
            database.put(key.as_bytes(), b"v", Existing::Keep).unwrap();
        }
        let mut keys = Vec::new();
        let mut seek = Seek::First;
        while let Some((key, _)) = database.sequence(seek).unwrap() {
            database.delete(&key).unwrap();
            keys.push(key);
            seek = Seek::Next;
        }
        assert_eq!(keys, [b"a", b"b", b"c"]);
    }

    #[test]
    fn bulk_update_grows_and_readers_follow() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lmdb");
        let mut small = Database::open(&path, Access::Create, 0).unwrap();
        small.put(b"old", b"value", Existing::Keep).unwrap();
        drop(small);
        let mut reader = Database::open(&path, Access::Read, 0).unwrap();
        let mut bulk = Database::open(&path, Access::Replace, 65_536).unwrap();
        let mut restarts = 0;
        'again: loop {
            for number in 0..20_000u32 {
                match bulk.put(&number.to_be_bytes(), &[b'x'; 50], Existing::Keep) {
                    Ok(_) => {}
                    Err(Error::Restarted) => {
                        restarts += 1;
                        continue 'again;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(reader.get(b"old"), Ok(Some(b"value".to_vec())));
            match bulk.commit() {
                Ok(()) => break,
                Err(Error::Restarted) => restarts += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(restarts > 0);
        assert_eq!(reader.get(b"old"), Ok(None));
        assert_eq!(reader.get(&19_999u32.to_be_bytes()), Ok(Some(vec![b'x'; 50])));
    }
}
