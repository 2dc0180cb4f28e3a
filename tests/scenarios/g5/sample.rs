//! The sample main.cf as it is printed.

use std::time::Duration;

use harness::{Package, scenario};

use super::{printed, server};

scenario! {
    fn g5_00_as_printed_smtpd_refuses_to_be_an_open_relay(system) {
        printed(system, "");
        system.start();
        let mut client = system.smtp();
        client.patience(Duration::from_millis(200));
        client.command("NOOP");
        system.wait_for_log(
            r"^postfix/smtpd\[\d+\]: fatal: in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit or check_relay_domains$|^postfix/smtpd\[\d+\]: fatal: in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit$",
        );
        system.wait_for_log(r"^postfix/master\[\d+\]: warning: process /usr/lib/postfix/smtpd pid \d+ exit status 1$");
        // Local mail goes its way.
        system.sendmail("alice", &["bob"], "Subject: x\n\nText.\n").well();
        system.wait_for_log(r"local\[\d+\]: [0-9A-F]+: to=<bob@domain.ork>, orig_to=<bob>, relay=local, .*dsn=2.0.0, status=sent \(delivered to mailbox\)$");
    }
}

scenario! {
    fn g5_00_with_a_relay_restriction_it_runs(system) {
        server(system, "");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.submit("someone@example.org", &["bob@domain.ork"], "Subject: x\n\nText.\n");
        client.expect("MAIL FROM:<someone@example.org>", 250);
        let reply = client.command("RCPT TO:<user@example.net>");
        assert_eq!(reply.text(), "554 5.7.1 <user@example.net>: Relay access denied");
        system.wait_for_log(r"to=<bob@domain.ork>, relay=local, .*status=sent \(delivered to mailbox\)$");
        assert!(system.mailbox("bob").starts_with("From someone@example.org  "), "{}", system.mailbox("bob"));
    }
}

scenario! {
    fn g5_01_program_directory_is_unused(system) {
        server(system, "");
        let output = system.run(&["postconf", "-n"]).well();
        assert_eq!(
            output.stderr,
            "postconf: warning: /etc/postfix/main.cf: unused parameter: program_directory=/usr/lib/postfix\n"
        );
        assert!(output.stdout.contains("\nmydestination = $myhostname, $mydomain, ,localhost\n"), "{}", output.stdout);
        assert!(!output.stdout.contains("program_directory"), "{}", output.stdout);
        system.start();
        system.settle();
        assert!(!system.logged("program_directory"), "{:?}", system.log());
    }
}

scenario! {
    fn g5_02_a_missing_daemon_throttles(system) {
        server(system, "");
        let master = system.read("/etc/postfix/master.cf").replace(" qmgr\n", " qmgr\nabsent unix - - n 1 - no-such-daemon\n");
        system.file("/etc/postfix/master.cf", &master);
        system.start();
        system.wait_for_log(
            r"^(postfix/)?master\[\d+\]: fatal: master_spawn: exec /usr/lib/postfix/no-such-daemon: No such file or directory$",
        );
        // COMPAT: in Postfix it is a process that ends, here none comes to be.
        if system.package() == Package::Reference {
            system.wait_for_log(
                r"^postfix/master\[\d+\]: warning: process /usr/lib/postfix/no-such-daemon pid \d+ exit status 1$",
            );
        }
        system.wait_for_log(r"^postfix/master\[\d+\]: warning: /usr/lib/postfix/no-such-daemon: bad command startup -- throttling$");
        // The others live.
        system.submit("alice@domain.ork", &["bob@domain.ork"], "Subject: x\n\nText.\n");
        system.wait_for_log(r"to=<bob@domain.ork>, .*status=sent");
    }
}

scenario! {
    fn g5_02_directories_and_group_are_honoured(system) {
        server(system, "");
        system.shell("mkdir /tmp/commands && for f in /usr/sbin/post*; do ln -s $f /tmp/commands; done; rm /tmp/commands/postdrop").well();
        system.program("/tmp/commands/postdrop", "#!/bin/sh\necho \"$@\" >/tmp/commands/seen\nexec /usr/sbin/postdrop \"$@\"\n");
        system.shell("chmod 777 /tmp/commands; sed -i 's,^command_directory.*,command_directory = /tmp/commands,' /etc/postfix/main.cf").well();
        system.start();
        system.sendmail("alice", &["bob"], "Subject: x\n\nText.\n").well();
        assert_eq!(system.read("/tmp/commands/seen"), "-r\n");
        system.stop();
        system.shell("sed -i 's,^setgid_group.*,setgid_group = nosuchgroup,' /etc/postfix/main.cf").well();
        let output = system.run(&["postfix", "start"]);
        assert_eq!(output.code, 1, "{output:?}");
        system.wait_for_log(
            r"^postfix[^ ]*: fatal: file /etc/postfix/main.cf: parameter setgid_group: unknown group name: nosuchgroup$",
        );
    }
}
