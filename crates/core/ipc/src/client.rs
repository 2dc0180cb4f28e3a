//! A client's connection to a service that answers requests one by one.

use std::time::{Duration, Instant};

use crate::{Attrs, Result, Stream};

/// Keeps a connection to a service open between requests, and opens it anew when the server has gone.
#[derive(Debug)]
pub struct Client {
    path: String,
    protocol: Option<&'static str>,
    timeout: Duration,
    ttl: Duration,
    open: Option<(Stream, Instant)>,
}

impl Client {
    /// A client of the socket `path`; `protocol` is the greeting to expect, if the service greets.
    pub fn new(path: impl Into<String>, protocol: Option<&'static str>) -> Self {
        Self {
            path: path.into(),
            protocol,
            timeout: Stream::TIMEOUT,
            ttl: Duration::from_secs(1000),
            open: None,
        }
    }

    /// Changes how long a read or write may take, and how long a connection may live (`ipc_timeout`, `ipc_ttl`).
    #[must_use]
    pub fn limits(mut self, timeout: Duration, ttl: Duration) -> Self {
        (self.timeout, self.ttl) = (timeout, ttl);
        self
    }

    /// Sends a request and receives its reply.
    ///
    /// When the connection turns out to be stale, the request is made once more over a new one: services that are
    /// asked this way must not mind.
    pub async fn request(&mut self, request: &Attrs) -> Result<Attrs> {
        if let Some((stream, opened)) = self.open.take()
            && opened.elapsed() < self.ttl
            && let Ok(reply) = self.attempt(stream, opened, request).await
        {
            return Ok(reply);
        }
        let mut stream = Stream::connect(&self.path).await?;
        stream.set_timeout(self.timeout);
        if let Some(protocol) = self.protocol {
            stream.expect_greeting(protocol).await?;
        }
        self.attempt(stream, Instant::now(), request).await
    }

    /// Closes the connection; the next request opens another.
    pub fn close(&mut self) {
        self.open = None;
    }

    async fn attempt(&mut self, mut stream: Stream, opened: Instant, request: &Attrs) -> Result<Attrs> {
        stream.send(request).await?;
        let reply = stream.receive().await?;
        self.open = Some((stream, opened));
        Ok(reply)
    }
}
