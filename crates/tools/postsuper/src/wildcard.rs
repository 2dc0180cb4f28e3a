//! Going through whole queues: repair, and changes to every message.
//!
//! A file costs no more system calls than its change needs: its type and inode number come with the directory, and its
//! mode is looked at only where it decides something.

use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use command::{Fatal, fatal};
use queue::{QueueId, QueueName, Step, mode, reason};

use crate::Tool;
use crate::by_id::Change;
use crate::counters::Event;
use crate::files::{self, Outcome};
use crate::queues::{self, Queue};
use crate::repair;

/// Unfinished messages are left alone for a week.
const TEMPORARY_AGE: i64 = 7 * 24 * 60 * 60;

/// What to do with every file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mass {
    Repair(Repair),
    Change(Change),
}

/// What to repair.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Repair {
    /// `-p`: remove old unfinished messages.
    pub(crate) purge: bool,
    /// `-s`: put files where and name them as they should be.
    pub(crate) structure: bool,
    /// `-S`: also long names.
    pub(crate) redundant: bool,
}

/// A directory entry that is looked at.
struct Entry<'a> {
    queue: Queue,
    path: &'a Path,
    name: &'a OsStr,
    inode: u64,
}

impl Tool {
    /// Goes through all named queues in order.
    pub(crate) fn walk_queues(&self, mass: Mass) -> Result<(), Fatal> {
        self.queues.iter().try_for_each(|name| {
            log::debug!("queue: {name}");
            self.walk_queue(queues::find(name)?, mass)
        })
    }

    fn walk_queue(&self, queue: Queue, mass: Mass) -> Result<(), Fatal> {
        let wanted_depth = self.spool.depth(queue.name);
        if wanted_depth > 0 && queue.depth == queue::Depth::Flat {
            return Err(fatal!("{} queue must not be hashed", queue.name));
        }
        let unreadable = |why: &io::Error| fatal!("open directory {}: {}", queue.name, reason(why));
        let mut walk = self.spool.walk(queue.name, queue.depth).map_err(|why| unreadable(&why))?;
        while let Some(step) = walk.next() {
            match step.map_err(|why| unreadable(&why))? {
                Step::Left { directory, depth } => {
                    if depth > wanted_depth {
                        files::remove_directory(&directory)?;
                    }
                }
                Step::Entry { name, kind, inode } => {
                    let path = walk.directory().join(&name);
                    let Some(kind) = kind.or_else(|| kind_of(&path)) else { continue };
                    self.visit(&Entry { queue, path: &path, name: &name, inode }, kind, mass)?;
                }
            }
        }
        Ok(())
    }

    fn visit(&self, entry: &Entry<'_>, kind: FileType, mass: Mass) -> Result<(), Fatal> {
        if kind.is_dir() {
            remove_alien_directory(entry.path);
            return Ok(());
        }
        if matches!(mass, Mass::Change(Change::Delete)) {
            return self.delete(entry);
        }
        if !kind.is_file() {
            files::remove(entry.path)?;
            return Ok(());
        }
        match mass {
            Mass::Repair(repair) => self.repair(entry, repair),
            Mass::Change(change) => match QueueId::parse(entry.name.as_bytes()) {
                Some(id) => self.change(entry, &id, change),
                None => {
                    log::warning!("bogus file name: {}", entry.path.display());
                    Ok(())
                }
            },
        }
    }

    /// Deletes whatever it is, but counts only mail that we took responsibility for.
    fn delete(&self, entry: &Entry<'_>) -> Result<(), Fatal> {
        let counts =
            entry.queue.messages && status_of(entry.path).is_some_and(|status| mode::is_ready(status.mode()));
        if files::remove(entry.path)? == Outcome::Done && counts {
            self.counters.add(Event::Deleted);
        }
        Ok(())
    }

    fn repair(&self, entry: &Entry<'_>, repair: Repair) -> Result<(), Fatal> {
        let queue = entry.queue;
        if repair.purge && queue.messages {
            let Some(status) = status_of(entry.path) else { return Ok(()) };
            if !mode::is_ready(status.mode()) && sys::time::now() > status.mtime() + TEMPORARY_AGE {
                files::remove(entry.path)?;
                return Ok(());
            }
        }
        let name = entry.name.as_bytes();
        let mut path = entry.path.to_owned();
        let id = match repair::without_suffix(name).filter(|_| repair.structure) {
            Some(name) => match self.complete_rename(entry.path, queue, name, entry.inode)? {
                None => return Ok(()),
                Some((renamed, id)) => {
                    path = renamed;
                    id
                }
            },
            None => match QueueId::parse(name) {
                None => {
                    log::warning!("bogus file name: {}", entry.path.display());
                    return Ok(());
                }
                Some(id) => id,
            },
        };
        if !repair.structure {
            return Ok(());
        }
        if queue.messages {
            match repair::is_mismatch(&id, entry.inode, self.spool.id_form(), repair.redundant) {
                None => {
                    log::warning!("bogus file name: {}", path.display());
                    return Ok(());
                }
                Some(true) => return self.rename_misnamed(&path, queue.name, &id, entry.inode),
                Some(false) => {}
            }
        }
        let wanted = self.spool.path(queue.name, &id);
        if path != wanted {
            self.counters.add(Event::Misplaced);
            files::rename(&path, &wanted)?;
        }
        Ok(())
    }

    /// Changes a message where it is, in whatever directory of its queue. Logs stay.
    fn change(&self, entry: &Entry<'_>, id: &QueueId, change: Change) -> Result<(), Fatal> {
        let queue = entry.queue.name;
        let sanitized = entry.queue.messages && queue != QueueName::Maildrop;
        match change {
            Change::Requeue if sanitized => self.move_to(entry, id, QueueName::Maildrop, Event::Requeued),
            Change::Hold if sanitized && queue != QueueName::Hold => {
                self.move_to(entry, id, QueueName::Hold, Event::Held)
            }
            Change::Expire | Change::ExpireAndRelease if sanitized => {
                if files::expire(entry.path) == Outcome::Done {
                    self.counters.add(Event::Expired);
                }
                if change == Change::ExpireAndRelease {
                    return self.change(entry, id, Change::Release);
                }
                Ok(())
            }
            Change::Release if queue == QueueName::Hold => {
                self.move_to(entry, id, QueueName::Deferred, Event::Released)
            }
            _ => Ok(()),
        }
    }

    fn move_to(&self, entry: &Entry<'_>, id: &QueueId, target: QueueName, event: Event) -> Result<(), Fatal> {
        if files::rename(entry.path, &self.spool.path(target, id))? == Outcome::Done {
            self.counters.add(event);
        }
        Ok(())
    }
}

/// Directories with names of more than one letter are not ours. Users can make them in maildrop, so this may fail.
fn remove_alien_directory(path: &Path) {
    match fs::remove_dir(path) {
        Ok(()) => log::debug!("remove subdirectory {}", path.display()),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => log::warning!("remove subdirectory {}: {}", path.display(), reason(&why)),
    }
}

fn status_of(path: &Path) -> Option<Metadata> {
    fs::symlink_metadata(path).ok()
}

fn kind_of(path: &Path) -> Option<FileType> {
    status_of(path).map(|status| status.file_type())
}
