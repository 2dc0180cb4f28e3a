//! How mail leaves: connection reuse, address probes, LMTP, services in a chroot.

use std::time::Duration;

use harness::{Sink, scenario};

scenario! {
    fn a_busy_destination_gets_many_messages_by_one_connection(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "450 4.2.0 not yet");
        system.main_cf("smtp_connection_cache_destinations = example.net\nsmtp_destination_concurrency_limit = 1").start();
        for number in 0..10 {
            system.submit("a@example.com", &["x@example.net"], &format!("Subject: {number}\n\n"));
        }
        system.settle();
        sink.obey();
        sink.clear();
        system.run(&["postqueue", "-f"]).well();
        sink.wait_for(10, Duration::from_secs(30));
        assert!(sink.connections() < 10, "{} connections", sink.connections());
        system.wait_for_log(r"relay=mx.example.net\[198.51.100.10\]:25, conn_use=\d+, delay=");
    }
}

scenario! {
    fn lmtp_answers_for_each_recipient(system) {
        let sink = Sink::lmtp("198.51.100.10:24");
        sink.on(".<b@", "452 4.2.2 mailbox is full");
        system.main_cf("transport_maps = inline:{box.example=lmtp:inet:198.51.100.10:24}").start();
        let id = system.submit("x@example.org", &["a@box.example", "b@box.example"], "Subject: x\n\n");
        system.wait_for_log(&format!(r"lmtp\[\d+\]: {id}: to=<a@box.example>, relay=198.51.100.10\[198.51.100.10\]:24, .*status=sent"));
        system.wait_for_log(&format!(r"{id}: to=<b@box.example>, .*dsn=4.2.2, status=deferred .*mailbox is full.*\(in reply to end of DATA command\)"));
        assert!(sink.transcript().contains("C: LHLO mail.example.com"));
    }
}

scenario! {
    fn an_unverified_recipient_is_refused(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT TO:<gone@", "550 5.1.1 nobody here");
        system.main_cf(
            "smtpd_recipient_restrictions = reject_unverified_recipient\nunverified_recipient_reject_code = 550\nrelay_domains = example.net\naddress_verify_poll_delay = 1s",
        );
        system.start();
        let mut client = system.smtp();
        client.expect("EHLO localhost", 250);
        client.expect("MAIL FROM:<a@example.org>", 250);
        client.expect("RCPT TO:<good@example.net>", 250);
        let reply = client.command("RCPT TO:<gone@example.net>");
        assert_eq!(reply.code, 550, "{}", reply.text());
        assert!(reply.text().contains("Recipient address rejected: undeliverable address: host mx.example.net[198.51.100.10] said: 550 5.1.1 nobody here"), "{}", reply.text());
        assert!(sink.messages().is_empty());
    }
}

scenario! {
    fn works_from_a_chroot_without_copies(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        let jailed = system.read("/etc/postfix/master.cf").lines().map(|line| {
            let mut fields: Vec<&str> = line.split_whitespace().collect();
            if fields.len() > 7 && !["local", "virtual", "pipe", "proxymap", "postlogd", "qmgr"].contains(&fields[7]) {
                fields[4] = "y";
            }
            format!("{}\n", fields.join(" "))
        }).collect::<String>();
        system.file("/etc/postfix/master.cf", &jailed);
        if system.package() == harness::Package::Ours {
            system.shell("rm -rf /var/spool/postfix/etc").well();
        } else {
            system.shell("cp /etc/services /etc/hosts /etc/nsswitch.conf /var/spool/postfix/etc").well();
        }
        system.main_cf("virtual_alias_maps = lmdb:/etc/postfix/virtual").table("virtual", "info@example.com x@example.net\n");
        system.start();
        system.submit("alice@example.com", &["info@example.com"], "Subject: from the jail\n\n");
        assert_eq!(sink.wait_for(1, Duration::from_secs(20)).len(), 1);
    }
}

scenario! {
    fn a_relay_host_gets_everything(system) {
        let sink = Sink::smtp("198.51.100.20:2525");
        system.main_cf("relayhost = [198.51.100.20]:2525").start();
        system.submit("alice@example.com", &["x@example.net", "y@elsewhere.example"], "Subject: x\n\n");
        let received = sink.wait_for(1, Duration::from_secs(20));
        assert_eq!(received[0].recipients.len(), 2);
    }
}

scenario! {
    fn a_fallback_relay_is_the_last_resort(system) {
        let sink = Sink::smtp("198.51.100.20:25");
        system.main_cf("smtp_fallback_relay = [198.51.100.20]\ntransport_maps = inline:{dead.example=smtp:[198.51.100.50]}").start();
        system.submit("alice@example.com", &["x@dead.example"], "Subject: x\n\n");
        sink.wait_for(1, Duration::from_secs(20));
        system.wait_for_log(r"relay=198.51.100.20\[198.51.100.20\]:25, .*status=sent");
    }
}
