//! pflogsumm and fail2ban read our log.

use std::time::Duration;

use harness::{Package, Sink, System, scenario};

use super::server;
use crate::guides::{have, log_file};

/// Mail in, mail out, a bounce, a deferral, rejections.
fn traffic(system: &System) {
    let sink = Sink::smtp("198.51.100.10:25");
    sink.on("RCPT TO:<bad@", "550 5.1.1 no such user");
    sink.on("RCPT TO:<later@", "450 4.2.1 try again");
    let mut client = system.smtp_from("203.0.113.5");
    client.expect("EHLO client.example.org", 250);
    client.submit("someone@example.org", &["alice@mydomain.gr", "info@mydomain.gr"], "Subject: x\n\nText.\n");
    client.expect("MAIL FROM:<bad@badaddress.com>", 250);
    client.expect("RCPT TO:<alice@mydomain.gr>", 554);
    client.expect("RSET", 250);
    client.expect("MAIL FROM:<someone@example.org>", 250);
    client.expect("RCPT TO:<user@elsewhere.example>", 554);
    client.expect("RCPT TO:<nobodyhere@mydomain.gr>", 550);
    client.expect("QUIT", 221);
    system.sendmail("bob", &["good@example.net", "bad@example.net"], "Subject: y\n\nText.\n").well();
    system.sendmail("bob", &["later@example.net"], "Subject: z\n\nText.\n").well();
    sink.wait_for(1, Duration::from_secs(10));
    system.wait_for_log("to=<later@example.net>, .*status=deferred");
    system.wait_for_log("to=<bob@mydomain.gr>, .*status=sent");
    system.wait_for_log("disconnect from client.example.org");
    system.settle();
}

scenario! {
    fn g1_21_pflogsumm(system) {
        if !have(&["pflogsumm"]) {
            return;
        }
        server(system, "");
        system.start();
        traffic(system);
        let output = system.run(&["pflogsumm", log_file(system)]).well();
        let report = &output.stdout;
        for line in [
            "      3   received",
            "      4   delivered",
            "      0   forwarded",
            "      1   deferred  (1  deferrals)",
            "      1   bounced",
            "      3   rejected (42%)",
            "      2   senders",
            "      3   recipients",
            "         1   4.2.1 try again (in reply to RCPT TO command",
            "         1   5.1.1 no such user (in reply to RCPT TO command)",
            "    Recipient address rejected: User unknown in local recipient table (total: 1)",
            "    Relay access denied (total: 1)",
            "    Sender address rejected: Access denied (total: 1)",
            "Warnings: none",
            "Fatal Errors: none",
            "Panics: none",
        ] {
            assert!(report.contains(&format!("\n{line}")), "{line}\n{report}");
        }
    }
}

scenario! {
    fn g1_21_fail2ban(system) {
        if !have(&["fail2ban-regex"]) {
            return;
        }
        server(system, "smtpd_error_sleep_time = 0");
        system.start();
        traffic(system);
        // Too many errors, and a client that goes without a word.
        let mut client = system.smtp_from("203.0.113.8");
        while client.command("BAD").code != 421 {}
        let mut client = system.smtp_from("203.0.113.9");
        client.expect("EHLO gone.example.org", 250);
        drop(client);
        system.wait_for_log("lost connection after EHLO");
        system.wait_for_log("too many errors after");
        system.wait_for_log(r"disconnect from unknown\[203.0.113.8\]");
        let log = log_file(system);
        // COMPAT: since Postfix 3.10 "too many errors" and "lost connection" have NOQUEUE in front, which the filter of
        // this fail2ban does not know.
        let counts = match system.package() {
            Package::Ours => [("normal", 2), ("more", 2), ("ddos", 0), ("aggressive", 2)],
            Package::Reference => [("normal", 3), ("more", 3), ("ddos", 1), ("aggressive", 4)],
        };
        for (mode, matched) in counts {
            let filter = format!("postfix[mode={mode}]");
            let output = system.run(&["fail2ban-regex", "-c", "/etc/fail2ban", log, &filter]);
            let lines = format!(", {matched} matched,");
            assert!(output.stdout.contains(&lines), "{mode}: {}{}", output.stdout, output.stderr);
        }
    }
}
