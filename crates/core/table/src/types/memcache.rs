//! `memcache:/file`, a memcached server, and behind it a table that keeps what the server forgets.
//!
//! A lookup asks the server first and then the backup table, whose answer the server is told; a change goes to both, and
//! what the backup table says about it counts. Without a backup table the server's answer is all there is, and nothing
//! can be listed.

use std::time::Duration;

use crate::client::{
    Digest, Endpoint, Exchange, Formats, Limits, Peer, PeerFailure, Settings, Template, Trouble,
};
use crate::error::Error;
use crate::flags::{Flags, Mode};
use crate::local::{Entry, LocalFuture, Owner, RemoteTable, Seek, Update};
use crate::open::{Backend, Opened, Opening, reason};
use crate::table::Table;
use crate::types::index::text;

/// The settings of a table, and what holds without them.
mod defaults {
    pub(super) const MEMCACHE: &str = "inet:localhost:11211";
    pub(super) const KEY_FORMAT: &str = "%s";
    pub(super) const TTL: i32 = 3600;
    pub(super) const TIMEOUT: i32 = 2;
    pub(super) const FLAGS: i32 = 0;
    pub(super) const MAX_TRY: i32 = 2;
    pub(super) const LINE_SIZE_LIMIT: i32 = 1024;
    pub(super) const DATA_SIZE_LIMIT: i32 = 10_240;
    pub(super) const RETRY_PAUSE: i32 = 1;
}

/// No time limit at all, in effect.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

struct Memcache {
    title: String,
    name: String,
    peer: Peer,
    formats: Formats,
    key_format: Template,
    key_digest: Option<Digest>,
    ttl: i32,
    flags: i32,
    max_try: i32,
    retry_pause: Duration,
    line_limit: usize,
    data_limit: usize,
    backup: Option<Table>,
    can_change: bool,
}

/// `memcache:/file`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    if opening.flags.contains(Flags::NO_UNAUTH) {
        return Err(format!("{} map is not allowed for security-sensitive data", opening.title()));
    }
    let settings = Settings::read(opening)?;
    let digest_name = settings.text("key_digest", "", ..)?;
    let format = settings.text("key_format", defaults::KEY_FORMAT, ..)?;
    let timeout = settings.seconds("timeout", defaults::TIMEOUT, ..)?;
    let limits = Limits { step: if timeout.is_zero() { FOREVER } else { timeout }, idle: None, age: None };
    let ttl = settings.number("ttl", defaults::TTL, ..)?;
    let flags = settings.number("flags", defaults::FLAGS, ..)?;
    let retry_pause = settings.seconds("retry_pause", defaults::RETRY_PAUSE, 1..)?;
    let max_try = settings.number("max_try", defaults::MAX_TRY, 1..)?;
    let size = |name, default| -> Result<usize, String> {
        Ok(usize::try_from(settings.number(name, default, 1..)?).unwrap_or_default())
    };
    let line_limit = size("line_size_limit", defaults::LINE_SIZE_LIMIT)?;
    let data_limit = size("data_size_limit", defaults::DATA_SIZE_LIMIT)?;
    let server = settings.text("memcache", defaults::MEMCACHE, ..)?;
    let peer = Peer::new(Endpoint::parse(&server, opening.env)?, limits);
    let backup = settings.optional_text("backup", ..)?;
    let backup = backup.map(|spec| open_backup(opening, &spec)).transpose()?;
    let mut formats = Formats::new(opening);
    let key_format = formats.query(&format)?;
    formats.read_domains(&settings, opening.env)?;
    let key_digest = Digest::by_name(&digest_name);
    if key_digest.is_none() && !digest_name.is_empty() {
        return Err(format!("open {}: key digest {digest_name} is not available", opening.name));
    }
    let table = Memcache {
        title: opening.title(),
        name: opening.name.to_owned(),
        peer,
        formats,
        key_format,
        key_digest,
        ttl,
        flags,
        max_try,
        retry_pause,
        line_limit,
        data_limit,
        backup,
        can_change: opening.mode != Mode::Read,
    };
    let backend = Backend::Remote(Box::new(table));
    Ok(Opened { backend, flags: Flags::FIXED | Flags::MULTI_WRITER, owner: Owner::UNKNOWN, folds: true })
}

/// The server's contents are never replaced as a whole, and so neither are those of the table behind it.
fn open_backup(opening: &Opening<'_>, spec: &str) -> Result<Table, String> {
    let mode = if opening.mode == Mode::Truncate { Mode::Create } else { opening.mode };
    Table::open_or(spec, opening.env, mode, opening.flags, opening.on_failure)
}

/// What came of one attempt.
enum Attempt<T> {
    Done(T),
    /// The server answered what it should not, as the text says.
    Odd(String),
}

/// What is done with a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Lookup,
    Update,
    Delete,
}

/// The server cannot be asked.
struct Unavailable;

impl Memcache {
    /// The key as the server has it; `None` where the server cannot have it, or nobody wants it to be asked.
    async fn server_key(&self, key: &[u8], operation: Operation) -> Result<Option<Vec<u8>>, Error> {
        let skip = |why: &str| {
            let (doing, is_loss) = match operation {
                Operation::Lookup => ("lookup", false),
                Operation::Update => ("update", true),
                Operation::Delete => ("delete", false),
            };
            let text = format!("{}: skipping {doing} for name \"{}\": {why}", self.name, bytes::show(key));
            if is_loss {
                log::warning!("{text}");
            } else {
                log::debug!("{text}");
            }
            Ok(None)
        };
        if key.is_empty() {
            return skip("empty lookup key");
        }
        if !self.formats.accepts(key).await? {
            return skip("domain mismatch");
        }
        let expanded = self.formats.key(key);
        let expanded =
            expanded.map(|key| self.key_format.expand(&key, |text, out| out.extend_from_slice(text)));
        let Some(mut expanded) = expanded.filter(|key| !key.is_empty()) else {
            return skip("empty lookup key expansion");
        };
        if let Some(digest) = self.key_digest {
            expanded = digest.hexadecimal(&expanded);
        }
        if expanded.iter().any(|&byte| byte <= b' ' || byte == 0x7f) {
            return skip("name contains space or controls");
        }
        Ok(Some(expanded))
    }

    /// Asks as often as `max_try` says, with pauses. As in Postfix the first failure is nothing to talk about, and a
    /// server that cannot be reached is not asked again.
    async fn attempt<T>(
        &self,
        mut request: impl AsyncFnMut(&mut Exchange) -> Result<Attempt<T>, Trouble>,
    ) -> Result<T, Unavailable> {
        for count in 0..self.max_try {
            if count > 0 {
                tokio::time::sleep(self.retry_pause).await;
            }
            let title = &self.title;
            let problem = match self.peer.ask(&mut request).await {
                Ok(Attempt::Done(answer)) => return Ok(answer),
                Ok(Attempt::Odd(text)) => text,
                Err(PeerFailure::Connect(error)) => {
                    log::warning!("connect to {}: {}", self.peer.endpoint().text(), reason(&error));
                    break;
                }
                Err(PeerFailure::Reply(Trouble::Closed | Trouble::TooLong)) => {
                    format!("database {title}: I/O error")
                }
                Err(PeerFailure::Reply(trouble)) => {
                    format!("database {title}: I/O error: {}", trouble.reason())
                }
            };
            if count > 0 {
                log::warning!("{problem}");
            }
        }
        Err(Unavailable)
    }

    async fn line(&self, exchange: &mut Exchange) -> Result<Vec<u8>, Trouble> {
        let mut line = exchange.line(self.line_limit).await?;
        if line.ends_with(b"\r") {
            line.pop();
        }
        Ok(text(line))
    }

    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Unavailable> {
        let request = [b"get ", key, b"\r\n"].concat();
        let found = self.attempt(async |exchange: &mut Exchange| {
            exchange.send(&request).await?;
            let line = self.line(exchange).await?;
            if line == b"END" {
                return Ok(Attempt::Done(None));
            }
            let Some(length) = value_length(&line).filter(|&length| length <= self.data_limit) else {
                exchange.spoil();
                let line = bytes::show_limited(&line, 30);
                return Ok(Attempt::Odd(format!("{}: unexpected memcache server reply: {line}", self.name)));
            };
            let Ok(Some(value)) = data(exchange, length).await else {
                exchange.spoil();
                return Ok(Attempt::Odd(format!("{}: EOF receiving memcache server reply", self.name)));
            };
            if !self.line(exchange).await.is_ok_and(|line| line == b"END") {
                exchange.spoil();
            }
            Ok(Attempt::Done(Some(text(value))))
        });
        found.await
    }

    /// Stores a value; whether it was stored.
    async fn set(&self, key: &[u8], value: &[u8]) -> Result<Update, Unavailable> {
        if value.len() > self.data_limit {
            let (title, key, limit) = (&self.title, bytes::show(key), self.data_limit);
            log::warning!(
                "database {title}: data for key {key} is too long (data_size_limit={limit}) -- not stored"
            );
            return Ok(Update::Kept);
        }
        let head = format!(" {} {} {}\r\n", self.flags, self.ttl, value.len());
        let request = [b"set ", key, head.as_bytes(), value, b"\r\n"].concat();
        let stored = self.attempt(async |exchange: &mut Exchange| {
            exchange.send(&request).await?;
            let line = self.line(exchange).await?;
            if line == b"STORED" {
                return Ok(Attempt::Done(Update::Stored));
            }
            exchange.spoil();
            let line = bytes::show_limited(&line, 100);
            Ok(Attempt::Odd(format!("database {}: update failed: {line}", self.title)))
        });
        stored.await
    }

    /// Removes a key; whether it was there.
    async fn remove(&self, key: &[u8]) -> Result<bool, Unavailable> {
        let request = [b"delete ", key, b"\r\n"].concat();
        let removed = self.attempt(async |exchange: &mut Exchange| {
            exchange.send(&request).await?;
            let line = self.line(exchange).await?;
            match line.as_slice() {
                b"DELETED" => return Ok(Attempt::Done(true)),
                b"NOT_FOUND" => return Ok(Attempt::Done(false)),
                _ => {}
            }
            exchange.spoil();
            let line = bytes::show_limited(&line, 30);
            Ok(Attempt::Odd(format!("database {}: delete failed: {line}", self.title)))
        });
        removed.await
    }

    fn answer<T>(&self, answer: Result<T, Unavailable>) -> Result<T, Error> {
        answer.map_err(|Unavailable| Error::retry(self.title.clone()))
    }
}

/// The length in `VALUE key flags length`.
fn value_length(line: &[u8]) -> Option<usize> {
    let mut words = line.strip_prefix(b"VALUE ")?.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    words.nth(2).and_then(bytes::decimal)
}

/// So much data, and the end of the line after it.
async fn data(exchange: &mut Exchange, length: usize) -> Result<Option<Vec<u8>>, Trouble> {
    let mut data = exchange.exactly(length + 2).await?;
    let is_whole = data.ends_with(b"\r\n");
    data.truncate(length);
    Ok(is_whole.then_some(data))
}

impl RemoteTable for Memcache {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let Some(server_key) = self.server_key(key, Operation::Lookup).await? else { return Ok(None) };
            let found = self.get(&server_key).await;
            let (None, Some(backup)) = (found.as_ref().ok().and_then(Option::as_ref), &self.backup) else {
                return self.answer(found);
            };
            let found = backup.lookup(key).await?;
            if let Some(value) = &found {
                // It will be known there next time, or not.
                self.set(&server_key, value).await.ok();
            }
            Ok(found)
        })
    }

    fn update<'a>(
        &'a self,
        key: &'a [u8],
        value: &'a [u8],
    ) -> Option<LocalFuture<'a, Result<Update, Error>>> {
        if !self.can_change {
            return None;
        }
        Some(Box::pin(async move {
            let Some(server_key) = self.server_key(key, Operation::Update).await? else {
                return Ok(Update::Kept);
            };
            let stored = self.set(&server_key, value).await;
            match &self.backup {
                Some(backup) => backup.update(key, value).await,
                None => self.answer(stored),
            }
        }))
    }

    fn delete<'a>(&'a self, key: &'a [u8]) -> Option<LocalFuture<'a, Result<bool, Error>>> {
        if !self.can_change {
            return None;
        }
        Some(Box::pin(async move {
            let Some(server_key) = self.server_key(key, Operation::Delete).await? else { return Ok(false) };
            let removed = self.remove(&server_key).await;
            match &self.backup {
                Some(backup) => backup.delete(key).await,
                None => self.answer(removed),
            }
        }))
    }

    fn sequence(&self, seek: Seek) -> Option<LocalFuture<'_, Result<Option<Entry>, Error>>> {
        Some(Box::pin(async move {
            match &self.backup {
                Some(backup) => backup.sequence(seek).await,
                None => {
                    log::warning!("database {}: first/next support requires backup database", self.title);
                    Ok(None)
                }
            }
        }))
    }
}
