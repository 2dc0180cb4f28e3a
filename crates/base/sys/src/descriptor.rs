//! File descriptors that arrive from, or go to, another process.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// Takes ownership of a descriptor that the parent process left open under a number both sides know.
///
/// Fails when the number is not open. Call it once for each number, early in `main`.
pub fn inherit(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the borrow ends with the call; F_GETFD on a closed number fails with EBADF and does no harm.
    let probe = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(probe, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: the number is open, and by the contract above nobody else in this process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Closes what a caller left open from this number on. For the first lines of a program, before it opens anything.
pub fn close_from(first: RawFd) -> io::Result<()> {
    let open: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number >= first)
        .collect();
    for number in open {
        // One of them was the directory just read.
        let _closed_already = nix::unistd::close(number);
    }
    Ok(())
}

/// Whether the descriptor number is open in this process.
pub fn is_open(number: RawFd) -> bool {
    // SAFETY: as in `inherit`.
    let probe = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(probe, FcntlArg::F_GETFD).is_ok()
}

/// Makes reads, writes and accepts on the descriptor return `WouldBlock` rather than wait.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Makes reads and writes on the descriptor wait.
pub fn set_blocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(())
}

/// How many bytes can be read from a pipe or socket right now.
pub fn readable_bytes(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: nix::libc::c_int = 0;
    // SAFETY: the kernel writes one int, to a place that outlives the call.
    let result = unsafe { nix::libc::ioctl(fd.as_raw_fd(), nix::libc::FIONREAD, &mut count) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Sends a descriptor over a Unix socket, with the single byte that Postfix sends beside it.
pub fn send(socket: BorrowedFd<'_>, passed: BorrowedFd<'_>) -> io::Result<()> {
    let passed = [passed.as_raw_fd()];
    let payload = [IoSlice::new(b"\0")];
    sendmsg::<()>(
        socket.as_raw_fd(),
        &payload,
        &[ControlMessage::ScmRights(&passed)],
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    Ok(())
}

/// Receives one descriptor from a Unix socket; end of file is `UnexpectedEof`.
pub fn receive(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut byte = [0u8; 1];
    let mut payload = [IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut payload, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control
            && let Some(&number) = numbers.first()
        {
            // SAFETY: the kernel has just installed this number for us and nobody else knows it.
            return Ok(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
    Err(io::Error::from(if message.bytes == 0 {
        io::ErrorKind::UnexpectedEof
    } else {
        io::ErrorKind::InvalidData
    }))
}
