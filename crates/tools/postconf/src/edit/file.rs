//! A file that takes another's place in one step. Its name is the other's with `.tmp`, so that nothing is left behind
//! but one file after a crash, and whoever holds its lock is the only writer.

use command::{Fatal, fatal};
use conf::reason;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use sys::lock;

/// Rights while the file is being written: nobody else may read it, or hold a lock on it.
const PRIVATE: u32 = 0o600;
/// Rights of a new file, when there was none before.
const USUAL: u32 = 0o644;

/// The new contents in the making.
#[derive(Debug)]
pub(crate) struct Replacement {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl Replacement {
    /// Opens and locks the temporary file. Waits for another writer.
    pub(crate) fn open(path: &Path) -> Result<Replacement, Fatal> {
        let temporary = PathBuf::from(format!("{}.tmp", path.display()));
        loop {
            if let Some(file) = open_locked(&temporary)? {
                return Ok(Replacement { path: path.to_owned(), temporary, file });
            }
        }
    }

    /// Puts the contents in the place of the original.
    ///
    /// DURABILITY: the contents are on disk before the name is theirs, and the name is theirs before the lock goes.
    pub(crate) fn commit(mut self, contents: &[u8]) -> Result<(), Fatal> {
        let result = self.write(contents);
        if let Err(error) = result {
            let problem = fatal!("close {}: {}", self.temporary.display(), reason(&error));
            self.abandon();
            return Err(problem);
        }
        Ok(())
    }

    fn write(&mut self, contents: &[u8]) -> io::Result<()> {
        self.file.write_all(contents)?;
        let mut mode = USUAL;
        if let Ok(original) = fs::metadata(&self.path) {
            mode = original.mode() & 0o7777;
            let own = self.file.metadata()?;
            if (own.uid(), own.gid()) != (original.uid(), original.gid()) {
                std::os::unix::fs::fchown(&self.file, Some(original.uid()), Some(original.gid()))?;
            }
        }
        self.file.set_permissions(Permissions::from_mode(mode))?;
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.path)
    }

    /// Removes the temporary file, while the lock is still held.
    pub(crate) fn abandon(self) {
        drop(fs::remove_file(&self.temporary));
    }
}

/// Nothing when another writer was faster, or the file is a leftover that must not be written to.
fn open_locked(temporary: &Path) -> Result<Option<File>, Fatal> {
    let name = temporary.display();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(PRIVATE);
    let file = options.open(temporary).map_err(|error| fatal!("open {name}: {}", reason(&error)))?;
    lock::flock(&file, lock::Mode::Exclusive, lock::Wait::Forever)
        .map_err(|error| fatal!("lock {name}: {}", reason(&error)))?;
    let own = file.metadata().map_err(|error| fatal!("open {name}: {}", reason(&error)))?;
    let Ok(named) = fs::metadata(temporary) else { return Ok(None) };
    if (own.dev(), own.ino()) != (named.dev(), named.ino()) {
        return Ok(None);
    }
    // After a crash the file may have the original's name, too, or rights that let others lock it.
    if !named.is_file() || named.nlink() > 1 || named.mode() & 0o7777 != PRIVATE {
        return match fs::remove_file(temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(fatal!("unlink {name}: {}", reason(&error)))
            }
            _ => Ok(None),
        };
    }
    file.set_len(0).map_err(|error| fatal!("truncate {name}: {}", reason(&error)))?;
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_keeps_rights() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("main.cf");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        // A leftover with other rights does no harm.
        fs::write(directory.path().join("main.cf.tmp"), "leftover").unwrap();
        Replacement::open(&path).unwrap().commit(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn abandons() {
        let directory = tempfile::tempdir().unwrap();
        Replacement::open(&directory.path().join("main.cf")).unwrap().abandon();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
