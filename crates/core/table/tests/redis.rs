//! `redis:`, against Debian's redis-server and against servers that misbehave.

#[allow(dead_code, reason = "another test program uses the rest")]
#[path = "support/journal.rs"]
mod journal;
#[path = "support/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use ferrofix_table as table;
use server::{Process, Server, free_address, logged};
use table::{Env, Error, Flags, Mode, Seek, Table, Update};

const CACHE: Flags =
    Flags::from_bits(Flags::LOCK.bits() | Flags::FOLD_FIX.bits() | Flags::DUP_REPLACE.bits());

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
    fn with_redis(test: &str, settings: &str) -> Option<Self> {
        let program = server::program("redis-server", &format!("table::redis::{test}"))?;
        let mut place = Self { directory: tempfile::tempdir().unwrap(), program, server: None };
        let (socket, here) = (place.socket(), place.directory.path().display().to_string());
        let common = "port 0\nsave \"\"\nappendonly no\nmaxmemory 20mb\nunixsocketperm 600\n";
        let text = format!("{common}unixsocket {}\ndir {here}\n{settings}", socket.display());
        fs::write(place.directory.path().join("redis.conf"), text).unwrap();
        place.start();
        Some(place)
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn start(&mut self) {
        let socket = self.socket();
        fs::remove_file(&socket).ok();
        let settings = self.directory.path().join("redis.conf");
        self.server = Some(Process::start(&self.program, &[settings.to_str().unwrap()], &socket));
    }

    /// The name of a table with these settings.
    fn table(&self, name: &str, settings: &str) -> String {
        let server = format!("redis = unix:{}\n", self.socket().display());
        write(self.directory.path(), name, &format!("{server}{settings}"))
    }

    /// What the server answers to a line.
    fn say(&self, line: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.trim_end_matches("+OK\r\n").to_owned()
    }
}

fn write(directory: &Path, name: &str, settings: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, settings).unwrap();
    format!("redis:{}", path.display())
}

fn open(spec: &str, mode: Mode) -> Table {
    Table::try_open(spec, &env(), mode, CACHE).unwrap()
}

fn all(table: &Table) -> BTreeMap<String, String> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let mut entries = BTreeMap::new();
    let mut seek = Seek::First;
    while let Some((key, value)) = table.sequence_blocking(seek).unwrap() {
        entries.insert(text(key), text(value));
        seek = Seek::Next;
    }
    entries
}

#[test]
fn what_is_stored_is_found() {
    let Some(place) = Place::with_redis("what_is_stored_is_found", "") else { return };
    let table = open(&place.table("t.cf", ""), Mode::Create);
    assert!(!table.is_pattern() && table.flags().contains(Flags::MULTI_WRITER));
    assert_eq!(table.lookup_blocking(b"Key"), Ok(None));
    assert_eq!(table.update_blocking(b"Key", b"one two"), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"kEY"), value("one two"));
    assert_eq!(table.update_blocking(b"key", b"three"), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"key"), value("three"));
    let odd = b"a b\r\n$5\r\n*?\\x";
    assert_eq!(table.update_blocking(odd, b"v\r\n-ERR\r\n"), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(odd), value("v\r\n-ERR\r\n"));
    assert_eq!(table.update_blocking(b"empty", b""), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"empty"), value(""));
    let large = "x".repeat(102_400);
    assert_eq!(table.update_blocking(b"large", large.as_bytes()), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"large"), value(&large));
    let lines = logged(|| assert_eq!(table.update_blocking(b"k", &[b'x'; 102_401]), Ok(Update::Kept)));
    assert!(lines[0].contains("data for key k is too long (data_size_limit=102400) -- not stored"));
    assert_eq!(table.delete_blocking(b"KEY"), Ok(true));
    assert_eq!(table.delete_blocking(b"KEY"), Ok(false));
    assert_eq!(place.say("DBSIZE"), ":3\r\n");
}

#[test]
fn several_share_what_one_stores() {
    let Some(place) = Place::with_redis("several_share_what_one_stores", "") else { return };
    let spec = place.table("t.cf", "key_format = verify:%s\n");
    let one = open(&spec, Mode::Create);
    let other = open(&spec, Mode::Create);
    for number in 0..500 {
        one.update_blocking(format!("a{number}@example.com").as_bytes(), b"ok").unwrap();
    }
    assert_eq!(other.lookup_blocking(b"a7@example.com"), value("ok"));
    place.say("SET foreign x");
    place.say("SADD verify:set x");
    let entries = all(&other);
    assert_eq!(entries.len(), 500);
    assert!(entries.keys().all(|key| key.starts_with('a')));
    // The list survives what a clean-up does meanwhile.
    let mut count = 0;
    let mut seek = Seek::First;
    while let Some((key, _)) = other.sequence_blocking(seek).unwrap() {
        count += usize::from(one.delete_blocking(&key).unwrap());
        seek = Seek::Next;
    }
    assert_eq!(count, 500);
    assert!(all(&one).is_empty());
    assert_eq!(place.say("DBSIZE"), ":2\r\n");
}

#[test]
fn keys_have_a_form() {
    let Some(place) = Place::with_redis("keys_have_a_form", "") else { return };
    let table =
        open(&place.table("t.cf", "key_format = *[a]%%:%s:end\ndomain = example.com\n"), Mode::Create);
    assert_eq!(table.update_blocking(b"Joe@example.com", b"v"), Ok(Update::Stored));
    assert_eq!(table.update_blocking(b"joe@example.org", b"v"), Ok(Update::Kept));
    assert_eq!(table.lookup_blocking(b"joe@example.org"), Ok(None));
    assert_eq!(place.say("KEYS *"), "*1\r\n$25\r\n*[a]%:joe@example.com:end\r\n");
    place.say("SET xa%:ann@example.com:end x");
    assert_eq!(all(&table).into_keys().collect::<Vec<_>>(), ["joe@example.com"]);
    for settings in ["key_digest = sha256\n", "key_format = %u\n", "key_format = %s%s\n"] {
        let table = open(&place.table("no.cf", settings), Mode::Create);
        let lines = logged(|| assert_eq!(table.sequence_blocking(Seek::First), Ok(None)));
        assert!(lines[0].contains("first/next support requires"), "{settings}");
    }
    let digested = open(&place.table("d.cf", "key_digest = sha1\nkey_format = x%s\n"), Mode::Create);
    assert_eq!(digested.update_blocking(b"y", b"v"), Ok(Update::Stored));
    assert_eq!(digested.lookup_blocking(b"y"), value("v"));
    assert_eq!(place.say("EXISTS 5f8459982f9f619f4b0d9af2542a2086e56a4bef"), ":1\r\n");
}

#[test]
fn values_expire() {
    let Some(place) = Place::with_redis("values_expire", "") else { return };
    let table = open(&place.table("t.cf", "ttl = 1\n"), Mode::Create);
    assert_eq!(table.update_blocking(b"k", b"v"), Ok(Update::Stored));
    assert_eq!(table.lookup_blocking(b"k"), value("v"));
    let begin = Instant::now();
    while table.lookup_blocking(b"k") != Ok(None) {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(100));
    }
    let table = open(&place.table("keep.cf", ""), Mode::Create);
    table.update_blocking(b"k", b"v").unwrap();
    assert_eq!(place.say("TTL k"), ":-1\r\n");
}

#[test]
fn values_that_are_there() {
    let Some(place) = Place::with_redis("values_that_are_there", "") else { return };
    let spec = place.table("t.cf", "");
    let open = |flags| Table::try_open(&spec, &env(), Mode::Create, Flags::LOCK | flags).unwrap();
    let warned = open(Flags::DUP_WARN);
    assert_eq!(warned.update_blocking(b"k", b"1"), Ok(Update::Stored));
    let lines = logged(|| assert_eq!(warned.update_blocking(b"k", b"2"), Ok(Update::Kept)));
    assert_eq!(lines, [format!("warning: {spec}: duplicate entry: \"k\"")]);
    assert_eq!(open(Flags::DUP_IGNORE).update_blocking(b"k", b"2"), Ok(Update::Kept));
    let text = format!("{spec}: duplicate entry: \"k\"");
    assert_eq!(open(Flags::NONE).update_blocking(b"k", b"2"), Err(Error::Fault(text)));
    assert_eq!(warned.lookup_blocking(b"k"), value("1"));
}

#[test]
fn passwords_and_databases() {
    let settings = "requirepass secret\nuser mail on >word ~* &* +@all\n";
    let Some(place) = Place::with_redis("passwords_and_databases", settings) else { return };
    let good = open(&place.table("good.cf", "password = secret\ndatabase = 3\n"), Mode::Create);
    assert_eq!(good.update_blocking(b"k", b"three"), Ok(Update::Stored));
    let named = open(&place.table("named.cf", "user = mail\npassword = word\ndatabase = 3\n"), Mode::Read);
    assert_eq!(named.lookup_blocking(b"k"), value("three"));
    let zero = open(&place.table("zero.cf", "password = secret\n"), Mode::Read);
    assert_eq!(zero.lookup_blocking(b"k"), Ok(None));
    for (settings, text) in [
        ("password = wrong-secret\n", "AUTH failed: WRONGPASS"),
        ("user = mail\npassword = wrong-secret\n", "AUTH failed: WRONGPASS"),
        ("", "server error: NOAUTH Authentication required."),
        ("password = secret\ndatabase = 99\n", "SELECT failed: ERR"),
    ] {
        let table = open(&place.table("bad.cf", settings), Mode::Read);
        let lines = logged(|| assert_eq!(table.lookup_blocking(b"k"), Err(Error::retry(table.name()))));
        assert_eq!(lines, [format!("warning: database {}: {text}", table.name())]);
    }
}

#[test]
fn a_server_that_is_started_anew_goes_unnoticed() {
    let Some(mut place) = Place::with_redis("a_server_that_is_started_anew_goes_unnoticed", "") else {
        return;
    };
    let table = open(&place.table("t.cf", ""), Mode::Create);
    assert_eq!(table.update_blocking(b"k", b"v"), Ok(Update::Stored));
    place.server = None;
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"k"), Err(Error::retry(table.name()))));
    let socket = place.socket();
    assert_eq!(lines, [format!("warning: connect to {}: Connection refused", socket.display())]);
    place.start();
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"k"), Ok(None)));
    assert_eq!(lines, [""; 0]);
}

#[test]
fn what_is_not_a_string() {
    let Some(place) = Place::with_redis("what_is_not_a_string", "") else { return };
    place.say("SADD k x");
    let table = open(&place.table("t.cf", ""), Mode::Read);
    let lines = logged(|| assert!(table.lookup_blocking(b"k").is_err()));
    assert!(lines[0].contains("server error: WRONGTYPE"), "{lines:?}");
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
    assert_eq!(error("user = x\n"), format!("{file}: user without password"));
    assert_eq!(error("database = -1\n"), format!("{file}: invalid database parameter value -1 < 0"));
    assert_eq!(error("redis = localhost\n"), "need service transport:endpoint instead of \"localhost\"");
    let paranoid = Table::try_open("redis:/x", &env(), Mode::Read, Flags::PARANOID).err().unwrap();
    assert_eq!(paranoid, "redis:/x map is not allowed for security-sensitive data");
}

#[test]
fn answers_that_make_no_sense() {
    for (answer, problem) in [
        ("x\r\n", "unexpected server reply"),
        ("+OK\n", "unexpected server reply"),
        ("$x\r\n", "unexpected server reply"),
        ("$-2\r\n", "unexpected server reply"),
        ("$999999999999\r\n", "unexpected server reply"),
        ("$3\r\nabcde", "unexpected server reply"),
        ("*999999999\r\n", "unexpected server reply"),
        ("*1\r\n*1\r\n*1\r\n:1\r\n", "unexpected server reply"),
        (":5\r\n", "unexpected server reply"),
        ("-LOADING it\u{1}self\r\n", "server error: LOADING it?self"),
        ("", "I/O error"),
        ("$3\r\nab", "I/O error"),
    ] {
        let server = Server::start(move |mut stream, _| {
            assert!(stream.read(&mut [0; 1000]).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let place = tempfile::tempdir().unwrap();
        let table =
            open(&write(place.path(), "t.cf", &format!("redis = inet:{}\n", server.name)), Mode::Read);
        let lines = logged(|| assert_eq!(table.lookup_blocking(b"k"), Err(Error::retry(table.name()))));
        assert_eq!(lines, [format!("warning: database {}: {problem}", table.name())], "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_that_say_nothing_or_are_not_there() {
    let server = Server::start(|mut stream, _| {
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let place = tempfile::tempdir().unwrap();
    let table = open(&write(place.path(), "t.cf", &format!("redis = inet:{}\n", server.name)), Mode::Read);
    let begin = tokio::time::Instant::now();
    assert_eq!(table.lookup(b"k").await, Err(Error::retry(table.name())));
    assert_eq!(begin.elapsed().as_secs(), 2 + 1 + 2);
    let free = free_address();
    let table = open(&write(place.path(), "t2.cf", &format!("redis = inet:{free}\n")), Mode::Read);
    assert_eq!(table.lookup(b"k").await, Err(Error::retry(table.name())));
}
