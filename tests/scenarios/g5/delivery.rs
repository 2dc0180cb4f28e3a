//! procmail, and aliases.

use harness::scenario;

use super::server;
use crate::guides::have;

scenario! {
    fn g5_05_procmail(system) {
        if !have(&["procmail"]) {
            return;
        }
        server(system, "mailbox_command = procmail -a \"$EXTENSION\"");
        system.user_file(
            "bob",
            "/home/bob/.procmailrc",
            "DEFAULT=$HOME/inbox\nEXTENSION=$1\n:0:\n* EXTENSION ?? ^lists$\nlists\n:0:\n* ^Subject:.*special\nspecial\n",
        );
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.submit("someone@example.org", &["bob+lists@domain.ork"], "Subject: one\n\nText.\n");
        system.wait_for_log(
            r#"local\[\d+\]: [0-9A-F]+: to=<bob\+lists@domain.ork>, relay=local, .*dsn=2.0.0, status=sent \(delivered to command: procmail -a "\$EXTENSION"\)$"#,
        );
        client.submit("someone@example.org", &["bob@domain.ork"], "Subject: special\n\nText.\n");
        client.submit("someone@example.org", &["bob@domain.ork"], "Subject: three\n\nText.\n");
        system.settle();
        for (file, subject) in [("lists", "one"), ("special", "special"), ("inbox", "three")] {
            let text = system.read(&format!("/home/bob/{file}"));
            assert!(text.contains(&format!("\nSubject: {subject}\n")), "{file}: {text}\n{:?}", system.shell("ls -l /home/bob /var/mail"));
            assert_eq!(text.matches("\nReceived: ").count(), 1, "{text}");
        }
        let owner = system.shell("stat -c %U /home/bob/lists");
        assert_eq!(owner.stdout, "bob\n");
        let text = system.read("/home/bob/lists");
        assert!(text.starts_with("From someone@example.org  "), "{text}");
        assert!(text.contains("\nX-Original-To: bob+lists@domain.ork\nDelivered-To: bob+lists@domain.ork\n"), "{text}");
    }
}

scenario! {
    fn g5_05_environment_of_the_command(system) {
        system.program("/usr/local/bin/show", "#!/bin/sh\n(id -un; pwd; env | sort) >/home/bob/seen.new; cat >/dev/null; mv /home/bob/seen.new /home/bob/seen\n");
        server(system, "mailbox_command = /usr/local/bin/show");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.submit("some`one`$x@example.org", &["\"bob+a;b|c\"@domain.ork"], "Subject: x\n\nText.\n");
        system.wait_for_log(r"status=sent \(delivered to command: /usr/local/bin/show\)$");
        let seen = system.read("/home/bob/seen");
        assert!(seen.starts_with("bob\n/var/spool/postfix\n"), "{seen}");
        let wanted = [
            "CLIENT_ADDRESS=203.0.113.5",
            "CLIENT_HELO=client.example.org",
            "CLIENT_HOSTNAME=client.example.org",
            "CLIENT_PROTOCOL=ESMTP",
            "DOMAIN=domain.ork",
            "EXTENSION=a_b_c",
            "HOME=/home/bob",
            "LOCAL=bob+a_b_c",
            "LOGNAME=bob",
            "ORIGINAL_RECIPIENT=bob+a_b_c@domain.ork",
            "RECIPIENT=bob+a_b_c@domain.ork",
            "SENDER=some_one__x@example.org",
            "SHELL=/bin/sh",
            "USER=bob",
        ];
        for line in wanted {
            assert!(seen.contains(&format!("\n{line}\n")), "{line}\n{seen}");
        }
    }
}

scenario! {
    fn g5_05_local_mail_with_an_extension(system) {
        system.program("/usr/local/bin/show", "#!/bin/sh\nenv | sort >/home/bob/seen.new; cat >/dev/null; mv /home/bob/seen.new /home/bob/seen\n");
        server(system, "mailbox_command = /usr/local/bin/show");
        system.start();
        system.sendmail("alice", &["bob+x"], "Subject: x\n\nText.\n").well();
        system.wait_for_log(r"to=<bob\+x@domain.ork>, orig_to=<bob\+x>, relay=local, .*status=sent \(delivered to command: /usr/local/bin/show\)$");
        let seen = system.read("/home/bob/seen");
        for line in ["EXTENSION=x", "SENDER=alice@domain.ork", "ORIGINAL_RECIPIENT=bob+x", "RECIPIENT=bob+x@domain.ork"] {
            assert!(seen.contains(&format!("{line}\n")), "{line}\n{seen}");
        }
        assert!(!seen.contains("CLIENT_HOSTNAME=client"), "{seen}");
    }
}

scenario! {
    fn g5_11_an_alias_for_an_account(system) {
        server(system, "");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.submit("someone@example.org", &["taxes@domain.ork"], "Subject: x\n\nText.\n");
        system.wait_for_log(
            r"local\[\d+\]: [0-9A-F]+: to=<bob@domain.ork>, orig_to=<taxes@domain.ork>, relay=local, .*dsn=2.0.0, status=sent \(delivered to mailbox\)$",
        );
        let mail = system.mailbox("bob");
        assert!(mail.contains("\nX-Original-To: taxes@domain.ork\nDelivered-To: taxes@domain.ork\n"), "{mail}");
        // A new alias counts without a restart.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        system.file("/etc/aliases", "postmaster: root\nroot: carol\ntaxes: alice\n");
        let output = system.run(&["postalias", "/etc/aliases"]);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.code), ("", "", 0));
        client.submit("someone@example.org", &["taxes@domain.ork"], "Subject: x\n\nText.\n");
        system.wait_for_log(r"to=<alice@domain.ork>, orig_to=<taxes@domain.ork>, relay=local, .*status=sent");
    }
}
