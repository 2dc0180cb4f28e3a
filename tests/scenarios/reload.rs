//! `postfix reload` drops no session and no delivery; stop and start lose nothing.

use std::time::Duration;

use harness::{Sink, scenario};

scenario! {
    fn keeps_sessions_and_reads_the_configuration(system) {
        system.start();
        let mut before = system.smtp();
        before.expect("EHLO localhost", 250);
        before.expect("MAIL FROM:<a@example.org>", 250);
        system.main_cf("smtpd_banner = $myhostname ESMTP changed").reload();
        system.wait_until("the new banner", || system.smtp().transcript().contains("changed"));
        before.expect("RCPT TO:<alice@example.com>", 250);
        before.expect("DATA", 354);
        assert_eq!(before.message("Subject: through\n\nText.\n").code, 250);
        system.wait_until("the mailbox", || system.mailbox("alice").contains("Text."));
    }
}

scenario! {
    fn keeps_deliveries(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on(".", "WAIT 1500 250 2.0.0 Ok: queued as SLOW");
        system.start();
        let id = system.submit("alice@example.com", &["x@example.net"], "Subject: slow\n\n");
        system.wait_until("the connection", || sink.transcript().contains("C: (message)"));
        system.reload();
        system.wait_for_log(&format!("{id}: to=<x@example.net>, .*status=sent .*SLOW"));
        // The new queue manager finds it done when it looks again.
        system.run(&["postqueue", "-f"]).well();
        system.wait_for_log(&format!("{id}: removed"));
        assert_eq!(sink.messages().len(), 1);
    }
}

scenario! {
    fn ten_reloads_under_load_lose_nothing(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        system.start();
        for round in 0..10 {
            for number in 0..5 {
                system.submit("a@example.com", &["x@example.net"], &format!("Subject: {round}.{number}\n\n"));
            }
            system.reload();
        }
        // What was being delivered when its queue manager went is looked at again with the next scan.
        system.wait_until("an empty queue", || {
            system.run(&["postqueue", "-f"]).well();
            std::thread::sleep(Duration::from_millis(300));
            ["incoming", "active", "deferred"].iter().all(|name| system.queue(name).is_empty())
        });
        assert_eq!(sink.messages().len(), 50);
    }
}

scenario! {
    fn stop_and_start_lose_nothing(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("CONNECT", "421 4.3.2 not yet");
        system.start();
        for number in 0..10 {
            system.submit("a@example.com", &["x@example.net"], &format!("Subject: {number}\n\n"));
        }
        system.stop();
        system.wait_for_log(r"master\[\d+\]: terminating on signal 15");
        assert_eq!(system.run(&["postfix", "status"]).code, 1);
        sink.obey();
        system.start();
        system.run(&["postqueue", "-f"]).well();
        sink.wait_for(10, Duration::from_secs(30));
        system.settle();
        assert_eq!(sink.messages().len(), 10);
    }
}
