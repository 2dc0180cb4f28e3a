//! What tables of every SQL database promise.

use std::time::{Duration, Instant};

use harness::Package;
use table::{Error, Table};

use crate::place::{ask, found};
use crate::postmap::Postmap;
use crate::server::{self, End, Kind, Restart, Server};

/// Who reads tables.
pub(crate) const USER: &str = "user = postfix\npassword = sec'ret\ndbname = mail\n";

/// The contents of a table of addresses.
pub(crate) const ROWS: &[(&str, &str)] = &[
    ("joe@example.com", "joe@mail.example.com"),
    ("joe", "here"),
    ("list@example.com", "a@x.org"),
    ("list@example.com", "b@x.org"),
    ("empty@example.com", ""),
    ("null@example.com", "NULL"),
    ("o'brien@example.com", "o"),
    ("ünï@example.com", "ü@x.org"),
];

/// How it is asked.
pub(crate) const QUERY: &str = "query = SELECT goto FROM alias WHERE address = '%s' ORDER BY id\n";

/// The statements that fill a table. Text is written as `literal` writes what its hexadecimal digits say.
pub(crate) fn insert(
    table: &str,
    rows: &[(&str, &str)],
    literal: fn(&str) -> String,
) -> impl Iterator<Item = String> {
    let text = move |text: &str| {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        if text == "NULL" { text.to_owned() } else { literal(&hex) }
    };
    rows.chunks(50).map(move |chunk| {
        let values = chunk.iter().map(|(address, goto)| format!("({}, {})", text(address), text(goto)));
        let values: Vec<String> = values.collect();
        format!("INSERT INTO {table} (address, goto) VALUES {};", values.join(", "))
    })
}

/// Answers of tables on [`ROWS`].
pub(crate) async fn answers(open: impl Fn(&str) -> Table) {
    let table = open(QUERY);
    for (key, want) in [
        ("joe@example.com", found("joe@mail.example.com")),
        ("JOE@Example.com", found("joe@mail.example.com")),
        ("list@example.com", found("a@x.org,b@x.org")),
        ("empty@example.com", Ok(None)),
        ("null@example.com", Ok(None)),
        ("nobody@example.com", Ok(None)),
        ("o'brien@example.com", found("o")),
        ("ÜNÏ@example.com", found("ü@x.org")),
    ] {
        assert_eq!(ask(&table, key).await, want, "{key}");
    }
    let limited = open(&format!("{QUERY}expansion_limit = 1\n"));
    assert_eq!(ask(&limited, "joe").await, found("here"));
    assert_eq!(ask(&limited, "list@example.com").await, Err(Error::retry(limited.name())));
    let domain = open(&format!("{QUERY}domain = other.org, example.com\n"));
    assert_eq!(ask(&domain, "joe@example.com").await, found("joe@mail.example.com"));
    assert_eq!(ask(&domain, "joe").await, Ok(None));
    // SQLite's tables have one column.
    let parts = ["%u", "%d", "%1", "%2"].map(|part| format!("SELECT '{part}'")).join(" UNION ALL ");
    let parts = open(&format!("query = {parts}\nresult_format = %s=%S\n"));
    assert_eq!(
        ask(&parts, "a'b@x.org").await,
        found("a'b=a'b@x.org,x.org=a'b@x.org,org=a'b@x.org,x=a'b@x.org")
    );
    assert_eq!(ask(&parts, "x").await, Ok(None));
    let older = "table = alias\nselect_field = goto\nwhere_field = address\n\
                 additional_conditions = AND goto <> 'b@x.org'\n";
    assert_eq!(ask(&open(older), "list@example.com").await, found("a@x.org"));
    let wrong = open("query = SELECT nothing FROM alias\n");
    assert_eq!(ask(&wrong, "joe").await, Err(Error::retry(wrong.name())));
}

/// A server that is down is a temporary error at once; one that was down is used again.
pub(crate) async fn restarts(mut server: Server, open: impl Fn(&Server, &str) -> Table) {
    let table = open(&server, &format!("{QUERY}retry_interval = 1\n"));
    assert_eq!(ask(&table, "joe").await, found("here"));
    for how in [End::Crash, End::Stop] {
        server.end(how);
        let begin = Instant::now();
        assert_eq!(ask(&table, "joe").await, Err(Error::retry(table.name())), "{how:?}");
        assert_eq!(ask(&table, "joe").await, Err(Error::retry(table.name())), "{how:?}");
        assert!(begin.elapsed() < Duration::from_secs(5), "a dead server is no reason to wait");
        server.start_again();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(ask(&table, "joe").await, found("here"), "{how:?}");
        // A server that was away between two lookups: the first of them uses it again.
        server.end(how);
        server.start_again();
        assert_eq!(ask(&table, "joe").await, found("here"), "{how:?}");
    }
}

/// A table that takes three seconds to say something about `slow`, and says `quick` about all else.
pub(crate) async fn slow(table: &Table) {
    let slow = async {
        let begin = Instant::now();
        ask(table, "slow").await.expect("an answer");
        begin.elapsed()
    };
    let quick = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begin = Instant::now();
        for _ in 0..20 {
            assert_eq!(ask(table, "fast").await, found("quick"));
        }
        begin.elapsed()
    };
    let (slow, quick) = tokio::join!(slow, quick);
    assert!(slow >= Duration::from_secs(3) && quick < Duration::from_secs(2), "{slow:?} {quick:?}");
}

/// A server refuses the password `hunter2`, and the log says so without it.
pub(crate) fn password_is_no_secret_of_the_log(
    test: &str,
    kind: Kind,
    contents: &[String],
    settings: fn(&Server) -> Vec<String>,
    refusal: &str,
) {
    let Some(postmap) = Postmap::new(test, &[Package::Ours]) else { return };
    let Some(server) = server::start(test, kind, contents) else { return };
    let name = if kind == Kind::MariaDb { "mysql" } else { "pgsql" };
    for settings in settings(&server) {
        let file = postmap.settings("x.cf", &format!("{settings}{QUERY}"));
        let table = format!("{name}:{}", file.display());
        let outcome = postmap.query(Package::Ours, &table, &["joe".to_owned()]);
        assert_eq!(outcome.code, Some(1));
        let errors = outcome.errors.join("\n");
        assert!(errors.contains(refusal) && !errors.contains("hunter2"), "{errors}");
    }
}
