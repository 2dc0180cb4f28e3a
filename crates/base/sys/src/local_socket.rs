//! A connected Unix socket on the event loop, for conversations in which we mostly wait for the other side.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A Unix stream socket that is watched for input only.
///
/// The event loop's own socket type is watched for both directions. On Unix sockets that wakes the process whenever the
/// other side has read what we sent, which nobody waits for: one needless context switch a message, in each direction.
/// Here the socket is watched for room only while there is none.
#[derive(Debug)]
pub struct LocalSocket(AsyncFd<UnixStream>);

impl LocalSocket {
    /// Takes over a socket that does not block. Must be called on the event loop.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        // SAFETY: the socket owns its descriptor and has the same one until it is dropped, which is after the
        // registration is.
        Ok(Self(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?))
    }

    /// Waits for input and appends it to `buffer`, up to its spare capacity; how much came, 0 at the end.
    pub async fn read_buf(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let room = buffer.spare_capacity_mut().len();
        loop {
            let mut ready = self.0.readable().await?;
            let spare = buffer.spare_capacity_mut();
            // SAFETY: the kernel writes at most as many bytes as there are spare ones, all of which may be written.
            let count = unsafe { libc::recv(self.0.as_raw_fd(), spare.as_mut_ptr().cast(), spare.len(), 0) };
            let Ok(count) = usize::try_from(count) else {
                let error = io::Error::last_os_error();
                match error.kind() {
                    io::ErrorKind::WouldBlock => ready.clear_ready(),
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                }
                continue;
            };
            // SAFETY: so many of the spare bytes are initialised now.
            unsafe { buffer.set_len(buffer.len() + count) };
            // What came fitted: there is no more for now, and the loop will say when there is.
            if count > 0 && count < room {
                ready.clear_ready();
            }
            return Ok(count);
        }
    }

    /// Sends everything.
    pub async fn write_all(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            // SAFETY: the kernel reads at most as many bytes as there are.
            let count = unsafe {
                libc::send(self.0.as_raw_fd(), data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL)
            };
            match usize::try_from(count) {
                Ok(count) => data = data.get(count..).unwrap_or_default(),
                Err(_) => {
                    let error = io::Error::last_os_error();
                    match error.kind() {
                        io::ErrorKind::WouldBlock => self.has_room().await?,
                        io::ErrorKind::Interrupted => {}
                        _ => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }

    /// Waits until there is input, or the end of it.
    pub async fn readable(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            // After a read that filled its buffer the event loop does not know.
            if !self.is_quiet() {
                return Ok(());
            }
            ready.clear_ready();
        }
    }

    /// Whether there is neither input nor the end of it.
    pub fn is_quiet(&self) -> bool {
        let mut byte = 0_u8;
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        // SAFETY: the kernel writes at most the one byte.
        let count = unsafe { libc::recv(self.0.as_raw_fd(), (&raw mut byte).cast(), 1, flags) };
        count < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
    }

    // A second registration, of a copy of the descriptor, for as long as it takes.
    async fn has_room(&self) -> io::Result<()> {
        let copy = self.0.get_ref().try_clone()?;
        // SAFETY: as in `new`.
        let watched = unsafe { AsyncFd::register_with_interest(copy, Interest::WRITABLE) }?;
        let _room = watched.writable().await?;
        Ok(())
    }
}

impl AsFd for LocalSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

/// A Unix stream socket that clients come to.
///
/// What it gives out is not registered with the event loop, so that a [`LocalSocket`] can be made of it at once.
#[derive(Debug)]
pub struct LocalListener(AsyncFd<UnixListener>);

impl LocalListener {
    /// Takes over a listening socket that does not block. Must be called on the event loop.
    pub fn new(socket: UnixListener) -> io::Result<Self> {
        // SAFETY: as in `LocalSocket::new`.
        Ok(Self(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?))
    }

    /// The next client; its socket does not block.
    pub fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(context))?;
            let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            // SAFETY: without an address to write there is nothing for the kernel to write to.
            let client = unsafe {
                libc::accept4(self.0.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), flags)
            };
            if client >= 0 {
                // SAFETY: the descriptor is new and nobody else's.
                return Poll::Ready(Ok(unsafe { UnixStream::from_raw_fd(client) }));
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::WouldBlock => ready.clear_ready(),
                io::ErrorKind::Interrupted => {}
                _ => return Poll::Ready(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_kernel_holds_gets_through() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (near, far) = UnixStream::pair().unwrap();
            for socket in [&near, &far] {
                socket.set_nonblocking(true).unwrap();
            }
            let (near, far) = (LocalSocket::new(near).unwrap(), LocalSocket::new(far).unwrap());
            let data = vec![7; 3_000_000];
            let mut received = Vec::new();
            let receive = async {
                loop {
                    received.reserve(65_536);
                    if far.read_buf(&mut received).await.unwrap() == 0 {
                        return;
                    }
                }
            };
            let send = async move {
                near.write_all(&data).await.unwrap();
                drop(near);
            };
            tokio::join!(send, receive);
            assert_eq!(received.len(), 3_000_000);
        });
    }
}
