//! Mail that must wait: deferred, listed, flushed, held, released, expired.

use std::time::Duration;

use harness::{Sink, scenario};

scenario! {
    fn is_listed_and_flushed(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "450 4.2.0 come back later");
        system.start();
        let id = system.submit("alice@example.com", &["x@example.net"], "Subject: wait\n\nText.\n");
        system.wait_for_log(&format!(r"{id}: to=<x@example.net>, .*dsn=4.2.0, status=deferred \(host mx.example.net\[198.51.100.10\] said: 450 4.2.0 come back later \(in reply to RCPT TO command\)\)"));
        system.wait_until("the deferred queue", || system.queue("deferred") == [id.as_str()]);
        assert_eq!(system.queue("defer"), [id.as_str()]);
        let listing = system.run(&["postqueue", "-p"]).well().stdout;
        assert!(listing.contains(&id) && listing.contains("come back later") && listing.contains("x@example.net"), "{listing}");
        sink.obey();
        system.run(&["postqueue", "-f"]).well();
        sink.wait_for(1, Duration::from_secs(20));
        system.wait_for_log(&format!("{id}: removed"));
        assert!(system.queue("defer").is_empty());
        assert_eq!(system.run(&["postqueue", "-p"]).well().stdout, "Mail queue is empty\n");
    }
}

scenario! {
    fn is_tried_again_when_its_time_comes(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "450 4.2.0 come back later");
        system.main_cf("minimal_backoff_time = 2s\nqueue_run_delay = 1s").start();
        let id = system.submit("alice@example.com", &["x@example.net"], "Subject: wait\n\n");
        system.wait_for_log(&format!("{id}: .*status=deferred"));
        sink.obey();
        sink.wait_for(1, Duration::from_secs(20));
        system.wait_for_log(&format!("{id}: removed"));
    }
}

scenario! {
    fn is_flushed_by_site(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "450 4.2.0 come back later");
        system.main_cf("fast_flush_domains = example.net, plain.example.net").start();
        let first = system.submit("alice@example.com", &["x@example.net"], "Subject: 1\n\n");
        let second = system.submit("alice@example.com", &["x@plain.example.net"], "Subject: 2\n\n");
        for id in [&first, &second] {
            system.wait_for_log(&format!("{id}: .*status=deferred"));
        }
        system.settle();
        sink.obey();
        system.run(&["postqueue", "-s", "example.net"]).well();
        system.wait_for_log(&format!("{first}: removed"));
        assert_eq!(system.queue("deferred"), [second.as_str()]);
        system.smtp().expect("EHLO localhost", 250);
        let mut client = system.smtp();
        client.expect("EHLO localhost", 250);
        assert_eq!(client.command("ETRN plain.example.net").last(), "250 Queuing started");
        system.wait_for_log(&format!("{second}: removed"));
    }
}

scenario! {
    fn only_sites_with_a_list_concern_the_flush_service(system) {
        system
            .main_cf("compatibility_level = 0\nsmtpd_relay_restrictions = permit_mynetworks, reject\ndefer_transports = local, smtp")
            .start();
        let elsewhere = system.submit("alice@example.com", &["x@example.net"], "Subject: 1\n\n");
        system.wait_for_log(&format!("{elsewhere}: .*status=deferred"));
        let here = system.submit("alice@example.com", &["bob@example.com"], "Subject: 2\n\n");
        system.wait_for_log(&format!("{here}: .*status=deferred"));
        system.settle();
        // mydestination, by the old default of relay_domains.
        let notice = r"using backwards-compatible default setting relay_domains=\$mydestination to update fast-flush logfile for domain";
        assert!(system.logged(&format!("{notice} \"example.com\"")));
        assert!(!system.logged(&format!("{notice} \"example.net\"")));
        assert_eq!(system.queue("flush"), ["example_com"]);
    }
}

scenario! {
    fn can_be_held_and_released(system) {
        system.main_cf("defer_transports = local").start();
        let id = system.submit("alice@example.com", &["alice@example.com"], "Subject: hold\n\nText.\n");
        system.wait_until("the deferred queue", || system.queue("deferred") == [id.as_str()]);
        let held = system.run(&["postsuper", "-h", &id]).well();
        assert_eq!(held.stderr, format!("postsuper: {id}: placed on hold\npostsuper: Placed on hold: 1 message\n"));
        assert_eq!(system.queue("hold"), [id.as_str()]);
        assert!(system.run(&["mailq"]).stdout.contains(&format!("{id}!")));
        system.run(&["postqueue", "-f"]).well();
        system.settle();
        assert_eq!(system.queue("hold"), [id.as_str()]);
        system.main_cf("").reload();
        system.run(&["postsuper", "-H", &id]).well();
        system.run(&["postqueue", "-f"]).well();
        system.wait_until("the mailbox", || system.mailbox("alice").contains("Text."));
    }
}

scenario! {
    fn is_requeued_through_cleanup(system) {
        system.main_cf("defer_transports = local").start();
        let id = system.submit("alice@example.com", &["bob@example.com"], "Subject: again\n\nText.\n");
        system.wait_until("the deferred queue", || system.queue("deferred") == [id.as_str()]);
        // Only mail that goes through cleanup again sees the new map.
        system.main_cf("virtual_alias_maps = inline:{bob@example.com=carol@example.com}").reload();
        system.run(&["postsuper", "-r", &id]).well();
        system.run(&["postqueue", "-f"]).well();
        system.wait_until("the mailbox", || system.mailbox("carol").contains("Text."));
        system.wait_for_log(&format!(r"pickup\[\d+\]: [0-9A-F]+: uid=\d+ from=<alice@example.com> orig_id={id}"));
    }
}

scenario! {
    fn is_returned_when_it_is_too_old(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "450 4.2.0 come back later");
        system.main_cf("maximal_queue_lifetime = 1s\nminimal_backoff_time = 1s\nqueue_run_delay = 1s").start();
        let id = system.submit("alice@example.com", &["x@example.net"], "Subject: old\n\nText.\n");
        system.wait_for_log(&format!("qmgr.*: {id}: from=<alice@example.com>, status=expired, returned to sender"));
        system.wait_until("the bounce", || system.mailbox("alice").contains("Undelivered Mail Returned to Sender"));
        let bounce = system.mailbox("alice");
        assert!(bounce.contains("Action: failed\nStatus: 4.2.0\n"), "{bounce}");
        assert!(bounce.contains("450 4.2.0 come back later"), "{bounce}");
    }
}

scenario! {
    fn warns_the_sender_of_a_delay(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "450 4.2.0 come back later");
        system.main_cf("delay_warning_time = 1s\nminimal_backoff_time = 1s\nqueue_run_delay = 1s").start();
        let id = system.submit("alice@example.com", &["x@example.net"], "Subject: slow\n\nText.\n");
        system.wait_until("the warning", || system.mailbox("alice").contains("Delayed Mail (still being retried)"));
        let warning = system.mailbox("alice");
        assert!(warning.contains("Action: delayed\nStatus: 4.2.0\n"), "{warning}");
        assert!(warning.contains("Will-Retry-Until: "), "{warning}");
        system.wait_for_log(&format!("{id}: sender delay notification: "));
        assert_eq!(system.queue("deferred"), [id.as_str()]);
    }
}

scenario! {
    fn to_a_dead_destination_is_not_tried_at_all(system) {
        // Nobody listens there.
        system.main_cf("transport_maps = inline:{dead.example=smtp:[198.51.100.50]}").start();
        system.submit("alice@example.com", &["x@dead.example"], "Subject: 1\n\n");
        system.wait_for_log(r"status=deferred \(connect to 198.51.100.50\[198.51.100.50\]:25: Connection refused\)");
        system.submit("alice@example.com", &["y@dead.example"], "Subject: 2\n\n");
        system.wait_for_log(
            r"to=<y@dead.example>, relay=none, .*status=deferred \((delivery temporarily suspended: )?connect to 198.51.100.50\[198.51.100.50\]:25: Connection refused\)"
        );
    }
}
