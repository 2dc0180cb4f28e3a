//! The cache: questions, results, and the removal of what is too old. No clock and no sockets.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use ipc::verify::AddressStatus;
use table::{Error, Seek, Table};

use crate::entry::{Entry, Lifetimes, stored_status};

/// Where the cache says when it was cleaned up last, under a name that no address has.
const LAST_CLEANUP: &[u8] = b"_LAST_CACHE_CLEANUP_COMPLETED_";

/// So many entries are looked at before others get their turn.
const CLEANUP_STEP: usize = 100;

/// Whether failed probes are remembered while there is nothing better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negative {
    /// They are.
    Remember,
    /// Such an address is probed each time.
    Forget,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What is known.
    pub status: AddressStatus,
    /// Why.
    pub reason: Vec<u8>,
    /// Whether the address has to be probed now.
    pub probe: bool,
}

/// The results of probes, in a table.
pub struct Cache {
    table: Table,
    lifetimes: Lifetimes,
    negative: Negative,
    warned: Cell<i64>,
    cleanup: Cell<Option<Tally>>,
}

/// What a cleanup did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    retained: usize,
    dropped: usize,
}

/// The name of an address in the cache, in which colons have another meaning.
pub fn key(address: &[u8]) -> Vec<u8> {
    address.iter().map(|&byte| if byte == b':' { b'_' } else { byte }).collect()
}

impl Cache {
    /// A cache in this table.
    pub fn new(table: Table, lifetimes: Lifetimes, negative: Negative) -> Self {
        Self { table, lifetimes, negative, warned: Cell::new(0), cleanup: Cell::new(None) }
    }

    /// What is known about an address, which is a [`key`]. When a probe has to be sent, it is on record already.
    pub async fn query(&self, address: &[u8], now: i64) -> Answer {
        let stored = match self.table.lookup(address).await {
            Ok(stored) => stored,
            Err(error) => {
                self.warn(&error, now, || {
                    format!("cache lookup for '{}' failed due to error", bytes::show(address))
                });
                let reason = b"Address verification status unavailable".to_vec();
                return Answer { status: AddressStatus::Defer, reason, probe: false };
            }
        };
        let is_stored = stored.is_some();
        let known = stored.and_then(|raw| parse(&raw)).filter(|entry| !self.lifetimes.is_over(entry, now));
        let entry = match known {
            Some(entry) => entry,
            None => {
                if is_stored && self.negative == Negative::Forget {
                    self.delete(address, now).await;
                }
                Entry::unknown()
            }
        };
        log_entry("GOT", address, &entry);
        let probe = self.lifetimes.wants_probe(&entry, now);
        if probe && (entry.updated != 0 || self.negative == Negative::Remember) {
            self.put(address, &Entry { probed: now, ..entry.clone() }, now).await;
        }
        Answer { status: entry.status, reason: entry.text, probe }
    }

    /// A probe ended. Whether the result makes sense.
    ///
    /// A failure does not replace a success: while some probes succeed, the address is good until the success expires.
    pub async fn update(&self, address: &[u8], status: AddressStatus, reason: &[u8], now: i64) -> bool {
        if status == AddressStatus::Todo {
            log::warning!("bad recipient status {} for recipient {}", status.code(), bytes::show(address));
            return false;
        }
        if status != AddressStatus::Ok {
            let stored = self.table.lookup(address).await.ok().flatten();
            if stored.is_some_and(|raw| stored_status(&raw) == Some(AddressStatus::Ok)) {
                return true;
            }
        }
        let text = bytes::printable(reason, b'?');
        self.put(address, &Entry { status, probed: 0, updated: now, text }, now).await;
        true
    }

    /// How long it is until the next cleanup, if there is one every `interval`.
    pub async fn until_cleanup(&self, interval: Duration, now: i64) -> Duration {
        let last = self.table.lookup(LAST_CLEANUP).await.ok().flatten();
        let Some(last) = last.and_then(|text| bytes::decimal::<i64>(&text)) else { return Duration::ZERO };
        let interval = i64::try_from(interval.as_secs()).unwrap_or(i64::MAX);
        let wait = last.saturating_add(interval).saturating_sub(now).clamp(0, interval);
        Duration::from_secs(wait.unsigned_abs())
    }

    /// Removes entries that have expired. `pause` is waited for now and then, so that clients get their turn.
    pub async fn clean_up<P: Future<Output = ()>>(&self, clock: impl Fn() -> i64, pause: impl Fn() -> P) {
        let mut tally = Tally::default();
        self.cleanup.set(Some(tally));
        let mut seek = Seek::First;
        let mut expired: Option<Vec<u8>> = None;
        loop {
            let next = self.table.sequence(std::mem::replace(&mut seek, Seek::Next)).await;
            let now = clock();
            // Behind the cursor: some table types lose their place when the present entry goes.
            if let Some(address) = expired.take() {
                self.drop_expired(&address, now).await;
            }
            let (address, raw) = match next {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(error) => {
                    self.warn(&error, now, || "sequence error".to_owned());
                    log::warning!("{}: cache cleanup scan terminated due to error", self.table.name());
                    return self.report_cleanup("partial");
                }
            };
            if address == LAST_CLEANUP {
                continue;
            }
            if parse(&raw).is_some_and(|entry| self.lifetimes.keeps(&entry, now)) {
                tally.retained += 1;
            } else {
                tally.dropped += 1;
                expired = Some(address);
            }
            self.cleanup.set(Some(tally));
            if (tally.retained + tally.dropped).is_multiple_of(CLEANUP_STEP) {
                pause().await;
            }
        }
        self.report_cleanup("full");
        let now = clock();
        if let Err(error) = self.table.update(LAST_CLEANUP, now.to_string().as_bytes()).await {
            self.warn(&error, now, || "could not update entry for _LAST_CACHE_CLEANUP_COMPLETED_".to_owned());
        }
    }

    /// Logs what a cleanup did until now, if one is under way: the process ends.
    pub fn end(&self) {
        self.report_cleanup("partial");
    }

    fn report_cleanup(&self, extent: &str) {
        if let Some(Tally { retained, dropped }) = self.cleanup.take() {
            let name = self.table.name();
            log::info!("cache {name} {extent} cleanup: retained={retained} dropped={dropped} entries");
        }
    }

    // Between the look at an entry and its end a result may have come.
    async fn drop_expired(&self, address: &[u8], now: i64) {
        let stored = self.table.lookup(address).await.ok().flatten();
        let is_good = stored
            .is_some_and(|raw| Entry::parse(&raw).is_some_and(|entry| self.lifetimes.keeps(&entry, now)));
        if !is_good {
            self.delete(address, now).await;
        }
    }

    async fn put(&self, address: &[u8], entry: &Entry, now: i64) {
        log_entry("PUT", address, entry);
        if let Err(error) = self.table.update(address, &entry.to_bytes()).await {
            self.warn(&error, now, || format!("could not update entry for {}", bytes::show(address)));
        }
    }

    async fn delete(&self, address: &[u8], now: i64) {
        if let Err(error) = self.table.delete(address).await {
            self.warn(&error, now, || format!("could not delete entry for {}", bytes::show(address)));
        }
    }

    // A table that fails does so with each request; once a second is often enough to hear of it.
    fn warn(&self, error: &Error, now: i64, what: impl FnOnce() -> String) {
        log::debug!("{error}");
        if self.warned.replace(now) != now {
            log::warning!("{}: {}", self.table.name(), what());
        }
    }
}

fn parse(raw: &[u8]) -> Option<Entry> {
    let entry = Entry::parse(raw);
    if entry.is_none() {
        log::warning!("bad address verify table entry: {}", bytes::show_limited(raw, 100));
    }
    entry
}

fn log_entry(what: &str, address: &[u8], entry: &Entry) {
    let (address, text) = (bytes::show(address), bytes::show(&entry.text));
    let (status, probed, updated) = (entry.status.code(), entry.probed, entry.updated);
    log::debug!("{what} {address} status={status} probed={probed} updated={updated} text={text}");
}

#[cfg(test)]
mod tests;
