//! A message on its way into the queue.
//!
//! A [`Draft`] is an open file with no name yet (where the file system knows `O_TMPFILE`), or with a name that no
//! reader accepts as a message (mode 0600). Records gather in memory and go to the file when there are 64 KiB of them,
//! so a small message costs one write. Anything written can be read and overwritten until the commit, as milters need.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::time::SystemTime;

use nix::fcntl::OFlag;

use crate::reader::ReadAt;
use crate::record::{self, RecordType};
use crate::spool::{self, Spool};
use crate::{QueueId, QueueName, mode};

/// Memory that a draft uses before it writes to its file.
const SPILL: usize = 64 * 1024;
/// Attempts to find a free name.
const ATTEMPTS: u32 = 1000;

/// A message that is being written. Dropping it without a commit leaves nothing behind.
///
/// It is `Send`: [`Draft::commit`] waits for the disk and may run on another thread.
#[derive(Debug)]
pub struct Draft {
    spool: Spool,
    id: QueueId,
    queue: QueueName,
    created: SystemTime,
    file: File,
    /// Bytes of the file from offset `flushed` on.
    tail: Vec<u8>,
    flushed: u64,
    /// Name in the file system, when it has one.
    path: Option<PathBuf>,
    committed: bool,
}

/// How a draft becomes a message.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// Where it goes.
    pub queue: QueueName,
    /// Bits of the mode beside 0700: [`mode::UNTHROTTLE`], [`mode::EXPIRE`].
    pub marks: u32,
    /// Its modification time, when not now: the queue manager leaves it alone until then.
    pub wake_at: Option<SystemTime>,
}

impl Commit {
    /// To be taken up at once from this queue.
    pub fn to(queue: QueueName) -> Commit {
        Commit { queue, marks: 0, wake_at: None }
    }
}

impl Spool {
    /// Begins a message for this queue. Its id is final from now on.
    ///
    /// When the disk is full or the like, Postfix's daemons log `create file DIR/NAME: reason`, wait ten seconds and try
    /// again; that is the caller's choice.
    pub fn create(&self, queue: QueueName) -> io::Result<Draft> {
        if self.can_link_unnamed(queue) {
            // The mode is final: nobody sees the file before it is linked.
            match open_unnamed(&self.queue_directory(queue), mode::READY) {
                Ok(file) => return self.draft_of(queue, file),
                Err(fault) if unnamed_unsupported(&fault) => {}
                Err(fault) => return Err(fault),
            }
        }
        self.create_named(queue)
    }

    fn draft_of(&self, queue: QueueName, file: File) -> io::Result<Draft> {
        let inode = file.metadata()?.ino();
        let created = SystemTime::now();
        let id = QueueId::new(self.id_form(), created, inode);
        Ok(self.new_draft(queue, file, id, created, None))
    }

    /// The way of Postfix: a temporary name first, then one made of time and inode, mode 0600 until complete.
    fn create_named(&self, queue: QueueName) -> io::Result<Draft> {
        let directory = self.queue_directory(queue);
        let (file, temporary) = loop {
            let path = directory.join(spool::temporary_name());
            match OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(mode::INCOMPLETE)
                .open(&path)
            {
                Ok(file) => break (file, path),
                Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {}
                Err(fault) => return Err(fault),
            }
        };
        let name = |file: File| {
            let inode = file.metadata()?.ino();
            let mut attempt = 0;
            loop {
                let created = SystemTime::now();
                let id = QueueId::new(self.id_form(), created, inode);
                let path = self.path(queue, &id);
                // A file with this name has another inode: it was copied here. Never replace it.
                if fs::symlink_metadata(&path).is_err() {
                    match spool::rename_making_directories(&temporary, &path) {
                        Ok(()) => return Ok(self.new_draft(queue, file, id, created, Some(path))),
                        Err(fault) if attempt >= ATTEMPTS => return Err(fault),
                        Err(_) => {}
                    }
                } else if attempt >= ATTEMPTS {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                attempt += 1;
            }
        };
        name(file).inspect_err(|_| {
            // Nobody knows the name yet; a leftover is purged by postsuper after a week.
            drop(fs::remove_file(&temporary));
        })
    }

    fn new_draft(
        &self,
        queue: QueueName,
        file: File,
        id: QueueId,
        created: SystemTime,
        path: Option<PathBuf>,
    ) -> Draft {
        Draft {
            spool: self.clone(),
            id,
            queue,
            created,
            file,
            tail: Vec::new(),
            flushed: 0,
            path,
            committed: false,
        }
    }
}

impl Draft {
    /// The message's id.
    pub fn id(&self) -> &QueueId {
        &self.id
    }

    /// The queue that it is made in.
    pub fn queue(&self) -> QueueName {
        self.queue
    }

    /// The time in its id: what Postfix takes as the time of arrival.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// Name for log texts, as Postfix has it: `incoming/1234ABCD`.
    pub fn name(&self) -> String {
        self.spool.name(self.queue, &self.id)
    }

    /// Bytes so far; the offset of the next record.
    pub fn len(&self) -> u64 {
        self.flushed + self.tail.len() as u64
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a record.
    pub fn record(&mut self, kind: RecordType, data: &[u8]) -> io::Result<()> {
        record::encode(&mut self.tail, kind, data);
        self.spill()
    }

    /// Appends a padding record of `total` bytes.
    pub fn padding(&mut self, kind: RecordType, total: usize) -> io::Result<()> {
        record::encode_padding(&mut self.tail, kind, total);
        self.spill()
    }

    /// Overwrites bytes that were written before; it may also append.
    pub fn write_at(&mut self, offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        if offset > self.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut offset = offset;
        if offset < self.flushed {
            let count = bytes.len().min(usize::try_from(self.flushed - offset).unwrap_or(usize::MAX));
            let (head, rest) = bytes.split_at(count);
            self.file.write_all_at(head, offset)?;
            offset += count as u64;
            bytes = rest;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let start = (offset - self.flushed) as usize;
        let overlap = bytes.len().min(self.tail.len() - start);
        let (head, rest) = bytes.split_at(overlap);
        self.tail[start..start + overlap].copy_from_slice(head);
        self.tail.extend_from_slice(rest);
        self.spill()
    }

    /// Overwrites a record, whose size must not change.
    pub fn rewrite(&mut self, offset: u64, kind: RecordType, data: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::new();
        record::encode(&mut bytes, kind, data);
        self.write_at(offset, &bytes)
    }

    /// Changes the type of the record at this offset.
    pub fn set_kind(&mut self, offset: u64, kind: RecordType) -> io::Result<()> {
        self.write_at(offset, &[kind.as_byte()])
    }

    /// Gives the unfinished message its name, so that the bounce service can open it. Readers of the queue still pass it
    /// by: its mode is that of an unfinished one.
    pub fn make_visible(&mut self) -> io::Result<()> {
        self.flush()?;
        if self.path.is_some() {
            return Ok(());
        }
        self.set_mode(mode::INCOMPLETE)?;
        let path = self.spool.path(self.queue, &self.id);
        self.spool.link_unnamed(&self.file, &path)?;
        self.path = Some(path);
        Ok(())
    }

    /// Makes the message durable and visible. When this returns `Ok`, and only then, we are responsible for it.
    ///
    /// On an error the file is gone, or as good as gone: it has no name, or the mode of an unfinished one.
    pub fn commit(mut self, how: Commit) -> io::Result<QueueId> {
        self.flush()?;
        if let Some(when) = how.wake_at {
            self.file.set_times(FileTimes::new().set_accessed(when).set_modified(when))?;
        }
        let target = self.spool.path(how.queue, &self.id);
        match self.path.clone() {
            None => {
                if how.marks != 0 {
                    self.set_mode(mode::READY | how.marks)?;
                }
                self.spool.link_unnamed(&self.file, &target)?;
                self.path = Some(target);
            }
            Some(path) => {
                if path != target {
                    spool::rename_making_directories(&path, &target)?;
                    self.path = Some(target);
                }
                self.set_mode(mode::READY | how.marks)?;
            }
        }
        // DURABILITY: the name came first, so this sync covers data, mode and name alike: they are in one journal
        // transaction. A crash before it leaves no file, or one without its END record, which no reader accepts;
        // and nobody was told yet that we have the message.
        self.file.sync_all()?;
        self.queue = how.queue;
        self.committed = true;
        Ok(self.id.clone())
    }

    fn set_mode(&self, bits: u32) -> io::Result<()> {
        self.file.set_permissions(fs::Permissions::from_mode(bits))
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.tail.len() < SPILL {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.tail.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(&self.tail, self.flushed)?;
        self.flushed += self.tail.len() as u64;
        self.tail.clear();
        Ok(())
    }
}

/// Raw bytes, for records that were encoded elsewhere.
impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tail.extend_from_slice(bytes);
        self.spill()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Draft::flush(self)
    }
}

impl ReadAt for Draft {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match offset.checked_sub(self.flushed) {
            Some(start) => self.tail.read_at(buffer, start),
            None => {
                let count = buffer.len().min(usize::try_from(self.flushed - offset).unwrap_or(usize::MAX));
                ReadAt::read_at(&self.file, &mut buffer[..count], offset)
            }
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        if let Some(path) = &self.path {
            // Without a name it vanishes by itself; with one it is unfinished, and postsuper purges it if this fails.
            drop(fs::remove_file(path));
        }
    }
}

/// Opens a file without a name in this directory.
pub(crate) fn open_unnamed(directory: &std::path::Path, bits: u32) -> io::Result<File> {
    let directory = if directory.as_os_str().is_empty() { std::path::Path::new(".") } else { directory };
    OpenOptions::new()
        .read(true)
        .write(true)
        .mode(bits)
        .custom_flags(OFlag::O_TMPFILE.bits() | OFlag::O_CLOEXEC.bits())
        .open(directory)
}

/// Whether this kernel or file system has no files without a name.
fn unnamed_unsupported(fault: &io::Error) -> bool {
    use nix::errno::Errno;
    let code = Errno::from_raw(fault.raw_os_error().unwrap_or(0));
    matches!(code, Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOSYS)
}

/// Gives the unnamed file a name, which must be free.
pub(crate) fn link_empty_path(file: &File, target: &std::path::Path) -> nix::Result<()> {
    nix::unistd::linkat(file.as_fd(), "", nix::fcntl::AT_FDCWD, target, nix::fcntl::AtFlags::AT_EMPTY_PATH)
}
