//! `memcache:`, against Debian's memcached and against servers that misbehave.

#[allow(dead_code, reason = "another test program uses the rest")]
#[path = "support/journal.rs"]
mod journal;
#[path = "support/server.rs"]
mod server;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ferrofix_table as table;
use server::{Process, Server, free_address, logged};
use table::{Env, Error, Flags, Mode, Seek, Table, Update};

fn env() -> Rc<Env> {
    Rc::new(Env::default())
}

fn value(text: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(Some(text.into()))
}

/// A place for settings, and a server for them.
struct Place {
    directory: tempfile::TempDir,
    program: PathBuf,
    server: Option<Process>,
}

impl Place {
    /// With a server that runs. `None`, which is said, where there is none.
    fn with_memcached(test: &str) -> Option<Self> {
        let program = server::program("memcached", &format!("table::memcache::{test}"))?;
        let mut place = Self { directory: tempfile::tempdir().unwrap(), program, server: None };
        place.start();
        Some(place)
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn start(&mut self) {
        let socket = self.socket();
        fs::remove_file(&socket).ok();
        let path = socket.to_str().unwrap();
        self.server = Some(Process::start(&self.program, &["-s", path, "-u", "root", "-m", "8"], &socket));
    }

    /// The name of a table with these settings.
    fn table(&self, name: &str, settings: &str) -> String {
        let server = format!("memcache = unix:{}\n", self.socket().display());
        write(self.directory.path(), name, &format!("{server}{settings}"))
    }
}

fn write(directory: &Path, name: &str, settings: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, settings).unwrap();
    format!("memcache:{}", path.display())
}

fn open(spec: &str, mode: Mode) -> Table {
    Table::try_open(spec, &env(), mode, Flags::LOCK | Flags::FOLD_FIX | Flags::DUP_REPLACE).unwrap()
}

#[test]
fn what_is_stored_is_found() {
    let Some(place) = Place::with_memcached("what_is_stored_is_found") else { return };
    let table = open(&place.table("t.cf", ""), Mode::Create);
    assert!(!table.is_pattern() && table.flags().contains(Flags::MULTI_WRITER));
    assert_eq!(table.lookup_blocking(b"Key"), Ok(None));
    assert_eq!(table.update_blocking(b"Key", b"one two"), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"kEY"), value("one two"));
    assert_eq!(table.update_blocking(b"key", b""), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"key"), value(""));
    assert_eq!(table.update_blocking(b"key", "multi\r\nline END\r\n".as_bytes()), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"key"), value("multi\r\nline END\r\n"));
    let large = "x".repeat(10_240);
    assert_eq!(table.update_blocking(b"large", large.as_bytes()), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"large"), value(&large));
    assert_eq!(table.delete_blocking(b"KEY"), Ok(true));
    assert_eq!(table.delete_blocking(b"KEY"), Ok(false));
    assert_eq!(table.lookup_blocking(b"key"), Ok(None));
    let lines = logged(|| assert_eq!(table.sequence_blocking(Seek::First), Ok(None)));
    let name = table.name();
    assert_eq!(lines, [format!("warning: database {name}: first/next support requires backup database")]);
}

#[test]
fn limits() {
    let Some(place) = Place::with_memcached("limits") else { return };
    let all = open(&place.table("all.cf", ""), Mode::Create);
    let some = open(&place.table("some.cf", "data_size_limit = 10\nretry_pause = 1\n"), Mode::Create);
    let lines = logged(|| assert_eq!(some.update_blocking(b"k", b"12345678901"), Ok(Update::Kept)));
    let name = some.name();
    assert_eq!(
        lines,
        [format!("warning: database {name}: data for key k is too long (data_size_limit=10) -- not stored")]
    );
    assert_eq!(some.update_blocking(b"k", b"1234567890"), Ok(Update::Stored));
    assert_eq!(some.lookup_blocking(b"k"), value("1234567890"));
    assert_eq!(all.update_blocking(b"k", b"12345678901"), Ok(Update::Stored));
    let lines = logged(|| assert_eq!(some.lookup_blocking(b"k"), Err(Error::retry(&name))));
    let file = name.trim_start_matches("memcache:");
    assert_eq!(lines, [format!("warning: {file}: unexpected memcache server reply: VALUE k 0 11")]);
    // Longer than memcached takes.
    let key = "k".repeat(300);
    let lines = logged(|| assert!(all.update_blocking(key.as_bytes(), b"v").is_err()));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with(&format!("warning: database {}: update failed: ", all.name())), "{lines:?}");
    let digested = open(&place.table("digest.cf", "key_digest = sha256\n"), Mode::Create);
    assert_eq!(digested.update_blocking(key.as_bytes(), b"v"), Ok(Update::Stored));
    assert_eq!(digested.lookup_blocking(key.as_bytes()), value("v"));
    assert_eq!(digested.update_blocking(b"abc", b"letters"), Ok(Update::Stored));
    let raw = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(all.lookup_blocking(raw), value("letters"));
}

#[test]
fn values_expire() {
    let Some(place) = Place::with_memcached("values_expire") else { return };
    let table = open(&place.table("t.cf", "ttl = 1\nflags = 7\n"), Mode::Create);
    assert_eq!(table.update_blocking(b"k", b"v"), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"k"), value("v"));
    let begin = Instant::now();
    while table.lookup_blocking(b"k") != Ok(None) {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn keys_have_a_form() {
    let Some(place) = Place::with_memcached("keys_have_a_form") else { return };
    let raw = open(&place.table("raw.cf", ""), Mode::Create);
    let table = open(&place.table("t.cf", "key_format = x%%:%d:%u:%2\ndomain = example.com\n"), Mode::Create);
    assert_eq!(table.update_blocking(b"Joe@example.com", b"v"), Ok(Update::Stored));
    assert_eq!(raw.lookup_blocking(b"x%:example.com:joe:example"), value("v"));
    assert_eq!(table.lookup_blocking(b"joe@example.com"), value("v"));
    let file = table.file_name().to_owned();
    for (key, why) in [
        ("", "empty lookup key"),
        ("joe", "domain mismatch"),
        ("@example.com", "domain mismatch"),
        ("joe@example.org", "domain mismatch"),
        ("a b@example.com", "name contains space or controls"),
        ("a\u{1}@example.com", "name contains space or controls"),
    ] {
        let lines = logged(|| {
            assert_eq!(table.lookup_blocking(key.as_bytes()), Ok(None));
            assert_eq!(table.delete_blocking(key.as_bytes()), Ok(false));
        });
        assert_eq!(lines, [""; 0]);
        let lines = logged(|| assert_eq!(table.update_blocking(key.as_bytes(), b"v"), Ok(Update::Kept)));
        let shown = key.replace('\u{1}', "?");
        assert_eq!(lines, [format!("warning: {file}: skipping update for name \"{shown}\": {why}")]);
    }
    let table = open(&place.table("d.cf", "key_format = %d"), Mode::Create);
    let lines = logged(|| assert_eq!(table.update_blocking(b"joe", b"v"), Ok(Update::Kept)));
    assert!(lines[0].ends_with("empty lookup key expansion"), "{lines:?}");
    let broken = open(&place.table("b.cf", "domain = fail:x\n"), Mode::Create);
    assert!(broken.lookup_blocking(b"a@b").is_err());
}

#[test]
fn a_backup_table_keeps_what_the_server_forgets() {
    let Some(mut place) = Place::with_memcached("a_backup_table_keeps_what_the_server_forgets") else {
        return;
    };
    let backup = format!("lmdb:{}", place.directory.path().join("backup").display());
    let spec = place.table("t.cf", &format!("backup = {backup}\nkey_format = t:%s\n"));
    let table = open(&spec, Mode::Create);
    let raw = open(&place.table("raw.cf", ""), Mode::Create);
    assert_eq!(table.update_blocking(b"A", b"1"), Ok(Update::Stored));
    assert_eq!(table.update_blocking(b"b", b"2"), Ok(Update::Stored));
    assert_eq!(raw.lookup_blocking(b"t:a"), value("1"));
    // The server is asked first.
    assert_eq!(raw.update_blocking(b"t:a", b"other"), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"a"), value("other"));
    assert_eq!(raw.delete_blocking(b"t:a"), Ok(true));
    // It is told what the backup table knows.
    assert_eq!(table.lookup_blocking(b"a"), value("1"));
    assert_eq!(raw.lookup_blocking(b"t:a"), value("1"));
    assert_eq!(table.lookup_blocking(b"c"), Ok(None));
    let mut entries = Vec::new();
    let mut seek = Seek::First;
    while let Some((key, _)) = table.sequence_blocking(seek).unwrap() {
        entries.push(key);
        seek = Seek::Next;
    }
    assert_eq!(entries, [b"a", b"b"]);
    // Without the server it goes on.
    place.server = None;
    let lines = logged(|| {
        assert_eq!(table.lookup_blocking(b"b"), value("2"));
        assert_eq!(table.update_blocking(b"d", b"4"), Ok(Update::Stored));
        assert_eq!(table.delete_blocking(b"a"), Ok(true));
        assert_eq!(table.lookup_blocking(b"c"), Ok(None));
    });
    let refused = format!("warning: connect to {}: Connection refused", place.socket().display());
    assert!(lines.contains(&refused), "{lines:?}");
    assert!(raw.lookup_blocking(b"t:a").is_err(), "and without backup it fails");
    // A server that is back.
    place.start();
    let lines = logged(|| {
        assert_eq!(table.lookup_blocking(b"d"), value("4"));
        assert_eq!(table.lookup_blocking(b"a"), Ok(None));
        assert_eq!(table.delete_blocking(b"d"), Ok(true));
        assert_eq!(table.lookup_blocking(b"d"), Ok(None));
    });
    assert_eq!(lines, [""; 0]);
}

#[test]
fn a_table_for_reading_cannot_be_changed() {
    let place = tempfile::tempdir().unwrap();
    let spec = write(place.path(), "t.cf", "");
    let table = open(&spec, Mode::Read);
    assert!(matches!(table.update_blocking(b"a", b"b"), Err(Error::Unsupported { operation: "update", .. })));
    assert!(matches!(table.delete_blocking(b"a"), Err(Error::Unsupported { operation: "delete", .. })));
}

#[test]
fn what_cannot_be_opened() {
    let place = tempfile::tempdir().unwrap();
    let error = |settings: &str| {
        let spec = write(place.path(), "t.cf", settings);
        Table::try_open(&spec, &env(), Mode::Read, Flags::LOOKUP).err().unwrap()
    };
    let file = place.path().join("t.cf").display().to_string();
    assert_eq!(error("key_digest = nosuch\n"), format!("open {file}: key digest nosuch is not available"));
    assert_eq!(error("key_format = %x\n"), format!("db_common_parse: {file}: Invalid query template: %x"));
    assert_eq!(error("max_try = 0\n"), format!("{file}: invalid max_try parameter value 0 < 1"));
    assert_eq!(error("ttl = 1h\n"), format!("{file}: bad numerical configuration: ttl = 1h"));
    assert_eq!(error("memcache = localhost\n"), "need service transport:endpoint instead of \"localhost\"");
    assert_eq!(error("backup = nosuch:x\n"), "unsupported dictionary type: nosuch");
    let open = |mode, flags| Table::try_open("memcache:/nonexistent/x", &env(), mode, flags).err().unwrap();
    assert_eq!(open(Mode::Read, Flags::LOOKUP), "open /nonexistent/x: No such file or directory");
    assert_eq!(
        open(Mode::Read, Flags::PARANOID),
        "memcache:/nonexistent/x map is not allowed for security-sensitive data"
    );
}

/// A table of a server that answers each line with a text.
fn scripted(
    answer: impl Fn(&str) -> &'static str + Send + Sync + 'static,
) -> (tempfile::TempDir, Server, Table) {
    let server = Server::lines(move |line| answer(line.trim_end()).as_bytes().to_vec());
    let place = tempfile::tempdir().unwrap();
    let settings = format!("memcache = inet:{}\nline_size_limit = 50\n", server.name);
    let table = open(&write(place.path(), "t.cf", &settings), Mode::Create);
    (place, server, table)
}

#[test]
fn answers_that_make_no_sense() {
    let (_place, server, table) = scripted(|line| match line {
        "get plain" => "VALUE plain 0 2\nxy\r\nEND\n",
        "get spaced" => "VALUE  spaced  0  2  9\r\nxy\r\nEND\r\n",
        "get nul" => "VALUE nul 0 3\r\nx\0y\r\nEND\r\n",
        "get noend" => "VALUE noend 0 2\r\nxy\r\nMORE\r\n",
        "get error" => "SERVER_ERROR out of memory\r\n",
        "get negative" => "VALUE negative 0 -1\r\n",
        "get short" => "VALUE short 0 1\r\nxy\r\nEND\r\n",
        "get long" => "VALUE long 0 2 ........................................\r\n",
        "delete x" => "ERROR with a long text that is cut\r\n",
        _ => "",
    });
    let (name, file) = (table.name(), table.file_name().to_owned());
    let failed = || Err(Error::retry(&name));
    let unexpected = |text: &str| vec![format!("warning: {file}: unexpected memcache server reply: {text}")];
    for (key, answer, log) in [
        ("plain", value("xy"), vec![]),
        ("spaced", value("xy"), vec![]),
        ("nul", value("x"), vec![]),
        ("noend", value("xy"), vec![]),
        ("error", failed(), unexpected("SERVER_ERROR out of memory")),
        ("negative", failed(), unexpected("VALUE negative 0 -1")),
        ("short", failed(), vec![format!("warning: {file}: EOF receiving memcache server reply")]),
        ("long", failed(), vec![format!("warning: database {name}: I/O error")]),
    ] {
        let lines = logged(|| assert_eq!(table.lookup_blocking(key.as_bytes()), answer, "{key}"));
        assert_eq!(lines, log, "{key}");
    }
    let lines = logged(|| assert_eq!(table.delete_blocking(b"x"), Err(Error::retry(&name))));
    assert_eq!(lines, [format!("warning: database {name}: delete failed: ERROR with a long text that is")]);
    assert_eq!(server.connections(), 1 + 1 + 2 * 4 + 1);
}

#[test]
fn nobody_listens() {
    let free = free_address();
    let place = tempfile::tempdir().unwrap();
    let table = open(&write(place.path(), "t.cf", &format!("memcache = inet:{free}\n")), Mode::Create);
    let begin = Instant::now();
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), Err(Error::retry(table.name()))));
    assert_eq!(lines, [format!("warning: connect to {free}: Connection refused")]);
    assert!(begin.elapsed() < Duration::from_millis(900), "once");
}

#[test]
fn servers_that_end_connections_or_say_nothing() {
    let server = Server::start(|mut stream, number| {
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        match number {
            0 => {}
            1 => stream.write_all(b"END\r\n").unwrap(),
            2 | 3 => {}
            _ => std::thread::sleep(Duration::from_secs(30)),
        }
    });
    let place = tempfile::tempdir().unwrap();
    let settings = format!("memcache = inet:{}\ntimeout = 1\n", server.name);
    let table = open(&write(place.path(), "t.cf", &settings), Mode::Read);
    let name = table.name();
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), Ok(None)));
    assert_eq!(lines, [""; 0], "the first failure is nothing to talk about");
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), Err(Error::retry(&name))));
    assert_eq!(lines, [format!("warning: database {name}: I/O error")]);
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), Err(Error::retry(&name))));
    assert_eq!(lines, [format!("warning: database {name}: I/O error: Connection timed out")]);
}
