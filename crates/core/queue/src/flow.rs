//! Every legal change of a message's state. The table in the [crate page](crate) says what each state guarantees.
//!
//! Each change is one rename, so a crash leaves the message in the old state or in the new one, never in both and
//! never in none. Time stamps are set before the rename: a message in its new place is never taken up too early.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::time::SystemTime;

use crate::record::RecordType;
use crate::spool::Spool;
use crate::{QueueId, QueueName, mode};

impl Spool {
    /// `incoming` or `deferred` to `active`: the queue manager takes it up.
    pub fn activate(&self, id: &QueueId, from: QueueName) -> io::Result<()> {
        debug_assert!(matches!(from, QueueName::Incoming | QueueName::Deferred));
        self.rename(id, from, QueueName::Active)
    }

    /// `active` to `deferred`: to be tried again at that time.
    pub fn defer(&self, id: &QueueId, wake_at: SystemTime) -> io::Result<()> {
        self.put_back(id, QueueName::Active, QueueName::Deferred, wake_at)
    }

    /// Any queue to another with a new time stamp: `active` to `incoming` when the queue manager starts or cannot read
    /// the file now.
    ///
    /// A missing file is reported by the rename, not by the time stamp, as Postfix does.
    pub fn put_back(
        &self,
        id: &QueueId,
        from: QueueName,
        to: QueueName,
        wake_at: SystemTime,
    ) -> io::Result<()> {
        match self.set_wake_time(from, id, wake_at) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => {}
        }
        self.rename(id, from, to)
    }

    /// `deferred` to `incoming`: `flush` wants it tried now. Its mode is marked with [`mode::UNTHROTTLE`].
    pub fn flush(&self, id: &QueueId, from: QueueName, now: SystemTime) -> io::Result<()> {
        let path = self.path(from, id);
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let bits = file.metadata()?.permissions().mode() & 0o7777;
        if !mode::is_ready(bits) {
            return Err(io::ErrorKind::NotFound.into());
        }
        file.set_times(FileTimes::new().set_accessed(now).set_modified(now))?;
        add_marks(&file, mode::UNTHROTTLE)?;
        if from == QueueName::Incoming {
            return Ok(());
        }
        self.rename(id, from, QueueName::Incoming)
    }

    /// `active` to `corrupt`: it cannot be read, and a person should look at it.
    pub fn quarantine(&self, id: &QueueId, from: QueueName) -> io::Result<()> {
        self.rename(id, from, QueueName::Corrupt)
    }

    /// `incoming`, `active` or `deferred` to `hold`: no more attempts. Never from `maildrop`, which is not sanitized.
    pub fn hold(&self, id: &QueueId, from: QueueName) -> io::Result<()> {
        debug_assert!(from != QueueName::Maildrop);
        self.rename(id, from, QueueName::Hold)
    }

    /// `hold` to `deferred`.
    pub fn release(&self, id: &QueueId) -> io::Result<()> {
        self.rename(id, QueueName::Hold, QueueName::Deferred)
    }

    /// Any queue to `maildrop`: `pickup` and `cleanup` will make a new message of it. Time stamps are the caller's.
    pub fn requeue(&self, id: &QueueId, from: QueueName) -> io::Result<()> {
        self.rename(id, from, QueueName::Maildrop)
    }

    /// Removes a message that is done: every recipient is delivered, or in a bounce or defer log that is on disk.
    ///
    /// DURABILITY: the caller's records of all recipients come first. A crash before the removal reaches the disk
    /// brings the message back with its recipients marked done, or at worst delivers twice; it never loses one.
    pub fn finish(&self, queue: QueueName, id: &QueueId) -> io::Result<()> {
        self.remove(queue, id)
    }

    /// Sets when the queue manager may take a message up.
    pub fn set_wake_time(&self, queue: QueueName, id: &QueueId, when: SystemTime) -> io::Result<()> {
        use nix::sys::stat::{UtimensatFlags, utimensat};
        let since = when.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Whole seconds: the queue manager compares whole seconds, and Postfix writes no others.
        let stamp = nix::sys::time::TimeSpec::new(since.as_secs().try_into().unwrap_or(0), 0);
        let path = self.path(queue, id);
        utimensat(nix::fcntl::AT_FDCWD, &path, &stamp, &stamp, UtimensatFlags::FollowSymlink)
            .map_err(io::Error::from)
    }

    /// Clears marks, such as [`mode::UNTHROTTLE`] once it was heeded.
    pub fn set_mode(&self, queue: QueueName, id: &QueueId, bits: u32) -> io::Result<()> {
        fs::set_permissions(self.path(queue, id), fs::Permissions::from_mode(bits & 0o7777))
    }
}

/// Crosses a recipient off: its record at this offset becomes `Done`.
///
/// DURABILITY: not synced. If a crash undoes it the recipient gets the message twice, which is the lesser evil, and
/// one sync a recipient would cost more than all else. `offset` is the one the queue manager handed out.
pub fn mark_done(file: &File, offset: u64) -> io::Result<()> {
    set_kind(file, offset, RecordType::Done)
}

/// Changes the type of the record at this offset.
pub fn set_kind(file: &File, offset: u64, kind: RecordType) -> io::Result<()> {
    file.write_all_at(&[kind.as_byte()], offset)
}

/// Overwrites a record's data in place; the new data must have the old length (`Size`, `Warn`, `Attr`).
pub fn overwrite(file: &File, offset: u64, kind: RecordType, data: &[u8]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(data.len() + crate::record::HEAD_LONGEST);
    crate::record::encode(&mut bytes, kind, data);
    file.write_all_at(&bytes, offset)
}

/// Marks an open message as unreadable, so that the queue manager moves it to `corrupt`.
/// Needs the mail system's identity. Postfix logs `corrupted queue file: NAME` first; so should the caller.
pub fn mark_corrupt(file: &File) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(mode::CORRUPT))
}

/// Adds marks to an open message's mode.
pub fn add_marks(file: &File, marks: u32) -> io::Result<()> {
    let bits = file.metadata()?.permissions().mode() & 0o7777;
    file.set_permissions(fs::Permissions::from_mode(bits | marks))
}
