//! A reload takes on what can be changed, says what cannot, and interrupts nothing.

use std::time::Duration;

use harness::{Sink, scenario};

scenario! {
    fn a_dialogue_goes_on(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        system.start();
        let mut client = system.smtp();
        client.expect("EHLO client.example.org", 250);
        client.expect("MAIL FROM:<a@example.com>", 250);
        system.main_cf("smtpd_banner = $myhostname ESMTP changed").reload();
        client.expect("RCPT TO:<x@example.net>", 250);
        client.expect("DATA", 354);
        system.reload();
        assert_eq!(client.message("Subject: across\n\n").code, 250);
        assert!(system.smtp().transcript().contains("changed"));
        client.expect("QUIT", 221);
        assert_eq!(sink.wait_for(1, Duration::from_secs(20)).len(), 1);
    }
}

scenario! {
    fn a_slow_delivery_is_done_once(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on(".", "WAIT 2500 250 2.0.0 Ok");
        system.start();
        let id = system.submit("a@example.com", &["x@example.net"], "Subject: slow\n\n");
        system.wait_until("the connection", || sink.connections() == 1);
        system.reload();
        sink.wait_for(1, Duration::from_secs(20));
        // The new queue manager found it still being delivered, and looks again when its time comes.
        system.run(&["postqueue", "-f"]).well();
        system.wait_for_log(&format!("qmgr.*: {id}: removed"));
        system.settle();
        assert_eq!(sink.messages().len(), 1);
        assert!(system.queue("deferred").is_empty());
    }
}

scenario! {
    fn a_slow_command_is_done_once(system) {
        system.program("/usr/local/bin/slow", "#!/bin/sh\nsleep 2\ncat >>/tmp/slow\n");
        system.main_cf("transport_maps = inline:{example.net=slow:}");
        system.master_cf("slow unix - n n - 1 pipe\n  user=alice argv=/usr/local/bin/slow");
        system.shell("install -o alice -m 600 /dev/null /tmp/slow").well();
        system.start();
        let ids = ["one", "two"].map(|subject| system.submit("a@example.com", &["x@example.net"], &format!("Subject: {subject}\n\n")));
        system.wait_until("the command", || system.run(&["pgrep", "-f", "local/bin/slow"]).code == 0);
        system.reload();
        system.wait_for_log("pipe.*status=sent");
        system.run(&["postqueue", "-f"]).well();
        for id in ids {
            system.wait_for_log(&format!("qmgr.*: {id}: removed"));
        }
        let text = system.read("/tmp/slow");
        assert_eq!((text.matches("Subject: one").count(), text.matches("Subject: two").count()), (1, 1), "{text}");
    }
}

scenario! {
    fn what_cannot_be_changed_is_said(system) {
        system.start();
        let mark = system.mark();
        system.main_cf("inet_interfaces = all\ninet_protocols = all").reload();
        for line in [
            "warning: ignoring inet_protocols parameter value change",
            "warning: old value: \"ipv4\", new value: \"all\"",
            "warning: to change inet_protocols, stop and start Postfix",
            "warning: service smtp: ignoring inet_interfaces change",
            "warning: to change inet_interfaces, stop and start Postfix",
        ] {
            system.wait_for_log_since(mark, line);
        }
        assert!(system.smtp().transcript().contains("220 "));
    }
}

scenario! {
    fn services_come_and_go(system) {
        system.start();
        system.master_cf("127.0.0.1:2525 inet n - n - 5 smtpd").reload();
        let mut client = system.smtp_to(None, "127.0.0.1:2525");
        client.expect("EHLO client.example.org", 250);
        // By another name it is the same service, and keeps its socket.
        system.master_cf("[127.0.0.1]:2525 inet n - n - 5 smtpd\n25 inet n - n - - smtpd").reload();
        client.expect("NOOP", 250);
        system.smtp_to(None, "127.0.0.1:2525").expect("QUIT", 221);
        system.master_cf("").reload();
        system.wait_until("the port to close", || std::net::TcpStream::connect("127.0.0.1:2525").is_err());
        assert_eq!(client.reply().code, 0);
        assert!(!system.logged("killed by signal"));
    }
}

scenario! {
    fn the_last_of_two_entries_counts(system) {
        let text = "smtp inet n - n - 2 smtpd\n  -o smtpd_banner=first\n25 inet n - n - 2 smtpd\n  -o smtpd_banner=second\n";
        system.master_cf(text).start();
        system.wait_for_log("warning: duplicate master.cf entry for service \"25\" \\(25\\) -- using the last entry");
        assert!(system.smtp().transcript().contains("220 second"));
    }
}
