//! `sqlite:` tables.

use std::path::Path;
use std::time::{Duration, Instant};

use harness::Package;
use rusqlite::Connection;
use table::{Error, Table};

use crate::place::{self, ask, found};
use crate::postmap::Postmap;
use crate::random::Random;

/// Makes a file with a table of addresses.
pub(crate) fn make(file: &Path, rows: &[(&str, &str)]) -> Connection {
    let connection = Connection::open(file).expect("a database");
    connection
        .execute_batch("CREATE TABLE alias (id INTEGER PRIMARY KEY, address TEXT, goto TEXT)")
        .expect("a table");
    let mut insert =
        connection.prepare("INSERT INTO alias (address, goto) VALUES (?1, ?2)").expect("a statement");
    for (address, goto) in rows {
        let goto = Some(goto).filter(|goto| **goto != "NULL");
        insert.execute((address, goto)).expect("a row");
    }
    drop(insert);
    connection
}

const ROWS: &[(&str, &str)] = &[
    ("joe@example.com", "joe@mail.example.com"),
    ("joe", "here"),
    ("list@example.com", "a@x.org"),
    ("list@example.com", "b@x.org"),
    ("empty@example.com", ""),
    ("null@example.com", "NULL"),
    ("o'brien@example.com", "o"),
    ("ünï@example.com", "ü@x.org"),
];

const QUERY: &str = "query = SELECT goto FROM alias WHERE address = '%s'\n";

fn open(file: &Path, settings: &str) -> Table {
    let directory = file.parent().expect("a directory");
    place::open(directory, "sqlite", &format!("dbpath = {}\n{settings}", file.display()))
}

#[test]
fn sqlite_lookups() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("mail.db");
    drop(make(&file, ROWS));
    place::run(async {
        let table = open(&file, QUERY);
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
        let limited = open(&file, &format!("{QUERY}expansion_limit = 1\n"));
        assert_eq!(ask(&limited, "list@example.com").await, Err(Error::retry(limited.name())));
        let older = "table = alias\nselect_field = goto\nwhere_field = address\n";
        assert_eq!(ask(&open(&file, older), "joe").await, found("here"));
        let numbers = "query = SELECT 1.50 WHERE '%s' <> '' UNION ALL SELECT 7 UNION ALL SELECT x'6162'\n";
        assert_eq!(ask(&open(&file, numbers), "x").await, found("1.5,7,ab"));
        // What follows the first statement is not looked at.
        let more = "query = SELECT 'one'; SELECT 'two'; nonsense\n";
        assert_eq!(ask(&open(&file, more), "x").await, found("one"));
        let wrong = open(&file, "query = SELECT nothing FROM alias\n");
        assert_eq!(ask(&wrong, "x").await, Err(Error::retry(wrong.name())));
        // Nothing can be written.
        let write = open(&file, "query = DELETE FROM alias\n");
        assert_eq!(ask(&write, "x").await, Err(Error::retry(write.name())));
        let mut random = Random::new(44);
        let echo = open(&file, "query = SELECT '%s' UNION ALL SELECT 'end'\n");
        for _ in 0..500 {
            let key = random.folded();
            assert_eq!(ask(&echo, &key).await, found(&format!("{key},end")));
        }
    });
}

/// Who writes to the file makes a lookup wait, though not for long, and nobody else.
#[test]
fn sqlite_locks() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("mail.db");
    let writer = make(&file, ROWS);
    place::run(async {
        let table = open(&file, QUERY);
        writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let unlock = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            writer.execute_batch("COMMIT").unwrap();
        };
        let begin = Instant::now();
        let (answer, ()) = tokio::join!(ask(&table, "joe"), unlock);
        assert_eq!(answer, found("here"));
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
        assert_eq!(ask(&table, "joe").await, Err(Error::retry(table.name())));
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        writer.execute_batch("COMMIT").unwrap();
        assert_eq!(ask(&table, "joe").await, found("here"));
    });
}

#[test]
fn sqlite_files_that_cannot_be_used() {
    let place = tempfile::tempdir().unwrap();
    databases::link();
    let settings = place.path().join("x.cf");
    let spec = format!("sqlite:{}", settings.display());
    let env = std::rc::Rc::new(table::Env::default());
    let error = |text: &str| {
        std::fs::write(&settings, text).unwrap();
        let opened = Table::try_open(&spec, &env, table::Mode::Read, table::Flags::LOOKUP);
        opened.map(drop).unwrap_err()
    };
    assert_eq!(
        error("dbpath = /nonexistent/x\nquery = SELECT '%s'\n"),
        format!(
            "{spec}: open database /nonexistent/x: unable to open database file: No such file or directory"
        )
    );
    assert_eq!(
        error("query = SELECT '%s'\n"),
        format!("{}: bad string length 0 < 1: dbpath = ", settings.display())
    );
}

/// A key outside of quotes is a hole, which is pointed out.
#[test]
fn sqlite_keys_without_quotes() {
    let Some(postmap) = Postmap::new("sqlite_keys_without_quotes", &[Package::Ours]) else { return };
    let database = postmap.path().join("mail.db");
    drop(make(&database, ROWS));
    let warnings = |query: &str| {
        let settings = format!("dbpath = {}\nquery = {query}\n", database.display());
        let file = postmap.settings("x.cf", &settings);
        let outcome = postmap.query(Package::Ours, &format!("sqlite:{}", file.display()), &["1".to_owned()]);
        let title = format!("postmap: warning: sqlite:{}: query >{query}< contains >", file.display());
        let shown =
            outcome.errors.iter().filter_map(|line| line.strip_prefix(&title)).map(|line| line.to_owned());
        shown.collect::<Vec<_>>()
    };
    let said = |part: &str| format!("{part}< without the recommended '' quotes");
    assert_eq!(warnings("SELECT 1 WHERE '%s' = '%u%%'"), Vec::<String>::new());
    assert_eq!(warnings("SELECT 1 WHERE \"%s\" = %u AND 'a' <> '%%'"), [said("%s"), said("%u")]);
    assert_eq!(warnings("SELECT 1 %% 2 WHERE 1 = %s"), [said("%s")]);
}
