//! A block list that is dead, and one that answers for everything.

use harness::scenario;

use super::server;

scenario! {
    fn g5_09_a_dead_list_rejects_nothing(system) {
        server(system, "smtpd_client_restrictions = reject_rbl_client relays.ordb.org");
        system.dns("*.relays.ordb.org SERVFAIL");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        client.expect("RCPT TO:<bob@domain.ork>", 250);
        system.wait_for_log(
            r"postfix/smtpd\[\d+\]: warning: 5.113.0.203.relays.ordb.org: RBL lookup error: Host or domain name not found. Name service error for name=5.113.0.203.relays.ordb.org type=A: Host not found, try again$",
        );
    }
}

scenario! {
    fn g5_09_a_list_that_answers_for_everything_rejects_everything(system) {
        server(system, "smtpd_client_restrictions = reject_rbl_client relays.ordb.org");
        system.dns("*.relays.ordb.org A 127.0.0.2");
        system.start();
        for from in ["203.0.113.5", "127.0.0.1"] {
            let mut client = system.smtp_from(from);
            client.expect("EHLO client.example.org", 250);
            client.expect("MAIL FROM:<someone@example.org>", 250);
            let reply = client.command("RCPT TO:<bob@domain.ork>");
            assert_eq!(
                reply.text(),
                format!("554 5.7.1 Service unavailable; Client host [{from}] blocked using relays.ordb.org")
            );
        }
    }
}
