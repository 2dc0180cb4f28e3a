//! smtpd_sender_restrictions, misspelled and spelled right.

use harness::scenario;

use super::server;

const ZONE: &str = "
    noname.example A 203.0.113.99
    servfail.example SERVFAIL
    null.example MX 0 .
    nodata.example TXT nothing
";

const VALUE: &str =
    "reject_unknown_sender_domain, reject_non_fqdn_hostname, reject_non_fqdn_sender, reject_invalid_hostname";

scenario! {
    fn g5_10_misspelled_it_has_no_effect(system) {
        server(system, &format!("smtpd_sender_restriction = {VALUE}"));
        system.dns(ZONE);
        let output = system.run(&["postconf", "-n"]).well();
        let warning = format!("postconf: warning: /etc/postfix/main.cf: unused parameter: smtpd_sender_restriction={VALUE}\n");
        assert!(output.stderr.contains(&warning), "{}", output.stderr);
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("HELO x", 250);
        for sender in ["someone@nowhere.example", "someone", "someone@null.example"] {
            client.expect(&format!("MAIL FROM:<{sender}>"), 250);
            client.expect("RCPT TO:<bob@domain.ork>", 250);
            client.expect("RSET", 250);
        }
    }
}

scenario! {
    fn g5_10_spelled_right(system) {
        server(system, &format!("smtpd_sender_restrictions = {VALUE}\nsmtpd_soft_error_limit = 100"));
        system.dns(ZONE);
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        let mut reply = |sender: &str| {
            client.expect("RSET", 250);
            client.expect(&format!("MAIL FROM:<{sender}>"), 250);
            client.command("RCPT TO:<bob@domain.ork>").text()
        };
        assert_eq!(
            reply("someone@nowhere.example"),
            "450 4.1.8 <someone@nowhere.example>: Sender address rejected: Domain not found"
        );
        assert_eq!(
            reply("someone@servfail.example"),
            "450 4.1.8 <someone@servfail.example>: Sender address rejected: Domain not found"
        );
        assert_eq!(
            reply("someone@nodata.example"),
            "450 4.1.8 <someone@nodata.example>: Sender address rejected: Domain not found"
        );
        // An address is enough; no mail exchanger is needed.
        assert_eq!(reply("someone@noname.example"), "250 2.1.5 Ok");
        assert_eq!(
            reply("someone@null.example"),
            "550 5.7.27 <someone@null.example>: Sender address rejected: Domain null.example does not accept mail (nullMX)"
        );
        assert_eq!(reply("someone@example.org"), "250 2.1.5 Ok");
        assert_eq!(reply(""), "250 2.1.5 Ok");
        assert_eq!(
            reply("someone@host"),
            "450 4.1.8 <someone@host>: Sender address rejected: Domain not found"
        );
        assert_eq!(
            reply("\"some one\"@host.local"),
            "450 4.1.8 <some one@host.local>: Sender address rejected: Domain not found"
        );
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("HELO x", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        assert_eq!(
            client.command("RCPT TO:<bob@domain.ork>").text(),
            "504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname"
        );
        client.expect("HELO not..valid", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        assert_eq!(
            client.command("RCPT TO:<bob@domain.ork>").text(),
            "504 5.5.2 <not..valid>: Helo command rejected: need fully-qualified hostname"
        );
    }
}

scenario! {
    fn g5_10_a_sender_without_a_full_domain(system) {
        server(system, "smtpd_sender_restrictions = reject_non_fqdn_sender, reject_invalid_hostname");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<someone@host>", 250);
        assert_eq!(
            client.command("RCPT TO:<bob@domain.ork>").text(),
            "504 5.5.2 <someone@host>: Sender address rejected: need fully-qualified address"
        );
        client.expect("RSET", 250);
        client.expect("MAIL FROM:<someone>", 250);
        assert_eq!(
            client.command("RCPT TO:<bob@domain.ork>").text(),
            "504 5.5.2 <someone>: Sender address rejected: need fully-qualified address"
        );
        client.expect("HELO not..valid", 250);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        assert_eq!(
            client.command("RCPT TO:<bob@domain.ork>").text(),
            "501 5.5.2 <not..valid>: Helo command rejected: Invalid name"
        );
        system.wait_for_log(
            r"NOQUEUE: reject: RCPT from client.example.org\[203.0.113.5\]: 501 5.5.2 <not..valid>: Helo command rejected: Invalid name; from=<someone@example.org> to=<bob@domain.ork> proto=E?SMTP helo=<not..valid>$",
        );
    }
}
