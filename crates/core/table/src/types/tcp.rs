//! `tcp:host:port`, tables behind Postfix's line protocol.
//!
//! A request is `get KEY`, a reply `200 VALUE`, `400 REASON` or `500 REASON`, each one line. What is not printable, white
//! space and `%` are written as `%XX`.
//!
//! COMPAT: a server that does not answer is asked ten times in all, with a pause between, as Postfix does. Only a
//! connection that the server has closed while nobody used it is replaced at once and without a word.

use std::time::Duration;

use crate::client::{Endpoint, Exchange, Limits, Peer, PeerFailure, Trouble};
use crate::error::Error;
use crate::flags::Flags;
use crate::local::{LocalFuture, Owner, RemoteTable};
use crate::open::{Backend, Opened, Opening};

/// How often a request is made before the table counts as unavailable.
const MAX_TRY: u32 = 10;
/// How long to wait before a request is made again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long it may take to connect, to send a request, and to receive a reply.
const LIMITS: Limits = Limits { step: Duration::from_secs(100), idle: None, age: None };
/// The longest reply, with the end of the line.
const LONGEST_REPLY: usize = 4096;
/// What is shown of a reply in the log.
const SHOWN: usize = 100;

struct Tcp {
    title: String,
    name: String,
    peer: Peer,
    limits: Patience,
}

/// How often and how fast a request is repeated.
#[derive(Clone, Copy)]
struct Patience {
    max_try: u32,
    pause: Duration,
}

/// `tcp:host:port`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    if opening.flags.contains(Flags::NO_UNAUTH) {
        return Err(format!("{} map is not allowed for security sensitive data", opening.title()));
    }
    opening.require_read()?;
    let endpoint = Endpoint::inet(opening.name, opening.env)?;
    let patience = Patience { max_try: MAX_TRY, pause: PAUSE };
    let table = Tcp::new(opening, Peer::new(endpoint, LIMITS), patience);
    let backend = Backend::Remote(Box::new(table));
    Ok(Opened { backend, flags: Flags::PATTERN, owner: Owner::UNKNOWN, folds: true })
}

/// What a server can say about a key.
enum Reply {
    Found(Vec<u8>),
    NotFound,
    Later,
    Malformed,
}

impl Tcp {
    fn new(opening: &Opening<'_>, peer: Peer, limits: Patience) -> Self {
        Self { title: opening.title(), name: opening.name.to_owned(), peer, limits }
    }

    async fn ask(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let request = [b"get ".as_slice(), &quote(key), b"\n"].concat();
        for attempt in 0..self.limits.max_try {
            if attempt > 0 {
                tokio::time::sleep(self.limits.pause).await;
            }
            let reply = self.peer.ask(async |exchange: &mut Exchange| {
                exchange.send(&request).await?;
                let line = exchange.line(LONGEST_REPLY).await?;
                let reply = self.parse(&line);
                if matches!(reply, Reply::Later | Reply::Malformed) {
                    exchange.spoil();
                }
                Ok(reply)
            });
            let name = &self.name;
            match reply.await {
                Ok(Reply::Found(value)) => return Ok(Some(value)),
                Ok(Reply::NotFound) => return Ok(None),
                Ok(Reply::Later | Reply::Malformed) => break,
                Err(PeerFailure::Connect(error)) => {
                    log::warning!("connect to TCP map {name}: {}", crate::open::reason(&error));
                }
                Err(PeerFailure::Reply(Trouble::TooLong)) => {
                    log::warning!("read TCP map reply from {name}: text longer than {LONGEST_REPLY}");
                }
                Err(PeerFailure::Reply(trouble)) => {
                    log::warning!("read TCP map reply from {name}: unexpected EOF ({})", trouble.reason());
                }
            }
        }
        Err(Error::retry(self.title.clone()))
    }

    fn parse(&self, line: &[u8]) -> Reply {
        let line = until_nul(line);
        log::debug!("dict_tcp_lookup: recv: {}", bytes::show(line));
        let malformed = |what: &str| {
            let shown = bytes::printable(line, b'_');
            log::warning!(
                "read TCP map reply from {}: {what}: {}",
                self.name,
                bytes::show_limited(&shown, SHOWN)
            );
            Reply::Malformed
        };
        let (Some([code @ .., blank]), Some(text)) = (line.get(..4), line.get(4..)) else {
            return malformed("malformed reply");
        };
        if !code.iter().all(u8::is_ascii_digit) || !bytes::is_space(*blank) {
            return malformed("malformed reply");
        }
        let Some(text) = unquote(text) else { return malformed("malformed reply") };
        match code.first() {
            Some(b'2') => Reply::Found(until_nul(&text).to_vec()),
            Some(b'4') => Reply::Later,
            Some(b'5') => Reply::NotFound,
            _ => malformed("bad status code"),
        }
    }
}

impl RemoteTable for Tcp {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(self.ask(key))
    }
}

/// What C sees of a text.
fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn quote(text: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len());
    for &byte in text {
        if byte.is_ascii_graphic() && byte != b'%' {
            quoted.push(byte);
        } else {
            quoted.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    quoted
}

/// The text without its quoting; `None` where that is wrong.
fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            plain.push(high << 4 | low);
        } else {
            plain.push(byte);
        }
    }
    Some(plain)
}
