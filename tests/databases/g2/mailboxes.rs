//! Who has a mailbox, and where it is.

use harness::scenario;

use super::{maildir, server};

scenario! {
    fn g2_03_mailboxes(system) {
        let settings = "smtpd_reject_unlisted_sender = yes\n";
        let Some(_server) = server(system, "g2_03_mailboxes", settings) else { return };
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        for (address, reply) in [
            ("ana@plain.tk", "250 2.1.5 Ok"),
            ("ANA@Plain.TK", "250 2.1.5 Ok"),
            (
                "nobody@plain.tk",
                "550 5.1.1 <nobody@plain.tk>: Recipient address rejected: User unknown in virtual mailbox table",
            ),
            ("ana@elsewhere.tld", "554 5.7.1 <ana@elsewhere.tld>: Relay access denied"),
        ] {
            assert_eq!(client.command(&format!("RCPT TO:<{address}>")).text(), reply);
        }
        client.expect("RSET", 250);
        // Nobody uses addresses that are not there.
        client.expect("MAIL FROM:<nobody@plain.tk>", 250);
        assert_eq!(
            client.command("RCPT TO:<ana@plain.tk>").text(),
            "550 5.1.0 <nobody@plain.tk>: Sender address rejected: User unknown in virtual mailbox table"
        );
        client.expect("RSET", 250);
        client.submit("someone@example.org", &["ana@plain.tk"], "Subject: hello\n\nText.\n");
        system.wait_for_log("to=<ana@plain.tk>, relay=virtual, .*dsn=2.0.0, status=sent \\(delivered to maildir\\)$");
        let mail = maildir(system, "plain.tk/ana").pop().expect("a message");
        for header in ["Return-Path: <someone@example.org>", "X-Original-To: ana@plain.tk", "Delivered-To: ana@plain.tk"] {
            assert!(mail.lines().any(|line| line == header), "{header}\n{mail}");
        }
        let owners = system.shell("find /home/vmail/plain.tk -printf '%U:%G %y %P\n'").well().stdout;
        assert!(owners.lines().all(|line| line.starts_with("5000:5000 ")), "{owners}");
        assert!(owners.contains("5000:5000 f ana/new/"), "{owners}");
    }
}
