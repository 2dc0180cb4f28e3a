//! message_size_limit, and postconf to look at it.

use harness::scenario;

use super::server;

/// More than the limit, in lines.
fn large() -> String {
    format!(
        "Subject: large\n\n{}",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n".repeat(320_100)
    )
}

scenario! {
    fn g1_01_size_is_announced_and_enforced(system) {
        server(system, "");
        system.start();
        let mut client = system.smtp_from("203.0.113.5");
        let hello = client.expect("EHLO client.example.org", 250);
        assert!(hello.lines.contains(&"250-SIZE 20480000".to_owned()), "{}", hello.text());
        let reply = client.command("MAIL FROM:<someone@example.org> SIZE=20480001");
        assert_eq!(reply.text(), "552 5.3.4 Message size exceeds fixed limit");
        client.expect("MAIL FROM:<someone@example.org> SIZE=20480000", 250);
        client.expect("RCPT TO:<alice@mydomain.gr>", 250);
        client.expect("DATA", 354);
        let reply = client.message(&large());
        assert_eq!(reply.text(), "552 5.3.4 Error: message file too big");
        system.wait_for_log(r"postfix/smtpd\[\d+\]: warning: [0-9A-F]+: queue file size limit exceeded$");
        client.submit("someone@example.org", &["alice@mydomain.gr"], "Subject: small\n\nText.\n");
        system.settle();
        assert_eq!(system.maildir("/home/alice/Maildir").len(), 1);
    }
}

scenario! {
    fn g1_01_size_is_enforced_for_sendmail(system) {
        server(system, "");
        system.start();
        let output = system.sendmail("bob", &["alice@mydomain.gr"], &large());
        assert_eq!(output.code, 75, "{output:?}");
        assert!(output.stderr.contains("File too large") || output.stderr.contains("message file too big"), "{output:?}");
        system.settle();
        assert!(system.maildir("/home/alice/Maildir").is_empty());
        assert!(system.queue("maildrop").is_empty());
    }
}

scenario! {
    fn g1_02_postconf_lists_everything_sorted(system) {
        server(system, "no_such_parameter = 1");
        let output = system.shell("postconf | grep size").well();
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert!(lines.contains(&"message_size_limit = 20480000"), "{}", output.stdout);
        assert!(lines.contains(&"mailbox_size_limit = 0"), "{}", output.stdout);
        assert!(lines.contains(&"header_size_limit = 102400"), "{}", output.stdout);
        assert!(lines.contains(&"body_checks_size_limit = 51200"), "{}", output.stdout);
        assert!(lines.contains(&"berkeley_db_create_buffer_size = 16777216"), "{}", output.stdout);
        assert!(lines.contains(&"bounce_size_limit = 50000"), "{}", output.stdout);
        let names: Vec<&str> = lines.iter().filter_map(|line| line.split_once(" =")).map(|(name, _)| name).collect();
        assert_eq!(names.len(), lines.len(), "{}", output.stdout);
        assert!(names.is_sorted(), "{}", output.stdout);
        assert_eq!(output.stderr, "postconf: warning: /etc/postfix/main.cf: unused parameter: no_such_parameter=1\n");
    }
}
