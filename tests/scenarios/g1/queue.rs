//! The queue when a destination is down: looking, flushing, deleting.

use std::time::Duration;

use harness::{Sink, System, scenario};
use regex::Regex;

use super::server;

/// Three messages that wait for mx.example.net.
fn three_deferred(system: &System) {
    for number in 1..=3 {
        system.submit("alice@mydomain.gr", &[&format!("user{number}@example.net")], "Subject: x\n\nText.\n");
    }
    for number in 1..=3 {
        system.wait_for_log(&format!("to=<user{number}@example.net>, .*status=deferred"));
    }
    system.settle();
    assert_eq!(system.queue("deferred").len(), 3);
}

scenario! {
    fn g1_12_postsuper_deletes_the_deferred(system) {
        server(system, "");
        system.start();
        three_deferred(system);
        let held = system.queue("deferred")[0].clone();
        system.run(&["postsuper", "-h", &held]).well();
        let mark = system.mark();
        let output = system.run(&["postsuper", "-d", "ALL", "deferred"]).well();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", "postsuper: Deleted: 2 messages\n"));
        system.wait_for_log_since(mark, r"^postfix/postsuper\[\d+\]: Deleted: 2 messages$");
        assert!(!system.log_since(mark).iter().any(|line| line.ends_with(": removed")));
        assert!(system.queue("deferred").is_empty());
        assert_eq!(system.queue("hold"), [held.as_str()]);
        let output = system.run(&["postsuper", "-d", &held]).well();
        let removed = format!("postsuper: {held}: removed\npostsuper: Deleted: 1 message\n");
        assert_eq!(output.stderr, removed);
        system.wait_for_log_since(mark, &format!(r"^postfix/postsuper\[\d+\]: {held}: removed$"));
    }
}

scenario! {
    fn g1_12_postsuper_is_for_root(system) {
        server(system, "");
        system.start();
        let output = system.run_as("alice", &["postsuper", "-d", "ALL", "deferred"], "");
        assert_eq!(output.stderr, "postsuper: fatal: use of this command is reserved for the superuser\n");
        assert_eq!(output.code, 1);
    }
}

scenario! {
    fn g1_13_postqueue_lists_and_flushes(system) {
        server(system, "");
        system.start();
        let output = system.run_as("alice", &["postqueue", "-p"], "").well();
        assert_eq!(output.stdout, "Mail queue is empty\n");
        three_deferred(system);
        let output = system.run_as("alice", &["postqueue", "-p"], "").well();
        let listing = Regex::new(concat!(
            r"^-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n",
            r"(?:[0-9A-F]{6,11} {1,7} +\d+ [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d  alice@mydomain\.gr\n",
            r" *\(connect to mx\.example\.net\[198\.51\.100\.10\]:25: Connection refused\)\n",
            r" {41}user\d@example\.net\n\n){3}",
            r"-- \d+ Kbytes in 3 Requests\.\n$",
        ))
        .expect("a pattern");
        assert!(listing.is_match(&output.stdout), "{}", output.stdout);
        assert_eq!(system.run(&["mailq"]).well().stdout, output.stdout);
        let sink = Sink::smtp("198.51.100.10:25");
        system.run(&["postqueue", "-f"]).well();
        sink.wait_for(3, Duration::from_secs(10));
        system.settle();
        assert_eq!(system.run(&["mailq"]).well().stdout, "Mail queue is empty\n");
    }
}

scenario! {
    fn g1_19_defaults_of_the_retry_times(system) {
        server(system, "");
        let output = system.run(&["postconf", "queue_run_delay", "minimal_backoff_time", "maximal_backoff_time", "maximal_queue_lifetime"]);
        assert_eq!(
            output.well().stdout,
            "queue_run_delay = 300s\nminimal_backoff_time = 300s\nmaximal_backoff_time = 4000s\nmaximal_queue_lifetime = 5d\n"
        );
        system.start();
        three_deferred(system);
        // The file's times: when to try again, 300 s from now.
        let wait: i64 = system
            .shell("f=$(find /var/spool/postfix/deferred -type f | head -n 1); echo $(( $(stat -c %Y $f) - $(date +%s) ))")
            .stdout
            .trim()
            .parse()
            .expect("seconds");
        assert!((280..=300).contains(&wait), "{wait}");
    }
}

scenario! {
    fn g1_19_every_attempt_is_logged(system) {
        server(system, "queue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 2s");
        system.start();
        let id = system.submit("alice@mydomain.gr", &["user@example.net"], "Subject: x\n\nText.\n");
        let pattern = Regex::new(&format!(
            r"postfix/smtp\[\d+\]: {id}: to=<user@example.net>, relay=none, delay=[\d.]+, delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=4.4.1, status=deferred \(connect to mx.example.net\[198.51.100.10\]:25: Connection refused\)$"
        ))
        .expect("a pattern");
        system.wait_until("three attempts", || {
            system.log().iter().filter(|line| pattern.is_match(line)).count() >= 3
        });
    }
}
