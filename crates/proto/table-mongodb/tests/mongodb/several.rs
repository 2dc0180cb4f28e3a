//! Servers that go and come back, that are slow, and that are several.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::server::{Nature, Server};
use crate::table::{ask, at, found, later, run};

const JOE: &str = r#"{"name": "joe", "to": "here"}"#;

/// A port at which nobody listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn set(members: &[String], to: &str) -> Nature {
    let documents = vec![format!(r#"{{"name": "joe", "to": "{to}"}}"#)];
    Nature { documents, set: Some(("rs0", members.to_vec())), ..Nature::default() }
}

#[test]
fn connections_are_kept() {
    let server = Server::with(&[JOE]);
    run(async {
        let table = at(&server.uri(), "");
        for _ in 0..10 {
            assert_eq!(ask(&table, "joe").await, found("here"));
        }
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn questions_run_side_by_side() {
    let server = Server::with(&[JOE]);
    server.think(Duration::from_millis(300));
    run(async {
        let table = at(&server.uri(), "");
        let begin = Instant::now();
        let (a, b, c) = tokio::join!(ask(&table, "joe"), ask(&table, "joe"), ask(&table, "x"));
        assert_eq!((a, b, c), (found("here"), found("here"), Ok(None)));
        assert!(begin.elapsed() < Duration::from_millis(800), "{:?}", begin.elapsed());
        assert_eq!(server.connections(), 3);
    });
}

/// A connection that broke while nobody used it costs nothing; a server that is not there costs a moment.
#[test]
fn a_server_that_comes_back() {
    let mut server = Server::with(&[JOE]);
    let address = server.address;
    run(async {
        let table = at(&server.uri(), "");
        assert_eq!(ask(&table, "joe").await, found("here"));
        let nature = server.stop();
        let mut server = Server::start_at(address, nature);
        assert_eq!(ask(&table, "joe").await, found("here"));
        let nature = server.stop();
        assert_eq!(ask(&table, "joe").await, later(&table));
        let _server = Server::start_at(address, nature);
        // It is left alone for a while.
        assert_eq!(ask(&table, "joe").await, later(&table));
        tokio::time::sleep(Duration::from_millis(5200)).await;
        assert_eq!(ask(&table, "joe").await, found("here"));
    });
}

#[test]
fn a_dead_first_host() {
    let server = Server::with(&[JOE]);
    run(async {
        let table = at(&format!("mongodb://{},{}", nobody(), server.address), "");
        assert_eq!(ask(&table, "joe").await, found("here"));
        assert_eq!(ask(&table, "joe").await, found("here"));
        assert_eq!(server.connections(), 1);
        let table = at(&format!("mongodb://{},{}", nobody(), nobody()), "");
        assert_eq!(ask(&table, "joe").await, later(&table));
    });
}

/// One that accepts connections and says nothing holds up the first question only.
#[test]
fn a_silent_first_host() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::with(&[JOE]);
    run(async {
        let hosts = format!("{},{}", silent.local_addr().unwrap(), server.address);
        let table = at(&format!("mongodb://{hosts}/?connectTimeoutMS=500"), "");
        let begin = Instant::now();
        assert_eq!(ask(&table, "joe").await, found("here"));
        assert!(begin.elapsed() >= Duration::from_millis(500));
        let begin = Instant::now();
        let (a, b) = tokio::join!(ask(&table, "joe"), ask(&table, "joe"));
        assert_eq!((a, b), (found("here"), found("here")));
        assert!(begin.elapsed() < Duration::from_millis(400), "{:?}", begin.elapsed());
    });
}

#[test]
fn a_slow_server() {
    let server = Server::with(&[JOE]);
    run(async {
        let table = at(&format!("{}/?socketTimeoutMS=300", server.uri()), "");
        assert_eq!(ask(&table, "joe").await, found("here"));
        server.think(Duration::from_secs(2));
        let begin = Instant::now();
        assert_eq!(ask(&table, "joe").await, later(&table));
        assert!(begin.elapsed() < Duration::from_millis(900), "not asked again: {:?}", begin.elapsed());
        server.think(Duration::ZERO);
        assert_eq!(ask(&table, "joe").await, found("here"));
    });
}

/// With what is usual, and a clock that stands still but for waiting.
#[tokio::test(start_paused = true)]
async fn silence_is_a_temporary_error() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let table = at(&format!("mongodb://{}", silent.local_addr().unwrap()), "");
    let begin = tokio::time::Instant::now();
    assert_eq!(ask(&table, "joe").await, later(&table));
    let elapsed = begin.elapsed();
    assert!(elapsed >= Duration::from_secs(10) && elapsed < Duration::from_secs(31), "{elapsed:?}");
    // It is left alone from now on.
    assert_eq!(ask(&table, "joe").await, later(&table));
    assert_eq!(begin.elapsed(), elapsed);
}

#[test]
fn a_refusal_ends_no_connection() {
    let server = Server::with(&[JOE]);
    run(async {
        let table = at(&server.uri(), "");
        server.refuse(Some((13, "not authorized on mail")));
        assert_eq!(ask(&table, "joe").await, later(&table));
        server.refuse(None);
        assert_eq!(ask(&table, "joe").await, found("here"));
        assert_eq!(server.connections(), 1);
        // But for one that says that the server is about to end.
        server.refuse(Some((11600, "interrupted at shutdown")));
        assert_eq!(ask(&table, "joe").await, later(&table));
        server.refuse(None);
        assert_eq!(ask(&table, "joe").await, found("here"));
        assert_eq!((server.connections(), server.count("find")), (3, 5));
    });
}

#[test]
fn the_primary_of_a_set() {
    let (first, second) = (nobody(), nobody());
    let members = [first.clone(), second.clone()];
    let primary = Server::start_at(first.parse().unwrap(), set(&members, "primary"));
    let secondary = Server::start_at(second.parse().unwrap(), set(&members, "secondary"));
    run(async {
        let ask_for = async |uri: String| {
            let table = at(&uri, "");
            ask(&table, "joe").await
        };
        for (hosts, options, want) in [
            (format!("{second},{first}"), "replicaSet=rs0", Some("primary")),
            // The primary is learned from the other.
            (second.clone(), "replicaSet=rs0", Some("primary")),
            (second.clone(), "directConnection=false", Some("primary")),
            // Whatever it is, it is the one that was named.
            (second.clone(), "", Some("secondary")),
            (second.clone(), "replicaSet=rs0&directConnection=true", Some("secondary")),
            (first.clone(), "replicaSet=rs0&readPreference=secondary", Some("secondary")),
            (first.clone(), "replicaSet=rs0&readPreference=secondaryPreferred", Some("secondary")),
            (second.clone(), "replicaSet=rs0&readPreference=primaryPreferred", Some("primary")),
            (second.clone(), "replicaSet=rs0&readPreference=nearest", Some("secondary")),
            (second.clone(), "replicaSet=other", None),
        ] {
            let uri = format!("mongodb://{hosts}/?{options}");
            let answer = ask_for(uri.clone()).await;
            match want {
                Some(want) => assert_eq!(answer, found(want), "{uri}"),
                None => assert!(answer.is_err(), "{uri}"),
            }
        }
        drop(primary);
        let uri = |preference: &str| {
            format!("mongodb://{second},{first}/?replicaSet=rs0&readPreference={preference}")
        };
        assert_eq!(ask_for(uri("primaryPreferred")).await, found("secondary"));
        assert!(ask_for(uri("primary")).await.is_err());
    });
    drop(secondary);
}

/// After an election the questions go to the new primary, without a failure.
#[test]
fn an_election() {
    let (first, second) = (nobody(), nobody());
    let members = vec![first.clone(), second.clone()];
    let one = Server::start_at(first.parse().unwrap(), set(&members, "one"));
    let two = Server::start_at(second.parse().unwrap(), set(&members, "two"));
    run(async {
        let table = at(&format!("mongodb://{first}/?replicaSet=rs0"), "");
        assert_eq!(ask(&table, "joe").await, found("one"));
        let changed = vec![second.clone(), first.clone()];
        one.elect(changed.clone());
        two.elect(changed);
        one.refuse(Some((13435, "not primary and secondaryOk=false")));
        assert_eq!(ask(&table, "joe").await, found("two"));
        // Also when the one that the settings name is gone.
        drop(one);
        assert_eq!(ask(&table, "joe").await, found("two"));
        assert_eq!(two.connections(), 1);
    });
}

#[test]
fn servers_of_old() {
    let nature = Nature { documents: vec![JOE.to_owned()], is_old: true, ..Nature::default() };
    let server = Server::start(nature);
    run(async {
        let table = at(&server.uri(), "");
        assert_eq!(ask(&table, "joe").await, found("here"));
        assert_eq!((server.count("hello"), server.count("isMaster")), (1, 1));
    });
}

/// Without a primary the members are not asked about it by each question.
#[test]
fn no_primary() {
    let (first, second) = (nobody(), nobody());
    // Neither of them is.
    let members = vec![nobody(), first.clone(), second.clone()];
    let one = Server::start_at(first.parse().unwrap(), set(&members, "one"));
    let two = Server::start_at(second.parse().unwrap(), set(&members, "two"));
    run(async {
        let table = at(&format!("mongodb://{first}/?replicaSet=rs0"), "");
        for _ in 0..20 {
            assert_eq!(ask(&table, "joe").await, later(&table));
        }
        assert_eq!((one.connections(), two.connections()), (1, 1));
        two.elect(vec![second.clone(), first.clone()]);
        one.elect(vec![second.clone(), first.clone()]);
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(ask(&table, "joe").await, found("two"));
    });
}
