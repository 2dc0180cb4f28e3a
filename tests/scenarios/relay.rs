//! Mail that comes by SMTP and goes on by SMTP.

use std::time::Duration;

use harness::{Sink, scenario};

scenario! {
    fn goes_to_the_mail_exchanger(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        system.start();
        let id = system.submit("alice@example.com", &["someone@example.net"], "Subject: hello\n\nText.\n");
        let received = sink.wait_for(1, Duration::from_secs(20));
        assert!(received[0].mail.starts_with("<alice@example.com>"), "{}", received[0].mail);
        assert!(received[0].text().contains("\nSubject: hello\n"), "{}", received[0].text());
        system.wait_for_log(&format!("qmgr.*: {id}: removed"));
        system.wait_for_log(&format!(
            r"postfix/smtp\[\d+\]: {id}: to=<someone@example.net>, relay=mx.example.net\[198.51.100.10\]:25, delay=[\d.]+, delays=[\d./]+, dsn=2.0.0, status=sent \(250 2.0.0 Ok: queued as SINK\)"
        ));
    }
}
