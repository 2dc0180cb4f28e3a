//! A table, as a daemon opens it, and what is logged meanwhile.

use std::rc::Rc;
use std::time::Duration;

use ::table::{Env, Error, Flags, Table};

/// Runs a test as a daemon runs: one thread, many clients.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    crate::texts::listen();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(60), work).await };
    tokio::task::LocalSet::new().block_on(&runtime, limited).expect("an answer in time")
}

/// What the tests do not care about.
pub(crate) const USUAL: &str =
    "dbname = mail\ncollection = box\nquery_filter = {\"name\": \"%s\"}\nresult_attribute = to\n";

/// A table with these settings.
pub(crate) fn open(settings: &str) -> Table {
    let table = open_or_broken(settings);
    assert!(!table.is_broken(), "{settings}");
    table
}

/// As [`open`], but it may not work.
pub(crate) fn open_or_broken(settings: &str) -> Table {
    ::table::link(ferrofix_table_mongodb::TYPES);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("x.cf");
    std::fs::write(&file, settings).unwrap();
    Table::open(&format!("mongodb:{}", file.display()), &Rc::new(Env::default()), Flags::LOOKUP)
}

/// A table of the server at that address, with the usual settings; later ones replace earlier ones.
pub(crate) fn at(uri: &str, more: &str) -> Table {
    open(&format!("uri = {uri}\n{USUAL}{more}"))
}

/// What a table answers, as text.
pub(crate) async fn ask(table: &Table, key: &str) -> Result<Option<String>, Error> {
    let value = table.lookup(key.as_bytes()).await?;
    Ok(value.map(|value| String::from_utf8(value).unwrap()))
}

/// A value that was found.
pub(crate) fn found(value: &str) -> Result<Option<String>, Error> {
    Ok(Some(value.to_owned()))
}

/// A temporary error.
pub(crate) fn later(table: &Table) -> Result<Option<String>, Error> {
    Err(Error::retry(table.name()))
}
