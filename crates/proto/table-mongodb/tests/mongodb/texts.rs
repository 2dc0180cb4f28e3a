//! What is logged: Postfix's texts, where it has them.

use std::sync::{Arc, Mutex, Once};

use log::tracing::field::{Field, Visit};
use log::tracing::span::{Attributes, Id, Record};
use log::tracing::{Event, Level, Metadata, Subscriber};

use crate::server::{Nature, Server};
use crate::table::{USUAL, ask, open_or_broken, run};

/// Lines of the log, with the names of the files of tables as `x.cf`.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("mail") && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A place in the code that logs is asked once who listens. With somebody there from the beginning the answer does not
/// depend on which of the tests that run side by side came there first.
pub(crate) fn listen() {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| drop(log::tracing::subscriber::set_global_default(Journal::default())));
}

/// What is logged while a table with these settings is opened and asked.
fn logged(settings: &str, key: &str) -> Vec<String> {
    let journal = Journal::default();
    log::tracing::subscriber::with_default(journal.clone(), || {
        run(async {
            let table = open_or_broken(settings);
            let _answer = ask(&table, key).await;
        });
    });
    let lines = journal.0.lock().unwrap();
    let is_path = |word: &&str| word.contains("/x.cf");
    let shorter = |line: &String| -> String {
        let path = line.split([' ', ':', '(', '"', ',']).find(is_path).unwrap_or("/x.cf");
        line.replace(path, "x.cf")
    };
    // These tests replace settings on purpose.
    lines.iter().map(shorter).filter(|line| !line.contains("overriding earlier entry")).collect()
}

#[test]
fn settings() {
    let usual = format!("uri = mongodb://h\n{USUAL}");
    let without = |name: &str| -> String {
        usual.lines().filter(|line| !line.starts_with(name)).map(|line| format!("{line}\n")).collect()
    };
    for (settings, want) in [
        (without("uri"), "x.cf: bad string length 0 < 1: uri = "),
        (without("dbname"), "x.cf: bad string length 0 < 1: dbname = "),
        (without("collection"), "x.cf: bad string length 0 < 1: collection = "),
        (without("query_filter"), "x.cf: bad string length 0 < 1: query_filter = "),
        (
            without("result_attribute"),
            "mongodb:x.cf: specify exactly one of 'projection' or 'result_attribute'",
        ),
        (
            format!("{usual}projection = {{}}\n"),
            "mongodb:x.cf: specify exactly one of 'projection' or 'result_attribute'",
        ),
        (
            format!("{usual}expansion_limit = 101\n"),
            "x.cf: invalid expansion_limit parameter value 101 > 100",
        ),
        (
            format!("{usual}query_filter = {{\"a\": \"%x\"}}\n"),
            "db_common_parse: x.cf: Invalid query template: {\"a\": \"%x\"}",
        ),
        (
            format!("{usual}query_filter = {{\"a\": %s}}\n"),
            "mongodb:x.cf: query_filter has a key that is not within double quotes: {\"a\": %s}",
        ),
        (
            format!("{usual}uri = http://u:secret@h\n"),
            "mongodb:x.cf: failed to parse URI 'http://u@h': Invalid URI Schema, expecting 'mongodb://' or \
             'mongodb+srv://'",
        ),
        (
            format!("{usual}uri = mongodb+srv://u:secret@h/\n"),
            "mongodb:x.cf: failed to create client for 'mongodb+srv://u@h/': mongodb+srv:// is not supported, name the \
             hosts with mongodb://",
        ),
    ] {
        let lines = logged(&settings, "joe");
        assert_eq!(lines.first().map(String::as_str), Some(want), "{lines:?}");
    }
}

#[test]
fn lookups() {
    let server = Server::with(&[
        r#"{"name": "list", "to": ["a", "b", "c"]}"#,
        r#"{"name": "odd", "to": 1.5, "size": true}"#,
        r#"{"name": "empty", "to": ""}"#,
    ]);
    let usual = format!("uri = {}\n{USUAL}", server.uri());
    for (more, key, want) in [
        ("", "nobody", &[][..]),
        ("expansion_limit = 2", "list", &["mongodb:x.cf: expansion limit exceeded for key: 'list'"]),
        (
            "result_attribute = to size",
            "odd",
            &[
                "mongodb:x.cf: failed to retrieve value of 'to', Unknown result type 1.",
                "mongodb:x.cf: failed to retrieve value of 'size', Unknown result type 8.",
            ],
        ),
        ("", "empty", &["table \"mongodb:x.cf\": empty lookup result for: \"empty\" -- ignored"]),
        (
            "result_attribute =\nprojection = {a: 1}",
            "list",
            &[
                "mongodb:x.cf: failed to create a projection from '{a: 1}': key must be a string at line 1 column 2",
            ],
        ),
        (
            "query_filter = {\"name\": \"%s\"",
            "x\"y",
            &[
                "mongodb:x.cf: failed to create a query from '{\"name\": \"x\\\"y\"': EOF while parsing an object at line 1 column 15",
            ],
        ),
        (
            "query_filter = {\"$where\": \"%s\"}",
            "x",
            &["mongodb:x.cf: cursor error for '{\"$where\": \"x\"}': unknown top level operator: $where"],
        ),
    ] {
        assert_eq!(logged(&format!("{usual}{more}\n"), key), want, "{more}");
    }
}

#[test]
fn servers() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let why = |uri: &str| {
        let lines = logged(&format!("uri = {uri}\n{USUAL}"), "joe");
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        line.strip_prefix("mongodb:x.cf: cursor error for '{\"name\": \"joe\"}': ").unwrap().to_owned()
    };
    assert_eq!(
        why(&format!("mongodb://{nobody}")),
        format!("No suitable servers found: [connection refused calling hello on '{nobody}']")
    );
    assert_eq!(
        why("mongodb://%2Fnonexistent%2Fmongodb.sock"),
        "No suitable servers found: [no such file or directory calling hello on '/nonexistent/mongodb.sock']"
    );
    let server =
        Server::start(Nature { accounts: vec![("joe", "secret", "SCRAM-SHA-256")], ..Nature::default() });
    let address = server.address;
    assert_eq!(
        why(&format!("mongodb://joe:hunter2@{address}")),
        format!("No suitable servers found: [Authentication failed: Authentication failed. on '{address}']")
    );
    assert_eq!(
        why(&format!("mongodb://{address}/?replicaSet=x")),
        format!("No suitable servers found: [the server is no member of the replica set: '{address}']")
    );
    assert_eq!(why(&format!("mongodb://{address}")), "command find requires authentication");
}

/// What a table has is not found with a password in the log.
#[test]
fn passwords_are_no_secrets_of_the_log() {
    let server = Server::start(Nature { accounts: vec![("joe", "x", "SCRAM-SHA-1")], ..Nature::default() });
    let address = server.address;
    for uri in [
        format!("mongodb://joe:hunter2@{address}"),
        format!("mongodb://joe:hunter2@{address}/?unknown=1&authMechanism=SCRAM-SHA-1"),
        format!("mongodb://joe:hunter2@{address}/?tls"),
        format!("mongodb://joe:hun/ter2@{address}/"),
        format!("mongodb://joe:hun%ter2@{address}/"),
        format!("mongodb://joe:hun@ter2@{address}/"),
        format!("mongodb://joe:hun?ter2@{address}/"),
        "mongodb+srv://joe:hunter2@h/".to_owned(),
    ] {
        let lines = logged(&format!("uri = {uri}\n{USUAL}"), "joe").join("\n");
        assert!(!lines.is_empty() && !lines.contains("hun") && !lines.contains("ter2"), "{uri}: {lines}");
    }
}
