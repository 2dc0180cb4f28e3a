//! Going through a queue's directories.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType, ReadDir};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use crate::spool::Spool;
use crate::{QueueId, QueueName};

/// Whether one-letter names are entered as the directories of a hashed queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The queue's own directory only. Right for `maildrop`, where others may make directories.
    Flat,
    /// Also every directory with a one-letter name, whatever the present configuration is.
    Hashed,
}

/// A step on a [`Walk`].
#[derive(Debug)]
pub enum Step {
    /// A directory entry, in [`Walk::directory`].
    Entry {
        /// Its name.
        name: OsString,
        /// Its type, when the file system says so for free.
        kind: Option<FileType>,
        /// The number of its inode.
        inode: u64,
    },
    /// A subdirectory is done.
    Left {
        /// The subdirectory.
        directory: PathBuf,
        /// How deep it was; the queue's own directory is at 0 and is not reported.
        depth: usize,
    },
}

/// Visits all entries of a queue, in directory order, one at a time; nothing is held in memory or sorted.
///
/// Files that come or go meanwhile may or may not be seen. Opening a directory may fail; that ends the walk.
#[derive(Debug)]
pub struct Walk {
    depth: Depth,
    levels: Vec<(PathBuf, ReadDir)>,
}

impl Walk {
    /// Starts at this directory.
    pub fn new(directory: PathBuf, depth: Depth) -> io::Result<Walk> {
        let entries = fs::read_dir(&directory)?;
        Ok(Walk { depth, levels: vec![(directory, entries)] })
    }

    /// How deep the walk is; 0 in the queue's own directory.
    pub fn depth(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    /// Where the walk is.
    pub fn directory(&self) -> &Path {
        self.levels.last().map_or(Path::new(""), |(directory, _)| directory)
    }
}

impl Iterator for Walk {
    type Item = io::Result<Step>;

    fn next(&mut self) -> Option<io::Result<Step>> {
        loop {
            let (directory, entries) = self.levels.last_mut()?;
            let Some(entry) = entries.next() else {
                let depth = self.levels.len() - 1;
                let (directory, _) = self.levels.pop()?;
                if depth == 0 {
                    return None;
                }
                return Some(Ok(Step::Left { directory, depth }));
            };
            let entry = match entry {
                Ok(entry) => entry,
                Err(fault) => return Some(Err(fault)),
            };
            let name = entry.file_name();
            if self.depth == Depth::Hashed && name.as_bytes().len() == 1 {
                let below = directory.join(&name);
                match fs::read_dir(&below) {
                    Ok(entries) => self.levels.push((below, entries)),
                    Err(fault) => {
                        self.levels.clear();
                        return Some(Err(fault));
                    }
                }
                continue;
            }
            return Some(Ok(Step::Entry { name, kind: entry.file_type().ok(), inode: entry.ino() }));
        }
    }
}

/// The queue ids in a queue; see [`Walk`]. Entries that are no ids come as `Err(name)`.
#[derive(Debug)]
pub struct Scan {
    walk: Walk,
    fault: Option<io::Error>,
}

impl Scan {
    /// The fault that ended the scan early, if one did.
    pub fn take_fault(&mut self) -> Option<io::Error> {
        self.fault.take()
    }
}

impl Iterator for Scan {
    type Item = Result<QueueId, OsString>;

    fn next(&mut self) -> Option<Result<QueueId, OsString>> {
        loop {
            match self.walk.next()? {
                Ok(Step::Entry { name, .. }) => return Some(id_of(&name).ok_or(name)),
                Ok(Step::Left { .. }) => {}
                Err(fault) => {
                    self.fault = Some(fault);
                    return None;
                }
            }
        }
    }
}

fn id_of(name: &OsStr) -> Option<QueueId> {
    QueueId::parse(name.as_bytes())
}

impl Spool {
    /// Goes through all directory entries of a queue.
    pub fn walk(&self, queue: QueueName, depth: Depth) -> io::Result<Walk> {
        Walk::new(self.queue_directory(queue), depth)
    }

    /// Goes through the ids in a queue: in `maildrop` the top directory only, elsewhere all levels.
    pub fn scan(&self, queue: QueueName) -> io::Result<Scan> {
        let depth = if queue == QueueName::Maildrop { Depth::Flat } else { Depth::Hashed };
        Ok(Scan { walk: self.walk(queue, depth)?, fault: None })
    }
}
