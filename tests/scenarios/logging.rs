//! Where log lines go, and how they look.

use harness::scenario;

scenario! {
    fn maillog_file_instead_of_syslog(system) {
        system.main_cf("maillog_file = /var/log/postfix.log").start();
        system.submit("a@example.org", &["alice@example.com"], "Subject: x\n\n");
        system.wait_until("the file", || system.read("/var/log/postfix.log").contains(": removed"));
        let text = system.read("/var/log/postfix.log");
        let line = text.lines().find(|line| line.contains("status=sent")).expect("a delivery line");
        let (time, rest) = line.split_at(16);
        assert!(time.as_bytes()[3] == b' ' && time.as_bytes()[9] == b':', "{line}");
        assert!(rest.starts_with("mail postfix/local["), "{line}");
        assert!(!system.logged("status=sent"));
    }
}

scenario! {
    fn syslog_name_of_a_service(system) {
        system.master_cf("2525 inet n - n - - smtpd\n  -o syslog_name=postfix/inside").start();
        system.smtp_to(None, "127.0.0.1:2525").command("QUIT");
        system.wait_for_log(r"^postfix/inside/smtpd\[\d+\]: connect from localhost\[127.0.0.1\]$");
    }
}

scenario! {
    fn long_queue_ids(system) {
        system.main_cf("enable_long_queue_ids = yes").start();
        let id = system.submit("a@example.org", &["alice@example.com"], "Subject: x\n\n");
        assert!(id.len() > 10 && id[..id.len().saturating_sub(1)].contains('z'), "{id}");
        system.wait_for_log(&format!("{id}: removed"));
        assert!(system.mailbox("alice").contains(&format!("Message-Id: <{id}@mail.example.com>")), "{}", system.mailbox("alice"));
    }
}
