//! PHP's mail() to an address that does not exist: the bounce reaches the administrator.

use harness::{Sink, scenario};

use super::server;
use crate::guides::have;

scenario! {
    fn g1_10_bounce_of_mail_from_php_reaches_root(system) {
        if !have(&["php"]) {
            return;
        }
        server(system, "");
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on("RCPT", "550 5.1.1 no such user");
        system.start();
        let script = r#"var_dump(mail("nobody@example.net", "From a form", "line one\nline two\n", "X-Form: 1"));"#;
        let output = system.run_as("www-data", &["php", "-r", script], "").well();
        assert_eq!(output.stdout, "bool(true)\n", "{output:?}");
        system.wait_for_log(r"pickup\[\d+\]: [0-9A-F]+: uid=33 from=<www-data>$");
        system.wait_for_log(
            r"to=<nobody@example.net>, relay=mx.example.net\[198.51.100.10\]:25, .*dsn=5.1.1, status=bounced \(host mx.example.net\[198.51.100.10\] said: 550 5.1.1 no such user \(in reply to RCPT TO command\)\)$",
        );
        system.wait_for_log(r"bounce\[\d+\]: [0-9A-F]+: sender non-delivery notification: [0-9A-F]+$");
        system.wait_for_log(r"to=<carol@mydomain.gr>, orig_to=<www-data@mydomain.gr>, relay=local, .*status=sent");
        let bounce = &system.maildir("/home/carol/Maildir")[0];
        assert!(bounce.contains("\nSubject: Undelivered Mail Returned to Sender\nTo: www-data@mydomain.gr\n"), "{bounce}");
        assert!(bounce.contains("\nX-Form: 1\n"), "{bounce}");
        assert!(bounce.contains("\nX-PHP-Originating-Script: ") || bounce.contains("\nline one\nline two\n"), "{bounce}");
    }
}

scenario! {
    fn g1_10_newaliases_is_silent_and_counts_at_once(system) {
        server(system, "");
        system.start();
        system.file("/etc/aliases", "postmaster: root\nroot: alice\nfresh: bob\n");
        let output = system.run(&["newaliases"]);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.code), ("", "", 0));
        system.sendmail("carol", &["fresh", "root"], "Subject: x\n\nText.\n").well();
        system.wait_for_log(r"to=<bob@mydomain.gr>, orig_to=<fresh>, relay=local, .*status=sent");
        system.wait_for_log(r"to=<alice@mydomain.gr>, orig_to=<root>, relay=local, .*status=sent");
    }
}
