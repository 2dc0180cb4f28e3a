//! What daemons give up, and what works all the same.

use std::time::Duration;

use harness::{Sink, scenario};

scenario! {
    fn rights_are_dropped_in_order(system) {
        if !std::path::Path::new("/usr/bin/strace").exists() {
            return harness::isolation::skip_inside("strace is not installed");
        }
        system.master_cf("smtp inet n - y - - smtpd\nlocal unix - n n - - local");
        system.shell("strace -ff -qq -s 200 -e trace=execve,chroot,setgroups,setgid,setresgid,setuid,setresuid -o /tmp/trace postfix start >/dev/null 2>&1 &").well();
        system.wait_until("the start", || system.run(&["postfix", "status"]).code == 0);
        system.submit("a@example.com", &["alice@example.com"], "Subject: x\n\n");
        system.wait_until("mail", || system.mailbox("alice").contains("Subject: x"));
        let mut seen = 0;
        for entry in std::fs::read_dir("/tmp").expect("/tmp").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = system.read(&format!("/tmp/{name}"));
            if !name.starts_with("trace.") || !text.contains("sbin/smtpd\"") {
                continue;
            }
            let after = text.lines().skip_while(|line| !line.contains("sbin/smtpd\"")).skip(1);
            let calls: Vec<&str> = after.filter_map(|line| line.split('(').next()).collect();
            assert_eq!(calls, ["chroot", "setgroups", "setresgid", "setresuid"], "{text}");
            assert!(text.contains("chroot(\"/var/spool/postfix\")"), "{text}");
            assert!(text.contains("setresuid(5101, 5101, 5101)") && text.contains("setresgid(5101, 5101, 5101)"), "{text}");
            seen += 1;
        }
        assert!(seen > 0, "no smtpd was traced");
    }
}

scenario! {
    fn unprivileged_daemons_are_where_and_who_they_should_be(system) {
        system.master_cf("smtp inet n - y - - smtpd\ncleanup unix n - n - 0 cleanup").start();
        system.submit("a@example.com", &["alice@example.com"], "Subject: x\n\n");
        for (program, root, uid) in [("smtpd", "/var/spool/postfix", "5101"), ("cleanup", "/", "5101"), ("master", "/", "0")] {
            let pid = system.shell(&format!("pgrep -x {program} | head -1")).stdout.trim().to_owned();
            let link = |name: &str| std::fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default();
            assert_eq!((link("root").to_str(), link("cwd").to_str()), (Some(root), Some("/var/spool/postfix")), "{program}");
            let status = system.read(&format!("/proc/{pid}/status"));
            let line = |name: &str| {
                let found = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
                found.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(line("Uid:"), vec![uid; 4], "{program}");
            if uid != "0" {
                assert_eq!(line("Groups:"), ["5101"], "{program}");
                assert_eq!(line("CapEff:"), ["0000000000000000"], "{program}");
            }
        }
    }
}

scenario! {
    fn a_jail_needs_no_copies(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        system.shell("rm -rf /var/spool/postfix/etc /var/spool/postfix/usr /var/spool/postfix/lib").well();
        // Programs know the time zone from /etc/localtime, and hosts from /etc/hosts.
        system.shell("ln -sf /usr/share/zoneinfo/Asia/Kolkata /etc/localtime").well();
        system.file("/etc/hosts", "127.0.0.1 localhost\n192.0.2.1 mail.example.com mail\n198.51.100.10 only.in.hosts.test\n");
        system.table("clients", "203.0.113.5 REJECT by table\n");
        system.main_cf(
            "import_environment = MAIL_CONFIG MAIL_LOGTAG\nsmtp_host_lookup = dns, native\nsmtpd_client_restrictions = check_client_access lmdb:/etc/postfix/clients",
        );
        system.master_cf(
            "smtp inet n - y - - smtpd\nsmtp unix - - y - - smtp\ncleanup unix n - y - 0 cleanup\nrewrite unix - - y - - trivial-rewrite\npickup unix n - y 60 1 pickup",
        );
        system.start();
        system.submit("a@example.com", &["x@example.net", "y@[198.51.100.10]"], "Subject: x\n\n");
        let received = sink.wait_for(2, Duration::from_secs(20));
        assert!(received.iter().all(|mail| mail.text().contains("+0530")), "{}", received[0].text());
        system.main_cf(
            "import_environment = MAIL_CONFIG MAIL_LOGTAG\nsmtp_host_lookup = native\nsmtpd_client_restrictions = check_client_access lmdb:/etc/postfix/clients\nrelayhost = [only.in.hosts.test]",
        );
        system.reload();
        system.submit("a@example.com", &["z@example.net"], "Subject: native\n\n");
        sink.wait_for(3, Duration::from_secs(20));
        // The table is outside, and was opened before.
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<a@example.org>", 250);
        let reply = client.command("RCPT TO:<alice@example.com>");
        assert_eq!(reply.code, 554, "{}", reply.text());
        assert!(reply.text().contains("by table"), "{}", reply.text());
        // The client's name came from the name server.
        assert!(system.logged(r"connect from client.example.org\[203.0.113.5\]"));
    }
}
