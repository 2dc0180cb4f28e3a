//! Limits for clients that go too far.

use std::time::{Duration, Instant};

use harness::scenario;

use super::server;

scenario! {
    fn g1_11_recipient_rate(system) {
        server(system, "relay_domains = customer.gr");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        for number in 1..=20 {
            client.expect(&format!("RCPT TO:<user{number}@customer.gr>"), 250);
        }
        let reply = client.command("RCPT TO:<user21@customer.gr>");
        assert_eq!(reply.text(), "450 4.7.1 Error: too many recipients from 203.0.113.5");
        system.wait_for_log(
            r"postfix/smtpd\[\d+\]: warning: Recipient address rate limit exceeded: 21 from client.example.org\[203.0.113.5\] for service smtp$",
        );
        // Who is in mynetworks is not counted.
        let mut client = system.smtp();
        client.expect("EHLO localhost", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        for number in 1..=25 {
            client.expect(&format!("RCPT TO:<user{number}@customer.gr>"), 250);
        }
    }
}

scenario! {
    fn g1_17_errors_slow_down_and_end_the_session(system) {
        server(system, "");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        let begin = Instant::now();
        let mut quick = 0;
        let mut replies = Vec::new();
        loop {
            let reply = client.command(&format!("RCPT TO:<x{}@elsewhere.example>", replies.len()));
            if begin.elapsed() < Duration::from_millis(700) {
                quick += 1;
            }
            replies.push(reply.last().to_owned());
            if reply.code == 421 || reply.code == 0 {
                break;
            }
        }
        assert_eq!(quick, 3, "{replies:?}");
        assert_eq!(replies.len(), 11, "{replies:?}");
        assert_eq!(replies[10], "421 4.7.0 s1.mydomain.gr Error: too many errors");
        assert!(begin.elapsed() > Duration::from_secs(6), "{:?}", begin.elapsed());
        system.wait_for_log(r"too many errors after RCPT from client.example.org\[203.0.113.5\]$");
    }
}

scenario! {
    fn g1_17_the_flattened_guide_with_a_comment_behind_the_number(system) {
        server(system, "smtpd_hard_error_limit = 10 # because fail2ban polls and cannot detect too many relay access errors");
        system.start();
        let mut client = system.smtp();
        client.patience(Duration::from_secs(1));
        client.command("NOOP");
        system.wait_for_log(
            r"postfix/smtpd\[\d+\]: fatal: bad numerical configuration: smtpd_hard_error_limit = 10 # because fail2ban polls and cannot detect too many relay access errors$",
        );
        system.wait_for_log(r"postfix/master\[\d+\]: warning: process /usr/lib/postfix/sbin/smtpd pid \d+ exit status 1$");
        system.wait_for_log(r"postfix/master\[\d+\]: warning: /usr/lib/postfix/sbin/smtpd: bad command startup -- throttling$");
    }
}

scenario! {
    fn g1_18_certificates_alone_do_not_offer_starttls(system) {
        server(
            system,
            "smtpd_tls_cert_file = /etc/apache2/newcert.pem
             smtpd_tls_key_file = /etc/apache2/newkey.pem
             smtpd_tls_CAfile = /etc/apache2/newcert.pem",
        );
        system.start();
        let mut client = system.smtp();
        let hello = client.expect("EHLO localhost", 250);
        assert!(!hello.text().contains("STARTTLS"), "{}", hello.text());
        client.expect("STARTTLS", 502);
    }
}
