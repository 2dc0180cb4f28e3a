//! Changing a table, and walking through it.

use crate::error::Error;
use crate::local::{Entry, LocalFuture, Seek, Update};
use crate::open::Backend;
use crate::table::Table;
use crate::types::wait;

impl Table {
    /// Stores a value.
    pub async fn update(&self, key: &[u8], value: &[u8]) -> Result<Update, Error> {
        self.start_update(key, value).await
    }

    /// As [`Table::update`], for programs without a runtime; see [`Table::lookup_blocking`].
    pub fn update_blocking(&self, key: &[u8], value: &[u8]) -> Result<Update, Error> {
        wait(self.waiting(), self.start_update(key, value))
    }

    /// Removes a key; whether it was there.
    pub async fn delete(&self, key: &[u8]) -> Result<bool, Error> {
        self.start_delete(key).await
    }

    /// As [`Table::delete`], for programs without a runtime; see [`Table::lookup_blocking`].
    pub fn delete_blocking(&self, key: &[u8]) -> Result<bool, Error> {
        wait(self.waiting(), self.start_delete(key))
    }

    /// The first entry, or the one after the last answer. The table is shared: so is the position.
    pub async fn sequence(&self, seek: Seek) -> Result<Option<Entry>, Error> {
        self.start_sequence(seek).await
    }

    /// As [`Table::sequence`], for programs without a runtime; see [`Table::lookup_blocking`].
    pub fn sequence_blocking(&self, seek: Seek) -> Result<Option<Entry>, Error> {
        wait(self.waiting(), self.start_sequence(seek))
    }

    fn start_update<'a>(&'a self, key: &'a [u8], value: &'a [u8]) -> LocalFuture<'a, Result<Update, Error>> {
        Box::pin(async move {
            let Some(folded) = self.prepare_key(key) else { return Ok(Update::Stored) };
            if self.is_utf8() && std::str::from_utf8(value).is_err() {
                self.warn_value(key, value);
                return Ok(Update::Stored);
            }
            let result = match &self.0.backend {
                Backend::Local(table) => table.update(&folded, value),
                Backend::Remote(table) => match table.update(&folded, value) {
                    Some(answer) => Some(answer.await),
                    None => None,
                },
                Backend::Debug(table) => {
                    let result = table.start_update(&folded, value).await;
                    let outcome = match &result {
                        Ok(Update::Stored) => "success",
                        Ok(Update::Kept) => "failed",
                        Err(_) => "error",
                    };
                    let (name, key, value) = (&self.0.name, bytes::show(&folded), bytes::show(value));
                    log::info!("{name} update: \"{key}\" = \"{value}\": {outcome}");
                    Some(result)
                }
                Backend::Broken(why) => Some(Err(self.unavailable(why))),
                Backend::Pipe(_) | Backend::Union(_) | Backend::Direct(_) => None,
            };
            self.finish(result, "update")
        })
    }

    fn start_delete<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let Some(folded) = self.prepare_key(key) else { return Ok(true) };
            let result = match &self.0.backend {
                Backend::Local(table) => table.delete(&folded),
                Backend::Remote(table) => match table.delete(&folded) {
                    Some(answer) => Some(answer.await),
                    None => None,
                },
                Backend::Debug(table) => {
                    let result = table.start_delete(&folded).await;
                    let outcome = match &result {
                        Ok(true) => "success",
                        Ok(false) => "failed",
                        Err(_) => "error",
                    };
                    log::info!("{} delete: \"{}\": {outcome}", self.0.name, bytes::show(&folded));
                    Some(result)
                }
                Backend::Broken(why) => Some(Err(self.unavailable(why))),
                Backend::Pipe(_) | Backend::Union(_) | Backend::Direct(_) => None,
            };
            self.finish(result, "delete")
        })
    }

    fn start_sequence(&self, seek: Seek) -> LocalFuture<'_, Result<Option<Entry>, Error>> {
        Box::pin(async move {
            let result = match &self.0.backend {
                Backend::Local(table) => table.sequence(seek),
                Backend::Remote(table) => match table.sequence(seek) {
                    Some(answer) => Some(answer.await),
                    None => None,
                },
                Backend::Debug(table) => {
                    let result = table.start_sequence(seek).await;
                    let name = &self.0.name;
                    match &result {
                        Ok(Some((key, value))) => {
                            log::info!(
                                "{name} sequence: \"{}\" = \"{}\"",
                                bytes::show(key),
                                bytes::show(value)
                            );
                        }
                        _ => log::info!("{name} sequence: found EOF"),
                    }
                    Some(result)
                }
                Backend::Broken(why) => Some(Err(self.unavailable(why))),
                Backend::Pipe(_) | Backend::Union(_) | Backend::Direct(_) => None,
            };
            self.finish(result, "sequence")
        })
    }

    fn finish<T>(&self, result: Option<Result<T, Error>>, operation: &'static str) -> Result<T, Error> {
        result.unwrap_or_else(|| Err(self.unsupported(operation))).map_err(|error| self.settle(error))
    }
}
