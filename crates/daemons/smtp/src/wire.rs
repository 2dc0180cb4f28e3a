//! Bytes to and from a server: buffers, time limits, TLS.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::socket::MsgFlags;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

/// What a read asks for.
const READ_SIZE: usize = 4096;
/// What is collected before content is written.
pub(crate) const WRITE_SIZE: usize = 64 * 1024;

/// What saying goodbye may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Why a conversation cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The other side is gone.
    Lost,
    /// The other side is silent.
    TimedOut,
    /// We cannot go on.
    LocalData,
}

/// What carries the bytes.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    TlsTcp(Box<tls::ClientStream<TcpStream>>),
    TlsUnix(Box<tls::ClientStream<UnixStream>>),
    /// Between plain text and TLS, and after a failed handshake.
    Gone,
}

macro_rules! each {
    ($self:expr, $stream:ident => $call:expr, $gone:expr) => {
        match $self.get_mut() {
            Transport::Tcp($stream) => $call,
            Transport::Unix($stream) => $call,
            Transport::TlsTcp($stream) => $call,
            Transport::TlsUnix($stream) => $call,
            Transport::Gone => $gone,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf), Poll::Ready(Ok(())))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, data), Poll::Ready(Ok(0)))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx), Poll::Ready(Ok(())))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx), Poll::Ready(Ok(())))
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// Each read or write.
    Each(Duration),
    /// All of them together.
    All(Duration),
}

/// A line read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    Complete,
    /// Longer than the limit: the rest is lost.
    Cut,
}

/// A connection with its buffers.
#[derive(Debug)]
pub(crate) struct Wire {
    transport: Transport,
    input: Vec<u8>,
    start: usize,
    /// What is to be sent.
    pub(crate) out: Vec<u8>,
    limit: Duration,
    deadline: Option<Instant>,
    broken: bool,
}

impl Wire {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            transport,
            input: Vec::new(),
            start: 0,
            out: Vec::new(),
            limit: Duration::from_secs(300),
            deadline: None,
            broken: false,
        }
    }

    /// Sets the time limit for what follows.
    pub(crate) fn limit(&mut self, limit: Limit) {
        (self.limit, self.deadline) = match limit {
            Limit::Each(time) => (time, None),
            Limit::All(time) => (time, Some(Instant::now() + time)),
        };
    }

    /// Whether nothing can be sent any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken || matches!(self.transport, Transport::Gone)
    }

    /// Whether the server has said something that was not asked for.
    pub(crate) fn has_input(&self) -> bool {
        self.start < self.input.len()
    }

    /// Whether an idle connection has been closed, or spoken on, by the server.
    pub(crate) fn is_stale(&self) -> bool {
        let peek = |descriptor: RawFd| {
            let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
            nix::sys::socket::recv(descriptor, &mut [0], flags)
        };
        let silent = |seen: nix::Result<usize>| seen == Err(nix::Error::EAGAIN);
        // TLS has records that are no data.
        let open = |seen: nix::Result<usize>| silent(seen) || matches!(seen, Ok(1..));
        self.broken
            || !match &self.transport {
                Transport::Tcp(stream) => silent(peek(stream.as_raw_fd())),
                Transport::Unix(stream) => silent(peek(stream.as_raw_fd())),
                Transport::TlsTcp(stream) => open(peek(stream.get_ref().0.as_raw_fd())),
                Transport::TlsUnix(stream) => open(peek(stream.get_ref().0.as_raw_fd())),
                Transport::Gone => false,
            }
    }

    /// Gives memory back while nothing is said.
    pub(crate) fn rest(&mut self) {
        self.input = Vec::new();
        self.start = 0;
        self.out = Vec::new();
    }

    /// Sends what is in `out`. `minimum_rate` (bytes a second) stretches an overall limit.
    pub(crate) async fn flush_at(&mut self, minimum_rate: u64) -> Result<(), Broken> {
        let mut sent = 0;
        while sent < self.out.len() {
            let deadline = self.deadline.unwrap_or_else(|| Instant::now() + self.limit);
            let rest = self.out.get(sent..).unwrap_or_default();
            match timeout_at(deadline, self.transport.write(rest)).await {
                Ok(Ok(count)) if count > 0 => {
                    sent += count;
                    if let Some(deadline) = &mut self.deadline {
                        *deadline += Duration::from_millis(count as u64 * 1000 / minimum_rate.max(1));
                    }
                }
                Ok(_) => return self.fail(Broken::Lost),
                Err(_) => return self.fail(Broken::TimedOut),
            }
        }
        self.out.clear();
        if matches!(self.transport, Transport::TlsTcp(_) | Transport::TlsUnix(_)) {
            let deadline = self.deadline.unwrap_or_else(|| Instant::now() + self.limit);
            match timeout_at(deadline, self.transport.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return self.fail(Broken::Lost),
                Err(_) => return self.fail(Broken::TimedOut),
            }
        }
        Ok(())
    }

    /// Sends what is in `out`.
    pub(crate) async fn flush(&mut self) -> Result<(), Broken> {
        if self.out.is_empty() { Ok(()) } else { self.flush_at(u64::MAX).await }
    }

    /// Ends the connection in good order; with TLS that takes a word of its own.
    pub(crate) async fn close(&mut self) {
        if matches!(self.transport, Transport::TlsTcp(_) | Transport::TlsUnix(_)) && !self.broken {
            let deadline = Instant::now() + CLOSE_LIMIT;
            let _ended = timeout_at(deadline, self.transport.shutdown()).await;
        }
        self.transport = Transport::Gone;
    }

    /// Reads a line without its end into `line`, at most `most` bytes of it, after sending what is in `out`.
    pub(crate) async fn read_line(&mut self, line: &mut Vec<u8>, most: usize) -> Result<LineEnd, Broken> {
        self.flush().await?;
        line.clear();
        let mut end = LineEnd::Complete;
        loop {
            let rest = self.input.get(self.start..).unwrap_or_default();
            let found = bytes::memchr::memchr(b'\n', rest);
            let piece = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
            let room = most.saturating_sub(line.len());
            if piece.len() > room {
                end = LineEnd::Cut;
            }
            line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            self.start += piece.len();
            if found.is_some() {
                self.start += 1;
                while line.last() == Some(&b'\r') && end == LineEnd::Complete {
                    line.pop();
                }
                return Ok(end);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        if self.start >= self.input.len() {
            self.input.clear();
            self.start = 0;
        }
        self.input.reserve(READ_SIZE);
        let deadline = self.deadline.unwrap_or_else(|| Instant::now() + self.limit);
        match timeout_at(deadline, self.transport.read_buf(&mut self.input)).await {
            Ok(Ok(count)) if count > 0 => Ok(()),
            Ok(_) => self.fail(Broken::Lost),
            Err(_) => self.fail(Broken::TimedOut),
        }
    }

    fn fail(&mut self, how: Broken) -> Result<(), Broken> {
        self.broken = true;
        self.out.clear();
        Err(how)
    }

    /// After a write failed, what the server said before may still be read.
    pub(crate) fn listen_once_more(&mut self) {
        self.out.clear();
        self.broken = false;
    }

    /// Turns TLS on. Whatever was read in plain text is thrown away: it may come from somebody else.
    pub(crate) async fn start_tls(
        &mut self,
        client: &tls::Client,
        target: &tls::Target<'_>,
        time: Duration,
    ) -> Result<tls::Summary, Option<tls::Error>> {
        self.input.clear();
        self.start = 0;
        self.out.clear();
        let transport = std::mem::replace(&mut self.transport, Transport::Gone);
        let handshake = async {
            match transport {
                Transport::Tcp(stream) => {
                    let (stream, summary) = client.connect(stream, target).await?;
                    Ok((Transport::TlsTcp(Box::new(stream)), summary))
                }
                Transport::Unix(stream) => {
                    let (stream, summary) = client.connect(stream, target).await?;
                    Ok((Transport::TlsUnix(Box::new(stream)), summary))
                }
                Transport::TlsTcp(_) | Transport::TlsUnix(_) | Transport::Gone => Err(tls::Error::Lost),
            }
        };
        match tokio::time::timeout(time, handshake).await {
            Ok(Ok((transport, summary))) => {
                self.transport = transport;
                Ok(summary)
            }
            Ok(Err(error)) => Err(Some(error)),
            Err(_) => Err(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn lines_come_out_of_any_pieces() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut wire = Wire::new(Transport::Unix(ours));
        theirs.write_all(b"250-one\r\n250 t").await.unwrap();
        let mut line = Vec::new();
        assert_eq!(wire.read_line(&mut line, 100).await, Ok(LineEnd::Complete));
        assert_eq!(line, b"250-one");
        theirs.write_all(b"wo\nvery long line\n").await.unwrap();
        assert_eq!(wire.read_line(&mut line, 100).await, Ok(LineEnd::Complete));
        assert_eq!(line, b"250 two");
        assert_eq!(wire.read_line(&mut line, 4).await, Ok(LineEnd::Cut));
        assert_eq!(line, b"very");
        assert!(!wire.has_input() && !wire.is_stale());
        drop(theirs);
        assert!(wire.is_stale());
        assert_eq!(wire.read_line(&mut line, 4).await, Err(Broken::Lost));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn silence_is_limited() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut wire = Wire::new(Transport::Unix(ours));
        wire.limit(Limit::Each(Duration::from_millis(20)));
        assert_eq!(wire.read_line(&mut Vec::new(), 4).await, Err(Broken::TimedOut));
    }
}
