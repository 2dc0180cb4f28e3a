//! The driver of a session: reads from and writes to the client.
//!
//! An idle client costs its session and its socket: there is no buffer, and what is rare is done in boxed futures that
//! exist only while they run.

use crate::input::{Input, Source};
use crate::server::Server;
use crate::session::{Loss, Next, Session};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout, timeout_at};

const SCRATCH_SIZE: usize = 64 * 1024;

thread_local! {
    /// Where all sessions of the process receive; only what arrived is kept with the session.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_SIZE].into_boxed_slice());
}

/// A client's socket.
pub enum Wire {
    /// As it came.
    Tcp(TcpStream),
    /// A local client.
    Unix(UnixStream),
    /// Encrypted.
    Tls(Box<tls::ServerStream<TcpStream>>),
    /// Between two states, or closed.
    Closed,
}

impl Wire {
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Wire::Tcp(socket) => Pin::new(socket).poll_read(context, buffer),
            Wire::Unix(socket) => Pin::new(socket).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            Wire::Closed => Poll::Ready(Ok(())),
        }
    }

    /// Adds to `input` what arrives; 0 at the end.
    async fn read(&mut self, input: &mut Input) -> io::Result<usize> {
        poll_fn(|context| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(self.poll_read(context, &mut buffer))?;
                input.extend(buffer.filled());
                Poll::Ready(Ok(buffer.filled().len()))
            })
        })
        .await
    }

    async fn write(&mut self, output: &[u8]) -> io::Result<()> {
        match self {
            Wire::Tcp(socket) => socket.write_all(output).await,
            Wire::Unix(socket) => socket.write_all(output).await,
            Wire::Tls(stream) => {
                stream.write_all(output).await?;
                stream.flush().await
            }
            Wire::Closed => Ok(()),
        }
    }

    /// Says goodbye where the protocol has a word for it.
    async fn close(&mut self) {
        let closed = match self {
            Wire::Tls(stream) => poll_fn(|context| Pin::new(stream.as_mut()).poll_shutdown(context)).await,
            Wire::Tcp(_) | Wire::Unix(_) | Wire::Closed => Ok(()),
        };
        if let Err(error) = closed {
            log::debug!("close: {error}");
        }
        *self = Wire::Closed;
    }
}

impl Source for Wire {
    fn arrived(&mut self, input: &mut Input) {
        let received = SCRATCH.with_borrow_mut(|scratch| match self {
            // Ask the kernel, not the event loop, which may not have heard of it yet.
            Wire::Tcp(socket) => {
                receive_now(socket.as_raw_fd(), scratch).map(|count| scratch[..count].to_vec())
            }
            Wire::Unix(socket) => {
                receive_now(socket.as_raw_fd(), scratch).map(|count| scratch[..count].to_vec())
            }
            Wire::Tls(_) | Wire::Closed => {
                let mut buffer = ReadBuf::new(scratch);
                match self.poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer) {
                    Poll::Ready(Ok(())) => Some(buffer.filled().to_vec()),
                    Poll::Ready(Err(_)) | Poll::Pending => None,
                }
            }
        });
        if let Some(received) = received {
            input.extend(&received);
        }
    }
}

fn receive_now(socket: i32, buffer: &mut [u8]) -> Option<usize> {
    nix::sys::socket::recv(socket, buffer, nix::sys::socket::MsgFlags::MSG_DONTWAIT).ok()
}

/// A session with its socket.
pub struct Conversation {
    server: Rc<Server>,
    tls: Option<tls::Server>,
    wire: Wire,
    session: Box<Session>,
    input: Input,
    /// With `smtpd_per_request_deadline`: when the client must have finished what it is saying.
    deadline: Option<Instant>,
}

impl Conversation {
    /// A conversation about to begin.
    #[must_use]
    pub fn new(
        server: Rc<Server>,
        tls: Option<tls::Server>,
        wire: Wire,
        session: Box<Session>,
    ) -> Conversation {
        Conversation { server, tls, wire, session, input: Input::default(), deadline: None }
    }

    /// Talks until one side has had enough.
    pub async fn run(mut self) {
        Box::pin(self.session.authorize()).await;
        loop {
            // Boxed, so that a session that waits for its client does not carry the state of all commands.
            let next = Box::pin(self.session.advance(&mut self.input, &mut self.wire)).await;
            if let Err(loss) = self.send().await {
                Box::pin(self.session.lost(loss)).await;
                break;
            }
            match next {
                Next::Read => {
                    if let Err(loss) = self.receive().await {
                        Box::pin(self.session.lost(loss)).await;
                        if loss == Loss::Timeout {
                            let sent = self.send().await;
                            log::debug!("{}: timeout: {sent:?}", self.session.namaddr());
                        }
                        break;
                    }
                }
                Next::Flush => {}
                Next::StartTls => {
                    if Box::pin(self.start_tls()).await.is_err() {
                        Box::pin(self.session.tls_failed()).await;
                        break;
                    }
                }
                Next::Close => break,
            }
        }
        Box::pin(async move {
            self.wire.close().await;
            self.session.finish(&self.input).await;
        })
        .await;
    }

    async fn send(&mut self) -> Result<(), Loss> {
        let output = std::mem::take(self.session.output());
        if output.is_empty() {
            return Ok(());
        }
        let limit = self.server.settings.smtpd_timeout;
        self.session.touch();
        match timeout(limit, self.wire.write(&output)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Loss::Connection),
            Err(_) => Err(Loss::Timeout),
        }
    }

    async fn receive(&mut self) -> Result<(), Loss> {
        let limit = self.server.settings.smtpd_timeout;
        let read = if self.server.settings.smtpd_per_request_deadline {
            let deadline = self.deadline(limit);
            timeout_at(deadline, self.wire.read(&mut self.input)).await
        } else {
            timeout(limit, self.wire.read(&mut self.input)).await
        };
        self.session.touch();
        match read {
            Ok(Ok(0)) | Ok(Err(_)) => Err(Loss::Connection),
            Ok(Ok(count)) => {
                self.extend_deadline(count, limit);
                Ok(())
            }
            Err(_) => Err(Loss::Timeout),
        }
    }

    /// The deadline of the request that the client is in the middle of, or of the next one.
    fn deadline(&mut self, limit: Duration) -> Instant {
        match self.deadline {
            Some(deadline) if !self.session.begins_request() => deadline,
            _ => *self.deadline.insert(Instant::now() + limit),
        }
    }

    /// Content earns time, at `smtpd_min_data_rate`.
    fn extend_deadline(&mut self, count: usize, limit: Duration) {
        let rate = self.server.settings.smtpd_min_data_rate.max(1);
        if let Some(deadline) = self.deadline.filter(|_| self.session.is_in_content()) {
            let earned = Duration::from_secs_f64(count as f64 / rate as f64);
            self.deadline = Some((deadline + earned).min(Instant::now() + limit));
        }
    }

    fn tls_log(&self) -> tls::LogMask {
        let is_required = self.server.tls.required && self.server.settings.smtpd_tls_req_ccert;
        let mask = self.server.tls_log;
        if is_required { mask.with(tls::LogMask::UNTRUSTED) } else { mask }
    }

    async fn start_tls(&mut self) -> Result<(), Loss> {
        // Nothing that was sent in the clear may count later.
        self.input.clear();
        let (Some(server), Wire::Tcp(socket)) =
            (self.tls.clone(), std::mem::replace(&mut self.wire, Wire::Closed))
        else {
            return Err(Loss::Connection);
        };
        let limit = self.server.settings.smtpd_starttls_timeout;
        let namaddr = self.session.namaddr().to_owned();
        match timeout(limit, server.accept(socket)).await {
            Ok(Ok((stream, summary))) => {
                summary.log(self.tls_log(), &namaddr);
                self.wire = Wire::Tls(Box::new(stream));
                self.session.tls_started(summary).await;
                Ok(())
            }
            Ok(Err(error)) => {
                error.log(tls::Role::Server, &namaddr);
                Err(Loss::Connection)
            }
            Err(_) => {
                log::info!("SSL_accept error from {namaddr}: Connection timed out");
                Err(Loss::Connection)
            }
        }
    }
}
