//! virtual_alias_maps and sender_canonical_maps, with hash: tables.

use std::process::Command;
use std::time::Duration;

use harness::scenario;

use super::server;
use crate::guides::{have, postmap};

scenario! {
    fn g1_03_virtual_alias_is_logged_and_new_rows_count_at_once(system) {
        server(system, "");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.submit("someone@example.org", &["info@mydomain.gr"], "Subject: one\n\nText.\n");
        system.wait_for_log(
            r"local\[\d+\]: [0-9A-F]+: to=<alice@mydomain.gr>, orig_to=<info@mydomain.gr>, relay=local, delay=[\d.]+, delays=[\d./]+, dsn=2.0.0, status=sent \(delivered to maildir\)$",
        );
        let mail = system.maildir("/home/alice/Maildir");
        assert!(mail[0].contains("\nX-Original-To: info@mydomain.gr\nDelivered-To: alice@mydomain.gr\n"), "{}", mail[0]);
        client.expect("MAIL FROM:<someone@example.org>", 250);
        let reply = client.command("RCPT TO:<new@mydomain.gr>");
        assert_eq!(
            reply.text(),
            "550 5.1.1 <new@mydomain.gr>: Recipient address rejected: User unknown in local recipient table"
        );
        client.expect("QUIT", 221);
        // The reference compares times of whole seconds.
        std::thread::sleep(Duration::from_millis(1100));
        postmap(system, "virtual", "info@mydomain.gr alice\nnew@mydomain.gr bob\n");
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.submit("someone@example.org", &["new@mydomain.gr"], "Subject: two\n\nText.\n");
        system.wait_for_log(r"to=<bob@mydomain.gr>, orig_to=<new@mydomain.gr>, relay=local, .*status=sent");
    }
}

scenario! {
    fn g1_03_virtual_alias_to_several(system) {
        server(system, "");
        system.start();
        let output = system.sendmail("alice", &["sales@mydomain.gr"], "Subject: x\n\nText.\n").well();
        assert_eq!(output.stderr, "");
        system.wait_for_log(r"to=<bob@mydomain.gr>, orig_to=<sales@mydomain.gr>, relay=local, .*status=sent");
        system.wait_for_log(r"to=<carol@mydomain.gr>, orig_to=<sales@mydomain.gr>, relay=local, .*status=sent");
    }
}

scenario! {
    fn g1_04_mail_from_cron_names_its_server(system) {
        if !have(&["cron"]) {
            return;
        }
        server(system, "");
        system.start();
        system.shell("rm -f /etc/crontab; mkdir -p /var/spool/cron/crontabs; rm -rf /etc/cron.d");
        system.file("/etc/crontab", "@reboot root echo said by the job\n");
        let mut cron = Command::new("/usr/sbin/cron").arg("-f").spawn().expect("cron");
        let line = system.try_log(0, r"local\[\d+\]: .* status=", Duration::from_secs(15));
        cron.kill().expect("stop cron");
        cron.wait().expect("stop cron");
        assert!(line.is_some_and(|line| line.contains("orig_to=<root>") && line.contains("status=sent")));
        system.wait_for_log(r"pickup\[\d+\]: [0-9A-F]+: uid=0 from=<root>$");
        system.wait_for_log(r"qmgr\[\d+\]: [0-9A-F]+: from=<root@s1.mydomain.gr>, size=\d+, nrcpt=1 \(queue active\)$");
        let mail = system.maildir("/home/carol/Maildir");
        assert!(mail[0].starts_with("Return-Path: <root@s1.mydomain.gr>\n"), "{}", mail[0]);
        assert!(mail[0].contains("\nFrom: root@s1.mydomain.gr (Cron Daemon)\n"), "{}", mail[0]);
        assert!(mail[0].contains("\nSubject: Cron <root@s1> echo said by the job\n"), "{}", mail[0]);
        assert!(mail[0].ends_with("\n\nsaid by the job\n"), "{}", mail[0]);
    }
}

scenario! {
    fn g1_04_headers_of_remote_mail_stay(system) {
        server(system, "");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.submit("root@mydomain.gr", &["bob@mydomain.gr"], "From: root@mydomain.gr\nSubject: x\n\nText.\n");
        system.settle();
        let mail = system.maildir("/home/bob/Maildir");
        assert!(mail[0].contains("\nFrom: root@mydomain.gr\n"), "{}", mail[0]);
        // The envelope is ours.
        assert!(mail[0].starts_with("Return-Path: <root@s1.mydomain.gr>\n"), "{}", mail[0]);
    }
}
