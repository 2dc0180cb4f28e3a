//! STARTTLS, both ways, with OpenSSL as the peer.

use harness::{Sink, System, scenario};
use std::time::Duration;

/// A certificate of our own.
fn certificate(system: &System) {
    let made = system.shell(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mail.example.com -keyout /etc/postfix/key.pem -out /etc/postfix/cert.pem",
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
}

const SERVER: &str = "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = /etc/postfix/cert.pem\nsmtpd_tls_key_file = /etc/postfix/key.pem\nsmtpd_tls_loglevel = 1\nsmtpd_tls_received_header = yes";

scenario! {
    fn a_client_upgrades(system) {
        certificate(system);
        system.main_cf(SERVER).start();
        let dialogue = "EHLO client.example.org\nMAIL FROM:<a@example.org>\nRCPT TO:<alice@example.com>\nDATA\nSubject: sealed\n\nText.\n.\nQUIT\n";
        system.file("/tmp/dialogue", dialogue);
        // One line at a time, as s_client does not wait for replies.
        let output = system.shell(
            "{ sleep 0.7; while IFS= read -r line; do printf '%s\\r\\n' \"$line\"; sleep 0.15; done < /tmp/dialogue; sleep 0.5; } | openssl s_client -quiet -ign_eof -starttls smtp -crlf -connect 127.0.0.1:25 2>&1",
        );
        assert!(output.stdout.contains("queued as"), "{}", output.stdout);
        system.wait_until("the mailbox", || system.mailbox("alice").contains("Text."));
        let mailbox = system.mailbox("alice");
        assert!(mailbox.contains("(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n\t key-exchange "), "{mailbox}");
        assert!(mailbox.contains("with ESMTPS id"), "{mailbox}");
        system.wait_for_log(r"Anonymous TLS connection established from localhost\[127.0.0.1\]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 \(256/256 bits\) key-exchange ");
    }
}

scenario! {
    fn nothing_said_before_the_upgrade_survives_it(system) {
        certificate(system);
        system.main_cf(SERVER).start();
        let mut client = system.smtp();
        client.expect("EHLO client.example.org", 250);
        client.send(b"STARTTLS\r\nRSET\r\n");
        let reply = client.reply();
        // Refused for the pipelining, or upgraded without an answer to what was stuffed in.
        if reply.code == 220 {
            assert_eq!(client.reply().code, 0);
        } else {
            assert_eq!(reply.code / 100, 5, "{}", client.transcript());
        }
    }
}

scenario! {
    fn level_encrypt_wants_it(system) {
        certificate(system);
        system.main_cf(&SERVER.replace("level = may", "level = encrypt")).start();
        let mut client = system.smtp();
        assert!(client.expect("EHLO client.example.org", 250).text().contains("250-STARTTLS"));
        assert_eq!(client.command("MAIL FROM:<a@example.org>").last(), "530 5.7.0 Must issue a STARTTLS command first");
    }
}

scenario! {
    fn we_upgrade_where_it_is_offered(system) {
        // To ourselves, by another service that takes what the first relays.
        certificate(system);
        system.main_cf(&format!("{SERVER}\nsmtp_tls_security_level = may\nsmtp_tls_loglevel = 1\ntransport_maps = inline:{{box.example=smtp:[198.51.100.1]:2525}}"));
        system.master_cf("198.51.100.1:2525 inet n - n - - smtpd\n  -o mynetworks=198.51.100.0/24\n  -o transport_maps=\n  -o local_recipient_maps=\n  -o cleanup_service_name=hold\nhold unix n - n - 0 cleanup\n  -o header_checks=static:HOLD");
        system.start();
        system.submit("a@example.com", &["x@box.example"], "Subject: sealed\n\n");
        system.wait_for_log(r"smtp\[\d+\]: Untrusted TLS connection established to 198.51.100.1\[198.51.100.1\]:2525: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 \(256/256 bits\)");
        system.wait_for_log(r"to=<x@box.example>, relay=198.51.100.1\[198.51.100.1\]:2525, .*status=sent");
    }
}

scenario! {
    fn we_insist_where_told(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        system.main_cf("smtp_tls_security_level = encrypt").start();
        let id = system.submit("a@example.com", &["x@example.net"], "Subject: x\n\n");
        system.wait_for_log(&format!(r"{id}: to=<x@example.net>, .*dsn=4.7.4, status=deferred \(TLS is required, but was not offered by host mx.example.net\[198.51.100.10\]\)"));
        std::thread::sleep(Duration::from_millis(100));
        assert!(sink.messages().is_empty());
    }
}
