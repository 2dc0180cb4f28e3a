//! Configurations and files that are wrong: a clear error, no lost mail.

use harness::{Package, scenario};

scenario! {
    fn main_cf_line_without_a_sign(system) {
        system.file("/etc/postfix/main.cf", "myhostname = mail.example.com\nthis is wrong\n");
        let output = system.run(&["postfix", "start"]);
        assert_eq!(output.code, 1);
        system.wait_for_log("^postfix.*: fatal: /etc/postfix/main.cf, line 2: missing '=' after attribute name: \"this is wrong\"");
    }
}

scenario! {
    fn master_cf_with_a_wrong_field(system) {
        system.file("/etc/postfix/master.cf", "smtp inet n - n - many smtpd\n");
        let output = system.run(&["/usr/lib/postfix/sbin/master", "-w"]);
        assert_eq!(output.code, 1, "{}", output.stderr);
        system.wait_for_log("fatal: /etc/postfix/master.cf: line 1: .*many");
    }
}

scenario! {
    fn a_program_that_is_not_there_is_throttled(system) {
        system.master_cf("discard unix - - n - - nosuchprogram").main_cf("transport_maps = inline:{x.example=discard:}");
        system.start();
        system.submit("a@example.org", &["x@x.example"], "Subject: x\n\n");
        system.wait_for_log(r"master\[\d+\]: warning: .*nosuchprogram.*: bad command startup -- throttling");
    }
}

scenario! {
    fn a_policy_service_that_is_not_spoken_to_is_an_error(system) {
        if system.package() == Package::Reference {
            return;
        }
        system.main_cf("smtpd_recipient_restrictions = check_policy_service unix:private/policy").start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<a@example.org>", 250);
        let reply = client.command("RCPT TO:<alice@example.com>");
        assert!(reply.code / 100 == 4, "{}", reply.text());
    }
}

scenario! {
    fn a_milter_that_is_not_spoken_to_is_an_error(system) {
        system.main_cf("smtpd_milters = inet:127.0.0.1:9999").start();
        let mut client = system.smtp();
        client.command("EHLO localhost");
        let reply = client.command("MAIL FROM:<a@example.org>");
        assert!(reply.code / 100 == 4 || reply.code == 0, "{}", client.transcript());
        assert!(system.logged("warning: .*[Mm]ilter"), "{}", client.transcript());
    }
}

scenario! {
    fn a_damaged_queue_file_is_set_aside(system) {
        system.main_cf("defer_transports = local").start();
        let id = system.submit("a@example.org", &["alice@example.com"], "Subject: x\n\nText.\n");
        system.wait_until("the deferred queue", || system.queue("deferred") == [id.as_str()]);
        let path = system.shell(&format!("find /var/spool/postfix/deferred -name {id}")).stdout;
        system.shell(&format!("printf 'garbage' | dd of={} conv=notrunc bs=1 seek=0 2>/dev/null", path.trim())).well();
        system.run(&["postqueue", "-f"]).well();
        system.wait_until("the corrupt queue", || system.queue("corrupt") == [id.as_str()]);
        system.wait_for_log(&format!("warning: .*{id}"));
        // The rest of the system goes on.
        system.main_cf("").reload();
        system.submit("a@example.org", &["bob@example.com"], "Subject: y\n\n");
        system.wait_until("bob", || system.mailbox("bob").contains("Subject: y"));
    }
}

scenario! {
    fn a_damaged_maildrop_file_does_not_stop_others(system) {
        system.sendmail("bob", &["alice"], "Subject: good\n\n").well();
        system.shell("printf 'nonsense' > /var/spool/postfix/maildrop/ABCDEF12345 && chown bob:postdrop /var/spool/postfix/maildrop/ABCDEF12345 && chmod 744 /var/spool/postfix/maildrop/ABCDEF12345").well();
        system.start();
        system.wait_until("the good one", || system.mailbox("alice").contains("good"));
        system.wait_for_log("pickup.*warning: maildrop/[0-9A-F]+: unexpected EOF in data, record type 110 length 111");
        system.wait_for_log("pickup.*warning: uid=6002: unexpected or malformed record type -2");
    }
}
