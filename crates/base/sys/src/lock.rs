//! Advisory locks on open files, in the two families that mail software mixes: `flock` and `fcntl`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Who may hold the lock beside us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Other readers.
    Shared,
    /// Nobody.
    Exclusive,
    /// Ends the lock.
    Unlock,
}

/// Whether to wait for a lock that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until it is free.
    Forever,
    /// Fail at once with `WouldBlock`.
    No,
}

/// A whole-file `flock` lock: belongs to the open file, survives other closes, ends with the last copy of the descriptor.
pub fn flock(file: &impl AsFd, mode: Mode, wait: Wait) -> io::Result<()> {
    let operation = match mode {
        Mode::Shared => libc::LOCK_SH,
        Mode::Exclusive => libc::LOCK_EX,
        Mode::Unlock => libc::LOCK_UN,
    } | if wait == Wait::No { libc::LOCK_NB } else { 0 };
    // SAFETY: plain system call on a descriptor that the borrow keeps open.
    retry(|| unsafe { libc::flock(file.as_fd().as_raw_fd(), operation) })
}

/// A whole-file POSIX record lock: belongs to the process, ends when the process closes the file through any descriptor.
pub fn fcntl(file: &impl AsFd, mode: Mode, wait: Wait) -> io::Result<()> {
    record_lock(file.as_fd(), mode, if wait == Wait::No { libc::F_SETLK } else { libc::F_SETLKW })
}

/// As [`fcntl`], but owned by the open file, so that two openers in one process exclude each other.
pub fn open_file(file: &impl AsFd, mode: Mode, wait: Wait) -> io::Result<()> {
    record_lock(file.as_fd(), mode, if wait == Wait::No { libc::F_OFD_SETLK } else { libc::F_OFD_SETLKW })
}

fn record_lock(fd: BorrowedFd<'_>, mode: Mode, command: libc::c_int) -> io::Result<()> {
    let kind = match mode {
        Mode::Shared => libc::F_RDLCK,
        Mode::Exclusive => libc::F_WRLCK,
        Mode::Unlock => libc::F_UNLCK,
    };
    let lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the kernel only reads the structure, which outlives the call.
    let result = retry(|| unsafe { libc::fcntl(fd.as_raw_fd(), command, &lock) });
    match result {
        // POSIX lets a busy lock be reported either way; callers test for one.
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => Err(io::ErrorKind::WouldBlock.into()),
        other => other,
    }
}

fn retry(mut call: impl FnMut() -> libc::c_int) -> io::Result<()> {
    loop {
        if call() != -1 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
