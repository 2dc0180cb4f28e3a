//! What an administrator limits is limited.

use std::time::Duration;

use harness::{Sink, SmtpClient, scenario};

scenario! {
    fn maxproc_is_the_number_of_deliveries(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        sink.on(".", "WAIT 400 250 2.0.0 Ok");
        system.main_cf("transport_maps = inline:{example.net=two:}\nsmtp_connection_cache_on_demand = no");
        system.master_cf("two unix - - n - 2 smtp").start();
        for number in 0..8 {
            system.submit("a@example.com", &[&format!("x{number}@example.net")], "Subject: x\n\n");
        }
        sink.wait_for(8, Duration::from_secs(30));
        assert_eq!(sink.most_open(), 2);
    }
}

scenario! {
    fn maxproc_is_the_number_of_clients(system) {
        system.master_cf("smtp inet n - n - 3 smtpd").start();
        let mut clients: Vec<SmtpClient> = (0..3).map(|_| system.smtp()).collect();
        let mut fourth = SmtpClient::connect(None, "127.0.0.1:25".parse().expect("an address")).expect("the backlog");
        fourth.patience(Duration::from_millis(700));
        assert_eq!(fourth.reply().code, 0, "a fourth client was greeted");
        fourth.patience(Duration::from_secs(10));
        clients[0].expect("QUIT", 221);
        assert_eq!(fourth.reply().code, 220);
    }
}

scenario! {
    fn connections_of_one_client(system) {
        system.main_cf("smtpd_client_connection_count_limit = 2").start();
        let first = system.smtp_from("203.0.113.5");
        let second = system.smtp_from("203.0.113.5");
        let third = system.smtp_from("203.0.113.5");
        assert!(third.transcript().contains("421 4.7.0 mail.example.com Error: too many connections from 203.0.113.5"), "{}", third.transcript());
        system.wait_for_log(r"warning: Connection concurrency limit exceeded: 3 from client.example.org\[203.0.113.5\] for service smtp");
        // Others, and who may do all, are let in.
        assert!(system.smtp_from("203.0.113.7").transcript().contains("220 "));
        drop((first, second));
        system.wait_until("room", || system.smtp_from("203.0.113.5").transcript().contains("220 "));
    }
}

scenario! {
    fn messages_of_one_client(system) {
        system.main_cf("smtpd_client_message_rate_limit = 2").start();
        let mut client = system.smtp_from("203.0.113.5");
        client.expect("EHLO client.example.org", 250);
        for _ in 0..2 {
            client.expect("MAIL FROM:<a@example.org>", 250);
            client.expect("RSET", 250);
        }
        let reply = client.command("MAIL FROM:<a@example.org>");
        assert_eq!(reply.last(), "450 4.7.1 Error: too much mail from 203.0.113.5");
    }
}

scenario! {
    fn size_of_a_message(system) {
        system.main_cf("message_size_limit = 10000").start();
        let mut client = system.smtp();
        assert!(client.expect("EHLO localhost", 250).text().contains("250-SIZE 10000"));
        assert_eq!(client.command("MAIL FROM:<a@b.example> SIZE=10001").last(), "552 5.3.4 Message size exceeds fixed limit");
        client.expect("RSET", 250);
        client.expect("MAIL FROM:<a@b.example>", 250);
        client.expect("RCPT TO:<alice@example.com>", 250);
        client.expect("DATA", 354);
        let reply = client.message(&format!("Subject: big\n\n{}", "0123456789012345678901234567890123456789\n".repeat(300)));
        assert_eq!(reply.last(), "552 5.3.4 Error: message file too big");
        let refused = system.sendmail("bob", &["alice"], &"too long a line of text\n".repeat(1000));
        assert_eq!(refused.code, 75, "{}", refused.stderr);
        system.settle();
        assert!(system.queue("maildrop").is_empty() && system.mailbox("alice").is_empty());
    }
}

scenario! {
    fn a_silent_client_is_sent_away(system) {
        system.main_cf("smtpd_timeout = 1s").start();
        let mut client = system.smtp();
        let reply = client.reply();
        assert_eq!(reply.last(), "421 4.4.2 mail.example.com Error: timeout exceeded");
        system.wait_for_log(r"timeout after CONNECT from localhost\[127.0.0.1\]");
    }
}
