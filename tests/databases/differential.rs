//! Answers, exit codes and warnings of our postmap(1) and the reference's, on the same tables.
//!
//! `FERROFIX_KEYS` in the environment is the number of random keys for each query; usually 2000. All of them are asked for
//! at once; the exit code is that of the first few, each asked for by a process of its own.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::Package;

use crate::postmap::{Outcome, Postmap};
use crate::promises::USER;
use crate::random::Random;
use crate::server::{self, Kind};
use crate::{mysql, pgsql, sqlite};

/// How many keys a process is started for.
const ALONE: usize = 200;
/// How many questions are asked at the same time.
const PARALLEL: usize = 6;

/// Queries about many keys; none of them fails.
const MANY: &[&str] = &[
    "query = SELECT goto FROM alias WHERE address = '%s'",
    "query = SELECT goto FROM alias WHERE address = '%u' OR address = '%d'",
    "query = SELECT '%u', '%d', '%S'",
    "query = SELECT '%1', '%2'\nresult_format = %s/%S/%%",
    "query = SELECT goto FROM alias WHERE address = '%s'\nresult_format = %u@%d",
    "query = SELECT goto FROM alias WHERE address = '%s'\ndomain = example.com, a.example.org\nresult_format = %U",
    "table = alias\nselect_field = goto\nwhere_field = address\nadditional_conditions = AND goto <> ''",
];

/// Settings beside the query that say what one lookup says.
const SINGLE: &[(&str, &str)] = &[
    ("query = SELECT goto FROM alias WHERE address = '%s'\nexpansion_limit = 1", "list@example.com"),
    ("query = SELECT goto FROM alias WHERE address = '%s'\nexpansion_limit = 2", "list@example.com"),
    ("query = SELECT goto FROM alias WHERE address = '%s'\nexpansion_limit = x", "joe"),
    ("query = SELECT goto FROM alias WHERE address = '%s'", "empty"),
    ("query = SELECT goto FROM alias WHERE address = '%s'", "null"),
    ("query = SELECT goto FROM alias WHERE address = '%s'", ""),
    ("query = SELECT address, goto FROM alias WHERE address = '%s'", "list@example.com"),
    ("query = SELECT goto FROM alias WHERE address = '%x'", "joe"),
    ("query = SELECT '%s'\nresult_format = %0", "joe"),
    ("query = SELECT '%s'\nresult_format =", "joe"),
    ("table = alias", "joe"),
    ("nonsense", "joe"),
];

/// Of the types with servers: what is wrong there is a temporary error.
const FAILING: &[&str] = &[
    "query = SELECT nothing FROM alias WHERE address = '%s'",
    "query = SELECT",
    "query = SELECT goto FROM alias WHERE address = '%s",
    "query = SELECT '%s'\npassword = wrong",
    "query = SELECT '%s'\ndbname = missing",
];

/// Rows that some of the keys find.
fn rows(keys: &[String]) -> Vec<(&str, &str)> {
    let mut rows = vec![
        ("list@example.com", "a@x.org"),
        ("list@example.com", "b@x.org"),
        ("joe", "here"),
        ("empty", ""),
        ("null", "NULL"),
    ];
    let values = ["v@w.example", "plain", "", "@only.domain", "only.local@", "NULL", "it's \\ %s"];
    for (at, key) in keys.iter().enumerate().filter(|(at, _)| at % 2 == 0) {
        rows.push((key, values[at / 2 % values.len()]));
    }
    rows
}

pub(crate) fn keys() -> Vec<String> {
    let count = std::env::var("FERROFIX_KEYS").ok().and_then(|count| count.parse().ok()).unwrap_or(2000);
    let mut random = Random::new(45);
    // Tables are asked for keys in lower case; half of them stay in capitals all the same.
    (0..count).map(|at| if at % 4 == 0 { random.key() } else { random.folded() }).collect()
}

/// What differs by nature: errno, which is left over from anything, and where files are.
fn normalised(mut outcome: Outcome, directory: &Path) -> Outcome {
    let directory = directory.display().to_string();
    for line in outcome.errors.iter_mut().chain(&mut outcome.output) {
        *line = line.replace(&directory, "DIR");
        if let Some((head, _)) = line.split_once(" query error: ") {
            *line = format!("{head} query error: ERRNO");
        }
    }
    outcome
}

/// A single server is asked twice since 3.10; the reference here is older, and is told to.
fn settings(package: Package, place: &str, host: &str, settings: &str) -> String {
    let hosts = match package {
        _ if host.is_empty() => String::new(),
        Package::Ours => format!("hosts = {host}\n"),
        Package::Reference => format!("hosts = {host} {host}\n"),
    };
    // Later settings override earlier ones, with a warning that both give.
    let name = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let overridden: Vec<String> = settings.lines().map(name).collect();
    let place: String = place
        .lines()
        .filter(|line| !overridden.contains(&name(line)))
        .map(|line| format!("{line}\n"))
        .collect();
    format!("{hosts}{place}{settings}\n")
}

/// Lookups that must give the same in both packages.
pub(crate) struct Questions<'a> {
    postmap: &'a Postmap,
    kind: &'a str,
    all: Vec<Question>,
}

struct Question {
    place: String,
    host: String,
    text: String,
    keys: Vec<String>,
}

impl<'a> Questions<'a> {
    pub(crate) fn new(postmap: &'a Postmap, kind: &'a str) -> Self {
        Self { postmap, kind, all: Vec::new() }
    }

    /// Keys for a table of settings `place` and `text`, where the server is `host`.
    pub(crate) fn add(&mut self, place: &str, host: &str, text: &str, keys: &[String]) {
        let [place, host, text] = [place, host, text].map(str::to_owned);
        self.all.push(Question { place, host, text, keys: keys.to_vec() });
    }

    pub(crate) fn add_one(&mut self, place: &str, host: &str, text: &str, key: &str) {
        self.add(place, host, text, &[key.to_owned()]);
    }

    /// The first few keys, each as a question of its own.
    pub(crate) fn add_each(&mut self, place: &str, host: &str, text: &str, keys: &[String]) {
        for key in keys.iter().take(ALONE) {
            self.add_one(place, host, text, key);
        }
    }

    fn add_all(&mut self, place: &str, host: &str, keys: &[String]) {
        for text in MANY {
            self.add(place, host, text, keys);
        }
        self.add_each(place, host, MANY[0], keys);
        for (text, key) in SINGLE {
            self.add_one(place, host, text, key);
        }
    }

    /// Asks them all, some at the same time: an end by a fatal error takes a second, asleep.
    pub(crate) fn compare(self) {
        let next = AtomicUsize::new(0);
        let differences = std::thread::scope(|scope| {
            let worker = || {
                let mut differences = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(question) = self.all.get(number) else { break };
                    differences.extend(self.difference(question, number));
                }
                differences
            };
            let workers: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect::<Vec<_>>()
        });
        assert!(
            differences.is_empty(),
            "{} of {} differ:\n{}",
            differences.len(),
            self.all.len(),
            differences.join("\n")
        );
    }

    fn difference(&self, question: &Question, number: usize) -> Option<String> {
        let Question { place, host, text, keys } = question;
        let outcome = |package: Package| {
            let name = format!("{}{number}.cf", package.name());
            let file = self.postmap.settings(&name, &settings(package, place, host, text));
            let outcome = self.postmap.query(package, &format!("{}:{}", self.kind, file.display()), keys);
            let mut outcome = normalised(outcome, self.postmap.path());
            for line in &mut outcome.errors {
                *line = line.replace(&name, "FILE");
            }
            outcome
        };
        let (ours, reference) = (outcome(Package::Ours), outcome(Package::Reference));
        let only = |a: &[String], b: &[String]| {
            let lines: Vec<&String> = a.iter().filter(|line| !b.contains(line)).take(10).collect();
            format!("{lines:#?}")
        };
        (ours != reference).then(|| {
            format!(
                "{}: {host} {text} {:?}\nours, {:?}: {}{}\nreference, {:?}: {}{}",
                self.kind,
                keys.iter().take(1).collect::<Vec<_>>(),
                ours.code,
                only(&ours.output, &reference.output),
                only(&ours.errors, &reference.errors),
                reference.code,
                only(&reference.output, &ours.output),
                only(&reference.errors, &ours.errors)
            )
        })
    }
}

#[test]
fn mysql_as_the_reference() {
    let test = "mysql_as_the_reference";
    let Some(postmap) = Postmap::new(test, &[Package::Ours, Package::Reference]) else { return };
    let mut questions = Questions::new(&postmap, "mysql");
    let keys = keys();
    let Some(server) = server::start(test, Kind::MariaDb, &mysql::contents(&rows(&keys))) else { return };
    // The reference leaves the character set to its library, which may be any.
    let options = postmap.settings("my.cnf", "[client]\ndefault-character-set = utf8mb4\n");
    let place = format!("{}option_file = {}\n", USER, options.display());
    for host in [format!("unix:{}", server.socket().display()), format!("127.0.0.1:{}", server.port)] {
        questions.add_all(&place, &host, &keys);
        for text in FAILING {
            questions.add_one(&place, &host, text, "joe");
        }
        for name in ["one", "none", "two"] {
            let call = format!("query = CALL {name}('%s')");
            questions.add_one(&place, &host, &call, "joe");
            let call = format!("{call}\nrequire_result_set = no");
            questions.add_one(&place, &host, &call, "joe");
        }
    }
    let missing = "unix:/nonexistent/socket";
    questions.add_one(&place, missing, MANY[0], "joe");
    questions.add_one(&place, "127.0.0.1:nonsense", MANY[0], "joe");
    questions.compare();
}

#[test]
fn pgsql_as_the_reference() {
    let test = "pgsql_as_the_reference";
    let Some(postmap) = Postmap::new(test, &[Package::Ours, Package::Reference]) else { return };
    let mut questions = Questions::new(&postmap, "pgsql");
    let keys = keys();
    let Some(server) = server::start(test, Kind::PostgreSql, &pgsql::contents(&rows(&keys))) else { return };
    // The reference is older, and knows this encoding only.
    let place = format!("{}encoding = LATIN1\n", USER);
    let host = format!("inet:127.0.0.1:{}", server.port);
    questions.add_all(&place, &host, &keys);
    for text in FAILING {
        questions.add_one(&place, &host, text, "joe");
    }
    questions.add(&place, &host, "select_function = find", &keys);
    questions.add_one(&place, &host, "query = SELECT 1; SELECT '%s'", "joe");
    for host in ["unix:/nonexistent", "127.0.0.1:1", "no-such-host.invalid", "127.0.0.1:nonsense"] {
        questions.add_one(&place, host, MANY[0], "joe");
    }
    questions.compare();
}

#[test]
fn sqlite_as_the_reference() {
    let test = "sqlite_as_the_reference";
    let Some(postmap) = Postmap::new(test, &[Package::Ours, Package::Reference]) else { return };
    let mut questions = Questions::new(&postmap, "sqlite");
    let keys = keys();
    let file = postmap.path().join("mail.db");
    drop(sqlite::make(&file, &rows(&keys)));
    let place = format!("dbpath = {}\n", file.display());
    questions.add_all(&place, "", &keys);
    for text in [
        "query = SELECT nothing FROM alias WHERE address = '%s'",
        "query = SELECT 1.5, 2 UNION SELECT 100000000000000000000.0, 1 UNION SELECT 1e-7, 0 UNION SELECT x'6100', 3",
        "query = SELECT 'x'; SELECT nonsense",
        "query = SELECT '%s'\ndbpath =",
    ] {
        questions.add_one(&place, "", text, "joe");
    }
    questions.compare();
}
