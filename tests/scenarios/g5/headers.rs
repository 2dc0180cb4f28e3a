//! header_checks against spam.

use harness::scenario;

use super::server;

/// As printed.
const RULES: &str = "/^Subject: FREE OFFER!!/ REJECT
/^From: spamking@lousyrottenspammer.com/ REJECT
/^X-Mailer:.*Some Spamware Tool/ REJECT
";

scenario! {
    fn g5_08_header_checks(system) {
        server(system, "header_checks = pcre:/etc/postfix/header_checks");
        system.file("/etc/postfix/header_checks", RULES);
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        for header in [
            "Subject: FREE OFFER!! Buy",
            "subject: free offer!!",
            "From: spamking@lousyrottenspammer.com",
            "From: spamking@lousyrottenspammerXcom",
            "X-Mailer: the great Some Spamware Tool 2.0",
        ] {
            client.expect("MAIL FROM:<someone@example.org>", 250);
            client.expect("RCPT TO:<bob@domain.ork>", 250);
            client.expect("DATA", 354);
            let reply = client.message(&format!("To: bob@domain.ork\n{header}\n\nText.\n"));
            assert_eq!(reply.text(), "550 5.7.1 message content rejected", "{header}");
        }
        for header in ["Subject: FREE OFFER!", "From: <spamking@lousyrottenspammer.com>", "X-Tool: Some Spamware Tool"] {
            client.submit("someone@example.org", &["bob@domain.ork"], &format!("{header}\n\nText.\n"));
        }
        system.wait_for_log(
            r"postfix/cleanup\[\d+\]: [0-9A-F]+: reject: header Subject: FREE OFFER!! Buy from client.example.org\[203.0.113.5\]; from=<someone@example.org> to=<bob@domain.ork> proto=ESMTP helo=<client.example.org>: 5.7.1 message content rejected$",
        );
        system.settle();
        assert_eq!(system.mailbox("bob").matches("\nDelivered-To: ").count(), 3);
    }
}
