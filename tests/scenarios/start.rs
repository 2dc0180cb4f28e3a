//! Starting, stopping, asking.

use harness::scenario;

scenario! {
    fn status_tells_the_truth(system) {
        assert_eq!(system.run(&["postfix", "status"]).code, 1);
        assert_eq!(system.run(&["/usr/lib/postfix/sbin/master", "-t"]).code, 0);
        system.start();
        assert_eq!(system.run(&["postfix", "status"]).code, 0);
        assert_eq!(system.run(&["/usr/lib/postfix/sbin/master", "-t"]).code, 1);
        let again = system.run(&["postfix", "start"]);
        assert_eq!(again.code, 1);
        system.wait_for_log("postfix/postfix-script.*: fatal: the Postfix mail system is already running");
        system.stop();
        assert_eq!(system.run(&["postfix", "status"]).code, 1);
    }
}

scenario! {
    fn abort_ends_it_at_once(system) {
        system.start();
        let mut client = system.smtp();
        system.run(&["postfix", "abort"]).well();
        system.wait_until("the end", || system.run(&["postfix", "status"]).code == 1);
        assert_eq!(client.command("EHLO x").code, 0);
    }
}

scenario! {
    fn says_its_version_and_configuration(system) {
        system.start();
        system.wait_for_log(r"^postfix/master\[\d+\]: daemon started -- version 3\.\d+\.\d+, configuration /etc/postfix$");
    }
}

scenario! {
    fn stays_in_the_foreground_when_asked(system) {
        system.shell("postfix start-fg >/dev/null 2>&1 &");
        system.wait_until("the start", || system.run(&["postfix", "status"]).code == 0);
        let banner = system.smtp().transcript().to_owned();
        assert!(banner.contains("220 mail.example.com ESMTP Postfix"), "{banner}");
        system.run(&["postfix", "stop"]).well();
    }
}

scenario! {
    fn another_instance_by_its_directory(system) {
        system.shell("cp -R /etc/postfix /etc/other && mkdir -p /var/spool/other /var/lib/other && chown postfix /var/lib/other").well();
        let main = system.read("/etc/other/main.cf");
        system.file("/etc/other/main.cf", &format!(
            "{}queue_directory = /var/spool/other\ndata_directory = /var/lib/other\n",
            main.replace("inet_interfaces = 127.0.0.1, 192.0.2.1", "inet_interfaces = 198.51.100.1")
        ));
        system.file("/etc/postfix/main.cf", &format!("{}alternate_config_directories = /etc/other\n", system.read("/etc/postfix/main.cf")));
        system.start();
        system.run(&["postfix", "-c", "/etc/other", "start"]).well();
        let other = system.smtp_to(None, "198.51.100.1:25").transcript().to_owned();
        assert!(other.contains("220 mail.example.com"), "{other}");
        system.run(&["sendmail", "-C", "/etc/other", "-bp"]).well();
        system.run(&["postfix", "-c", "/etc/other", "stop"]).well();
        assert_eq!(system.run(&["postfix", "status"]).code, 0);
    }
}
