//! Mail that cannot be delivered comes back.

use harness::{Sink, scenario};

scenario! {
    fn goes_to_the_sender_with_the_reason(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "550 5.1.1 nobody here");
        system.start();
        let id = system.submit("alice@example.com", &["x@example.net"], "Subject: lost\n\nText of it.\n");
        system.wait_until("the bounce", || system.mailbox("alice").contains("--\n"));
        let bounce = system.mailbox("alice");
        for part in [
            "From MAILER-DAEMON  ",
            "Return-Path: <>\n",
            "Subject: Undelivered Mail Returned to Sender\n",
            "Auto-Submitted: auto-replied\n",
            "Content-Type: multipart/report; report-type=delivery-status;\n",
            "<x@example.net>: host mx.example.net[198.51.100.10] said: 550 5.1.1 nobody here\n    (in reply to RCPT TO command)",
            "Final-Recipient: rfc822; x@example.net\n",
            "Action: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.example.net\nDiagnostic-Code: smtp; 550 5.1.1 nobody here\n",
            "Subject: lost\n",
            "Text of it.\n",
        ] {
            assert!(bounce.contains(part), "no {part:?} in\n{bounce}");
        }
        assert!(bounce.contains(&format!("X-Postfix-Queue-ID: {id}\n")), "{bounce}");
        system.wait_for_log(&format!("{id}: removed"));
        assert!(system.queue("bounce").is_empty());
    }
}

scenario! {
    fn of_a_bounce_goes_to_the_postmaster(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "550 5.1.1 nobody here");
        system.main_cf("notify_classes = 2bounce\n2bounce_notice_recipient = carol").start();
        // The sender's address is no good either.
        system.submit("gone@example.net", &["x@example.net"], "Subject: lost\n\nText.\n");
        system.wait_until("the copy", || system.mailbox("carol").contains("--\n"));
        let copy = system.mailbox("carol");
        assert!(copy.starts_with("From double-bounce@"), "{copy}");
        assert!(copy.contains("Subject: Postmaster Copy: Undelivered Mail\n"), "{copy}");
    }
}

scenario! {
    fn reports_success_when_asked(system) {
        system.start();
        system.sendmail("alice", &["-N", "success", "bob"], "Subject: asked\n\n").well();
        system.wait_until("the report", || system.mailbox("alice").contains("Successful Mail Delivery Report"));
        assert!(system.mailbox("alice").contains("Action: delivered\n"));
    }
}

scenario! {
    fn keeps_only_the_headers_when_asked(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "550 5.1.1 nobody here");
        system.start();
        system.sendmail("alice", &["-R", "hdrs", "x@example.net"], "Subject: big\n\nSecret text.\n").well();
        system.wait_until("the bounce", || system.mailbox("alice").contains("--\n"));
        let bounce = system.mailbox("alice");
        assert!(bounce.contains("Content-Description: Undelivered Message Headers\n"), "{bounce}");
        assert!(!bounce.contains("Secret text"), "{bounce}");
    }
}

scenario! {
    fn soft_bounce_keeps_the_mail(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "550 5.1.1 nobody here");
        system.main_cf("soft_bounce = yes").start();
        let id = system.submit("alice@example.com", &["x@example.net"], "Subject: kept\n\n");
        system.wait_for_log(&format!("{id}: .*dsn=4.1.1, status=SOFTBOUNCE"));
        system.settle();
        assert_eq!(system.queue("deferred"), [id.as_str()]);
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<a@example.org>", 250);
        let reply = client.command("RCPT TO:<nosuch@example.com>");
        assert_eq!(reply.code, 450, "{}", reply.text());
    }
}
