//! Several mail systems on one host.

use std::time::Duration;

use harness::isolation::{skip_inside, workspace};
use harness::{Package, Sink, System, scenario};

// How Debian's service for one instance starts and stops it; there is no other yet.
scenario! {
    fn the_only_instance_goes_through_the_manager(system) {
        system.file("/etc/postfix/master.cf", &system.read(&workspace().join("conf/master.cf").to_string_lossy()));
        prepare_jail(system, "-", "/var/spool/postfix");
        system.run(&["postmulti", "-i", "-", "-p", "start"]).well();
        system.smtp().expect("EHLO client.example.org", 250);
        let mark = system.mark();
        system.run(&["postmulti", "-i", "-", "-p", "reload"]).well();
        system.wait_for_log_since(mark, "reload -- version");
        system.run(&["postmulti", "-i", "-", "-p", "stop"]).well();
        assert_ne!(system.run(&["postmulti", "-i", "-", "-p", "status"]).code, 0);
        assert_eq!(system.run(&["postmulti", "-l"]).stdout, "-               -               y         /etc/postfix\n");
    }
}

scenario! {
    fn two_instances_are_one_service(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        system.main_cf("transport_maps = inline:{example.net=smtp:[127.0.0.1]:10025}");
        make_second(system);
        assert_eq!(system.run(&["postfix", "check"]).code, 0);
        prepare_jail(system, "postfix-out", "/var/spool/postfix-out");

        // A new instance is not in business.
        system.start();
        assert_ne!(system.run(&["postfix", "-c", "/etc/postfix-out", "status"]).code, 0);
        system.run(&["postconf", "-c", "/etc/postfix-out", "-e", "master_service_disable ="]).well();
        system.run(&["postmulti", "-i", "out", "-e", "enable"]).well();
        system.run(&["postmulti", "-i", "out", "-p", "start"]).well();

        system.submit("alice@example.com", &["bob@example.net"], "Subject: through both\n\nx\n");
        let received = sink.wait_for(1, Duration::from_secs(20));
        let text = received[0].text();
        assert_eq!(text.matches("Received:").count(), 2, "{text}");
        system.wait_for_log(r"postfix-out/smtpd\[\d+\]: .*client=");
        system.wait_for_log(r"postfix-out/smtp\[\d+\]: .*to=<bob@example.net>.*status=sent");

        // The queues are apart.
        system.run(&["postmulti", "-x", "postqueue", "-p"]).well();
        let listed = system.run(&["postmulti", "-x", "sh", "-c", "echo $multi_instance_name; postconf -h queue_directory"]);
        assert_eq!(listed.stdout, "\n/var/spool/postfix\npostfix-out\n/var/spool/postfix-out\n");

        // One command for all.
        system.run(&["postfix", "reload"]).well();
        system.run(&["postfix", "status"]).well();
        system.stop();
        for directory in ["/etc/postfix", "/etc/postfix-out"] {
            assert_ne!(system.run(&["postfix", "-c", directory, "status"]).code, 0, "{directory}");
        }
        system.start();
        for directory in ["/etc/postfix", "/etc/postfix-out"] {
            system.run(&["postfix", "-c", directory, "status"]).well();
        }
        system.stop();
    }
}

scenario! {
    fn a_running_instance_is_not_removed(system) {
        make_second(system);
        system.run(&["postmulti", "-i", "out", "-e", "enable"]).well();
        system.start();
        system.run(&["postmulti", "-i", "out", "-e", "disable"]).well();
        let refused = system.run(&["postmulti", "-i", "out", "-e", "destroy"]);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains("fatal: Instance '/etc/postfix-out' is not stopped"), "{}", refused.stderr);
        system.run(&["postfix", "-c", "/etc/postfix-out", "stop"]).well();

        // Mail is never removed with its queue.
        system.file("/var/spool/postfix-out/deferred/ABCDEF", "mail");
        let removed = system.run(&["postmulti", "-i", "out", "-e", "destroy"]);
        assert_eq!(removed.code, 0, "{}", removed.stderr);
        assert!(removed.stderr.contains("warning: /var/spool/postfix-out/deferred: please verify contents"), "{}", removed.stderr);
        assert_eq!(system.read("/var/spool/postfix-out/deferred/ABCDEF"), "mail");
        assert!(!std::path::Path::new("/etc/postfix-out").exists());
        assert_eq!(system.run(&["postmulti", "-l"]).stdout.lines().count(), 1);
        system.stop();
    }
}

// Postfix's own cases. They have `.` for the default configuration directory, and its stub has no place here.
scenario! {
    fn listings_are_as_upstream_has_them(system) {
        if system.package() == Package::Reference {
            return skip_inside("-j is newer");
        }
        let cases = workspace().join("../shared/conformance/upstream/postmulti");
        let expected = |name: &str| std::fs::read_to_string(cases.join(name)).ok();
        let (Some(plain), Some(json), Some(refusal)) = (
            expected("single_test.ref"),
            expected("json_single_test.ref"),
            expected("config_dir_test.ref"),
        ) else {
            return skip_inside("no conformance data beside the project");
        };
        let placed = |text: String| text.replace(" .\n", " /etc/postfix\n").replace("\".\"", "\"/etc/postfix\"");
        assert_eq!(system.run(&["postmulti", "-l"]).well().stdout, placed(plain));
        assert_eq!(system.run(&["postmulti", "-lj"]).well().stdout, placed(json));
        let refused = system.shell("cd /etc/postfix && MAIL_CONFIG=. postmulti -l");
        assert_eq!((refused.stdout + &refused.stderr, refused.code), (refusal, 1));
    }
}

scenario! {
    fn what_json_quotes(system) {
        if system.package() == Package::Reference {
            return skip_inside("Postfix has -j since 3.11");
        }
        system.main_cf("multi_instance_name = postfix-\"a\nmulti_instance_group = g");
        assert_eq!(
            system.run(&["postmulti", "-l", "-j"]).stdout,
            "{\"name\": \"postfix-\\\"a\",\"group\": \"g\",\"enabled\": \"y\",\"config_directory\": \"/etc/postfix\"}\n"
        );
        let refused = system.run(&["postmulti", "-j", "-p", "status"]);
        assert!(refused.stderr.contains("JSON output available only with '-l'"), "{}", refused.stderr);
    }
}

/// What Debian's service runs before it starts an instance: a script that asks our tools about the configuration.
fn prepare_jail(system: &System, instance: &str, queue_directory: &str) {
    let script = workspace().join("target/system/reference/usr/lib/postfix/configure-instance.sh");
    if script.exists() {
        system.run(&["sh", &script.to_string_lossy(), instance]).well();
        assert_eq!(system.read(&format!("{queue_directory}/etc/hosts")), system.read("/etc/hosts"));
    }
}

/// `postfix-out`, which listens on port 10025 and sends all mail to 198.51.100.10.
fn make_second(system: &System) {
    system.file(
        "/etc/postfix/main.cf.proto",
        "compatibility_level = 3.6\nmydestination =\nrelayhost = [198.51.100.10]\nmynetworks = 127.0.0.0/8\n\
         smtp_tls_security_level =\n",
    );
    let master: String = system
        .read(&workspace().join("conf/master.cf").to_string_lossy())
        .lines()
        .map(|line| match line.strip_prefix("smtp ").filter(|rest| rest.trim_start().starts_with("inet")) {
            Some(rest) => format!("127.0.0.1:10025 {rest}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    system.file("/etc/postfix/master.cf.proto", &master);
    system.run(&["postmulti", "-e", "init"]).well();
    let made = system.run(&["postmulti", "-I", "postfix-out", "-G", "mta", "-e", "create"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
}
