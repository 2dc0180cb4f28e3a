//! A main.cf without compatibility_level: the old defaults, each said when it is used.

use harness::{Sink, scenario};

use super::server;

scenario! {
    fn g1_00_the_old_defaults_are_used_and_logged(system) {
        server(system, "append_dot_mydomain =\nmynetworks =\nsmtpd_recipient_restrictions =");
        let text = system.read("/etc/postfix/main.cf");
        let without = ["append_dot_mydomain", "mynetworks =", "smtpd_recipient_restrictions", "relay_domains"];
        let lines = text.lines().filter(|line| !without.iter().any(|name| line.starts_with(name)));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        system.whole_main_cf(&format!("{text}smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n"));
        system.start();
        system.wait_for_log("^postfix.*: Postfix is using backwards-compatible default settings$");
        system.wait_for_log("^postfix[^ ]*: See https?://www.postfix.org/COMPATIBILITY_README.html for details$");
        system.wait_for_log(
            r#"^postfix.*: To disable backwards compatibility use "postconf compatibility_level=3\.\d+" and "postfix reload"$"#,
        );
        let _sink = Sink::smtp("198.51.100.10:25");
        let mut client = system.smtp();
        client.expect("EHLO localhost", 250);
        client.expect("MAIL FROM:<someone>", 250);
        client.command("RCPT TO:<user@host>");
        client.command("RCPT TO:<user@example.net>");
        system.wait_for_log(
            r#"postfix/trivial-rewrite\[\d+\]: using backwards-compatible default setting append_dot_mydomain=yes to rewrite "host" to "host.mydomain.gr"$"#,
        );
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        client.expect("RCPT TO:<user@sub.mydomain.gr>", 250);
        system.wait_for_log(
            r#"postfix/smtpd\[\d+\]: using backwards-compatible default setting relay_domains=\$mydestination to accept mail for domain "sub.mydomain.gr"$"#,
        );
        system.wait_for_log(
            r#"postfix/smtpd\[\d+\]: using backwards-compatible default setting relay_domains=\$mydestination to accept mail for address "user@sub.mydomain.gr"$"#,
        );
        let mut client = system.smtp_from("192.0.2.77");
        client.expect("EHLO neighbour.example.com", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        client.expect("RCPT TO:<user@example.net>", 250);
        system.wait_for_log(
            r#"postfix/smtpd\[\d+\]: using backwards-compatible default setting mynetworks_style=subnet to permit request from client "unknown\[192.0.2.77\]"$"#,
        );
    }
}
