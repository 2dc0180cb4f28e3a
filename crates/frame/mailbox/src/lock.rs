//! Locks that keep delivery agents and mail readers out of each other's way.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use bytes::NameMask;
use sys::lock::{Mode, Wait};

/// Which locks to take, and with how much patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locks {
    /// `flock` on the open file.
    pub flock: bool,
    /// `fcntl` on the open file.
    pub fcntl: bool,
    /// A file with `.lock` added to the name.
    pub dotlock: bool,
    /// `deliver_lock_attempts`
    pub attempts: i64,
    /// `deliver_lock_delay`: between two attempts, more or less.
    pub delay: Duration,
    /// `stale_lock_time`: after this a lock file is nobody's.
    pub stale: Duration,
}

conf::param_set! {
    /// The patience with locks.
    pub struct LockParams { deliver_lock_attempts, deliver_lock_delay, stale_lock_time }
}

const FLOCK: u32 = 1;
const FCNTL: u32 = 2;
const DOTLOCK: u32 = 4;
const STYLES: NameMask = NameMask(&[("flock", FLOCK), ("fcntl", FCNTL), ("dotlock", DOTLOCK)]);

impl Locks {
    /// The locks that a list such as `fcntl, dotlock` names.
    pub fn load(main: &conf::MainCf, styles: &str) -> Result<Self, conf::Error> {
        let params = LockParams::load(main)?;
        let bits = STYLES.parse(styles).map_err(|unknown| {
            // COMPAT: this name whichever parameter it was. Test: `styles_by_name`.
            let name = "mailbox_delivery_lock";
            conf::Error::Value(format!("unknown {name} value \"{}\" in \"{styles}\"", unknown.0))
        })?;
        Ok(Self {
            flock: bits & FLOCK != 0,
            fcntl: bits & FCNTL != 0,
            dotlock: bits & DOTLOCK != 0,
            attempts: params.deliver_lock_attempts,
            delay: params.deliver_lock_delay,
            stale: params.stale_lock_time,
        })
    }

    /// Whether any lock is taken.
    pub fn is_none(&self) -> bool {
        !self.flock && !self.fcntl && !self.dotlock
    }

    /// Takes the locks that belong to an open file.
    pub(crate) fn hold(&self, file: &impl AsFd) -> io::Result<()> {
        if self.flock {
            self.patiently(|| sys::lock::flock(file, Mode::Exclusive, Wait::No))?;
        }
        if self.fcntl {
            self.patiently(|| sys::lock::fcntl(file, Mode::Exclusive, Wait::No))?;
        }
        Ok(())
    }

    /// Creates the lock file of a mailbox.
    pub(crate) fn create_dotlock(&self, mailbox: &Path) -> Result<Dotlock, (PathBuf, io::Error)> {
        let path = lock_name(mailbox);
        let mut count = 1;
        loop {
            let created = OpenOptions::new().write(true).create_new(true).mode(0o000).open(&path);
            let Err(error) = created else { return Ok(Dotlock { path }) };
            if count >= self.attempts || error.kind() != io::ErrorKind::AlreadyExists {
                return Err((path, error));
            }
            if self.is_stale(&path)
                && let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err((path, error));
            }
            self.pause();
            count += 1;
        }
    }

    fn is_stale(&self, path: &Path) -> bool {
        let Ok(found) = fs::metadata(path) else { return false };
        let stale = i64::try_from(self.stale.as_secs()).unwrap_or(i64::MAX);
        sys::time::now() > found.ctime().saturating_add(stale)
    }

    fn patiently(&self, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let mut count = 1;
        loop {
            match attempt() {
                Err(_) if count < self.attempts => {}
                other => return other,
            }
            self.pause();
            count += 1;
        }
    }

    // Two that wait for each other must not stay in step.
    fn pause(&self) {
        let spread = f64::from(sys::time::unix_duration().subsec_micros() % 1000) / 1000.0;
        thread::sleep(self.delay.mul_f64(0.75 + spread / 2.0));
    }
}

/// A lock file. It stays until it is removed, since only the identity that created it may be able to.
#[derive(Debug)]
#[must_use]
pub(crate) struct Dotlock {
    path: PathBuf,
}

impl Dotlock {
    /// Removes the lock file.
    pub(crate) fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::debug!("remove {}: {error}", self.path.display());
        }
    }
}

fn lock_name(mailbox: &Path) -> PathBuf {
    let mut name = mailbox.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn impatient() -> Locks {
        Locks {
            flock: true,
            fcntl: true,
            dotlock: true,
            attempts: 2,
            delay: Duration::from_millis(1),
            stale: Duration::from_secs(500),
        }
    }

    #[test]
    fn styles_by_name() {
        let main = conf::MainCf::empty(Path::new("/etc/postfix"));
        let locks = Locks::load(&main, "fcntl, dotlock").unwrap();
        assert!(locks.fcntl && locks.dotlock && !locks.flock);
        assert_eq!((locks.attempts, locks.delay.as_secs(), locks.stale.as_secs()), (20, 1, 500));
        let error = Locks::load(&main, "fcntl lockf").unwrap_err();
        assert_eq!(error.to_string(), "unknown mailbox_delivery_lock value \"lockf\" in \"fcntl lockf\"");
    }

    #[test]
    fn lock_files_exclude_and_get_stale() {
        let directory = tempfile::tempdir().unwrap();
        let mailbox = directory.path().join("joe");
        let first = impatient().create_dotlock(&mailbox).unwrap();
        let (path, error) = impatient().create_dotlock(&mailbox).unwrap_err();
        assert_eq!((path, error.kind()), (directory.path().join("joe.lock"), io::ErrorKind::AlreadyExists));
        first.remove();
        let _forgotten = impatient().create_dotlock(&mailbox).unwrap();
        thread::sleep(Duration::from_millis(2100));
        let careless = Locks { stale: Duration::ZERO, ..impatient() };
        careless.create_dotlock(&mailbox).unwrap().remove();
    }
}
