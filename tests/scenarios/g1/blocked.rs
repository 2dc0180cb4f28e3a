//! DNS block lists and the sender black list.

use std::time::Duration;

use harness::{Sink, scenario};

use super::server;

scenario! {
    fn g1_14_listed_client(system) {
        server(system, "");
        system.dns(
            "5.113.0.203.bl.spamcop.net A 127.0.0.2
             5.113.0.203.bl.spamcop.net TXT Blocked - see https://www.spamcop.net/bl.shtml?203.0.113.5
             7.113.0.203.sbl.spamhaus.org A 127.0.0.2",
        );
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        let reply = client.command("RCPT TO:<alice@mydomain.gr>");
        assert_eq!(
            reply.text(),
            "554 5.7.1 Service unavailable; Client host [203.0.113.5] blocked using bl.spamcop.net; Blocked - see https://www.spamcop.net/bl.shtml?203.0.113.5"
        );
        system.wait_for_log(
            r"postfix/smtpd\[\d+\]: NOQUEUE: reject: RCPT from client.example.org\[203.0.113.5\]: 554 5.7.1 Service unavailable; Client host \[203.0.113.5\] blocked using bl.spamcop.net; Blocked - see .*; from=<someone@example.org> to=<alice@mydomain.gr> proto=ESMTP helo=<client.example.org>$",
        );
        // Without a reason, by the second list.
        let mut client = system.smtp_from("203.0.113.7");
        client.expect("EHLO friend.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        let reply = client.command("RCPT TO:<alice@mydomain.gr>");
        assert_eq!(
            reply.text(),
            "554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using sbl.spamhaus.org"
        );
        // On no list.
        let mut client = system.smtp_from("203.0.113.8");
        client.expect("EHLO other.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        client.expect("RCPT TO:<alice@mydomain.gr>", 250);
        for list in ["bl.spamcop.net", "sbl.spamhaus.org", "dnsbl.sorbs.net"] {
            assert!(system.dns_questions().contains(&format!("8.113.0.203.{list} 1")), "{:?}", system.dns_questions());
        }
    }
}

scenario! {
    fn g1_15_sender_black_list(system) {
        server(system, "");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<bad@badaddress.com>", 250);
        let reply = client.command("RCPT TO:<alice@mydomain.gr>");
        assert_eq!(reply.text(), "554 5.7.1 <bad@badaddress.com>: Sender address rejected: Access denied");
        client.expect("RSET", 250);
        client.expect("MAIL FROM:<good@badaddress.com>", 250);
        client.expect("RCPT TO:<alice@mydomain.gr>", 250);
        // permit_mynetworks comes first.
        let mut client = system.smtp();
        client.expect("EHLO localhost", 250);
        client.expect("MAIL FROM:<bad@badaddress.com>", 250);
        client.expect("RCPT TO:<alice@mydomain.gr>", 250);
    }
}

scenario! {
    fn g1_15_sender_black_list_in_front_does_not_stop_local_scripts(system) {
        server(
            system,
            "smtpd_recipient_restrictions = check_sender_access hash:/etc/postfix/sender_access, permit_mynetworks, reject_unauth_destination",
        );
        let sink = Sink::smtp("198.51.100.10:25");
        system.start();
        let mut client = system.smtp();
        client.expect("EHLO localhost", 250);
        client.expect("MAIL FROM:<bad@badaddress.com>", 250);
        let reply = client.command("RCPT TO:<user@example.net>");
        assert_eq!(reply.text(), "554 5.7.1 <bad@badaddress.com>: Sender address rejected: Access denied");
        system.sendmail("www-data", &["-f", "bad@badaddress.com", "user@example.net"], "Subject: x\n\nText.\n").well();
        let received = sink.wait_for(1, Duration::from_secs(10));
        assert!(received[0].mail.starts_with("<bad@badaddress.com>"), "{}", received[0].mail);
    }
}

scenario! {
    fn g1_15_an_ok_in_front_opens_the_relay(system) {
        server(
            system,
            "smtpd_recipient_restrictions = check_sender_access hash:/etc/postfix/sender_access, permit_mynetworks, reject_unauth_destination",
        );
        crate::guides::postmap(system, "sender_access", "bad@badaddress.com REJECT\nboss@example.org OK\n");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<boss@example.org>", 250);
        client.expect("RCPT TO:<user@example.net>", 250);
        client.expect("RSET", 250);
        client.expect("MAIL FROM:<other@example.org>", 250);
        client.expect("RCPT TO:<user@example.net>", 554);
    }
}
