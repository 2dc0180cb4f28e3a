//! Builders, readers and an end at any moment: what is in the table is always the whole of one source.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A directory with a table in it.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("main.cf"), "compatibility_level = 3.6\n").unwrap();
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("table")
    }

    fn spec(&self) -> String {
        format!("lmdb:{}", self.path().display())
    }

    /// A source in which each key has the same value.
    fn source(&self, rows: usize, value: &str) {
        let text: String = (0..rows).map(|row| format!("key{row}\t{value}\n")).collect();
        // As an editor does it, so that a builder that is reading reads on in the old one.
        let new = self.directory.path().join("table.new");
        fs::write(&new, text).unwrap();
        // An old one, so that nobody builds the index when it is opened.
        File::options().append(true).open(&new).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        fs::rename(new, self.path()).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postmap"));
        command.arg("-c").arg(self.directory.path()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn build(&self) {
        well(&self.command(&[&self.spec()]).output().unwrap());
    }

    /// Builds the table; how long that takes.
    fn build_time(&self) -> Duration {
        let began = Instant::now();
        self.build();
        began.elapsed()
    }

    /// All values, and how many rows there are.
    fn contents(&self) -> (BTreeSet<String>, usize) {
        let output = self.command(&["-s", &self.spec()]).output().unwrap();
        well(&output);
        let text = String::from_utf8(output.stdout).unwrap();
        (text.lines().map(|line| line.split_once('\t').unwrap().1.to_owned()).collect(), text.lines().count())
    }

    fn index(&self) -> PathBuf {
        self.directory.path().join("table.lmdb")
    }
}

fn well(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

fn only(value: &str, rows: usize) -> (BTreeSet<String>, usize) {
    (BTreeSet::from([value.to_owned()]), rows)
}

#[test]
fn a_killed_build_leaves_a_whole_table() {
    const ROWS: usize = 20_000;
    let place = Place::new();
    place.source(ROWS, "value0");
    let duration = place.build_time();
    let (mut before, mut kept) = ("value0".to_owned(), 0);
    for round in 1..=12 {
        let value = format!("value{round}");
        place.source(ROWS, &value);
        let mut child = place.command(&[&place.spec()]).spawn().unwrap();
        std::thread::sleep(duration * round / 10);
        child.kill().unwrap();
        child.wait().unwrap();
        let found = place.contents();
        if found == only(&before, ROWS) {
            kept += 1;
        } else {
            assert_eq!(found, only(&value, ROWS), "round {round}");
            before = value;
        }
    }
    assert!(kept > 0, "no build was killed before its end");
    place.source(ROWS, "last");
    place.build();
    assert_eq!(place.contents(), only("last", ROWS));
}

#[test]
fn a_killed_first_build_leaves_no_table() {
    const ROWS: usize = 20_000;
    let place = Place::new();
    place.source(ROWS, "value");
    let duration = place.build_time();
    for round in 0..8 {
        let place = Place::new();
        place.source(ROWS, "value");
        let mut child = place.command(&[&place.spec()]).spawn().unwrap();
        std::thread::sleep(duration * round / 8);
        child.kill().unwrap();
        child.wait().unwrap();
        if place.index().exists() {
            assert_eq!(place.contents(), only("value", ROWS));
        }
        place.build();
        assert_eq!(place.contents(), only("value", ROWS));
    }
}

#[test]
fn readers_see_one_source_or_the_other() {
    const ROWS: usize = 500;
    let place = Place::new();
    place.source(ROWS, "even");
    place.build();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut answers = 0;
                    while !done.load(Ordering::Relaxed) {
                        // One process, one table that stays open, and a key at a time.
                        let mut child =
                            place.command(&["-q", "-", &place.spec()]).stdin(Stdio::piped()).spawn().unwrap();
                        let mut input = child.stdin.take().unwrap();
                        for row in (0..ROWS).cycle().take(4 * ROWS) {
                            input.write_all(format!("key{row}\n").as_bytes()).unwrap();
                        }
                        drop(input);
                        let output = child.wait_with_output().unwrap();
                        well(&output);
                        let text = String::from_utf8(output.stdout).unwrap();
                        assert_eq!(text.lines().count(), 4 * ROWS, "answers are missing");
                        assert!(text.lines().all(|line| line.ends_with("\teven") || line.ends_with("\todd")));
                        answers += text.lines().count();
                    }
                    answers
                })
            })
            .collect();
        for round in 0..30 {
            place.source(ROWS, if round % 2 == 0 { "odd" } else { "even" });
            place.build();
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
}

#[test]
fn builders_take_turns() {
    const ROWS: usize = 2000;
    let place = Place::new();
    place.source(ROWS, "value");
    for _ in 0..3 {
        // The first time there is no table; then there is.
        let children: Vec<_> = (0..4).map(|_| place.command(&[&place.spec()]).spawn().unwrap()).collect();
        for child in children {
            well(&child.wait_with_output().unwrap());
        }
        assert_eq!(place.contents(), only("value", ROWS));
    }
    let names = |name: &fs::DirEntry| name.file_name().into_string().unwrap();
    let left: BTreeSet<_> =
        fs::read_dir(place.directory.path()).unwrap().map(|entry| names(&entry.unwrap())).collect();
    assert_eq!(left, ["main.cf", "table", "table.lmdb"].map(str::to_owned).into());
}

#[test]
fn additions_wait_for_a_builder_and_it_for_readers() {
    let place = Place::new();
    place.source(10, "value");
    place.build();
    // A reader that is in the middle of a lookup, and does not end it.
    let reader = lock_shared(&place.index());
    let mut build = place.command(&[&place.spec()]).spawn().unwrap();
    let mut add = place.command(&["-i", &place.spec()]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = add.stdin.take().unwrap();
    input.write_all(b"added value\n").unwrap();
    drop(input);
    std::thread::sleep(Duration::from_millis(400));
    assert!(build.try_wait().unwrap().is_none(), "it does not wait");
    assert!(add.try_wait().unwrap().is_none(), "it does not wait");
    // Other readers need not wait.
    well(&place.command(&["-q", "key1", &place.spec()]).output().unwrap());
    drop(reader);
    well(&build.wait_with_output().unwrap());
    well(&add.wait_with_output().unwrap());
    let (values, rows) = place.contents();
    assert_eq!(values, BTreeSet::from(["value".to_owned()]));
    assert!(rows == 10 || rows == 11, "{rows}");
}

/// A lock as a reader has it, until the file is closed.
fn lock_shared(path: &Path) -> File {
    let file = File::open(path).unwrap();
    let request = nix::libc::flock {
        l_type: nix::libc::F_RDLCK as _,
        l_whence: nix::libc::SEEK_SET as _,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_OFD_SETLK(&request)).unwrap();
    assert!(file.as_raw_fd() > 2);
    file
}
