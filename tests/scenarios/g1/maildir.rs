//! home_mailbox = Maildir/

use std::fs;

use harness::scenario;
use regex::Regex;

use super::server;

scenario! {
    fn g1_05_maildir_delivery(system) {
        server(system, "");
        system.start();
        system.sendmail("bob", &["alice"], "Subject: x\n\nText.\n").well();
        system.wait_for_log(
            r"postfix/local\[\d+\]: [0-9A-F]+: to=<alice@mydomain.gr>, orig_to=<alice>, relay=local, delay=[\d.]+, delays=[\d./]+, dsn=2.0.0, status=sent \(delivered to maildir\)$",
        );
        let names: Vec<String> = fs::read_dir("/home/alice/Maildir/new")
            .expect("new")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        let name = Regex::new(r"^\d{10}\.V[0-9a-f]+I[0-9a-f]+M\d{1,6}\.s1\.mydomain\.gr$").expect("a pattern");
        assert!(names.len() == 1 && name.is_match(&names[0]), "{names:?}");
        let shown = system.shell("stat -c '%n %a %U' /home/alice/Maildir /home/alice/Maildir/* /home/alice/Maildir/new/*");
        for line in shown.stdout.lines() {
            let wanted = if line.contains("/new/") { "600" } else { "700" };
            assert!(line.ends_with(&format!(" {wanted} alice")), "{}", shown.stdout);
        }
        assert_eq!(shown.stdout.lines().count(), 5, "{}", shown.stdout);
    }
}

scenario! {
    fn g1_06_maildir_that_may_not_be_written(system) {
        server(system, "");
        system.shell("mkdir -p /home/alice/Maildir/tmp /home/alice/Maildir/new /home/alice/Maildir/cur").well();
        system.start();
        system.sendmail("bob", &["alice"], "Subject: x\n\nText.\n").well();
        system.wait_for_log(
            r"postfix/local\[\d+\]: warning: maildir access problem for UID/GID=6001/6001: create maildir file /home/alice/Maildir/tmp/\d{10}\.P\d+\.s1\.mydomain\.gr: Permission denied$",
        );
        system.wait_for_log(
            r"postfix/local\[\d+\]: warning: perhaps you need to create the maildirs in advance$",
        );
        system.wait_for_log(
            r"to=<alice@mydomain.gr>, orig_to=<alice>, relay=local, .*dsn=5.2.0, status=bounced \(maildir delivery failed: create maildir file /home/alice/Maildir/tmp/\d+\.P\d+\.s1\.mydomain\.gr: Permission denied\)$",
        );
        system.settle();
        assert!(system.maildir("/home/bob/Maildir")[0].contains("\nSubject: Undelivered Mail Returned to Sender\n"));
    }
}
