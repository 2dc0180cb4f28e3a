//! Changes to single files. A file that is gone is no error: the mail system is at work, too.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use command::{Fatal, fatal};
use queue::{add_marks, mode, reason, rename_making_directories};

/// Whether there was a file to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Gone,
}

pub(crate) fn remove(path: &Path) -> Result<Outcome, Fatal> {
    match fs::remove_file(path) {
        Ok(()) => {
            log::debug!("removed file {}", path.display());
            Ok(Outcome::Done)
        }
        Err(why) => gone_or(&why, || format!("remove file {}", path.display())),
    }
}

pub(crate) fn remove_directory(path: &Path) -> Result<Outcome, Fatal> {
    match fs::remove_dir(path) {
        Ok(()) => {
            log::debug!("remove directory {}", path.display());
            Ok(Outcome::Done)
        }
        Err(why) => gone_or(&why, || format!("remove directory {}", path.display())),
    }
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<Outcome, Fatal> {
    match rename_making_directories(from, to) {
        Ok(()) => {
            log::debug!("renamed file {} as {}", from.display(), to.display());
            Ok(Outcome::Done)
        }
        Err(why) => gone_or(&why, || format!("rename file {} as {}", from.display(), to.display())),
    }
}

/// Marks a message for return to its sender, unless it is marked already.
///
/// The file is opened with suspicion: the mark must not end up on a file outside the queue.
pub(crate) fn expire(path: &Path) -> Outcome {
    let file = match sys::safe_open::existing(path, OpenOptions::new().read(true).write(true)) {
        Ok(file) => file,
        Err(why) => {
            if why.kind() != io::ErrorKind::NotFound {
                log::warning!("expire file {}: {}", path.display(), reason(&why));
            }
            return Outcome::Gone;
        }
    };
    use std::os::unix::fs::MetadataExt;
    let bits = file.metadata().map_or(0, |status| status.mode());
    if !mode::is_ready(bits) || bits & mode::EXPIRE != 0 {
        return Outcome::Gone;
    }
    match add_marks(&file, mode::EXPIRE) {
        Ok(()) => Outcome::Done,
        Err(why) => {
            log::warning!("expire file {}: cannot set permission: {}", path.display(), reason(&why));
            Outcome::Gone
        }
    }
}

fn gone_or(why: &io::Error, what: impl FnOnce() -> String) -> Result<Outcome, Fatal> {
    if why.kind() == io::ErrorKind::NotFound {
        return Ok(Outcome::Gone);
    }
    Err(fatal!("{}: {}", what(), reason(why)))
}
