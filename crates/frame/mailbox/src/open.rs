//! Opening mailbox files in directories where others can write.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use nix::libc;

use crate::Identity;

/// Why a file was not opened: the text, and the error behind it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    pub(crate) error: io::Error,
}

impl Refusal {
    fn system(what: &str, error: io::Error) -> Self {
        Self { reason: format!("{what}: {}", sys::reason(&error)), error }
    }

    fn policy(reason: impl Into<String>, errno: i32) -> Self {
        Self { reason: reason.into(), error: io::Error::from_raw_os_error(errno) }
    }
}

/// A file, what it was like when opened, and whether it is new.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
    pub(crate) is_new: bool,
}

/// Opens a file for appending, or creates it with mode 0600 (and, if `owner` is given, for that owner).
///
/// The file may be under a name that somebody else made: a link is not followed, unless root made it where only root
/// can; a file with more than one name is refused; and opening waits for nobody at the other end of a pipe.
pub(crate) fn append(path: &Path, owner: Option<Identity>) -> Result<Opened, Refusal> {
    let first = existing(path);
    if !is_kind(&first, io::ErrorKind::NotFound) {
        return first;
    }
    let second = create(path, owner);
    if !is_kind(&second, io::ErrorKind::AlreadyExists) {
        return second;
    }
    existing(path)
}

fn is_kind(result: &Result<Opened, Refusal>, kind: io::ErrorKind) -> bool {
    matches!(result, Err(refusal) if refusal.error.kind() == kind)
}

fn existing(path: &Path) -> Result<Opened, Refusal> {
    let file = OpenOptions::new()
        .append(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| Refusal::system("cannot open file", error))?;
    let metadata = file.metadata().map_err(|error| Refusal::system("cannot open file", error))?;
    if metadata.nlink() != 1 {
        let reason = format!("file has {} hard links", metadata.nlink());
        return Err(Refusal::policy(reason, libc::EPERM));
    }
    if metadata.is_dir() {
        return Err(Refusal::policy("file is a directory", libc::EISDIR));
    }
    let named = fs::symlink_metadata(path).map_err(|error| Refusal {
        error: io::Error::from_raw_os_error(libc::EPERM),
        ..Refusal::system("file status changed unexpectedly", error)
    })?;
    if named.is_symlink() {
        if named.uid() == 0 && is_roots_alone(path) {
            return Ok(Opened { file, metadata, is_new: false });
        }
        return Err(Refusal::policy("file is a symbolic link", libc::EPERM));
    }
    let identity = |of: &Metadata| (of.dev(), of.ino(), of.nlink(), of.mode());
    if identity(&named) != identity(&metadata) {
        return Err(Refusal::policy("file status changed unexpectedly", libc::EPERM));
    }
    Ok(Opened { file, metadata, is_new: false })
}

// Whether nobody but root can put anything beside the file.
fn is_roots_alone(path: &Path) -> bool {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(parent).is_ok_and(|found| found.uid() == 0 && found.mode() & 0o022 == 0)
}

fn create(path: &Path, owner: Option<Identity>) -> Result<Opened, Refusal> {
    let failed = |error| Refusal::system("cannot create file exclusively", error);
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(failed)?;
    if let Some(owner) = owner
        && let Err(error) = fchown(&file, Some(owner.uid), Some(owner.gid))
    {
        log::warning!("{}: cannot change file ownership: {}", path.display(), sys::reason(&error));
        return Err(Refusal::system("cannot change file ownership", error));
    }
    let metadata = file.metadata().map_err(failed)?;
    Ok(Opened { file, metadata, is_new: true })
}

/// Brings a new name in a directory to the disk, where the directory can be opened.
///
/// DURABILITY: the file's own fsync need not cover its name.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(parent) {
        Ok(directory) => match directory.sync_all() {
            // Not every file system can.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            other => other,
        },
        // A spool directory that may be searched but not read.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn planted_links_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        assert!(append(&path("new"), None).unwrap().is_new);
        assert!(!append(&path("new"), None).unwrap().is_new);
        fs::hard_link(path("new"), path("twin")).unwrap();
        assert_eq!(append(&path("twin"), None).err().unwrap().reason, "file has 2 hard links");
        fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        symlink("/dev/null", path("link")).unwrap();
        assert_eq!(append(&path("link"), None).err().unwrap().reason, "file is a symbolic link");
        assert_eq!(
            append(&path("no/where"), None).err().unwrap().reason,
            "cannot create file exclusively: No such file or directory"
        );
    }
}
