//! relay_domains with a hash: table: what is relayed for strangers.

use harness::scenario;

use super::server;

scenario! {
    fn g1_08_relay_domains(system) {
        server(system, "");
        system.dns("customer.gr MX 10 mx.example.net\nsub.customer.gr MX 10 mx.example.net\n");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        client.expect("RCPT TO:<user@customer.gr>", 250);
        client.expect("RCPT TO:<user@CUSTOMER.gr>", 250);
        client.expect("RCPT TO:<user@sub.customer.gr>", 250);
        let reply = client.command("RCPT TO:<user@example.net>");
        assert_eq!(reply.text(), "554 5.7.1 <user@example.net>: Relay access denied");
        system.wait_for_log(
            r"postfix/smtpd\[\d+\]: [0-9A-F]+: reject: RCPT from client.example.org\[203.0.113.5\]: 554 5.7.1 <user@example.net>: Relay access denied; from=<someone@example.org> to=<user@example.net> proto=ESMTP helo=<client.example.org>$",
        );
        let reply = client.command("RCPT TO:<user%example.net@customer.gr>");
        assert_eq!(reply.text(), "554 5.7.1 <user%example.net@customer.gr>: Relay access denied");
        let reply = client.command("RCPT TO:<user%example.net@mydomain.gr>");
        assert_eq!(reply.text(), "554 5.7.1 <user%example.net@mydomain.gr>: Relay access denied");
    }
}
