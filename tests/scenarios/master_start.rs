//! Ways to start: with Debian's own files, as an ordinary user, as process 1, and not at all.

use std::time::Duration;

use harness::scenario;

scenario! {
    fn with_debians_files_as_they_are(system) {
        let share = harness::Package::Reference.image().join("usr/share/postfix");
        let read = |name: &str| std::fs::read_to_string(share.join(name)).unwrap_or_default();
        let (main, master) = (read("main.cf.debian") + &read("main.cf.tls"), read("master.cf.dist"));
        if master.is_empty() {
            return harness::isolation::skip_inside("Debian's files are not there");
        }
        // What its installation adds.
        let answers = "myhostname = mail.example.com\nalias_maps = hash:/etc/aliases\nalias_database = hash:/etc/aliases\nmyorigin = /etc/mailname\n\
                       mydestination = $myhostname, example.com, localhost.example.com, localhost\nrelayhost = \n\
                       mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128\nmailbox_size_limit = 0\nrecipient_delimiter = +\n\
                       inet_interfaces = all\ninet_protocols = all\n";
        system.whole_main_cf(&format!("{main}{answers}"));
        system.file("/etc/postfix/master.cf", &master);
        system.start();
        let id = system.submit("someone@example.org", &["alice@example.com"], "Subject: by SMTP\n\n");
        system.wait_for_log(&format!("qmgr.*: {id}: removed"));
        system.sendmail("bob", &["alice"], "Subject: by sendmail\n\n").well();
        system.wait_until("both", || {
            let mail = system.mailbox("alice");
            mail.contains("by SMTP") && mail.contains("by sendmail")
        });
        assert!(!system.logged("master.*warning:"), "{}", system.log().join("\n"));
    }
}

scenario! {
    fn by_an_ordinary_user(system) {
        system.shell("mkdir -p /home/alice/mail/etc && cp /etc/postfix/master.cf /home/alice/mail/etc/").well();
        system.file(
            "/home/alice/mail/etc/main.cf",
            "compatibility_level = 3.11\nmyhostname = mail.example.com\nmydestination = example.com\nmail_owner = alice\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nqueue_directory = /home/alice/mail/spool\n\
             data_directory = /home/alice/mail/data\nvirtual_mailbox_domains = example.org\nvirtual_mailbox_base = /home/alice/mail/box\n\
             virtual_mailbox_maps = inline:{alice@example.org=alice/}\nvirtual_uid_maps = static:6001\nvirtual_gid_maps = static:6001\n\
             mynetworks = 127.0.0.1\nlocal_recipient_maps =\nmaillog_file = /home/alice/mail/log\nmaillog_file_prefixes = /home\nmaster_service_disable = smtp/inet\n",
        );
        let master = system.read("/home/alice/mail/etc/master.cf");
        system.file("/home/alice/mail/etc/master.cf", &format!("{master}127.0.0.1:2525 inet n - y - - smtpd\n"));
        system.shell("mkdir -p /home/alice/mail/spool /home/alice/mail/data /home/alice/mail/box && chown -R alice:alice /home/alice/mail").well();
        let run = |word: &str| system.run_as("alice", &["postfix", "-c", "/home/alice/mail/etc", word], "");
        run("start").well();
        run("status").well();
        let mut client = system.smtp_to(None, "127.0.0.1:2525");
        client.expect("EHLO client.example.org", 250);
        client.submit("a@example.org", &["alice@example.org"], "Subject: mine\n\n");
        client.expect("QUIT", 221);
        system.wait_until("mail", || !system.maildir("/home/alice/mail/box/alice").is_empty());
        assert_eq!(system.read("/home/alice/mail/log").matches("not started by root").count(), 1);
        let owners = system.shell("ps -eo user:20,comm | grep -E ' (master|qmgr|smtpd|cleanup)$' | awk '{print $1}' | sort -u");
        assert!(["", "alice\n"].contains(&owners.stdout.as_str()), "{}", owners.stdout);
        run("reload").well();
        run("stop").well();
        assert_eq!(run("status").code, 1);
    }
}

scenario! {
    fn as_process_1(system) {
        system.main_cf("maillog_file = /dev/stdout");
        system.program("/tmp/container", "#!/bin/sh\nexec unshare --pid --fork --mount-proc sh -c 'exec postfix start-fg' >/tmp/container.log 2>&1\n");
        system.shell("setsid /tmp/container </dev/null & echo $! >/tmp/container.pid").well();
        system.wait_until("the log", || system.read("/tmp/container.log").contains("daemon started"));
        system.submit("a@example.com", &["alice@example.com"], "Subject: in a container\n\n");
        system.wait_until("mail", || system.mailbox("alice").contains("in a container"));
        let master = system.shell("pgrep -x master").stdout.trim().to_owned();
        // A stranger whose parent goes becomes a child of process 1, which must take its leave.
        let inside = format!("nsenter --target {master} --pid sh -c 'sh -c \"sleep 0.3\" & exit'");
        system.shell(&inside).well();
        std::thread::sleep(Duration::from_millis(900));
        let zombies = system.shell(&format!("ps --ppid {master} -o stat,comm | grep -c ^Z"));
        assert_eq!(zombies.stdout.trim(), "0");
        assert!(!system.read("/tmp/container.log").contains("unknown process"));
        system.shell(&format!("kill -TERM {master}")).well();
        system.wait_until("the end of all", || system.shell("pgrep -x 'master|qmgr|smtpd|pickup'").code != 0);
        assert!(system.read("/tmp/container.log").contains("terminating on signal 15"));
    }
}

scenario! {
    fn an_error_at_start_reaches_the_caller(system) {
        system.master_cf("25x inet n - n - - smtpd");
        let output = system.run(&["postfix", "start"]);
        assert_eq!(output.code, 1, "{}", output.stderr);
        assert!(output.stderr.contains("fatal: /etc/postfix/master.cf: line "), "{}", output.stderr);
        assert!(output.stderr.contains("garbage after numerical service in \"25x\""), "{}", output.stderr);
        assert!(output.stderr.contains("fatal: mail system startup failed"), "{}", output.stderr);
        system.wait_for_log("postfix/master.*fatal: /etc/postfix/master.cf: line .*garbage after numerical service");
        system.master_cf("");
        let _taken = std::net::TcpListener::bind("192.0.2.1:25").expect("the port");
        let output = system.run(&["postfix", "start"]);
        assert_eq!(output.code, 1, "{}", output.stderr);
        assert!(output.stderr.contains("bind 192.0.2.1 port 25: Address already in use"), "{}", output.stderr);
    }
}

scenario! {
    fn the_lock_can_be_tested(system) {
        let test = || system.run(&["/usr/lib/postfix/sbin/master", "-t"]).code;
        assert_eq!(test(), 0);
        system.run(&["postfix", "start"]).well();
        assert_eq!(test(), 1);
        let second = system.run(&["/usr/lib/postfix/sbin/master", "-w"]);
        assert_eq!(second.code, 1);
        assert!(second.stderr.contains("unable to set exclusive lock"), "{}", second.stderr);
        let again = system.run(&["postfix", "start"]);
        assert_eq!((again.code, again.stderr.contains("fatal: the Postfix mail system is already running")), (1, true));
        system.run(&["postfix", "stop"]).well();
        assert_eq!(test(), 0);
    }
}

scenario! {
    fn the_environment_is_filtered(system) {
        system.program("/usr/local/bin/show", "#!/bin/sh\nenv >/tmp/environment\n");
        system.main_cf("import_environment = MAIL_CONFIG MAIL_LOGTAG TZ FAVOUR COLOUR=blue");
        system.file("/tmp/environment", "").shell("chmod 666 /tmp/environment").well();
        system.master_cf("show unix n n n - 0 ../../../../usr/local/bin/show");
        system.shell("FAVOUR=yes SECRET=no postfix start").well();
        let _client = std::os::unix::net::UnixStream::connect("/var/spool/postfix/public/show").expect("a service");
        system.wait_until("the program", || system.read("/tmp/environment").contains("GENERATION="));
        let text = system.read("/tmp/environment");
        for line in ["FAVOUR=yes", "COLOUR=blue", "MAIL_CONFIG=/etc/postfix"] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert!(!text.contains("SECRET"), "{text}");
        system.run(&["postfix", "stop"]).well();
    }
}
