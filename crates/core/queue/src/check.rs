//! Is this file in the queue one that we may open as a message?

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::fcntl::OFlag;

use crate::spool::{Access, Spool};
use crate::{QueueId, QueueName, mode, reason};

/// What a good message file's directory entry and inode say.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The file's status.
    pub status: Metadata,
}

impl Ready {
    /// The file's mode bits, with the marks.
    pub fn mode(&self) -> u32 {
        self.status.mode() & 0o7777
    }

    /// Whether the administrator wants it returned at the next attempt.
    pub fn is_expired_by_force(&self) -> bool {
        self.mode() & mode::EXPIRE != 0
    }

    /// Size of the file.
    pub fn size(&self) -> u64 {
        self.status.size()
    }

    /// When the queue manager may take it up.
    pub fn wake_at(&self) -> SystemTime {
        let seconds = u64::try_from(self.status.mtime()).unwrap_or(0);
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The owner, who submitted it if it is in `maildrop`.
    pub fn uid(&self) -> u32 {
        self.status.uid()
    }
}

impl Spool {
    /// Looks at a file that is to be a message. `None`: leave it alone; a warning was logged if something is odd.
    ///
    /// Good is a regular file with exactly the owner bits 0700. Extra links are only worth a warning, and only when they
    /// last: in a world-writable maildrop, refusing linked files would let anybody suppress mail.
    pub fn check(&self, queue: QueueName, id: &QueueId) -> Option<Ready> {
        let path = self.path(queue, id);
        match fs::symlink_metadata(&path) {
            Ok(status) => self.judge(queue, id, status),
            Err(fault) => {
                if fault.kind() != io::ErrorKind::NotFound {
                    log::warning!("{}: {}", path.display(), reason(&fault));
                }
                None
            }
        }
    }

    /// Opens a message if [`Spool::check`] finds it good. Costs one path look-up instead of two.
    pub fn open_ready(
        &self,
        queue: QueueName,
        id: &QueueId,
        access: Access,
    ) -> io::Result<Option<(File, Ready)>> {
        let path = self.path(queue, id);
        let mut options = OpenOptions::new();
        // Never follow a link, and never wait for a FIFO's other end.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        options.read(true).write(access == Access::Update).custom_flags(flags.bits());
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A link, a socket, a directory, or a file that is not ready: look again, to say what is wrong.
            Err(fault) => {
                return match self.check(queue, id) {
                    Some(_) => Err(fault),
                    None => Ok(None),
                };
            }
        };
        let status = file.metadata()?;
        Ok(self.judge(queue, id, status).map(|ready| (file, ready)))
    }

    fn judge(&self, queue: QueueName, id: &QueueId, status: Metadata) -> Option<Ready> {
        if !status.is_file() {
            log::warning!("{}: uid {}: not a regular file", self.path(queue, id).display(), status.uid());
            return None;
        }
        if !mode::is_ready(status.mode()) {
            return None;
        }
        if status.nlink() > 1 {
            self.report_links(&self.path(queue, id), &status);
        }
        Some(Ready { status })
    }

    fn report_links(&self, path: &Path, status: &Metadata) {
        let (path, uid, links) = (path.display(), status.uid(), status.nlink());
        if log::verbose() > 0 {
            log::info!("{path}: uid {uid}: file has {links} links");
            return;
        }
        // A rename in progress may show both names for a moment.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        if status.ctime() < i64::try_from(now).unwrap_or(i64::MAX) - 60 {
            log::warning!("{path}: uid {uid}: file has {links} links");
        }
    }
}
