//! Maildirs: a message is a file, written in `tmp/` and then given a name in `new/`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dsn::Status;

use crate::content::Message;
use crate::{Failed, Failure, Identity, Rights, mbox, open};

/// Puts a message into a maildir as `who`. Missing directories are made. `default` is the status of errors without a
/// better one.
///
/// A refusal for want of permission is explained in the log, as administrators know it from Postfix.
pub fn deliver(
    rights: &Rights,
    maildir: &Path,
    who: Identity,
    message: &Message<'_>,
    default: Status,
) -> Result<(), Failure> {
    let outcome = rights.act_as(who, || write(maildir, message, default))?;
    if let Err(Failure::Failed(failed)) = &outcome
        && failed.errno == Some(nix::libc::EACCES)
    {
        let Identity { uid, gid } = who;
        let reason = bytes::show(&failed.dsn.reason);
        log::warning!("maildir access problem for UID/GID={uid}/{gid}: {reason}");
        log::warning!("perhaps you need to create the maildirs in advance");
    }
    outcome.map_err(|failure| match failure {
        Failure::Failed(failed) => failed.prefixed("maildir delivery failed: ").into(),
        Failure::Corrupt => Failure::Corrupt,
    })
}

fn write(maildir: &Path, message: &Message<'_>, default: Status) -> Result<(), Failure> {
    let now = sys::time::unix_duration();
    let host = host_name();
    let tmp = maildir.join("tmp").join(tmp_name(now, std::process::id(), &host));
    let failed = |path: &Path, error: &io::Error| {
        Failed::system(default, &format!("create maildir file {}", path.display()), error)
    };
    let file = with_directories(&[&maildir.join("tmp")], || {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&tmp)
    })
    .map_err(|error| failed(&tmp, &error))?;
    let outcome = fill(&file, message).and_then(|()| {
        let found = file.metadata().map_err(|error| failed(&tmp, &error))?;
        let new = maildir.join("new").join(new_name(now, found.dev(), found.ino(), &host));
        with_directories(&[&maildir.join("cur"), &maildir.join("new")], || link(&tmp, &new))
            .map_err(|error| failed(&new, &error))?;
        // DURABILITY: the content was synced before it got its name; now the name.
        open::sync_parent(&new).map_err(|error| {
            let _so_that_it_is_not_there_twice = fs::remove_file(&new);
            failed(&new, &error)
        })?;
        Ok(())
    });
    if let Err(error) = fs::remove_file(&tmp) {
        log::warning!("remove {}: {}", tmp.display(), sys::reason(&error));
    }
    outcome
}

fn fill(file: &File, message: &Message<'_>) -> Result<(), Failure> {
    mbox::copy_to(file, message)?;
    file.sync_all().map_err(|error| Failed::writing(&error).into())
}

/// The name while it is written: the process id is ours alone for now.
fn tmp_name(now: Duration, pid: u32, host: &str) -> String {
    format!("{}.P{pid}.{host}", now.as_secs())
}

/// The name for good: device and inode are the file's alone for as long as it exists.
fn new_name(now: Duration, device: u64, inode: u64, host: &str) -> String {
    format!("{}.V{device:x}I{inode:x}M{}.{host}", now.as_secs(), now.subsec_micros())
}

fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    if name.is_empty() {
        return "localhost".to_owned();
    }
    name.replace('/', "\\057").replace(':', "\\072")
}

fn with_directories<T>(missing: &[&PathBuf], attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match attempt() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            missing.iter().try_for_each(|directory| make_directories(directory))?;
            attempt()
        }
        other => other,
    }
}

fn make_directories(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_directories(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => own_group(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

// Below a set-group-id directory a new one takes that group and not the recipient's.
fn own_group(path: &Path) -> io::Result<()> {
    let gid = sys::identity::effective_gid();
    if fs::metadata(path)?.gid() == gid { Ok(()) } else { chown(path, None, Some(gid)) }
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    let Err(error) = fs::hard_link(from, to) else { return Ok(()) };
    // Over NFS the answer to a request that was done may get lost, and its repetition fails.
    if let (Ok(from), Ok(to)) = (fs::metadata(from), fs::metadata(to))
        && (from.dev(), from.ino()) == (to.dev(), to.ino())
    {
        return Ok(());
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tests::{plain, queue_file};
    use queue::RecordType;

    fn own() -> Identity {
        Identity { uid: sys::identity::effective_uid(), gid: sys::identity::effective_gid() }
    }

    #[test]
    fn names_are_postfixs() {
        let now = Duration::new(1_700_000_000, 12_345_000);
        assert_eq!(tmp_name(now, 77, "h.example"), "1700000000.P77.h.example");
        assert_eq!(new_name(now, 0xfe01, 0xabc, "h.example"), "1700000000.Vfe01IabcM12345.h.example");
    }

    #[test]
    fn directories_are_made() {
        let home = tempfile::tempdir().unwrap();
        let maildir = home.path().join("deep/Maildir");
        let file = queue_file(&[(RecordType::Norm, b"hello"), (RecordType::Extracted, b"")]);
        let rights = Rights::of_process();
        for _ in 0..2 {
            deliver(&rights, &maildir, own(), &plain(&file), Status::new("5.2.0")).unwrap();
        }
        let list = |name: &str| -> Vec<PathBuf> {
            fs::read_dir(maildir.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect()
        };
        assert_eq!((list("new").len(), list("tmp").len(), list("cur").len()), (2, 0, 0));
        assert_eq!(fs::read(&list("new")[0]).unwrap(), b"hello\n");
        assert_eq!(fs::metadata(maildir).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_file_in_the_way() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("Maildir"), "").unwrap();
        let file = queue_file(&[(RecordType::Norm, b"hello"), (RecordType::Extracted, b"")]);
        let maildir = home.path().join("Maildir");
        let failure =
            deliver(&Rights::of_process(), &maildir, own(), &plain(&file), Status::new("5.2.0")).unwrap_err();
        let Failure::Failed(failed) = failure else { panic!() };
        assert_eq!(failed.dsn.status, Status::new("5.2.0"));
        let reason = String::from_utf8(failed.dsn.reason).unwrap();
        assert!(reason.starts_with("maildir delivery failed: create maildir file "), "{reason}");
        assert!(reason.ends_with(": Not a directory"), "{reason}");
    }
}
