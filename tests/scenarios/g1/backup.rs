//! The second mail exchanger of a domain whose MX records name aliases.

use std::time::Duration;

use harness::{Sink, System, scenario};

use super::server;

/// As the guide's zone: MX 10 and 20 are CNAMEs.
const ZONE: &str = "
    customer.gr MX 10 mx1.customer.gr
    customer.gr MX 20 mx2.customer.gr
    mx1.customer.gr CNAME mx1.mymailserver.gr
    mx2.customer.gr CNAME mx2.mymailserver.gr
    mx1.mymailserver.gr A 198.51.100.20
    mx2.mymailserver.gr A 192.0.2.1
";

fn second(system: &System, settings: &str) {
    server(system, &format!("{settings}\nmyhostname = mx2.mymailserver.gr"));
    system.dns(ZONE);
}

fn submit(system: &System) {
    let mut client = system.smtp_from("203.0.113.5");
    client.expect("EHLO client.example.org", 250);
    client.submit("someone@example.org", &["user@customer.gr"], "Subject: x\n\nText.\n");
    client.expect("QUIT", 221);
}

scenario! {
    fn g1_09_backup_waits_for_the_primary(system) {
        second(system, "");
        system.start();
        submit(system);
        // Logged by the name of the MX record, not by that of the alias's target.
        system.wait_for_log(
            r"postfix/relay/smtp\[\d+\]: connect to mx1.customer.gr\[198.51.100.20\]:25: Connection refused$",
        );
        let line = system.wait_for_log(r"to=<user@customer.gr>, .* status=");
        assert!(
            line.ends_with("dsn=4.4.1, status=deferred (connect to mx1.customer.gr[198.51.100.20]:25: Connection refused)"),
            "{line}"
        );
        assert!(line.contains(", relay=none, "), "{line}");
        system.settle();
        assert_eq!(system.queue("deferred").len(), 1);
        assert!(!system.logged(r"connect from s1|connect from mx2|192\.0\.2\.1\]:25"), "it spoke to itself");
        let sink = Sink::smtp("198.51.100.20:25");
        system.run(&["postqueue", "-f"]).well();
        sink.wait_for(1, Duration::from_secs(10));
        system.wait_for_log(
            r"postfix/relay/smtp\[\d+\]: [0-9A-F]+: to=<user@customer.gr>, relay=mx1.customer.gr\[198.51.100.20\]:25, .*dsn=2.0.0, status=sent",
        );
        system.settle();
        assert!(system.queue("deferred").is_empty());
    }
}

scenario! {
    fn g1_09_backup_tries_again_by_itself(system) {
        second(system, "queue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 2s");
        system.start();
        submit(system);
        system.wait_for_log("to=<user@customer.gr>, .* status=deferred");
        system.settle();
        let sink = Sink::smtp("198.51.100.20:25");
        sink.wait_for(1, Duration::from_secs(15));
    }
}

scenario! {
    fn g1_09_best_exchanger_but_not_configured_so_loops(system) {
        second(system, "relay_domains = orphan.gr");
        system.dns("orphan.gr MX 10 mx2.customer.gr\norphan.gr MX 20 mx1.customer.gr\n");
        system.start();
        system.submit("alice@mydomain.gr", &["user@orphan.gr"], "Subject: x\n\nText.\n");
        system.wait_for_log(
            r"postfix/relay/smtp\[\d+\]: [0-9A-F]+: to=<user@orphan.gr>, relay=none, .*dsn=5.4.6, status=bounced \(mail for orphan.gr loops back to myself\)$",
        );
    }
}
