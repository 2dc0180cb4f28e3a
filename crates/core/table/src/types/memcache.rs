//! `memcache:/file`, a memcached server, and behind it a table that keeps what the server forgets.
//!
//! A lookup asks the server first and then the backup table, whose answer the server is told; a change goes to both, and
//! what the backup table says about it counts. Without a backup table the server's answer is all there is, and nothing
//! can be listed.

use crate::client::{Attempt, Exchange, KeyForm, Operation, Retries, Settings, Trouble, Unavailable};
use crate::error::Error;
use crate::flags::{Flags, Mode};
use crate::local::{Entry, LocalFuture, Owner, RemoteTable, Seek, Update};
use crate::open::{Backend, Opened, Opening};
use crate::table::Table;
use crate::types::index::text;

/// What holds without a setting.
mod defaults {
    pub(super) const MEMCACHE: &str = "inet:localhost:11211";
    pub(super) const TTL: i32 = 3600;
    pub(super) const FLAGS: i32 = 0;
    pub(super) const LINE_SIZE_LIMIT: i32 = 1024;
    pub(super) const DATA_SIZE_LIMIT: i32 = 10_240;
}

struct Memcache {
    title: String,
    name: String,
    server: Retries,
    keys: KeyForm,
    ttl: i32,
    flags: i32,
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
    let ttl = settings.number("ttl", defaults::TTL, ..)?;
    let flags = settings.number("flags", defaults::FLAGS, ..)?;
    let size = |name, default| -> Result<usize, String> {
        Ok(usize::try_from(settings.number(name, default, 1..)?).unwrap_or_default())
    };
    let line_limit = size("line_size_limit", defaults::LINE_SIZE_LIMIT)?;
    let data_limit = size("data_size_limit", defaults::DATA_SIZE_LIMIT)?;
    let server = settings.text("memcache", defaults::MEMCACHE, ..)?;
    let server = Retries::read(opening, &settings, &server)?;
    let backup = settings.optional_text("backup", ..)?;
    let backup = backup.map(|spec| open_backup(opening, &spec)).transpose()?;
    let keys = KeyForm::read(opening, &settings)?;
    let table = Memcache {
        title: opening.title(),
        name: opening.name.to_owned(),
        server,
        keys,
        ttl,
        flags,
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

impl Memcache {
    /// The key as the server has it; `None` where it cannot have it.
    async fn server_key(&self, key: &[u8], operation: Operation) -> Result<Option<Vec<u8>>, Error> {
        let server_key = self.keys.make(key, operation).await?;
        let is_good = |key: &Vec<u8>| key.iter().all(|&byte| byte > b' ' && byte != 0x7f);
        if server_key.as_ref().is_some_and(|key| !is_good(key)) {
            self.keys.log_skipped(key, operation, "name contains space or controls");
            return Ok(None);
        }
        Ok(server_key)
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
        let found = self.server.run(async |exchange: &mut Exchange| {
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
        let stored = self.server.run(async |exchange: &mut Exchange| {
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
        let removed = self.server.run(async |exchange: &mut Exchange| {
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
