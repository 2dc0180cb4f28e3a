//! A conversation over a socket: attribute lists in and out, raw bytes where a protocol has them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use sys::LocalSocket;
use tokio::net::UnixStream;

use crate::{Attrs, Error, Result};

/// The longest attribute name or value that is accepted from a peer.
const ATTRIBUTE_LIMIT: usize = 100_000;

/// The longest list that is accepted from a peer.
const LIST_LIMIT: usize = 1_000_000;

const READ_SIZE: usize = 4096;

/// Connects without waiting. A local connection stands at once, or the service's listen queue is full: `WouldBlock`.
pub(crate) fn connect_now(path: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket.into())
}

/// One end of a conversation with another program.
#[derive(Debug)]
pub struct Stream {
    socket: LocalSocket,
    input: Vec<u8>,
    used: usize,
    output: Vec<u8>,
    timeout: Duration,
}

impl Stream {
    /// Postfix's default for `ipc_timeout`.
    pub const TIMEOUT: Duration = Duration::from_secs(3600);

    /// Connects to a service. A listen queue that is full is waited for, a little.
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self> {
        let mut patience = 10;
        loop {
            match connect_now(path.as_ref()) {
                Ok(socket) => return Ok(Self::over(LocalSocket::new(socket)?)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && patience > 0 => {
                    patience -= 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A conversation over a connected socket.
    pub fn new(socket: UnixStream) -> Result<Self> {
        Ok(Self::over(LocalSocket::new(socket.into_std()?)?))
    }

    /// A conversation over a connected socket that does not block, and that the event loop does not know yet.
    pub fn over_socket(socket: std::os::unix::net::UnixStream) -> Result<Self> {
        Ok(Self::over(LocalSocket::new(socket)?))
    }

    fn over(socket: LocalSocket) -> Self {
        Self { socket, input: Vec::new(), used: 0, output: Vec::new(), timeout: Self::TIMEOUT }
    }

    /// Changes how long a single read or write may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sends the server's greeting. It leaves at once.
    pub async fn greet(&mut self, protocol: &'static str) -> Result<()> {
        self.send(&Attrs::new().str("protocol", protocol)).await
    }

    /// Receives a server's greeting.
    pub async fn expect_greeting(&mut self, protocol: &'static str) -> Result<()> {
        let greeting = self.receive().await?;
        let got = greeting.text("protocol")?;
        if got == protocol.as_bytes() {
            return Ok(());
        }
        Err(Error::Protocol { got: bytes::show(got).to_string(), expected: protocol })
    }

    /// Sends a list and everything queued before it.
    pub async fn send(&mut self, attrs: &Attrs) -> Result<()> {
        attrs.write_to(&mut self.output);
        self.flush().await
    }

    /// Queues a list for the next [`flush`](Self::flush) or [`send`](Self::send).
    pub fn queue(&mut self, attrs: &Attrs) {
        attrs.write_to(&mut self.output);
    }

    /// The bytes that wait to be sent; protocols with a raw part append to it.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Sends everything that is queued.
    pub async fn flush(&mut self) -> Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let sent = tokio::time::timeout(self.timeout, self.socket.write_all(&self.output)).await;
        self.output.clear();
        if self.output.capacity() > 16 * READ_SIZE {
            self.output = Vec::new();
        }
        sent.map_err(|_| Error::Timeout)?.map_err(Error::from)
    }

    /// Receives a list.
    pub async fn receive(&mut self) -> Result<Attrs> {
        loop {
            let pending = self.input.get(self.used..).unwrap_or_default();
            if pending.len() > LIST_LIMIT {
                return Err(Error::TooLong(LIST_LIMIT));
            }
            if let Some((attrs, used)) = Attrs::parse(pending, ATTRIBUTE_LIMIT)? {
                self.consume(used);
                return Ok(attrs);
            }
            if self.fill().await? == 0 {
                return Err(Error::Closed("unix".to_owned()));
            }
        }
    }

    /// Receives a list; `None` when the peer has closed the connection instead of sending one.
    pub async fn receive_or_end(&mut self) -> Result<Option<Attrs>> {
        if self.pending().is_empty() && self.fill().await? == 0 {
            return Ok(None);
        }
        self.receive().await.map(Some)
    }

    /// The bytes that have arrived and were not consumed yet.
    pub fn pending(&self) -> &[u8] {
        self.input.get(self.used..).unwrap_or_default()
    }

    /// Marks the first `count` pending bytes as dealt with.
    pub fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.input.len());
        if self.used == self.input.len() {
            self.input.clear();
            self.used = 0;
        }
    }

    /// Waits for more bytes; how many came, 0 at the end.
    pub async fn fill(&mut self) -> Result<usize> {
        self.fill_up_to(READ_SIZE).await
    }

    /// As [`fill`](Self::fill), with room for `size` bytes; for protocols that carry a message.
    pub async fn fill_up_to(&mut self, size: usize) -> Result<usize> {
        if self.used > 0 {
            self.input.drain(..self.used);
            self.used = 0;
        }
        self.input.reserve(size);
        tokio::time::timeout(self.timeout, self.socket.read_buf(&mut self.input))
            .await
            .map_err(|_| Error::Timeout)?
            .map_err(Error::from)
    }

    /// Waits until the peer closes the connection or sends something that nobody asked for.
    pub async fn closed(&mut self) {
        if self.pending().is_empty() {
            let _ended_or_failed = self.socket.readable().await;
        }
    }

    /// Whether the peer has said nothing since the last answer, nor closed the connection.
    pub fn is_quiet(&self) -> bool {
        self.pending().is_empty() && self.socket.is_quiet()
    }

    /// The socket itself, for descriptor passing.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
