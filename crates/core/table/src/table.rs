//! A table that is open.

use std::borrow::Cow;
use std::rc::Rc;

use crate::env::Env;
use crate::error::Error;
use crate::flags::{Flags, Mode};
use crate::fold::{Utf8, casefold};
use crate::local::{LocalFuture, Owner};
use crate::open::{self, Backend, OnFailure, Opened, Opening};
use crate::types::{Waiting, wait};

/// A lookup table. Clones are the same table.
#[derive(Clone)]
pub struct Table(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    kind: String,
    pub(crate) name: String,
    flags: Flags,
    owner: Owner,
    folds: bool,
    on_failure: OnFailure,
    pub(crate) backend: Backend,
}

impl Inner {
    pub(crate) fn title(&self) -> String {
        format!("{}:{}", self.kind, self.name)
    }

    pub(crate) fn is_replaced(&self) -> bool {
        matches!(&self.backend, Backend::Local(table) if table.is_replaced())
    }
}

impl Table {
    /// Opens `type:name` for lookups. Does not fail: a table that cannot be opened is logged as an error, and answers
    /// every request with one.
    pub fn open(spec: &str, env: &Rc<Env>, flags: Flags) -> Self {
        Self::open_mode(spec, env, Mode::Read, flags)
    }

    /// As [`Table::open`], for updates as well.
    pub fn open_mode(spec: &str, env: &Rc<Env>, mode: Mode, flags: Flags) -> Self {
        match Self::open_or(spec, env, mode, flags, OnFailure::Substitute) {
            Ok(table) => table,
            Err(why) => Self::broken(spec, flags, why),
        }
    }

    /// Opens a table; the error is Postfix's text.
    pub fn try_open(spec: &str, env: &Rc<Env>, mode: Mode, flags: Flags) -> Result<Self, String> {
        Self::open_or(spec, env, mode, flags, OnFailure::Report)
    }

    /// A table that logs `why` now, and answers every request with an error.
    pub fn broken(spec: &str, flags: Flags, why: String) -> Self {
        log::error!("{why}");
        let (kind, name) = spec.split_once(':').unwrap_or((spec, ""));
        Self(Rc::new(Inner {
            kind: kind.to_owned(),
            name: name.to_owned(),
            flags: flags | Flags::PATTERN,
            owner: Owner::TRUSTED,
            folds: false,
            on_failure: OnFailure::Substitute,
            backend: Backend::Broken(why),
        }))
    }

    pub(crate) fn open_or(
        spec: &str,
        env: &Rc<Env>,
        mode: Mode,
        flags: Flags,
        on_failure: OnFailure,
    ) -> Result<Self, String> {
        let key = (spec.to_owned(), mode, flags);
        let shared = !flags.contains(Flags::BULK_UPDATE);
        if shared && let Some(table) = env.registry.tables.borrow().get(&key).and_then(std::rc::Weak::upgrade)
        {
            return Ok(Self(table));
        }
        let Some((kind, name)) = spec.split_once(':') else {
            return Err(format!("open dictionary: expecting \"type:name\" form instead of \"{spec}\""));
        };
        if kind.is_empty() || name.is_empty() {
            return Err(format!(
                "open dictionary: expecting \"type:name\" form instead of \"{kind}:{name}\""
            ));
        }
        let opening = Opening { env, kind, name, mode, flags, on_failure };
        let table = match (open::open(&opening), on_failure) {
            (Ok(opened), _) => Self::from_opened(&opening, opened),
            (Err(why), OnFailure::Substitute) => Self::broken(spec, flags, why),
            (Err(why), OnFailure::Report) => return Err(why),
        };
        log::debug!("dict_open: {spec}");
        if shared {
            let mut tables = env.registry.tables.borrow_mut();
            tables.retain(|_, table| table.strong_count() > 0);
            tables.insert(key, Rc::downgrade(&table.0));
        }
        Ok(table)
    }

    fn from_opened(opening: &Opening<'_>, opened: Opened) -> Self {
        if let Backend::Direct(table) = opened.backend {
            return table;
        }
        let mut flags = opening.flags | opened.flags;
        if opening.utf8() {
            flags |= Flags::UTF8_ACTIVE;
        }
        Self(Rc::new(Inner {
            kind: opening.kind.to_owned(),
            name: opening.name.to_owned(),
            flags,
            owner: opened.owner,
            folds: opened.folds,
            on_failure: opening.on_failure,
            backend: opened.backend,
        }))
    }

    /// `type:name`.
    pub fn name(&self) -> String {
        self.0.title()
    }

    /// What is before the colon.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// What is after the colon.
    pub fn file_name(&self) -> &str {
        &self.0.name
    }

    /// How the table was opened, and what it is.
    pub fn flags(&self) -> Flags {
        self.0.flags
    }

    /// Whether keys match patterns, so that only full names and addresses must be looked up.
    pub fn is_pattern(&self) -> bool {
        self.0.flags.contains(Flags::PATTERN)
    }

    /// Whether the table stands for one that could not be opened.
    pub fn is_broken(&self) -> bool {
        matches!(self.0.backend, Backend::Broken(_))
    }

    /// Who can change the contents.
    pub fn owner(&self) -> Owner {
        self.0.owner
    }

    /// The value of a key.
    pub async fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let answer = if self.is_local() { self.lookup_here(key) } else { self.lookup_elsewhere(key).await };
        answer.map_err(|error| self.settle(error))
    }

    /// The value of a key, when that takes no waiting: `None` for tables that another process answers.
    pub fn lookup_now(&self, key: &[u8]) -> Option<Result<Option<Vec<u8>>, Error>> {
        self.is_local().then(|| self.lookup_here(key).map_err(|error| self.settle(error)))
    }

    /// The value of a key, for programs without a runtime.
    ///
    /// # Panics
    ///
    /// When called from asynchronous code about a table that another process answers.
    pub fn lookup_blocking(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.lookup_now(key) {
            Some(answer) => answer,
            None => wait(Waiting::Elsewhere, self.lookup_elsewhere(key)).map_err(|error| self.settle(error)),
        }
    }

    /// Whether lookups take no waiting.
    pub fn is_local(&self) -> bool {
        match &self.0.backend {
            Backend::Local(_) | Backend::Broken(_) => true,
            Backend::Remote(_) => false,
            Backend::Pipe(tables) | Backend::Union(tables) => tables.iter().all(Self::is_local),
            Backend::Debug(table) | Backend::Direct(table) => table.is_local(),
        }
    }

    /// What it takes to wait for an answer.
    pub(crate) fn waiting(&self) -> Waiting {
        if self.is_local() { Waiting::Here } else { Waiting::Elsewhere }
    }

    fn lookup_here(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(folded) = self.prepare_key(key) else { return Ok(None) };
        let value = match &self.0.backend {
            Backend::Local(table) => table.lookup(&folded)?,
            Backend::Broken(why) => return Err(self.unavailable(why)),
            Backend::Pipe(tables) => {
                let mut query = Some(folded.into_owned());
                for table in tables {
                    let Some(key) = query else { return Ok(None) };
                    query = table.lookup_here(&key)?;
                }
                query
            }
            Backend::Union(tables) => {
                let mut all = Vec::new();
                for table in tables {
                    join(&mut all, table.lookup_here(&folded)?);
                }
                (!all.is_empty()).then_some(all)
            }
            Backend::Debug(table) => self.log_lookup(&folded, table.lookup_here(&folded))?,
            Backend::Direct(table) => table.lookup_here(&folded)?,
            Backend::Remote(_) => return Err(Error::retry(self.name())),
        };
        self.check_value(key, value)
    }

    fn lookup_elsewhere<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let Some(folded) = self.prepare_key(key) else { return Ok(None) };
            let value = match &self.0.backend {
                Backend::Remote(table) => table.lookup(&folded).await?,
                Backend::Pipe(tables) => {
                    let mut query = Some(folded.into_owned());
                    for table in tables {
                        let Some(key) = query else { return Ok(None) };
                        query = table.lookup(&key).await?;
                    }
                    query
                }
                Backend::Union(tables) => {
                    let mut all = Vec::new();
                    for table in tables {
                        join(&mut all, table.lookup(&folded).await?);
                    }
                    (!all.is_empty()).then_some(all)
                }
                Backend::Debug(table) => self.log_lookup(&folded, table.lookup(&folded).await)?,
                Backend::Local(_) | Backend::Direct(_) | Backend::Broken(_) => return self.lookup_here(key),
            };
            self.check_value(key, value)
        })
    }

    /// The value of a key whose stored value is the base64 of a file's content.
    pub fn decode_file_value(&self, key: &[u8], value: &[u8]) -> Result<Vec<u8>, Error> {
        crate::rhs::content(value).map_err(|why| {
            log::warning!("table {}: key {}: {why}", self.name(), bytes::show(key));
            Error::config(self.name())
        })
    }

    /// Ends a bulk update: its result becomes the table's contents.
    pub fn close(&self) -> Result<(), Error> {
        match &self.0.backend {
            Backend::Local(table) => table.close(),
            _ => Ok(()),
        }
    }

    pub(crate) fn is_utf8(&self) -> bool {
        self.0.flags.contains(Flags::UTF8_ACTIVE)
    }

    /// The key as the table holds it; `None` when it cannot be in the table.
    pub(crate) fn prepare_key<'a>(&self, key: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let flags = self.0.flags;
        let utf8 = self.is_utf8();
        if utf8 && std::str::from_utf8(key).is_err() {
            let shown = bytes::show(key);
            log::warning!("{}: non-UTF-8 key \"{shown}\": malformed UTF-8 or invalid codepoint", self.name());
            return None;
        }
        let wanted = if flags.contains(Flags::FIXED) { Flags::FOLD_FIX } else { Flags::FOLD_MUL };
        if !flags.contains(wanted) || !(utf8 || self.0.folds) {
            return Some(Cow::Borrowed(key));
        }
        let is_folded = |byte: &u8| byte.is_ascii() && !byte.is_ascii_uppercase();
        if key.iter().all(is_folded) {
            return Some(Cow::Borrowed(key));
        }
        Some(Cow::Owned(casefold(key, if utf8 { Utf8::Enabled } else { Utf8::Disabled })))
    }

    fn check_value(&self, key: &[u8], value: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Error> {
        match &value {
            Some(text) if self.is_utf8() && std::str::from_utf8(text).is_err() => {
                self.warn_value(key, text);
                Err(Error::config(self.name()))
            }
            _ => Ok(value),
        }
    }

    pub(crate) fn warn_value(&self, key: &[u8], value: &[u8]) {
        let (key, value) = (bytes::show(key), bytes::show(value));
        let why = "malformed UTF-8 or invalid codepoint";
        log::warning!("{}: key \"{key}\": non-UTF-8 value \"{value}\": {why}", self.name());
    }

    fn log_lookup(
        &self,
        key: &[u8],
        answer: Result<Option<Vec<u8>>, Error>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let text: &[u8] = match &answer {
            Ok(Some(value)) => value,
            Ok(None) => b"not_found",
            Err(_) => b"error",
        };
        log::info!("{} lookup: \"{}\" = \"{}\"", self.0.name, bytes::show(key), bytes::show(text));
        answer
    }

    /// In a daemon, a fault of one table is no reason to end: it is logged, and the request has to be made again.
    pub(crate) fn settle(&self, error: Error) -> Error {
        match error {
            Error::Fault(text) if self.0.on_failure == OnFailure::Substitute => {
                log::error!("{text}");
                Error::retry(self.name())
            }
            other => other,
        }
    }

    pub(crate) fn unavailable(&self, why: &str) -> Error {
        log::warning!("{} is unavailable. {why}", self.name());
        Error::retry(self.name())
    }

    pub(crate) fn unsupported(&self, operation: &'static str) -> Error {
        Error::Unsupported { table: self.name(), operation }
    }
}

/// Adds a value to a comma-separated list.
fn join(all: &mut Vec<u8>, value: Option<Vec<u8>>) {
    let Some(value) = value else { return };
    if !all.is_empty() {
        all.push(b',');
    }
    all.extend_from_slice(&value);
}
