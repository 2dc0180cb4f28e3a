//! `cdb:` tables against files, other writers and misfortune; and against Debian's Postfix, where that is at hand.

#[allow(dead_code, reason = "another test program uses the rest")]
#[path = "support/journal.rs"]
mod journal;
#[path = "support/server.rs"]
mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ferrofix_table as table;
use server::logged;
use table::build::{self, AsOwner, Format};
use table::{Env, Error, Flags, Mode, Seek, Table};

fn env() -> Rc<Env> {
    Rc::new(Env::default())
}

fn value(text: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(Some(text.into()))
}

/// A name for a table in a directory that goes with the value.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn name(&self) -> String {
        self.0.path().join("map").display().to_string()
    }

    fn build(&self, flags: Flags, text: &str) -> Result<(), String> {
        let name = self.name();
        build::create(&env(), ("cdb", &name), flags, Format::Map, (&name, text.as_bytes()))
    }

    fn open(&self) -> Table {
        self.open_in(&env())
    }

    fn open_in(&self, env: &Rc<Env>) -> Table {
        Table::try_open(&format!("cdb:{}", self.name()), env, Mode::Read, Flags::LOOKUP).unwrap()
    }
}

const USUAL: Flags = Flags::from_bits(Flags::DUP_WARN.bits() | Flags::FOLD_FIX.bits());

fn all(table: &Table) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let mut entries = Vec::new();
    let mut seek = Seek::First;
    while let Some((key, value)) = table.sequence_blocking(seek).unwrap() {
        entries.push((text(key), text(value)));
        seek = Seek::Next;
    }
    entries
}

#[test]
fn what_is_built_is_found_and_listed() {
    let place = Place::new();
    place.build(USUAL, "Info@Example.com joe\nb two words\n").unwrap();
    let table = place.open();
    assert!(!table.is_pattern() && table.is_local());
    assert_eq!(table.lookup_blocking(b"info@example.COM"), value("joe"));
    assert_eq!(table.lookup_blocking(b"c"), Ok(None));
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = [pair("info@example.com", "joe"), pair("b", "two words")];
    assert_eq!(all(&table), expected);
    assert_eq!(all(&table), expected, "again");
    let names: Vec<_> =
        fs::read_dir(place.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["map.cdb"], "nothing unfinished is left behind");
}

#[test]
fn the_nul_at_the_end_is_there_or_not() {
    let place = Place::new();
    for flags in [Flags::TRY1NULL, Flags::TRY0NULL, Flags::NONE] {
        place.build(USUAL | flags, "a 1\nb 2\n").unwrap();
        let table = place.open();
        assert_eq!(table.lookup_blocking(b"none"), Ok(None));
        assert_eq!(table.lookup_blocking(b"b"), value("2"));
        assert_eq!(table.lookup_blocking(b"a"), value("1"));
        assert_eq!(all(&table).len(), 2);
        let text = fs::read(place.0.path().join("map.cdb")).unwrap();
        let has_nul = text.windows(4).any(|part| part == b"a\x001\0");
        assert_eq!(has_nul, flags == Flags::TRY1NULL);
        let other = if has_nul { Flags::TRY0NULL } else { Flags::TRY1NULL };
        let spec = format!("cdb:{}", place.name());
        let table = Table::try_open(&spec, &env(), Mode::Read, Flags::LOOKUP | other).unwrap();
        assert_eq!(table.lookup_blocking(b"a"), Ok(None));
    }
}

#[test]
fn keys_that_are_there_twice() {
    let place = Place::new();
    let text = "a 1\nb 2\na 3\n";
    let name = place.name();
    let built = |flags| {
        place.build(Flags::FOLD_FIX | flags, text)?;
        Ok::<_, String>(place.open().lookup_blocking(b"a").unwrap().unwrap())
    };
    let lines = logged(|| assert_eq!(built(Flags::DUP_WARN).unwrap(), b"1"));
    assert_eq!(lines, [format!("warning: {name}: duplicate entry: \"a\"")]);
    let lines = logged(|| {
        assert_eq!(built(Flags::DUP_IGNORE).unwrap(), b"1");
        assert_eq!(built(Flags::DUP_REPLACE).unwrap(), b"3");
    });
    assert_eq!(lines, [""; 0]);
    assert_eq!(built(Flags::NONE), Err(format!("{name}: duplicate entry: \"a\"")));
    assert_eq!(place.open().lookup_blocking(b"a"), value("3"), "the old table stays");
    assert!(!place.0.path().join("map.cdb.tmp").exists());
}

#[test]
fn a_table_that_is_open_keeps_its_contents_and_knows_of_newer_ones() {
    let place = Place::new();
    place.build(USUAL, "a 1\n").unwrap();
    let env = env();
    let table = place.open_in(&env);
    assert_eq!(env.changed_table(), None);
    place.build(USUAL, "a 2\n").unwrap();
    assert_eq!(table.lookup_blocking(b"a"), value("1"));
    assert_eq!(env.changed_table(), Some(table.name()));
    assert_eq!(place.open().lookup_blocking(b"a"), value("2"));
}

#[test]
fn a_text_that_is_newer_is_worth_a_warning() {
    let place = Place::new();
    place.build(USUAL, "a 1\n").unwrap();
    let name = place.name();
    fs::write(&name, "a 2\n").unwrap();
    let age = |path: &str, seconds| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    };
    age(&format!("{name}.cdb"), 500);
    assert_eq!(logged(|| drop(place.open())), [""; 0], "somebody is working on it");
    age(&name, 200);
    let lines = logged(|| assert_eq!(place.open().lookup_blocking(b"a"), value("1")));
    assert_eq!(lines, [format!("warning: database {name}.cdb is older than source file {name}")]);
}

#[test]
fn what_cannot_be_done() {
    let place = Place::new();
    let spec = format!("cdb:{}", place.name());
    let reported = |mode| Table::try_open(&spec, &env(), mode, Flags::LOOKUP).err().unwrap();
    let path = format!("{}.cdb", place.name());
    fs::write(place.name(), "a 1\n").unwrap();
    assert_eq!(reported(Mode::Read), format!("open database {path}: No such file or directory"));
    assert_eq!(reported(Mode::Write), "unsupported non-bulk change request");
    assert_eq!(reported(Mode::Create), "unsupported non-bulk change request");
    fs::write(&path, "short").unwrap();
    assert_eq!(reported(Mode::Read), format!("dict_cdbq_open: unable to init {path}: Protocol error"));
    place.build(USUAL, "a 1\n").unwrap();
    let table = place.open();
    assert!(matches!(table.update_blocking(b"a", b"2"), Err(Error::Unsupported { operation: "update", .. })));
    assert!(matches!(table.delete_blocking(b"a"), Err(Error::Unsupported { operation: "delete", .. })));
    // Damage is found when it is met, and is an error.
    let mut text = fs::read(&path).unwrap();
    text.truncate(text.len() - 4);
    fs::write(&path, text).unwrap();
    let damaged = format!("error reading {path}: Protocol error");
    assert_eq!(place.open().lookup_blocking(b"a"), Err(Error::Fault(damaged)));
}

#[test]
fn a_file_is_no_more_open_than_its_text() {
    let place = Place::new();
    let name = place.name();
    fs::write(&name, "a 1\n").unwrap();
    fs::set_permissions(&name, fs::Permissions::from_mode(0o600)).unwrap();
    let guard = AsOwner::of(&fs::metadata(&name).unwrap()).unwrap();
    place.build(USUAL, "a 1\n").unwrap();
    drop(guard);
    let mode = fs::metadata(format!("{name}.cdb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn one_writer_waits_for_the_other() {
    let place = Place::new();
    let unfinished = format!("{}.cdb.tmp", place.name());
    let file = fs::File::create(&unfinished).unwrap();
    sys::lock::flock(&file, sys::lock::Mode::Exclusive, sys::lock::Wait::No).unwrap();
    let name = place.name();
    let writer = std::thread::spawn(move || {
        build::create(&env(), ("cdb", &name), USUAL, Format::Map, (&name, b"a 2\n"))
    });
    std::thread::sleep(Duration::from_millis(300));
    assert!(!writer.is_finished());
    // The other one is ready: its file gets the name, and the lock goes.
    fs::write(&unfinished, "what the other wrote").unwrap();
    let path = format!("{}.cdb", place.name());
    fs::rename(&unfinished, &path).unwrap();
    drop(file);
    writer.join().unwrap().unwrap();
    assert_eq!(place.open().lookup_blocking(b"a"), value("2"));
}

/// Debian's postmap with its cdb tables, as `scripts/test` unpacks it.
struct Reference {
    place: PathBuf,
    settings: tempfile::TempDir,
}

impl Reference {
    fn find(test: &str) -> Option<Self> {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/system/reference");
        let why = match place.canonicalize() {
            Ok(place) if place.join("usr/lib/postfix/postfix-cdb.so").exists() => {
                // Postfix takes its modules from files of root's only.
                if nix::unistd::geteuid().is_root() {
                    return Some(Self::new(place));
                }
                "needs root".to_owned()
            }
            _ => format!("{} has no postfix-cdb (scripts/test puts it there)", place.display()),
        };
        server::skip(&format!("table::cdb::{test}"), &why);
        None
    }

    fn new(place: PathBuf) -> Self {
        let settings = tempfile::tempdir().unwrap();
        fs::set_permissions(settings.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (here, modules) = (settings.path().display(), place.join("usr/lib/postfix"));
        let main = format!(
            "compatibility_level = 3.6\nshlib_directory = {}\nmeta_directory = {here}\n",
            modules.display()
        );
        fs::write(settings.path().join("main.cf"), main).unwrap();
        let module = modules.join("postfix-cdb.so");
        let maps = format!("cdb {} dict_cdb_open mkmap_cdb_open\n", module.display());
        fs::write(settings.path().join("dynamicmaps.cf"), maps).unwrap();
        Self { place, settings }
    }

    fn postmap(&self, arguments: &[&str], input: &[u8]) -> Output {
        let libraries: Vec<_> = ["usr/lib/postfix", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"]
            .iter()
            .map(|path| self.place.join(path).display().to_string())
            .collect();
        let stdin = self.settings.path().join("stdin");
        fs::write(&stdin, input).unwrap();
        Command::new(self.place.join("usr/sbin/postmap"))
            .arg("-c")
            .arg(self.settings.path())
            .args(arguments)
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .stdin(fs::File::open(stdin).unwrap())
            .output()
            .unwrap()
    }
}

/// So many lines of keys and values, some keys more than once. The same for the same seed.
fn random_text(seed: u64, count: usize) -> String {
    let mut state = seed;
    let mut next = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut text = String::new();
    for _ in 0..count {
        let length = 1 + next(40);
        let key: String =
            (0..length).map(|_| char::from(b"abcdefghijABCDE0123456789.@-_+=/"[next(32) as usize])).collect();
        let key = if key.starts_with(['#', '=']) { format!("k{key}") } else { key };
        text.push_str(&format!("{key}\tvalue {} of {}\n", next(1000), "x".repeat(next(200) as usize)));
        if next(20) == 0 {
            text.push_str(&format!("{key} again\n"));
        }
    }
    text
}

#[test]
fn files_are_those_of_postfix() {
    let Some(reference) = Reference::find("files_are_those_of_postfix") else { return };
    for (option, flags, seed) in [
        (None, Flags::DUP_WARN, 1),
        (Some("-N"), Flags::DUP_WARN | Flags::TRY1NULL, 2),
        (Some("-r"), Flags::DUP_REPLACE, 3),
        (Some("-w"), Flags::DUP_IGNORE, 4),
    ] {
        let (ours, theirs) = (Place::new(), Place::new());
        let text = random_text(seed, 2000);
        fs::write(theirs.name(), &text).unwrap();
        let spec = format!("cdb:{}", theirs.name());
        let arguments: Vec<&str> = option.into_iter().chain([spec.as_str()]).collect();
        let output = reference.postmap(&arguments, b"");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = logged(|| ours.build(flags | Flags::FOLD_FIX, &text).unwrap());
        let mut warned: Vec<String> = String::from_utf8_lossy(&output.stderr)
            .lines()
            .map(|line| line.trim_start_matches("postmap: ").replace(&theirs.name(), &ours.name()))
            .collect();
        warned.retain(|line| !line.is_empty());
        assert_eq!(lines, warned);
        let read = |place: &Place| fs::read(format!("{}.cdb", place.name())).unwrap();
        assert!(read(&ours) == read(&theirs), "{option:?}");
    }
}

#[test]
fn each_reads_what_the_other_wrote() {
    let Some(reference) = Reference::find("each_reads_what_the_other_wrote") else { return };
    let text = random_text(5, 2000);
    let (ours, theirs) = (Place::new(), Place::new());
    ours.build(Flags::DUP_IGNORE | Flags::FOLD_FIX, &text).unwrap();
    fs::write(theirs.name(), &text).unwrap();
    let output = reference.postmap(&["-w", &format!("cdb:{}", theirs.name())], b"");
    assert!(output.status.success());
    // Keys that are there and keys that are not, as they came and in another case.
    let keys: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let absent: Vec<String> = random_text(6, 2000)
        .lines()
        .filter_map(|line| Some(format!("{}!", line.split_whitespace().next()?)))
        .collect();
    let upper: Vec<String> = keys.iter().map(|key| key.to_ascii_uppercase()).collect();
    let asked: Vec<&str> = keys
        .into_iter()
        .chain(absent.iter().map(String::as_str))
        .chain(upper.iter().map(String::as_str))
        .collect();
    let input = asked.join("\n") + "\n";
    let theirs_of_ours = reference.postmap(&["-q", "-", &format!("cdb:{}", ours.name())], input.as_bytes());
    let table = theirs.open();
    let mut ours_of_theirs = Vec::new();
    for key in &asked {
        if let Some(value) = table.lookup_blocking(key.as_bytes()).unwrap() {
            ours_of_theirs.extend_from_slice(&[key.as_bytes(), b"\t", &value, b"\n"].concat());
        }
    }
    assert!(ours_of_theirs.len() > 100_000);
    assert!(theirs_of_ours.stdout == ours_of_theirs);
}
