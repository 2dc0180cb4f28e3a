//! Mailboxes that are one file, messages in them beginning with a `From ` line.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use dsn::Status;

use crate::content::{ContentError, Message};
use crate::lock::Dotlock;
use crate::open::{self, Opened};
use crate::{Failed, Failure, Identity, Locks, Rights, mailbox_status};

/// A file to append to.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// Its name.
    pub path: &'a Path,
    /// The locks.
    pub locks: &'a Locks,
    /// Whether delivery goes on when the directory does not let us make a lock file.
    pub dotlock: DotlockPolicy,
    /// Who opens and locks it.
    pub opener: Identity,
    /// Who writes to it.
    pub writer: Identity,
    /// To whom a new file is given; nobody if it is the opener's.
    pub owner: Option<Identity>,
    /// The status of errors without a better one.
    pub default: Status,
}

/// What a lock file that cannot be made means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DotlockPolicy {
    /// Failure.
    Required,
    /// A warning: people deliver to files in directories where they may not write.
    MayFail,
}

/// An open mailbox under lock. [`Mailbox::release`] removes the lock file; other locks end with the file.
#[derive(Debug)]
#[must_use = "the lock file stays until it is released"]
pub struct Mailbox {
    /// The file, for appending.
    pub file: File,
    /// What it was like when it was locked.
    pub metadata: Metadata,
    is_new: bool,
    dotlock: Option<Dotlock>,
}

impl Mailbox {
    /// Opens or creates a file and takes the locks, as the process's present identity.
    pub fn open(target: &Target<'_>) -> Result<Self, Failed> {
        let Target { path, locks, default, .. } = *target;
        // A lock beside /dev/null is not wanted, and a file that is not there yet will be a regular one.
        let is_regular = fs::metadata(path).map_or(true, |found| found.is_file());
        let dotlock = if locks.dotlock && is_regular { lock_beside(target)? } else { None };
        let opened = open::append(path, target.owner).map_err(|refusal| Failed {
            dsn: Box::new(dsn::Dsn::new(mailbox_status(&refusal.error, default), refusal.reason)),
            errno: refusal.error.raw_os_error(),
        });
        let mailbox = opened.and_then(|opened| Self::lock(target, opened));
        match mailbox {
            Ok(mailbox) => Ok(Self { dotlock, ..mailbox }),
            Err(failed) => {
                if let Some(dotlock) = dotlock {
                    dotlock.remove();
                }
                Err(failed)
            }
        }
    }

    /// Ends the locks.
    pub fn release(self) {
        drop(self.file);
        if let Some(dotlock) = self.dotlock {
            dotlock.remove();
        }
    }

    fn lock(target: &Target<'_>, opened: Opened) -> Result<Self, Failed> {
        let Opened { file, mut metadata, is_new } = opened;
        if metadata.is_file() {
            let what = "unable to lock for exclusive access";
            target.locks.hold(&file).map_err(|error| Failed::system(target.default, what, &error))?;
            // Some mail readers replace the file while we wait for the lock on the old one.
            match file.metadata() {
                Ok(now) if now.nlink() == 1 => metadata = now,
                _ => {
                    log::warning!("{}: file status changed unexpectedly", target.path.display());
                    let reason = "target file status changed unexpectedly";
                    return Err(Failed::new(Status::new("4.2.0"), reason));
                }
            }
        }
        Ok(Self { file, metadata, is_new, dotlock: None })
    }
}

fn lock_beside(target: &Target<'_>) -> Result<Option<Dotlock>, Failed> {
    let (path, error) = match target.locks.create_dotlock(target.path) {
        Ok(dotlock) => return Ok(Some(dotlock)),
        Err(failed) => failed,
    };
    let what = format!("unable to create lock file {}", path.display());
    let mut failed = Failed::system(target.default, &what, &error);
    if error.kind() == io::ErrorKind::AlreadyExists {
        failed.dsn.status = Status::new("4.2.0");
    } else if target.dotlock == DotlockPolicy::MayFail {
        log::warning!("{}", bytes::show(&failed.dsn.reason));
        return Ok(None);
    }
    Err(failed)
}

/// Appends a message to a mailbox. `check` looks at the file that was opened, as the writer, and may refuse it.
///
/// The answer is where in the file the message begins.
pub fn append(
    rights: &Rights,
    target: &Target<'_>,
    message: &Message<'_>,
    check: impl FnOnce(&Metadata) -> Result<(), Failed>,
) -> Result<u64, Failure> {
    rights.permit(target.writer)?;
    let mailbox = rights.act_as(target.opener, || Mailbox::open(target))??;
    let outcome = rights.act_as(target.writer, || {
        check(&mailbox.metadata)?;
        let end = mailbox.metadata.len();
        write(&mailbox, message)?;
        if mailbox.is_new {
            open::sync_parent(target.path).map_err(|error| Failed::writing(&error))?;
        }
        Ok(end)
    });
    rights.act_as(target.opener, || mailbox.release())?;
    outcome?
}

fn write(mailbox: &Mailbox, message: &Message<'_>) -> Result<(), Failure> {
    let is_file = mailbox.metadata.is_file();
    let result = copy_to(&mailbox.file, message).and_then(|()| {
        // DURABILITY: on disk before anybody is told that it is delivered.
        if is_file { mailbox.file.sync_all().map_err(|error| Failed::writing(&error).into()) } else { Ok(()) }
    });
    if result.is_err() && is_file {
        // Half a message would run into the next one. The locks are still held.
        if let Err(error) = mailbox.file.set_len(mailbox.metadata.len()) {
            log::warning!("truncate mailbox: {}", sys::reason(&error));
        }
    }
    result
}

/// Copies a message to a file.
pub(crate) fn copy_to(mut file: &File, message: &Message<'_>) -> Result<(), Failure> {
    let mut chunks = message.chunks().map_err(content_failure)?;
    while let Some(chunk) = chunks.next_chunk().map_err(content_failure)? {
        file.write_all(&chunk).map_err(|error| Failed::writing(&error))?;
    }
    Ok(())
}

pub(crate) fn content_failure(error: ContentError) -> Failure {
    match error {
        ContentError::Corrupt => Failure::Corrupt,
        ContentError::Read(error) => Failed::reading(&error).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tests::{plain, queue_file};
    use crate::lock::tests::impatient;
    use message::copy::{CopyAddresses, CopyFlags};
    use queue::RecordType;

    fn target<'a>(path: &'a Path, locks: &'a Locks) -> Target<'a> {
        let own = Identity { uid: sys::identity::effective_uid(), gid: sys::identity::effective_gid() };
        Target {
            path,
            locks,
            dotlock: DotlockPolicy::Required,
            opener: own,
            writer: own,
            owner: None,
            default: Status::new("5.2.0"),
        }
    }

    #[test]
    fn messages_line_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("joe");
        let file = queue_file(&[(RecordType::Norm, b"From me"), (RecordType::Extracted, b"")]);
        let message = Message {
            flags: CopyFlags::MBOX,
            addresses: CopyAddresses { sender: b"a@b", original_recipient: b"", delivered_to: b"joe@b" },
            ..plain(&file)
        };
        let (rights, locks) = (Rights::of_process(), impatient());
        let first = append(&rights, &target(&path, &locks), &message, |_| Ok(())).unwrap();
        let second = append(&rights, &target(&path, &locks), &message, |_| Ok(())).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!((first, second as usize * 2), (0, text.len()));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("From a@b  "));
        assert_eq!(lines[1..5], ["Return-Path: <a@b>", "Delivered-To: joe@b", ">From me", ""]);
        assert!(!directory.path().join("joe.lock").exists());
    }

    #[test]
    fn a_damaged_message_leaves_no_trace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("joe");
        fs::write(&path, "before\n").unwrap();
        let file = queue_file(&[(RecordType::Norm, &[b'x'; 200_000]), (RecordType::Norm, b"y")]);
        let (rights, locks) = (Rights::of_process(), impatient());
        let failure = append(&rights, &target(&path, &locks), &plain(&file), |_| Ok(())).unwrap_err();
        assert!(matches!(failure, Failure::Corrupt));
        assert_eq!(fs::read(&path).unwrap(), b"before\n");
    }

    #[test]
    fn busy_mailboxes_wait() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("joe");
        let locks = impatient();
        let held = Mailbox::open(&target(&path, &locks)).unwrap();
        let failed = Mailbox::open(&target(&path, &locks)).unwrap_err();
        assert_eq!(failed.dsn.status, Status::new("4.2.0"));
        let reason = String::from_utf8(failed.dsn.reason).unwrap();
        assert_eq!(reason, format!("unable to create lock file {}.lock: File exists", path.display()));
        let kernel_only = Locks { dotlock: false, ..locks };
        let failed = Mailbox::open(&target(&path, &kernel_only)).unwrap_err();
        assert_eq!(failed.dsn.status, Status::new("4.2.0"));
        held.release();
        Mailbox::open(&target(&path, &locks)).unwrap().release();
    }

    #[test]
    fn devices_are_written_without_locks() {
        let file = queue_file(&[(RecordType::Norm, b"x"), (RecordType::Extracted, b"")]);
        let locks = impatient();
        let null = target(Path::new("/dev/null"), &locks);
        assert_eq!(append(&Rights::of_process(), &null, &plain(&file), |_| Ok(())).unwrap(), 0);
    }
}
