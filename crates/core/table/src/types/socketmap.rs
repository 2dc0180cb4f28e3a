//! `socketmap:inet:host:port:name` and `socketmap:unix:/path:name`, tables behind Sendmail's protocol.
//!
//! A request is `NAME KEY`, a reply `OK VALUE`, `NOTFOUND`, `TEMP REASON`, `TIMEOUT REASON` or `PERM REASON`, each of
//! them a netstring. Tables of the same server share their connections.

use std::rc::Rc;
use std::time::Duration;

use crate::client::{Endpoint, Exchange, Limits, Peer, PeerFailure, Trouble};
use crate::env::Env;
use crate::error::Error;
use crate::flags::Flags;
use crate::local::{LocalFuture, Owner, RemoteTable};
use crate::open::{Backend, Opened, Opening, reason};

/// How long it may take to connect, to send a request, and to receive a reply; how long a connection may be idle, and how
/// old it may become.
const LIMITS: Limits = Limits {
    step: Duration::from_secs(100),
    idle: Some(Duration::from_secs(10)),
    age: Some(Duration::from_secs(100)),
};
/// What is shown of a server's reason in the log.
const SHOWN: usize = 200;

struct Socketmap {
    title: String,
    /// The name of the table on the server.
    map: String,
    peer: Rc<Peer>,
    longest_reply: usize,
}

/// `socketmap:transport:address:name`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    if opening.flags.contains(Flags::NO_UNAUTH) {
        return Err(format!("{} map is not allowed for security-sensitive data", opening.title()));
    }
    let Some((server, map)) = opening.name.rsplit_once(':') else {
        return Err("socketmap requires server:socketmap argument".to_owned());
    };
    let table = Socketmap {
        title: opening.title(),
        map: map.to_owned(),
        peer: peer(opening.env, server)?,
        longest_reply: opening.env.socketmap_max_reply_size,
    };
    let backend = Backend::Remote(Box::new(table));
    Ok(Opened { backend, flags: Flags::PATTERN, owner: Owner::UNKNOWN, folds: true })
}

/// The connections to a server, which all its tables share.
fn peer(env: &Rc<Env>, server: &str) -> Result<Rc<Peer>, String> {
    let mut peers = env.registry.socketmaps.borrow_mut();
    if let Some(peer) = peers.get(server).and_then(std::rc::Weak::upgrade) {
        return Ok(peer);
    }
    let peer = Rc::new(Peer::new(Endpoint::parse(server, env)?, LIMITS));
    peers.retain(|_, peer| peer.strong_count() > 0);
    peers.insert(server.to_owned(), Rc::downgrade(&peer));
    Ok(peer)
}

/// What went wrong with a netstring.
enum Fault {
    Trouble(Trouble),
    Format,
}

impl Socketmap {
    async fn ask(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let text = [self.map.as_bytes(), b" ", key].concat();
        let request = [format!("{}:", text.len()).as_bytes(), &text, b","].concat();
        let mut is_first = true;
        let why = loop {
            let reply = self.peer.ask(async |exchange: &mut Exchange| {
                exchange.send(&request).await?;
                match netstring(exchange, self.longest_reply).await {
                    Ok(reply) => Ok(Some(reply)),
                    Err(Fault::Format) => {
                        exchange.spoil();
                        Ok(None)
                    }
                    Err(Fault::Trouble(trouble)) => Err(trouble),
                }
            });
            break match reply.await {
                Ok(Some(reply)) => return self.judge(&reply),
                Ok(None) => "input format error".to_owned(),
                Err(PeerFailure::Connect(error)) => {
                    log::warning!("connect to {}: {}", self.peer.endpoint().text(), reason(&error));
                    reason(&error)
                }
                // Servers that are started anew go unnoticed.
                Err(PeerFailure::Reply(Trouble::Closed | Trouble::Broken(_))) if is_first => {
                    is_first = false;
                    self.peer.disconnect();
                    continue;
                }
                Err(PeerFailure::Reply(Trouble::Closed | Trouble::Broken(_))) => {
                    "unexpected disconnect".to_owned()
                }
                Err(PeerFailure::Reply(Trouble::TimedOut)) => "time limit exceeded".to_owned(),
                Err(PeerFailure::Reply(Trouble::TooLong)) => "input exceeds size limit".to_owned(),
            };
        };
        log::warning!("table {} lookup error: {why}", self.title);
        Err(Error::retry(self.title.clone()))
    }

    fn judge(&self, reply: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let reply = reply.split(|&byte| byte == 0).next().unwrap_or_default();
        let (verb, text) = bytes::split_once(reply, b' ').unwrap_or((reply, b""));
        let title = self.title.clone();
        let (class, error) = match verb {
            b"OK" => return Ok(Some(text.to_vec())),
            b"NOTFOUND" => return Ok(None),
            b"TEMP" => ("temporary", Error::retry(title)),
            b"TIMEOUT" => ("timeout", Error::retry(title)),
            b"PERM" => ("permanent", Error::config(title)),
            _ => ("unknown", Error::retry(title)),
        };
        let text = bytes::printable(bytes::trim_start(text), b'?');
        let separator = if text.is_empty() { "" } else { ": " };
        let shown = bytes::show_limited(&text, SHOWN);
        log::warning!("{} socketmap server {class} error{separator}{shown}", self.title);
        Err(error)
    }
}

impl RemoteTable for Socketmap {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(self.ask(key))
    }
}

/// Receives `length:text,`.
async fn netstring(exchange: &mut Exchange, limit: usize) -> Result<Vec<u8>, Fault> {
    let mut length = 0_usize;
    loop {
        let byte = exchange.byte().await?;
        if byte == b':' {
            break;
        }
        let digit = char::from(byte).to_digit(10).ok_or(Fault::Format)?;
        let next = length.checked_mul(10).and_then(|length| length.checked_add(digit as usize));
        length = next.filter(|&length| isize::try_from(length).is_ok()).ok_or(Trouble::TooLong)?;
    }
    if length > limit {
        return Err(Trouble::TooLong.into());
    }
    let text = exchange.exactly(length).await?;
    if exchange.byte().await? != b',' {
        return Err(Fault::Format);
    }
    Ok(text)
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}
