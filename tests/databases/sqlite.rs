//! `sqlite:` tables.

use std::path::Path;
use std::time::{Duration, Instant};

use harness::Package;
use rusqlite::Connection;
use table::{Error, Table};

use crate::place::{self, ask, found};
use crate::postmap::Postmap;
use crate::promises::{self, QUERY, ROWS};
use crate::random::Random;

/// Makes a file with a table of addresses.
pub(crate) fn make(file: &Path, rows: &[(&str, &str)]) -> Connection {
    let connection = Connection::open(file).expect("a database");
    connection
        .execute_batch("CREATE TABLE alias (id INTEGER PRIMARY KEY, address TEXT, goto TEXT); CREATE INDEX address ON alias (address); BEGIN")
        .expect("a table");
    let mut insert =
        connection.prepare("INSERT INTO alias (address, goto) VALUES (?1, ?2)").expect("a statement");
    for (address, goto) in rows {
        let goto = Some(goto).filter(|goto| **goto != "NULL");
        insert.execute((address, goto)).expect("a row");
    }
    drop(insert);
    connection.execute_batch("COMMIT").expect("the rows");
    connection
}

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
        promises::answers(|settings| open(&file, settings)).await;
        let numbers = "query = SELECT 1.50 WHERE '%s' <> '' UNION ALL SELECT 7 UNION ALL SELECT x'6162'\n";
        assert_eq!(ask(&open(&file, numbers), "x").await, found("1.5,7,ab"));
        // What follows the first statement is not looked at.
        let more = "query = SELECT 'one'; SELECT 'two'; nonsense\n";
        assert_eq!(ask(&open(&file, more), "x").await, found("one"));
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
