//! `sqlite:`, tables in SQLite files.

use std::path::Path;
use std::time::Duration;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, ErrorCode, OpenFlags, Statement as Prepared};
use table::client::Settings;
use table::{Backend, Error, Flags, LocalFuture, Opened, Opening, RemoteTable};

use crate::statement::{self, Statement};

/// How long a lookup waits for somebody who writes to the file, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// A table.
struct Sqlite {
    statement: Statement,
    database: Connection,
    /// Whether keys may be anything, which they must not.
    checks_keys: bool,
}

/// Why a query has no answer.
enum Trouble {
    /// It makes no sense.
    Prepare(rusqlite::Error),
    /// It failed on the way.
    Step(rusqlite::Error),
}

/// Opens a table.
pub fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let settings = Settings::read(opening)?;
    let path = settings.text("dbpath", "", 1..)?;
    let query = statement::query(&settings)?;
    warn_unquoted(opening, &query);
    let statement = Statement::read(opening, &settings, &query)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| {
        let why = std::fs::File::open(&path)
            .map_or_else(|error| sys::reason(&error), |_| "Application error".to_owned());
        let message = message(&error);
        let message = message.strip_suffix(&format!(": {path}")).unwrap_or(&message);
        format!("{}: open database {path}: {message}: {why}", opening.title())
    };
    let database = Connection::open_with_flags(Path::new(&path), flags).map_err(failed)?;
    // The library would wait, and all that this process does with it.
    database.busy_timeout(Duration::ZERO).map_err(failed)?;
    // Opens the files beside the database that it may need, since there may soon be no way to them.
    let _opened = database.query_row("PRAGMA schema_version", [], |_| Ok(()));
    let table = Sqlite { statement, database, checks_keys: !opening.utf8() };
    Ok(Opened {
        backend: Backend::Remote(Box::new(table)),
        flags: Flags::FIXED,
        owner: settings.owner(),
        folds: true,
    })
}

/// Warns about parts of a key that are not in single quotes.
fn warn_unquoted(opening: &Opening<'_>, query: &str) {
    let mut quote = None;
    let mut bytes = query.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match quote {
            None if matches!(byte, b'\'' | b'"') => quote = Some(byte),
            Some(open) if open == byte => quote = None,
            _ => {}
        }
        if byte != b'%' || quote == Some(b'\'') {
            continue;
        }
        let next = query.as_bytes().get(at + 1);
        if next.is_some_and(u8::is_ascii_alphanumeric) {
            let (title, part) = (opening.title(), query.get(at..at + 2).unwrap_or("%"));
            log::warning!("{title}: query >{query}< contains >{part}< without the recommended '' quotes");
        }
        if next.is_some_and(|next| *next == b'%' || next.is_ascii_alphanumeric()) {
            bytes.next();
        }
    }
}

/// What the library says, without its number.
fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl Sqlite {
    /// The first columns of all rows.
    async fn ask(&self, query: &str) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let begin = tokio::time::Instant::now();
        let name = &self.statement.name;
        loop {
            match self.rows(query) {
                Ok(rows) => return Ok(rows),
                Err(Trouble::Prepare(error) | Trouble::Step(error))
                    if is_busy(&error) && begin.elapsed() < PATIENCE =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Trouble::Step(error)) => {
                    let why = message(&error);
                    log::warning!("dict_sqlite_lookup: {name}: SQL step failed for query '{query}': {why}\n");
                    return Err(self.statement.retry());
                }
                Err(Trouble::Prepare(error)) => {
                    let why = message(&error);
                    return Err(Error::Fault(format!(
                        "dict_sqlite_lookup: {name}: SQL prepare failed: {why}?"
                    )));
                }
            }
        }
    }

    fn rows(&self, query: &str) -> Result<Vec<Option<Vec<u8>>>, Trouble> {
        // What follows the first statement means nothing.
        let prepared = Batch::new(&self.database, query).next().map_err(Trouble::Prepare)?;
        let Some(mut prepared) = prepared else { return Ok(Vec::new()) };
        self.step(&mut prepared).map_err(Trouble::Step)
    }

    fn step(&self, prepared: &mut Prepared<'_>) -> Result<Vec<Option<Vec<u8>>>, rusqlite::Error> {
        let has_columns = prepared.column_count() > 0;
        let mut rows = prepared.raw_query();
        let mut values = Vec::new();
        while let Some(row) = rows.next()? {
            if !has_columns {
                continue;
            }
            values.push(match row.get_ref(0)? {
                ValueRef::Null => None,
                ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
                ValueRef::Real(number) => Some(self.shown(number)?),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
            });
        }
        Ok(values)
    }

    /// A number as the library writes it.
    fn shown(&self, number: f64) -> Result<Vec<u8>, rusqlite::Error> {
        let text: String = self.database.query_row("SELECT CAST(?1 AS TEXT)", [number], |row| row.get(0))?;
        Ok(text.into_bytes())
    }

    async fn find(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if self.checks_keys && std::str::from_utf8(key).is_err() {
            return Ok(None);
        }
        let Some(key) = self.statement.key(key).await? else { return Ok(None) };
        let query = self.statement.query(&key, |text, query| {
            for &byte in text {
                query.push(byte);
                if byte == b'\'' {
                    query.push(byte);
                }
            }
        });
        let rows = self.ask(&String::from_utf8_lossy(&query)).await?;
        let exceeded =
            format!("dict_sqlite_lookup: {}: Expansion limit exceeded for key", self.statement.name);
        self.statement.value(&key, rows.iter().map(Option::as_deref), &exceeded)
    }
}

impl RemoteTable for Sqlite {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(self.find(key))
    }
}
