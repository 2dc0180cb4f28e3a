//! Servers that accept connections, and say nothing.

use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use table::{Env, Error, Flags, Table};

/// The clock stands still but for waiting, so that the limits take no time.
#[tokio::test(start_paused = true)]
async fn silence_is_a_temporary_error() {
    table::link(ferrofix_table_sql::TYPES);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap();
    let place = tempfile::tempdir().unwrap();
    for kind in ["mysql", "pgsql"] {
        let file = place.path().join(kind);
        std::fs::write(&file, format!("hosts = {host}\nuser = u\ndbname = d\nquery = SELECT '%s'\n"))
            .unwrap();
        let table =
            Table::open(&format!("{kind}:{}", file.display()), &Rc::new(Env::default()), Flags::LOOKUP);
        let begin = tokio::time::Instant::now();
        assert_eq!(table.lookup(b"key").await, Err(Error::retry(table.name())));
        let elapsed = begin.elapsed();
        assert!(
            elapsed >= Duration::from_secs(15) && elapsed < Duration::from_secs(65),
            "{kind}: {elapsed:?}"
        );
        // It is left alone from now on.
        assert_eq!(table.lookup(b"key").await, Err(Error::retry(table.name())));
        assert_eq!(begin.elapsed(), elapsed);
    }
}
