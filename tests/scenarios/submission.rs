//! Mail from programs and users of this host: `sendmail`, `postdrop`, `pickup`.

use harness::{Sink, scenario};
use std::time::Duration;

scenario! {
    fn reaches_a_mailbox(system) {
        system.start();
        system.sendmail("bob", &["alice"], "Subject: hello\n\nText.\n").well();
        system.wait_until("the mailbox", || system.mailbox("alice").contains("Text."));
        let mailbox = system.mailbox("alice");
        assert!(mailbox.starts_with("From bob@example.com  "), "{mailbox}");
        assert!(mailbox.contains("\nReceived: by mail.example.com (Postfix, from userid 6002)\n\tid "), "{mailbox}");
        system.wait_for_log(r"postfix/pickup\[\d+\]: [0-9A-F]+: uid=6002 from=<bob>");
    }
}

scenario! {
    fn waits_in_the_maildrop_while_the_system_is_down(system) {
        system.sendmail("bob", &["alice"], "Subject: early\n\nEarly.\n").well();
        assert_eq!(system.queue("maildrop").len(), 1);
        let listing = system.run(&["mailq"]);
        assert!(listing.stdout.contains("alice"), "{}", listing.stdout);
        system.start();
        system.wait_until("the mailbox", || system.mailbox("alice").contains("Early."));
        system.wait_until("an empty maildrop", || system.queue("maildrop").is_empty());
    }
}

scenario! {
    fn takes_recipients_from_the_header(system) {
        system.start();
        let message = "To: alice, Bob <bob@example.com>\nBcc: carol\nSubject: to all\n\nText.\n";
        system.sendmail("root", &["-t", "-i"], message).well();
        for user in ["alice", "bob", "carol"] {
            system.wait_until(user, || system.mailbox(user).contains("Text."));
        }
        assert!(!system.mailbox("alice").contains("Bcc"), "{}", system.mailbox("alice"));
    }
}

scenario! {
    fn maildrop_is_closed_to_strangers(system) {
        system.start();
        let listing = system.run_as("bob", &["ls", "/var/spool/postfix/maildrop"], "");
        assert_ne!(listing.code, 0);
        let other = system.run_as("bob", &["postqueue", "-p"], "").well();
        assert_eq!(other.stdout, "Mail queue is empty\n");
    }
}

scenario! {
    fn authorized_submit_users_keeps_others_out(system) {
        system.main_cf("authorized_submit_users = !bob, static:all").start();
        let refused = system.sendmail("bob", &["alice"], "Subject: x\n\n");
        assert_eq!(refused.code, 75);
        assert!(
            refused.stderr.contains("User bob(6002) is not allowed to submit mail"), "{}", refused.stderr
        );
        system.sendmail("alice", &["alice"], "Subject: allowed\n\n").well();
        system.wait_until("the mailbox", || system.mailbox("alice").contains("allowed"));
    }
}

scenario! {
    fn goes_out_with_our_origin(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        system.main_cf("myorigin = /etc/mailname").file("/etc/mailname", "origin.example.com\n");
        system.start();
        system.sendmail("bob", &["x@example.net"], "Subject: out\n\n").well();
        let received = sink.wait_for(1, Duration::from_secs(20));
        assert!(received[0].mail.starts_with("<bob@origin.example.com>"), "{}", received[0].mail);
    }
}
