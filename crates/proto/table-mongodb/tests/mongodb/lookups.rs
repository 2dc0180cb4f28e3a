//! What tables answer.

use crate::server::{Nature, Server};
use crate::table::{USUAL, ask, at, found, later, open, open_or_broken, run};

const DOCUMENTS: &[&str] = &[
    r#"{"_id": {"$oid": "0102030405060708090a0b0c"}, "name": "joe@example.com", "to": "joe@mail.example.com", "active": 1}"#,
    r#"{"name": "list@example.com", "to": ["a@x.org", "b@x.org", ["c@x.org", 7]], "active": 1}"#,
    r#"{"name": "numbers", "to": 2147483648, "size": -3, "active": 1}"#,
    r#"{"name": "odd", "to": "x", "size": 1.5, "flag": true, "none": null, "inner": {"a": "b"}}"#,
    r#"{"name": "nothing", "size": 1.5}"#,
    r#"{"name": "empty", "to": "", "size": 4}"#,
    r#"{"name": "holes", "to": ["", "a", "", "b"]}"#,
    r#"{"name": "cut", "to": "a\u0000b"}"#,
    r#"{"name": "twice", "to": "first"}"#,
    r#"{"name": "twice", "to": "second"}"#,
    r#"{"name": "trailing", "to": "first"}"#,
    r#"{"name": "trailing", "other": "second"}"#,
    r#"{"name": "\"quo\\ted\"{}$", "to": "quoted"}"#,
    r#"{"name": "Case", "to": "upper"}"#,
    r#"{"name": "user", "domain": "example.com", "local_part": "user", "alias": [{"address": "admin@example.com"}, {"address": "abuse@example.com"}], "active": 1}"#,
];

/// Asks a table with these settings, of a server with the documents above.
fn answers(more: &str, cases: &[(&str, Option<&str>)]) {
    let server = Server::with(DOCUMENTS);
    run(async {
        let table = at(&server.uri(), more);
        for (key, want) in cases {
            assert_eq!(ask(&table, key).await, Ok(want.map(str::to_owned)), "{more} {key}");
        }
    });
}

/// The same, of one that has no value for a while.
fn fails(more: &str, keys: &[&str]) {
    let server = Server::with(DOCUMENTS);
    run(async {
        let table = at(&server.uri(), more);
        for key in keys {
            assert_eq!(ask(&table, key).await, later(&table), "{more} {key}");
        }
    });
}

#[test]
fn values() {
    answers(
        "",
        &[
            ("joe@example.com", Some("joe@mail.example.com")),
            ("nobody@example.com", None),
            ("list@example.com", Some("a@x.org,b@x.org,c@x.org,7")),
            ("numbers", Some("2147483648")),
            ("nothing", None),
            ("empty", None),
            ("holes", Some("a,b")),
            ("cut", Some("a")),
        ],
    );
    answers(
        "result_attribute = size, to,none\tflag inner",
        &[
            ("numbers", Some("2147483648,-3")),
            // What is neither text nor a whole number is left out.
            ("odd", Some("x")),
            ("nothing", None),
            ("empty", Some("4")),
        ],
    );
}

#[test]
fn the_last_document_counts() {
    answers("", &[("twice", Some("second")), ("trailing", None)]);
}

#[test]
fn keys_are_taken_as_they_are() {
    answers("", &[("Case", Some("upper")), ("case", None), ("CASE", None)]);
}

#[test]
fn queries() {
    let or = "query_filter = {\"$or\": [{\"name\": \"%s\"}, {\"alias.address\": \"%s\"}], \"active\": 1}\n";
    answers(
        &format!("{or}result_attribute = name"),
        &[
            ("admin@example.com", Some("user")),
            ("user", Some("user")),
            ("joe@example.com", Some("joe@example.com")),
            ("odd", None),
        ],
    );
    answers(
        "query_filter = {\"domain\": \"%d\", \"local_part\": \"%u\"}\nresult_attribute = name",
        &[
            ("user@example.com", Some("user")),
            ("user@example.org", None),
            // Without these parts there is no question.
            ("user", None),
            ("@example.com", None),
        ],
    );
    answers(
        "query_filter = {\"domain\": \"%2.%1\", \"name\": {\"$in\": [\"%U\"]}}\nresult_attribute = name",
        &[("user@example.com", Some("user")), ("user@com", None)],
    );
}

#[test]
fn projections() {
    let path = "result_attribute =\nprojection = { \"mail_path\": {\"$concat\": [\"$domain\", \"/\", \"$local_part\"]} }\n";
    answers(path, &[("user", Some("example.com/user"))]);
    answers(
        "result_attribute =\nprojection = {\"to\": 1}",
        &[("joe@example.com", Some("joe@mail.example.com"))],
    );
    fails("result_attribute =\nprojection = {to: 1}", &["joe@example.com"]);
}

#[test]
fn formats() {
    answers(
        "result_format = smtp:[%s]",
        &[("list@example.com", Some("smtp:[a@x.org],smtp:[b@x.org],smtp:[c@x.org],smtp:[7]"))],
    );
    answers("result_format = %u+%U", &[("joe@example.com", Some("joe+joe"))]);
    answers("result_format = %d", &[("list@example.com", Some("x.org,x.org,x.org"))]);
}

#[test]
fn domains() {
    answers(
        "domain = example.com, example.net",
        &[
            ("joe@example.com", Some("joe@mail.example.com")),
            ("joe@example.org", None),
            ("numbers", None),
            ("@example.com", None),
        ],
    );
}

#[test]
fn limits() {
    fails("expansion_limit = 3", &["list@example.com", "holes"]);
    answers("expansion_limit = 4", &[("list@example.com", Some("a@x.org,b@x.org,c@x.org,7"))]);
    // The usual one.
    let many: Vec<String> = (0..11).map(|number| number.to_string()).collect();
    let server = Server::with(&[&format!(r#"{{"name": "many", "to": {many:?}}}"#)]);
    run(async {
        let table = at(&server.uri(), "");
        assert_eq!(ask(&table, "many").await, later(&table));
        for none in ["0", "-1"] {
            let table = at(&server.uri(), &format!("expansion_limit = {none}"));
            assert_eq!(ask(&table, "many").await, found(&many.join(",")));
        }
    });
}

#[test]
fn limits_count_all_documents() {
    fails("expansion_limit = 1", &["twice"]);
    answers("expansion_limit = 2", &[("twice", Some("second"))]);
}

/// A key is never more than a text.
#[test]
fn keys_cannot_change_the_query() {
    let server = Server::with(DOCUMENTS);
    run(async {
        let table = at(&server.uri(), "");
        assert_eq!(ask(&table, "\"quo\\ted\"{}$").await, found("quoted"));
        for key in [
            "\", \"$where\": \"sleep(1000) || 1",
            "\"}, {\"name\": {\"$ne\": \"",
            "{\"$gt\": \"\"}",
            "$where",
            "\\",
            "\\\"",
            "x\\u0022, \\u0022$where",
            "a\nb\tc\u{7f}\u{1}",
            "[]",
            "null",
        ] {
            assert_eq!(ask(&table, key).await, Ok(None), "{key}");
            assert_eq!(server.last_query(), b"name", "{key}");
        }
    });
    for filter in ["{\"name\": %s}", "{\"%s\": 1}", "{\"name\": \"\\%s\"}"] {
        assert!(
            open_or_broken(&format!("uri = mongodb://h\n{USUAL}query_filter = {filter}")).is_broken(),
            "{filter}"
        );
    }
}

#[test]
fn questions_that_are_refused() {
    // An operator that the server does not know, and text that is no query.
    fails("query_filter = {\"$where\": \"this.name == '%s'\"}", &["joe", "joe"]);
    fails("query_filter = {\"name\": \"%s\"", &["joe"]);
    fails("query_filter = {'name': \"%s\"}", &["joe"]);
}

#[test]
fn many_documents_come_in_turns() {
    let documents: Vec<String> =
        (0..25).map(|number| format!(r#"{{"name": "x", "to": {number}}}"#)).collect();
    let server = Server::start(Nature { documents, batch: 4, ..Nature::default() });
    run(async {
        let table = at(&server.uri(), "expansion_limit = 0");
        assert_eq!(ask(&table, "x").await, found("24"));
        assert_eq!(server.count("getMore"), 6);
        // As soon as there are too many, the rest is not wanted.
        let table = at(&server.uri(), "expansion_limit = 6");
        assert_eq!(ask(&table, "x").await, later(&table));
        assert_eq!((server.count("getMore"), server.count("killCursors")), (7, 1));
    });
}

#[test]
fn settings_that_cannot_be_used() {
    for (without, with) in [
        ("uri = ", "uri ="),
        ("dbname = ", ""),
        ("collection = ", ""),
        ("query_filter = ", ""),
        ("result_attribute = ", ""),
        ("", "projection = {\"to\": 1}"),
        ("", "expansion_limit = 101"),
        ("", "expansion_limit = x"),
        ("", "result_format = %x"),
        ("", "result_format ="),
        ("query_filter = ", "query_filter = {\"a\": \"%x\"}"),
    ] {
        let all = format!("uri = mongodb://127.0.0.1:1\n{USUAL}");
        open(&all);
        let kept: String = all
            .lines()
            .filter(|line| without.is_empty() || !line.starts_with(without))
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(open_or_broken(&format!("{kept}{with}\n")).is_broken(), "without {without:?}, with {with:?}");
    }
}
