//! A connection: one request at a time, within limits of time and length.

use std::time::Duration;

use database_link::{Link, Secure, link};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::ber::{self, SEQUENCE};
use crate::code::Code;
use crate::message::{self, Credentials, Response};
use crate::search::{Found, Search};

/// The longest answer to one search.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// An open connection.
pub(crate) struct Connection {
    link: Link,
    /// What was received and not yet used, after so many bytes that were.
    input: Vec<u8>,
    used: usize,
    /// The number of the last request.
    id: u32,
    /// How long a request may take.
    limit: Duration,
    /// Whether a request failed in a way after which nobody knows what comes next.
    is_lost: bool,
}

/// How a search ended.
pub(crate) struct Outcome {
    pub(crate) code: Code,
    pub(crate) found: Found,
}

impl Connection {
    pub(crate) fn new(link: Link, limit: Duration) -> Self {
        Self { link, input: Vec::new(), used: 0, id: 0, limit, is_lost: false }
    }

    /// Whether the connection is of no use any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Encrypts the connection.
    pub(crate) async fn start_tls(mut self, secure: &Secure, host: &str) -> Result<Self, Code> {
        let id = self.next_id();
        self.ask(message::start_tls(id), id).await?;
        if !self.waiting().is_empty() {
            // Nobody who speaks before the keys are agreed on can be believed.
            return Err(Code::CONNECT_ERROR);
        }
        self.encrypt(secure, host).await
    }

    /// Encrypts a connection whose server expects that.
    pub(crate) async fn encrypt(self, secure: &Secure, host: &str) -> Result<Self, Code> {
        let limit = self.limit;
        // What is below is part of what replaces it.
        let (link, id) = self.into_link();
        match timeout(limit, secure.wrap(link, host)).await {
            Ok(Ok(link)) => {
                let mut encrypted = Self::new(link, limit);
                encrypted.id = id;
                Ok(encrypted)
            }
            Ok(Err(why)) => {
                log::debug!("dict_ldap_connect: TLS with {host}: {why}");
                Err(Code::CONNECT_ERROR)
            }
            Err(_) => Err(Code::TIMED_OUT),
        }
    }

    /// Says who we are.
    pub(crate) async fn bind(
        &mut self,
        version: u32,
        name: &[u8],
        credentials: Credentials<'_>,
    ) -> Result<(), Code> {
        let id = self.next_id();
        self.ask(message::bind(id, version, name, credentials), id).await
    }

    /// Searches.
    pub(crate) async fn search(&mut self, search: &Search) -> Result<Outcome, Code> {
        let id = self.next_id();
        let request = message::search(id, search)?;
        let mut found = Found::default();
        let limit = self.limit;
        let work = async {
            self.send(&request).await?;
            let mut received = 0;
            loop {
                let (response, length) = self.receive(id).await?;
                received += length;
                if received > ANSWER_LIMIT {
                    return Err(Code::DECODING_ERROR);
                }
                match response {
                    Response::Entry(entry) => found.entries.push(entry),
                    Response::Reference(urls) => found.elsewhere.push(urls),
                    Response::Done { code, referral } => {
                        if code == Code::REFERRAL {
                            found.elsewhere.push(referral);
                        }
                        return Ok(code);
                    }
                    Response::Other => {}
                }
            }
        };
        let code = timeout(limit, work).await.unwrap_or(Err(Code::TIMED_OUT));
        self.note(code).map(|code| Outcome { code, found })
    }

    /// A request that has one response.
    async fn ask(&mut self, request: Vec<u8>, id: u32) -> Result<(), Code> {
        let limit = self.limit;
        let work = async {
            self.send(&request).await?;
            loop {
                if let (Response::Done { code, .. }, _) = self.receive(id).await? {
                    return Ok(code);
                }
            }
        };
        let code = timeout(limit, work).await.unwrap_or(Err(Code::TIMED_OUT));
        match self.note(code)? {
            Code::SUCCESS => Ok(()),
            code => Err(code),
        }
    }

    fn note(&mut self, code: Result<Code, Code>) -> Result<Code, Code> {
        self.is_lost |= code.is_err_and(Code::is_lost);
        code
    }

    fn next_id(&mut self) -> u32 {
        self.id = if self.id < i32::MAX as u32 { self.id + 1 } else { 1 };
        self.id
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), Code> {
        let sent = async {
            self.link.write_all(request).await?;
            self.link.flush().await
        };
        sent.await.map_err(|_| Code::SERVER_DOWN)
    }

    /// The next response to a request, and its length.
    async fn receive(&mut self, id: u32) -> Result<(Response, usize), Code> {
        let message = self.message().await?;
        let (of, response) = message::read(&message).map_err(|_| Code::DECODING_ERROR)?;
        match u32::try_from(of) {
            // It is about to end the connection.
            Ok(0) => Err(Code::SERVER_DOWN),
            Ok(of) if of == id => Ok((response, message.len())),
            _ => Err(Code::DECODING_ERROR),
        }
    }

    /// The contents of the next message.
    async fn message(&mut self) -> Result<Vec<u8>, Code> {
        loop {
            let waiting = self.waiting();
            if let Some((head, length)) = ber::head(waiting).map_err(|_| Code::DECODING_ERROR)? {
                if waiting.first() != Some(&SEQUENCE) || length > ANSWER_LIMIT {
                    return Err(Code::DECODING_ERROR);
                }
                if let Some(contents) = waiting.get(head..head + length).map(<[u8]>::to_vec) {
                    self.used += head + length;
                    return Ok(contents);
                }
            }
            self.input.drain(..self.used);
            self.used = 0;
            self.input.reserve(4096);
            match self.link.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return Err(Code::SERVER_DOWN),
                Ok(_) => {}
            }
        }
    }

    fn waiting(&self) -> &[u8] {
        self.input.get(self.used..).unwrap_or_default()
    }

    fn into_link(mut self) -> (Link, u32) {
        let nothing: Link = Box::pin(tokio::io::join(tokio::io::empty(), tokio::io::sink()));
        (std::mem::replace(&mut self.link, nothing), self.id)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.is_lost {
            let id = self.next_id();
            link::part(&mut self.link, &message::unbind(id));
        }
    }
}
