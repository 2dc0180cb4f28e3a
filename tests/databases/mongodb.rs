//! `mongodb:` tables. What the server here cannot do (logins, sets, encryption) is tested with fakes, beside the client.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::Package;
use table::Table;

use crate::documents::{self, Documents, json};
use crate::place::{self, ask, found};
use crate::postmap::Postmap;
use crate::random::Random;

fn contents() -> Vec<String> {
    [
        r#"{"username": "user@example.com", "local_part": "user", "domain": "example.com", "alias": [{"address": "admin@example.com"}, {"address": "abuse@example.com"}], "active": 1}"#,
        r#"{"name": "dev@example.com", "to": ["hamid@example.com", "wietse@example.com", ["viktor@example.com", 7]], "active": 1}"#,
        r#"{"name": "numbers", "to": {"$numberLong": "1099511627776"}, "size": -3, "share": 1.5, "flag": true, "none": null}"#,
        r#"{"name": "ünï@example.com", "to": "ü@x.org"}"#,
    ]
    .map(str::to_owned)
    .to_vec()
}

const NAME: &str = "query_filter = {\"name\": \"%s\"}\nresult_attribute = to\n";

fn settings(server: &Documents) -> String {
    format!("uri = mongodb://127.0.0.1:{}\ndbname = mail\ncollection = box\n", server.port)
}

fn open(server: &Documents, directory: &std::path::Path, more: &str) -> Table {
    place::open(directory, "mongodb", &format!("{}{more}", settings(server)))
}

#[test]
fn mongodb_lookups() {
    let Some(server) = documents::start("mongodb_lookups", &contents()) else { return };
    let place = tempfile::tempdir().unwrap();
    let either =
        "query_filter = {\"$or\": [{\"username\": \"%s\"}, {\"alias.address\": \"%s\"}], \"active\": 1}\n";
    place::run(async {
        for (more, key, want) in [
            (NAME.to_owned(), "dev@example.com", Some("hamid@example.com,wietse@example.com,viktor@example.com,7")),
            (NAME.to_owned(), "Dev@example.com", None),
            (NAME.to_owned(), "numbers", Some("1099511627776")),
            (NAME.to_owned(), "ünï@example.com", Some("ü@x.org")),
            (NAME.to_owned(), "nobody", None),
            (format!("{either}result_attribute = username"), "abuse@example.com", Some("user@example.com")),
            (format!("{either}result_attribute = username"), "user@example.com", Some("user@example.com")),
            (format!("{either}result_attribute = username"), "numbers", None),
            (format!("{either}projection = {{\"username\": 1}}"), "admin@example.com", Some("user@example.com")),
            (
                format!("{either}projection = {{ \"path\": {{\"$concat\": [\"$domain\", \"/\", \"$local_part\"]}} }}"),
                "admin@example.com",
                Some("example.com/user"),
            ),
            (
                "query_filter = {\"size\": {\"$lt\": {\"$numberLong\": \"0\"}}, \"name\": {\"$in\": [\"%s\"]}}\n\
                 result_attribute = size share flag none"
                    .to_owned(),
                "numbers",
                Some("-3"),
            ),
            (
                "query_filter = {\"domain\": \"%d\", \"local_part\": \"%u\"}\nresult_attribute = username\nresult_format = %u/%D"
                    .to_owned(),
                "user@example.com",
                Some("user/example.com"),
            ),
        ] {
            let table = open(&server, place.path(), &more);
            assert_eq!(ask(&table, key).await, Ok(want.map(str::to_owned)), "{more} {key}");
        }
    });
}

/// No key is taken for anything but text.
#[test]
fn mongodb_keys() {
    let test = "mongodb_keys";
    let mut random = Random::new(27_017);
    let mut values = BTreeMap::new();
    for number in 0..600 {
        let key = random.key();
        if number % 2 == 0 && !key.is_empty() && !key.contains('\0') {
            values.insert(key, number.to_string());
        }
    }
    let document =
        |(key, value): (&String, &String)| format!("{{\"name\": {}, \"to\": {}}}", json(key), json(value));
    let Some(server) = documents::start(test, &values.iter().map(document).collect::<Vec<_>>()) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let mut random = Random::new(27_017);
    place::run(async {
        let table = open(&server, place.path(), NAME);
        for _ in 0..600 {
            let key = random.key();
            assert_eq!(ask(&table, &key).await, Ok(values.get(&key).cloned()), "{key:?}");
        }
    });
}

/// More than one batch.
#[test]
fn mongodb_many_documents() {
    let documents: Vec<String> =
        (0..250).map(|number| format!("{{\"name\": \"x\", \"to\": {number}}}")).collect();
    let Some(server) = documents::start("mongodb_many_documents", &documents) else { return };
    let place = tempfile::tempdir().unwrap();
    place::run(async {
        let table = open(&server, place.path(), &format!("{NAME}expansion_limit = 0\n"));
        assert_eq!(ask(&table, "x").await, found("249"));
        let table = open(&server, place.path(), NAME);
        assert!(ask(&table, "x").await.is_err(), "there may be 10");
    });
}

#[test]
fn mongodb_restart() {
    let Some(mut server) = documents::start("mongodb_restart", &contents()) else { return };
    let place = tempfile::tempdir().unwrap();
    place::run(async {
        let table = open(&server, place.path(), NAME);
        assert_eq!(ask(&table, "numbers").await, found("1099511627776"));
        server.kill();
        assert!(ask(&table, "numbers").await.is_err());
        server.start();
        server.load(&contents());
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(ask(&table, "numbers").await, found("1099511627776"));
        // The connection that it has is dead by then.
        server.kill();
        server.start();
        server.load(&contents());
        assert_eq!(ask(&table, "numbers").await, found("1099511627776"));
    });
}

#[test]
fn mongodb_postmap() {
    let test = "mongodb_postmap";
    let Some(postmap) = Postmap::new(test, &[Package::Ours]) else { return };
    let Some(server) = documents::start(test, &contents()) else { return };
    let file = postmap.settings("x.cf", &format!("{}{NAME}", settings(&server)));
    let table = format!("mongodb:{}", file.display());
    let query = |keys: &[&str]| {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        let outcome = postmap.query(Package::Ours, &table, &keys);
        (outcome.output, outcome.errors, outcome.code)
    };
    assert_eq!(query(&["numbers"]), (vec!["1099511627776".to_owned()], vec![], Some(0)));
    assert_eq!(query(&["nobody"]), (vec![], vec![], Some(1)));
    let both = vec!["numbers\t1099511627776".to_owned(), "ünï@example.com\tü@x.org".to_owned()];
    assert_eq!(query(&["numbers", "nobody", "ünï@example.com"]), (both, vec![], Some(0)));
    drop(server);
    let (output, errors, code) = query(&["numbers"]);
    assert_eq!((output, code), (vec![], Some(1)));
    let errors = errors.join("\n");
    assert!(
        errors.contains(&format!(
            "warning: {table}: cursor error for '{{\"name\": \"numbers\"}}': No suitable"
        )),
        "{errors}"
    );
    assert!(errors.contains("connection refused"), "{errors}");
}
