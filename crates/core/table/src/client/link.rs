//! A connection to a server, with limits on time and length.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

/// A connection, of either kind.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Whether the server has ended the connection, or said what nobody asked for, while it was idle.
    pub(crate) fn is_stale(&self) -> bool {
        let mut byte = [0];
        let read = match self {
            Self::Tcp(stream) => stream.try_read(&mut byte),
            Self::Unix(stream) => stream.try_read(&mut byte),
        };
        !read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Why a request could not be made or its reply not be read.
#[derive(Debug)]
pub enum Trouble {
    /// The server ended the connection.
    Closed,
    /// It took too long.
    TimedOut,
    /// The reply is longer than it may be.
    TooLong,
    /// The connection is broken.
    Broken(io::Error),
}

impl Trouble {
    /// What `strerror(3)` says in this case.
    pub fn reason(&self) -> String {
        match self {
            Self::Closed | Self::TooLong => crate::NO_ERROR.to_owned(),
            Self::TimedOut => crate::open::reason(&io::Error::from_raw_os_error(nix::libc::ETIMEDOUT)),
            Self::Broken(error) => crate::open::reason(error),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Broken(error),
        }
    }
}

/// A connection in use: one request, one reply.
///
/// All of a request must be sent in the time that there is, and all of its reply received: a server that sends byte
/// after byte gains nothing.
#[derive(Debug)]
pub(crate) struct Conversation {
    stream: Stream,
    /// What was received and not yet used, after so many bytes that were.
    input: Vec<u8>,
    used: usize,
    /// Whether the server has said anything.
    heard: bool,
    /// How long a request or a reply may take.
    limit: Duration,
    /// When the present reply must be there.
    deadline: Instant,
}

impl Conversation {
    pub(crate) fn new(stream: Stream, limit: Duration) -> Self {
        let deadline = Instant::now() + limit;
        Self { stream, input: Vec::new(), used: 0, heard: false, limit, deadline }
    }

    /// The connection, for the next conversation, unless there is something left over of this one.
    pub(crate) fn into_stream(self) -> Option<Stream> {
        self.waiting().is_empty().then_some(self.stream)
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), Trouble> {
        let deadline = Instant::now() + self.limit;
        match timeout_at(deadline, self.stream.write_all(request)).await {
            Ok(written) => written?,
            Err(_) => return Err(Trouble::TimedOut),
        }
        self.deadline = Instant::now() + self.limit;
        Ok(())
    }

    /// Whether the server has said anything so far.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard
    }

    /// A line without its end; the limit includes the end.
    pub(crate) async fn line(&mut self, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut looked = 0;
        loop {
            let fresh = self.waiting().get(looked..).unwrap_or_default();
            let end = bytes::memchr::memchr(b'\n', fresh).map(|at| looked + at);
            looked = end.unwrap_or(self.waiting().len());
            if looked >= limit {
                return Err(Trouble::TooLong);
            }
            if end.is_some() {
                let line = self.waiting().get(..looked).unwrap_or_default().to_vec();
                self.used += looked + 1;
                return Ok(line);
            }
            self.receive().await?;
        }
    }

    /// A byte.
    pub(crate) async fn byte(&mut self) -> Result<u8, Trouble> {
        loop {
            if let Some(&byte) = self.waiting().first() {
                self.used += 1;
                return Ok(byte);
            }
            self.receive().await?;
        }
    }

    /// So many bytes. The caller has made sure that they are not too many.
    pub(crate) async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Trouble> {
        loop {
            if let Some(bytes) = self.waiting().get(..count).map(<[u8]>::to_vec) {
                self.used += count;
                return Ok(bytes);
            }
            self.receive().await?;
        }
    }

    fn waiting(&self) -> &[u8] {
        self.input.get(self.used..).unwrap_or_default()
    }

    async fn receive(&mut self) -> Result<(), Trouble> {
        self.input.drain(..self.used);
        self.used = 0;
        self.input.reserve(4096);
        let read = self.stream.read_buf(&mut self.input);
        match timeout_at(self.deadline, read).await {
            Ok(Ok(0)) => Err(Trouble::Closed),
            Ok(Ok(_)) => {
                self.heard = true;
                Ok(())
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Trouble::TimedOut),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, buffer),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
