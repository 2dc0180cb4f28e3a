//! Requests to tlsmgr(8): random seeds, session ticket keys, cached TLS sessions.

use std::fmt;

use crate::{Attrs, Client, Error, Result, Stream};

/// The greeting.
pub const PROTOCOL: &str = "tlsmgr_protocol";

/// How many bytes name a ticket key.
pub const NAME_SIZE: usize = 16;

const BITS_SIZE: usize = 32;
const HMAC_SIZE: usize = 32;
const KEY_SIZE: usize = NAME_SIZE + BITS_SIZE + HMAC_SIZE + 8;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As wanted.
    Ok,
    /// There is no such session or key.
    NotFound,
    /// The request makes no sense, or that kind of session is not cached.
    Fail,
}

impl Status {
    /// The number that travels.
    pub fn code(self) -> i32 {
        match self {
            Self::Ok => 0,
            Self::NotFound => -1,
            Self::Fail => -2,
        }
    }

    fn from_attrs(attrs: &Attrs) -> Result<Self> {
        Ok(match attrs.int32("status")? {
            0 => Self::Ok,
            -1 => Self::NotFound,
            _ => Self::Fail,
        })
    }
}

/// Whose sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// The SMTP server's.
    Smtpd,
    /// The SMTP client's.
    Smtp,
    /// The LMTP client's.
    Lmtp,
}

impl Cache {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Smtpd, Self::Smtp, Self::Lmtp];

    /// As it travels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtpd => "smtpd",
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
        }
    }

    /// The inverse of [`name`](Self::name).
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|cache| cache.name().as_bytes() == name)
    }
}

/// A key for session tickets (RFC 5077).
#[derive(Clone, PartialEq, Eq)]
pub struct TicketKey {
    /// Is part of each ticket.
    pub name: [u8; NAME_SIZE],
    /// For encryption.
    pub bits: [u8; BITS_SIZE],
    /// For authentication.
    pub hmac: [u8; HMAC_SIZE],
    /// From this time on, in Unix seconds, no tickets are made with it; as long again those made before are good.
    pub expires: i64,
}

impl TicketKey {
    /// As it travels: the bytes of a C structure.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.name[..], &self.bits, &self.hmac, &self.expires.to_ne_bytes()].concat()
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(data: &[u8]) -> Option<Self> {
        if data.len() != KEY_SIZE {
            return None;
        }
        let (name, rest) = data.split_first_chunk()?;
        let (bits, rest) = rest.split_first_chunk()?;
        let (hmac, rest) = rest.split_first_chunk()?;
        let (expires, _) = rest.split_first_chunk()?;
        Some(Self { name: *name, bits: *bits, hmac: *hmac, expires: i64::from_ne_bytes(*expires) })
    }
}

/// Without the secret parts.
impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKey")
            .field("name", &self.name)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A request. Caches travel by name, which may be one that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// So many random bytes.
    Seed(i32),
    /// Are these sessions cached, and for how long?
    Policy(Vec<u8>),
    /// Look a session up.
    Lookup {
        /// In this cache.
        cache: Vec<u8>,
        /// Under this name.
        id: Vec<u8>,
    },
    /// Keep a session.
    Update {
        /// In this cache.
        cache: Vec<u8>,
        /// Under this name.
        id: Vec<u8>,
        /// The session, in the TLS library's form.
        session: Vec<u8>,
    },
    /// Forget a session.
    Delete {
        /// In this cache.
        cache: Vec<u8>,
        /// Under this name.
        id: Vec<u8>,
    },
    /// The key of that name, or without a name the one for new tickets.
    TicketKey(Vec<u8>),
}

impl Request {
    /// The word for the kind of request.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Seed(_) => "seed",
            Self::Policy(_) => "policy",
            Self::Lookup { .. } => "lookup",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::TicketKey(_) => "tktkey",
        }
    }

    /// As it travels.
    pub fn to_attrs(&self) -> Attrs {
        let attrs = Attrs::new().str("request", self.name());
        match self {
            Self::Seed(size) => attrs.int("size", *size),
            Self::Policy(cache) => attrs.str("cache_type", cache),
            Self::Lookup { cache, id } | Self::Delete { cache, id } => {
                attrs.str("cache_type", cache).str("cache_id", id)
            }
            Self::Update { cache, id, session } => {
                attrs.str("cache_type", cache).str("cache_id", id).data("session", session)
            }
            Self::TicketKey(name) => attrs.data("keyname", name),
        }
    }

    /// From the wire.
    pub fn from_attrs(attrs: &Attrs) -> Result<Self> {
        let text = |name| attrs.text(name).map(<[u8]>::to_vec);
        Ok(match attrs.text("request")? {
            b"seed" => Self::Seed(attrs.int32("size")?),
            b"policy" => Self::Policy(text("cache_type")?),
            b"lookup" => Self::Lookup { cache: text("cache_type")?, id: text("cache_id")? },
            b"update" => Self::Update {
                cache: text("cache_type")?,
                id: text("cache_id")?,
                session: attrs.decoded("session")?,
            },
            b"delete" => Self::Delete { cache: text("cache_type")?, id: text("cache_id")? },
            b"tktkey" => Self::TicketKey(attrs.decoded("keyname")?),
            _ => return Err(Error::Malformed("request")),
        })
    }
}

/// A reply; one for each kind of request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Request::Seed`].
    Seed(Status, Vec<u8>),
    /// To [`Request::Policy`].
    Policy {
        /// Whether the cache is known.
        status: Status,
        /// Whether it is in use.
        is_cached: bool,
        /// How long sessions are good, in seconds.
        timeout: i64,
    },
    /// To [`Request::Lookup`].
    Session(Status, Vec<u8>),
    /// To [`Request::TicketKey`]; the bytes of a key.
    TicketKey(Status, Vec<u8>),
    /// To the others, and to what is no request.
    Done(Status),
}

impl Reply {
    /// As it travels.
    pub fn to_attrs(&self) -> Attrs {
        let status = |status: &Status| Attrs::new().int("status", status.code());
        match self {
            Self::Seed(outcome, seed) => status(outcome).data("seed", seed),
            Self::Policy { status: outcome, is_cached, timeout } => {
                status(outcome).int("cachable", i32::from(*is_cached)).int("timeout", *timeout)
            }
            Self::Session(outcome, session) => status(outcome).data("session", session),
            Self::TicketKey(outcome, key) => status(outcome).data("keybuf", key),
            Self::Done(outcome) => status(outcome),
        }
    }
}

/// A program's connection to tlsmgr(8).
#[derive(Debug)]
pub struct Manager(Client);

impl Manager {
    /// Over the socket `path`, usually `private/tlsmgr`.
    pub fn new(path: impl Into<String>) -> Self {
        Self(Client::new(path, Some(PROTOCOL)))
    }

    /// Changes how long a read or write may take, and how long a connection may live (`ipc_timeout`, `ipc_ttl`).
    #[must_use]
    pub fn limits(self, timeout: std::time::Duration, ttl: std::time::Duration) -> Self {
        Self(self.0.limits(timeout, ttl))
    }

    /// Random bytes, at most 255.
    pub async fn seed(&mut self, size: u8) -> Result<Vec<u8>> {
        let reply = self.ask(&Request::Seed(size.into())).await?;
        found(&reply, "seed")?.ok_or(Error::Malformed("status"))
    }

    /// How long sessions of that kind are kept, in seconds, if they are.
    pub async fn policy(&mut self, cache: Cache) -> Result<Option<i64>> {
        let reply = self.ask(&Request::Policy(cache.name().into())).await?;
        let is_cached = Status::from_attrs(&reply)? == Status::Ok && reply.int32("cachable")? != 0;
        let timeout = reply.number("timeout")?;
        Ok(is_cached.then_some(timeout))
    }

    /// A session, if it is there.
    pub async fn lookup(&mut self, cache: Cache, id: &[u8]) -> Result<Option<Vec<u8>>> {
        let request = Request::Lookup { cache: cache.name().into(), id: id.to_vec() };
        found(&self.ask(&request).await?, "session")
    }

    /// Keeps a session.
    pub async fn update(&mut self, cache: Cache, id: &[u8], session: &[u8]) -> Result<Status> {
        let (cache, id, session) = (cache.name().into(), id.to_vec(), session.to_vec());
        Status::from_attrs(&self.ask(&Request::Update { cache, id, session }).await?)
    }

    /// Forgets a session.
    pub async fn delete(&mut self, cache: Cache, id: &[u8]) -> Result<Status> {
        Status::from_attrs(&self.ask(&Request::Delete { cache: cache.name().into(), id: id.to_vec() }).await?)
    }

    /// The key for new tickets, if tickets are in use.
    pub async fn current_key(&mut self) -> Result<Option<TicketKey>> {
        self.key(Vec::new()).await
    }

    /// The key of a ticket, if it is still good.
    pub async fn key_of(&mut self, name: [u8; NAME_SIZE]) -> Result<Option<TicketKey>> {
        self.key(name.to_vec()).await
    }

    async fn key(&mut self, name: Vec<u8>) -> Result<Option<TicketKey>> {
        let reply = self.ask(&Request::TicketKey(name)).await?;
        let Some(data) = found(&reply, "keybuf")? else { return Ok(None) };
        TicketKey::from_bytes(&data).map(Some).ok_or(Error::Malformed("keybuf"))
    }

    async fn ask(&mut self, request: &Request) -> Result<Attrs> {
        self.0.request(&request.to_attrs()).await
    }
}

fn found(reply: &Attrs, what: &'static str) -> Result<Option<Vec<u8>>> {
    match Status::from_attrs(reply)? {
        Status::Ok => reply.decoded(what).map(Some),
        _ => Ok(None),
    }
}

/// Receives a request; `None` at the end, and for master's wakeup, which does not speak the protocol.
pub async fn receive(stream: &mut Stream) -> Result<Option<Attrs>> {
    if stream.pending().is_empty() && stream.fill().await? == 0 {
        return Ok(None);
    }
    if matches!(stream.pending(), [crate::trigger::WAKEUP] | [crate::trigger::WAKEUP, 0]) {
        return Ok(None);
    }
    stream.receive().await.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        let (cache, id) = (b"smtpd".to_vec(), b"id".to_vec());
        for request in [
            Request::Seed(32),
            Request::Policy(cache.clone()),
            Request::Lookup { cache: cache.clone(), id: id.clone() },
            Request::Update { cache: cache.clone(), id: id.clone(), session: b"\0\xff".to_vec() },
            Request::Delete { cache, id },
            Request::TicketKey(Vec::new()),
            Request::TicketKey(vec![0; NAME_SIZE]),
        ] {
            assert_eq!(Request::from_attrs(&request.to_attrs()).unwrap(), request);
        }
        assert!(Request::from_attrs(&Attrs::new().str("request", "x")).is_err());
    }

    #[test]
    fn keys_are_postfixs_structure() {
        let key = TicketKey { name: [1; 16], bits: [2; 32], hmac: [3; 32], expires: 1_600_000_000 };
        let data = key.to_bytes();
        assert_eq!((data.len(), data.get(16), data.get(79)), (88, Some(&2), Some(&3)));
        assert_eq!(TicketKey::from_bytes(&data), Some(key.clone()));
        assert_eq!(TicketKey::from_bytes(data.get(1..).unwrap()), None);
        assert!(!format!("{key:?}").contains("[2, 2"));
    }
}
