//! Starting processes with chosen descriptors, leaving the terminal, the process group and parents.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What a child process gets beyond its command line.
#[derive(Default)]
pub struct Descriptors<'a> {
    pairs: Vec<(BorrowedFd<'a>, RawFd)>,
}

impl<'a> Descriptors<'a> {
    /// Leaves `fd` open in the child under `number`.
    pub fn give(&mut self, fd: BorrowedFd<'a>, number: RawFd) {
        self.pairs.push((fd, number));
    }

    /// Arranges for `command` to be started with these descriptors.
    ///
    /// The numbers must be above 2 and differ. Sources that lie in the range of the targets are moved away first, so any
    /// order works. The borrowed descriptors must stay open until `spawn` returns.
    pub fn apply(self, command: &mut Command) {
        let pairs: Vec<(RawFd, RawFd)> =
            self.pairs.iter().map(|(fd, number)| (fd.as_raw_fd(), *number)).collect();
        let above = pairs.iter().map(|(_, number)| *number).max().unwrap_or(2) + 1;
        let mut moved: Vec<RawFd> = Vec::with_capacity(pairs.len());
        // SAFETY: between fork and exec only fcntl, dup2 and close run, which are async-signal-safe; `moved` has its
        // capacity already and does not allocate.
        unsafe {
            command.pre_exec(move || {
                moved.clear();
                for (source, _) in &pairs {
                    let copy = libc::fcntl(*source, libc::F_DUPFD, above);
                    if copy == -1 {
                        return Err(io::Error::last_os_error());
                    }
                    moved.push(copy);
                }
                for ((_, target), copy) in pairs.iter().zip(&moved) {
                    if libc::dup2(*copy, *target) == -1 {
                        return Err(io::Error::last_os_error());
                    }
                    libc::close(*copy);
                }
                Ok(())
            });
        }
    }
}

/// Arranges for the child to lead a process group of its own, so that it and its children can be signalled as one.
pub fn own_group(command: &mut Command) {
    command.process_group(0);
}

/// The parent continues with the child's id, the child with `None`. Call it only while the process has one thread.
pub fn fork() -> io::Result<Option<i32>> {
    // SAFETY: by the contract above the child is a whole copy of the process, not of one of its threads.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(Some(child.as_raw())),
        nix::unistd::ForkResult::Child => Ok(None),
    }
}

/// Arranges for `command`'s child to run `step` after the fork and before the exec.
///
/// `step` must restrict itself to system calls: no allocation, no locks.
pub fn before_exec(command: &mut Command, step: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: the contract above is pre_exec's own.
    unsafe {
        command.pre_exec(step);
    }
}

/// Arranges for the child to start with no signal blocked, whatever is blocked here: an exec keeps the mask.
pub fn unblock_signals(command: &mut Command) {
    before_exec(command, || Ok(nix::sys::signal::SigSet::empty().thread_set_mask()?));
}

/// Sends `signal` to a process, or to a process group when `pid` is negative; 0 tests whether it exists.
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: plain system call.
    if unsafe { libc::kill(pid, signal) } == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Restores a signal's default action and lets it through; programs that we start must not inherit our choices.
pub fn default_signal(signal: i32) {
    // SAFETY: SIG_DFL is a valid disposition for every signal that can be changed; others fail without effect.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
    }
}

/// Ignores a signal from here on.
pub fn ignore_signal(signal: i32) {
    // SAFETY: SIG_IGN is a valid disposition for every signal that can be changed; others fail without effect.
    unsafe {
        libc::signal(signal, libc::SIG_IGN);
    }
}
