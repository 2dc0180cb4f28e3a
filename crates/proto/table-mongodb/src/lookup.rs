//! Lookups.

use database_link::Pool;
use table::client::{Formats, Key, Template};
use table::{Error, LocalFuture, RemoteTable};
use tokio::time::timeout;

use crate::bson::{Document, Malformed};
use crate::connection::{Connection, Trouble};
use crate::filter;
use crate::find::{Batch, Find, Next};
use crate::json;
use crate::results::{Fault, Results};
use crate::servers::Servers;

/// A table.
pub(crate) struct Mongodb {
    /// `type:name`.
    pub(crate) title: String,
    pub(crate) formats: Formats,
    pub(crate) database: String,
    pub(crate) collection: String,
    pub(crate) query: Template,
    /// What to return; or what is logged when that makes no sense, as with each lookup.
    pub(crate) projection: Result<Document, String>,
    pub(crate) result: Template,
    pub(crate) expansion_limit: usize,
    pub(crate) servers: Servers,
    pub(crate) pool: Pool<Connection>,
}

impl Mongodb {
    async fn find(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let title = &self.title;
        if !self.formats.accepts(key).await? {
            log::debug!("{title}: skipping lookup of '{}': domain mismatch", bytes::show(key));
            return Ok(None);
        }
        let projection = self.projection.as_ref().map_err(|why| {
            log::warning!("{title}: {why}");
            self.retry()
        })?;
        let Some(key) = self.formats.key(key) else { return Ok(None) };
        let text = self.query.expand(&key, filter::quote);
        let query = json::document(&text).map_err(|why| {
            log::warning!("{title}: failed to create a query from '{}': {why}", bytes::show(&text));
            self.retry()
        })?;
        let find = Find { database: &self.database, collection: &self.collection, query: &query, projection };
        self.ask(&find, &key).await.map_err(|problem| {
            if let Some(why) = problem {
                log::warning!("{title}: cursor error for '{}': {why}", bytes::show(&text));
            }
            self.retry()
        })
    }

    /// The value of a key. The error is for the log, unless it is there already.
    async fn ask(&self, find: &Find<'_>, key: &Key<'_>) -> Result<Option<Vec<u8>>, Option<String>> {
        let turn = self.pool.turn().await;
        let mut connection = self.pool.take(&turn);
        // A connection may have ended while nobody used it; a new one is tried once.
        let mut is_again = connection.is_none();
        loop {
            let mut open = match connection.take() {
                Some(open) => open,
                None => self.servers.connect().await.map_err(Some)?,
            };
            let mut results =
                Results::new(&self.title, &self.formats, &self.result, key, self.expansion_limit);
            let mut is_logged = false;
            let uri = self.servers.uri();
            let work = find.run(&mut open, uri, |batch| take(batch, &mut results, &mut is_logged));
            // Each batch may come in time, and there be no end of them.
            let found = timeout(uri.answer_limit, work).await.unwrap_or(Err(Trouble::Late));
            let trouble = match found {
                Ok(()) => {
                    self.keep(open);
                    return if is_logged { Err(None) } else { Ok(results.finish()) };
                }
                Err(trouble) => trouble,
            };
            if !trouble.is_about_the_server() {
                self.keep(open);
                return Err(Some(trouble.text().to_owned()));
            }
            self.pool.clear();
            if is_again || !trouble.may_pass() {
                return Err(Some(trouble.text().to_owned()));
            }
            is_again = true;
        }
    }

    fn keep(&self, connection: Connection) {
        if !connection.is_lost() {
            self.pool.put(connection);
        }
    }

    /// Nobody knows.
    fn retry(&self) -> Error {
        Error::retry(self.title.clone())
    }
}

fn take(batch: &Batch, results: &mut Results<'_>, is_logged: &mut bool) -> Result<Next, Malformed> {
    for document in batch.documents()? {
        match results.take(document?) {
            Ok(()) => {}
            Err(Fault::Malformed) => return Err(Malformed),
            Err(Fault::Logged) => {
                *is_logged = true;
                return Ok(Next::Enough);
            }
        }
    }
    Ok(Next::More)
}

impl RemoteTable for Mongodb {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(self.find(key))
    }
}
