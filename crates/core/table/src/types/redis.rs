//! `redis:/file`, a Redis or Valkey server: lookups and caches that several mail servers share. Postfix has no such type.
//!
//! A key is a key of the server, its value a string there. Keys and values travel with their lengths, so that no text can
//! be taken for a command. The password is sent and never logged.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::client::{
    Attempt, Exchange, KeyForm, Operation, Reply, Retries, Settings, Trouble, Unavailable, command, receive,
};
use crate::error::Error;
use crate::flags::{Flags, Mode};
use crate::local::{Entry, LocalFuture, Owner, RemoteTable, Seek, Update};
use crate::open::{Backend, Opened, Opening};
use crate::types::index::text;

/// What holds without a setting.
mod defaults {
    pub(super) const REDIS: &str = "inet:localhost:6379";
    pub(super) const DATABASE: i32 = 0;
    pub(super) const TTL: i32 = 0;
    pub(super) const DATA_SIZE_LIMIT: i32 = 102_400;
}

/// The longest key that is listed.
const LONGEST_KEY: usize = 65_536;
/// How many keys the server looks at for one step of a list.
const SCANNED: &[u8] = b"100";
/// What is shown of an error in the log.
const SHOWN: usize = 100;

struct Redis {
    title: String,
    server: Retries,
    keys: KeyForm,
    /// The words that a connection begins with: who we are, and which of the server's databases is meant.
    login: Vec<Vec<Vec<u8>>>,
    ttl: i32,
    data_limit: usize,
    flags: Flags,
    can_change: bool,
    walk: RefCell<Walk>,
}

/// A list of all entries in progress.
#[derive(Default)]
struct Walk {
    /// Where the server goes on; nothing when it has come to the end.
    cursor: Option<Vec<u8>>,
    entries: VecDeque<Entry>,
}

/// `redis:/file`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    if opening.flags.contains(Flags::NO_UNAUTH) {
        return Err(format!("{} map is not allowed for security-sensitive data", opening.title()));
    }
    let settings = Settings::read(opening)?;
    let server = settings.text("redis", defaults::REDIS, ..)?;
    let user = settings.optional_text("user", ..)?;
    let password = settings.optional_text("password", ..)?;
    let database = settings.number("database", defaults::DATABASE, 0..)?;
    let data_limit = settings.number("data_size_limit", defaults::DATA_SIZE_LIMIT, 1..)?;
    let mut login = Vec::new();
    if let Some(password) = password {
        let words = [Some("AUTH".to_owned()), user, Some(password)].into_iter().flatten();
        login.push(words.map(String::into_bytes).collect());
    } else if user.is_some() {
        return Err(format!("{}: user without password", opening.name));
    }
    if database != defaults::DATABASE {
        login.push(vec![b"SELECT".to_vec(), database.to_string().into_bytes()]);
    }
    let table = Redis {
        title: opening.title(),
        server: Retries::read(opening, &settings, &server)?,
        keys: KeyForm::read(opening, &settings)?,
        login,
        ttl: settings.number("ttl", defaults::TTL, 0..)?,
        data_limit: usize::try_from(data_limit).unwrap_or_default(),
        flags: opening.flags,
        can_change: opening.mode != Mode::Read,
        walk: RefCell::default(),
    };
    let backend = Backend::Remote(Box::new(table));
    Ok(Opened { backend, flags: Flags::FIXED | Flags::MULTI_WRITER, owner: Owner::UNKNOWN, folds: true })
}

impl Redis {
    /// Makes a request; the reply is not an error.
    async fn ask(&self, words: &[&[u8]], limit: usize) -> Result<Reply, Error> {
        let request = command(words);
        let reply = self.server.run(async |exchange: &mut Exchange| {
            if exchange.is_new()
                && let Some(problem) = self.log_in(exchange).await?
            {
                return Ok(Attempt::Odd(problem));
            }
            exchange.send(&request).await?;
            let reply = receive(exchange, limit).await?;
            Ok(match self.problem(&reply) {
                Some(problem) => Attempt::Odd(problem),
                None => Attempt::Done(reply),
            })
        });
        reply.await.map_err(|Unavailable| self.failed())
    }

    /// Begins a connection. What is wrong with it, if something is.
    async fn log_in(&self, exchange: &mut Exchange) -> Result<Option<String>, Trouble> {
        for words in &self.login {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            exchange.send(&command(&words)).await?;
            let name = words.first().copied().map(bytes::show);
            let why = match receive(exchange, self.data_limit).await? {
                Reply::State(_) => continue,
                // The first word says enough. The rest may repeat what was sent.
                Reply::Error(text) => text.split(|&byte| byte == b' ').next().unwrap_or_default().to_vec(),
                _ => b"unexpected reply".to_vec(),
            };
            exchange.spoil();
            let (title, why) = (&self.title, bytes::show_limited(&why, SHOWN));
            return Ok(name.map(|name| format!("database {title}: {name} failed: {why}")));
        }
        Ok(None)
    }

    fn problem(&self, reply: &Reply) -> Option<String> {
        let title = &self.title;
        match reply {
            Reply::Error(text) => {
                Some(format!("database {title}: server error: {}", bytes::show_limited(text, SHOWN)))
            }
            Reply::Nonsense => Some(format!("database {title}: unexpected server reply")),
            _ => None,
        }
    }

    fn failed(&self) -> Error {
        Error::retry(self.title.clone())
    }

    fn unexpected(&self) -> Error {
        log::warning!("database {}: unexpected server reply", self.title);
        self.failed()
    }

    async fn set(&self, key: &[u8], server_key: &[u8], value: &[u8]) -> Result<Update, Error> {
        if value.len() > self.data_limit {
            let (title, key, limit) = (&self.title, bytes::show(key), self.data_limit);
            log::warning!(
                "database {title}: data for key {key} is too long (data_size_limit={limit}) -- not stored"
            );
            return Ok(Update::Kept);
        }
        let ttl = self.ttl.to_string();
        let mut words: Vec<&[u8]> = vec![b"SET", server_key, value];
        if self.ttl > 0 {
            words.extend([b"EX".as_slice(), ttl.as_bytes()]);
        }
        if !self.flags.contains(Flags::DUP_REPLACE) {
            words.push(b"NX");
        }
        match self.ask(&words, self.data_limit).await? {
            Reply::State(_) => Ok(Update::Stored),
            Reply::Text(None) => self.duplicate(key),
            _ => Err(self.unexpected()),
        }
    }

    fn duplicate(&self, key: &[u8]) -> Result<Update, Error> {
        let text = format!("{}: duplicate entry: \"{}\"", self.title, bytes::show(key));
        if self.flags.contains(Flags::DUP_WARN) {
            log::warning!("{text}");
        } else if !self.flags.contains(Flags::DUP_IGNORE) {
            return Err(Error::Fault(text));
        }
        Ok(Update::Kept)
    }

    /// The next step of a list: some keys, and their values.
    async fn scan(&self, cursor: &[u8], before: &[u8], after: &[u8]) -> Result<Walk, Error> {
        let pattern = [quote_pattern(before), b"*".to_vec(), quote_pattern(after)].concat();
        let words: [&[u8]; 6] = [b"SCAN", cursor, b"MATCH", &pattern, b"COUNT", SCANNED];
        let Reply::List(mut answer) = self.ask(&words, LONGEST_KEY).await? else {
            return Err(self.unexpected());
        };
        let (Some(Reply::List(keys)), Some(Reply::Text(Some(cursor)))) = (answer.pop(), answer.pop()) else {
            return Err(self.unexpected());
        };
        let keys: Vec<Vec<u8>> = keys
            .into_iter()
            .filter_map(|key| match key {
                Reply::Text(key) => key,
                _ => None,
            })
            .collect();
        let cursor = (cursor != b"0").then_some(cursor);
        if keys.is_empty() {
            return Ok(Walk { cursor, entries: VecDeque::new() });
        }
        let words: Vec<&[u8]> =
            [b"MGET".as_slice()].into_iter().chain(keys.iter().map(Vec::as_slice)).collect();
        let Reply::List(values) = self.ask(&words, self.data_limit).await? else {
            return Err(self.unexpected());
        };
        let mut entries = VecDeque::new();
        for (key, value) in keys.iter().zip(values) {
            let key = key.strip_prefix(before).and_then(|key| key.strip_suffix(after));
            // What has expired meanwhile, and what is not a string, has no value.
            if let (Some(key), Reply::Text(Some(value))) = (key, value) {
                entries.push_back((key.to_vec(), text(value)));
            }
        }
        Ok(Walk { cursor, entries })
    }
}

/// A text as a pattern that matches nothing but the text.
fn quote_pattern(text: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::new();
    for &byte in text {
        if b"*?[]\\^-".contains(&byte) {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted
}

impl RemoteTable for Redis {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let Some(server_key) = self.keys.make(key, Operation::Lookup).await? else { return Ok(None) };
            match self.ask(&[b"GET", &server_key], self.data_limit).await? {
                Reply::Text(value) => Ok(value.map(text)),
                _ => Err(self.unexpected()),
            }
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
            match self.keys.make(key, Operation::Update).await? {
                Some(server_key) => self.set(key, &server_key, value).await,
                None => Ok(Update::Kept),
            }
        }))
    }

    fn delete<'a>(&'a self, key: &'a [u8]) -> Option<LocalFuture<'a, Result<bool, Error>>> {
        if !self.can_change {
            return None;
        }
        Some(Box::pin(async move {
            let Some(server_key) = self.keys.make(key, Operation::Delete).await? else { return Ok(false) };
            match self.ask(&[b"DEL", &server_key], self.data_limit).await? {
                Reply::Number(count) => Ok(count > 0),
                _ => Err(self.unexpected()),
            }
        }))
    }

    fn sequence(&self, seek: Seek) -> Option<LocalFuture<'_, Result<Option<Entry>, Error>>> {
        Some(Box::pin(async move {
            let Some((before, after)) = self.keys.around() else {
                log::warning!(
                    "database {}: first/next support requires %s alone in key_format, and no key_digest",
                    self.title
                );
                return Ok(None);
            };
            if seek == Seek::First {
                *self.walk.borrow_mut() = Walk { cursor: Some(b"0".to_vec()), entries: VecDeque::new() };
            }
            loop {
                let cursor = {
                    let mut walk = self.walk.borrow_mut();
                    if let Some(entry) = walk.entries.pop_front() {
                        return Ok(Some(entry));
                    }
                    walk.cursor.clone()
                };
                let Some(cursor) = cursor else { return Ok(None) };
                let step = self.scan(&cursor, &before, &after).await?;
                *self.walk.borrow_mut() = step;
            }
        }))
    }
}
