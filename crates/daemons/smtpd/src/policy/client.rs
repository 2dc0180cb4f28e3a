//! Connections to a policy server: kept open between requests, one for each request under way.

use super::Options;
use std::cell::RefCell;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;

/// So many requests are under way at once; more wait. A server that spawns a process for each is not to be flooded.
const PARALLEL: usize = 100;

/// An answer may not be longer.
const REPLY_LIMIT: usize = 64 * 1024;

trait Socket: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}

struct Open {
    socket: Box<dyn Socket>,
    since: Instant,
    used: Instant,
    requests: i64,
}

/// A policy server.
pub(crate) struct Client {
    pub(crate) options: Options,
    idle: RefCell<Vec<Open>>,
    turns: Semaphore,
}

impl Client {
    pub(crate) fn new(options: Options) -> Client {
        Client { options, idle: RefCell::default(), turns: Semaphore::new(PARALLEL) }
    }

    /// The action that the server wants; `None` when it gave no usable answer.
    pub(crate) async fn ask(&self, request: &[u8], resolver: &dns::Resolver) -> Option<Vec<u8>> {
        let _turn = self.turns.acquire().await.ok()?;
        let mut tries = 0;
        loop {
            let error =
                match tokio::time::timeout(self.options.timeout, self.attempt(request, resolver)).await {
                    Ok(Ok(action)) => return Some(action),
                    Ok(Err(error)) => error,
                    Err(_) => Error::new(ErrorKind::TimedOut, "Connection timed out"),
                };
            tries += 1;
            let is_usual = matches!(
                error.kind(),
                ErrorKind::BrokenPipe
                    | ErrorKind::NotFound
                    | ErrorKind::ConnectionReset
                    | ErrorKind::UnexpectedEof
            );
            if tries >= self.options.try_limit || !is_usual {
                log::warning!("problem talking to server {}: {}", self.endpoint(), why(&error));
            }
            if tries >= self.options.try_limit {
                return None;
            }
            tokio::time::sleep(self.options.retry_delay).await;
        }
    }

    /// The server as log lines name it.
    fn endpoint(&self) -> &str {
        let server = self.options.server.as_str();
        ["inet:", "unix:", "local:"].iter().find_map(|kind| server.strip_prefix(kind)).unwrap_or(server)
    }

    async fn attempt(&self, request: &[u8], resolver: &dns::Resolver) -> Result<Vec<u8>, Error> {
        let mut open = match self.reusable() {
            Some(open) => open,
            None => {
                let socket = self.connect(resolver).await.inspect_err(|error| {
                    log::warning!("connect to {}: {}", self.endpoint(), why(error));
                })?;
                Open { socket, since: Instant::now(), used: Instant::now(), requests: 0 }
            }
        };
        open.socket.write_all(request).await?;
        let action = self.receive(&mut open.socket).await?;
        open.requests += 1;
        open.used = Instant::now();
        let limit = self.options.request_limit;
        if limit == 0 || open.requests < limit {
            self.idle.borrow_mut().push(open);
        }
        Ok(action)
    }

    /// A connection from an earlier request that is still good.
    fn reusable(&self) -> Option<Open> {
        let mut idle = self.idle.borrow_mut();
        let options = &self.options;
        idle.retain(|open| open.since.elapsed() < options.max_ttl && open.used.elapsed() < options.max_idle);
        while let Some(mut open) = idle.pop() {
            let mut byte = [0; 1];
            let mut buffer = ReadBuf::new(&mut byte);
            // What is readable between requests is the end of the connection, or garbage.
            let context = &mut Context::from_waker(Waker::noop());
            if Pin::new(&mut open.socket).poll_read(context, &mut buffer).is_pending() {
                return Some(open);
            }
        }
        None
    }

    async fn connect(&self, resolver: &dns::Resolver) -> Result<Box<dyn Socket>, Error> {
        let server = self.options.server.as_str();
        if let Some(path) = server.strip_prefix("unix:").or_else(|| server.strip_prefix("local:")) {
            return Ok(Box::new(UnixStream::connect(path).await?));
        }
        let endpoint = server.strip_prefix("inet:").unwrap_or(server);
        let (host, port) = endpoint.rsplit_once(':').unwrap_or(("localhost", endpoint));
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = if host.is_empty() { "localhost" } else { host };
        let port: u16 = port.parse().map_err(|_| Error::new(ErrorKind::InvalidInput, "unknown service"))?;
        let addresses = resolver.native_addresses_of(host, dns::Family::Any).await.map_err(Error::other)?;
        let mut failure = Error::new(ErrorKind::NotFound, "host has no address");
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, port)).await {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    return Ok(Box::new(socket));
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn receive(&self, socket: &mut Box<dyn Socket>) -> Result<Vec<u8>, Error> {
        let mut reply = Vec::new();
        while !reply.ends_with(b"\n\n") && reply != b"\n" {
            if reply.len() > REPLY_LIMIT {
                return Err(Error::new(ErrorKind::InvalidData, "reply too long"));
            }
            if socket.read_buf(&mut reply).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let mut lines = reply.split(|&byte| byte == b'\n');
        lines.find_map(|line| line.strip_prefix(b"action=")).map(<[u8]>::to_vec).ok_or_else(|| {
            log::warning!("missing attribute action in input from {}", self.options.server);
            Error::new(ErrorKind::InvalidData, "no action")
        })
    }
}

/// An error in the words of Postfix, which has this one for a server that hangs up.
fn why(error: &Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "Application error".to_owned(),
        _ => conf::reason(error).to_string(),
    }
}
