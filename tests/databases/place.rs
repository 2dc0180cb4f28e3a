//! A table, as a daemon opens it.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use table::{Env, Error, Flags, Table};

/// Runs a test as a daemon runs: one thread, many clients.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    databases::link();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let limited = async { tokio::time::timeout(Duration::from_secs(120), work).await };
    tokio::task::LocalSet::new().block_on(&runtime, limited).expect("an answer in time")
}

/// Writes settings to a file, and opens the table.
pub(crate) fn open(directory: &Path, kind: &str, settings: &str) -> Table {
    open_in(&Rc::new(Env::default()), directory, kind, settings)
}

/// As [`open`], with settings of the mail system.
pub(crate) fn open_in(env: &Rc<Env>, directory: &Path, kind: &str, settings: &str) -> Table {
    databases::link();
    let file = directory.join(format!("{kind}-{:x}.cf", hash(settings)));
    std::fs::write(&file, settings).expect("write");
    crate::postmap::age(&file);
    let table = Table::open(&format!("{kind}:{}", file.display()), env, Flags::LOOKUP);
    assert!(!table.is_broken(), "{}: {settings}", table.name());
    table
}

fn hash(text: &str) -> u64 {
    std::hash::BuildHasher::hash_one(
        &std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default(),
        text,
    )
}

/// What a table answers, as text.
pub(crate) async fn ask(table: &Table, key: &str) -> Result<Option<String>, Error> {
    let value = table.lookup(key.as_bytes()).await?;
    Ok(value.map(|value| String::from_utf8(value).expect("UTF-8")))
}

/// A value that was found.
pub(crate) fn found(value: &str) -> Result<Option<String>, Error> {
    Ok(Some(value.to_owned()))
}
