//! TLS of the SMTP client: levels, policies, peers of all kinds.

use std::time::Duration;

use harness::{Package, Sink, System, scenario};

use crate::tls_kit::{certificate, path, signed_certificate, worded};

const PATIENCE: Duration = Duration::from_secs(20);

fn configure(system: &System, settings: &str) {
    let level = if settings.contains("smtp_tls_loglevel") { "" } else { "smtp_tls_loglevel = 1\n" };
    system.main_cf(&format!("{level}smtp_log_tls_feature_status = yes\n{settings}"));
}

/// Sends one message to the sink at mx.example.net; gives the text of the delivery line from `relay=` on, without delays.
fn send(system: &System, recipient: &str) -> String {
    let mark = system.mark();
    let id = system.submit("alice@example.com", &[recipient], "Subject: secret\n\nText.\n");
    let line = system.wait_for_log_since(mark, &format!(r"(smtp|error)\[\d+\]: {id}: to=<.*status="));
    let start = line.find("relay=").unwrap_or_default();
    line[start..].split(", ").filter(|part| !part.starts_with("delay")).collect::<Vec<_>>().join(", ")
}

/// `tls=...` of the delivery line, which the reference does not have.
fn status(system: &System, tls: &str, rest: &str) -> String {
    let tls = if system.package() == Package::Ours { format!("tls={tls}, ") } else { String::new() };
    format!("relay=mx.example.net[198.51.100.10]:25, {tls}{rest}")
}

const SENT: &str = "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as SINK)";

fn established(system: &System, standing: &str, signature: &str) -> String {
    worded(
        system,
        &format!(
            "{standing} TLS connection established to mx.example.net[198.51.100.10]:25: TLSv1.3 with cipher \
         TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 server-signature {signature}"
        ),
    )
}

/// The last `TLS connection` line, without its tag and whatever the group was.
fn tls_line(system: &System, mark: usize) -> String {
    let line = system.wait_for_log_since(mark, "TLS connection established to");
    let line = line.split_once("]: ").map_or(line.clone(), |(_, text)| text.to_owned());
    line.replace("key-exchange X25519MLKEM768", "key-exchange x25519")
}

scenario! {
    fn opportunistic(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        certificate(system, "peer", "rsa", "mx.example.net");
        configure(system, "smtp_tls_security_level = may\n");
        system.start();
        // Not offered: no harm.
        assert_eq!(send(system, "a@example.net"), status(system, "may:none", SENT));
        assert!(!sink.transcript().contains("STARTTLS"));
        sink.tls(&path("peer.pem"), &path("peer.key")).clear();
        let mark = system.mark();
        assert_eq!(send(system, "a@example.net"), status(system, "may", SENT));
        assert_eq!(tls_line(system, mark), established(system, "Untrusted", "RSA-PSS (2048 bits) server-digest SHA512"));
        let said = sink.transcript();
        assert!(said.contains("C: STARTTLS\nS: 220 2.0.0 Ready to start TLS\nS: (TLS, SNI None)\nC: EHLO mail.example.com\n"), "{said}");
        // Refused: no harm.
        sink.on("STARTTLS", "454 4.7.0 TLS not available").clear();
        assert_eq!(send(system, "a@example.net"), status(system, "may:none", SENT));
    }
}

scenario! {
    fn trusted_and_other_keys(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        certificate(system, "ca", "rsa", "Test-CA");
        signed_certificate(system, "peer", "p256", "mx.example.net", "ca");
        certificate(system, "ed", "ed25519", "mx.example.net");
        configure(system, &format!(
            "smtp_tls_security_level = encrypt\nsmtp_tls_loglevel = 1, peercert, untrusted\nsmtp_tls_CAfile = {}\nsmtp_tls_fingerprint_digest = md5\n",
            path("ca.pem")
        ));
        sink.tls(&path("peer.pem"), &path("peer.key"));
        system.start();
        let mark = system.mark();
        assert_eq!(send(system, "a@example.net"), status(system, "encrypt", SENT));
        assert_eq!(tls_line(system, mark), established(system, "Trusted", "ECDSA (prime256v1) server-digest SHA256"));
        let names = system.wait_for_log_since(mark, "subject_CN=");
        let digest = crate::tls_kit::openssl(system, "x509 -in peer.pem -noout -fingerprint -md5");
        let digest = digest.trim().split_once('=').expect("a digest").1;
        let expected = format!("mx.example.net[198.51.100.10]:25: subject_CN=mx.example.net, issuer=Test-CA, cert fingerprint={digest}, pkey fingerprint=");
        let expected = worded(system, &expected);
        let expected = if system.package() == Package::Ours { expected } else { expected.replace(", issuer=", ", issuer_CN=") };
        assert!(names.contains(&expected), "{names}");
        sink.tls(&path("ed.pem"), &path("ed.key"));
        let mark = system.mark();
        assert_eq!(send(system, "a@example.net"), status(system, "encrypt", SENT));
        assert_eq!(tls_line(system, mark), established(system, "Untrusted", "ED25519"));
        system.wait_for_log_since(mark, r"certificate verification failed for mx.example.net\[198.51.100.10\]:25: self-signed certificate");
    }
}

scenario! {
    fn mandatory(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        certificate(system, "peer", "rsa", "mx.example.net");
        configure(system, "smtp_tls_security_level = encrypt\n");
        system.start();
        assert_eq!(
            send(system, "a@example.net"),
            status(system, "!encrypt", "dsn=4.7.4, status=deferred (TLS is required, but was not offered by host mx.example.net[198.51.100.10])")
        );
        assert!(sink.messages().is_empty());
        sink.tls(&path("peer.pem"), &path("peer.key")).on("STARTTLS", "454 4.7.0 Not now");
        let line = send(system, "b@example.net");
        assert!(line.ends_with("dsn=4.7.0, status=deferred (TLS is required, but host mx.example.net[198.51.100.10] refused to start TLS: 454 4.7.0 Not now)"), "{line}");
        assert!(sink.messages().is_empty());
        sink.obey();
        sink.tls(&path("peer.pem"), &path("peer.key"));
        // The line about a deferral comes before the message is in the deferred queue.
        system.settle();
        let mark = system.mark();
        system.run(&["postqueue", "-f"]).well();
        sink.wait_for(2, PATIENCE);
        system.wait_for_log_since(mark, "Untrusted TLS connection established to mx.example.net");
    }
}

scenario! {
    fn plaintext_after_a_handshake_that_failed(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        configure(system, "smtp_tls_security_level = may\nminimal_backoff_time = 2s\nmaximal_backoff_time = 2s\nqueue_run_delay = 2s\n");
        sink.on("EHLO", "250-sink.example.net\n250 STARTTLS").on("STARTTLS", "220 2.0.0 Ready");
        system.start();
        // At first it waits for better times.
        assert_eq!(
            send(system, "a@example.net"),
            status(system, "may?", "dsn=4.7.5, status=deferred (Cannot start TLS: handshake failure)")
        );
        system.wait_for_log(r"smtp\[\d+\]: SSL_connect error to mx.example.net\[198.51.100.10\]:25: lost connection$");
        // Then it goes without.
        sink.wait_for(1, PATIENCE);
        system.wait_for_log("Cannot start TLS: handshake failure$");
        let line = system.wait_for_log("status=sent");
        if system.package() == Package::Ours {
            assert!(line.contains(", tls=may:none, ") || line.contains(", tls=none, "), "{line}");
        }
        assert!(sink.transcript().contains("C: EHLO mail.example.com\n"));
    }
}

scenario! {
    fn handshake_failure_where_tls_is_needed(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        configure(system, "smtp_tls_security_level = encrypt\nminimal_backoff_time = 1s\n");
        sink.on("EHLO", "250-sink.example.net\n250 STARTTLS").on("STARTTLS", "220 2.0.0 Ready");
        system.start();
        let line = send(system, "a@example.net");
        assert!(line.ends_with("dsn=4.7.5, status=deferred (Cannot start TLS: handshake failure)"), "{line}");
        std::thread::sleep(Duration::from_secs(2));
        system.run(&["postqueue", "-f"]).well();
        system.settle();
        assert!(sink.messages().is_empty());
        assert!(!sink.transcript().contains("MAIL"));
    }
}

scenario! {
    fn policies(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        certificate(system, "peer", "p256", "mx.example.net");
        sink.tls(&path("peer.pem"), &path("peer.key"));
        system.table("policy", "example.net none\nplain.example.net encrypt protocols=TLSv1.2\nother.example.net may\n.example.net encrypt\nbad.example.net nonsense\n");
        system.dns("more.example.net MX 10 mx.example.net\nbad.example.net MX 10 mx.example.net\n");
        configure(system, "smtp_tls_security_level = may\nsmtp_tls_policy_maps = lmdb:/etc/postfix/policy\nsmtp_tls_note_starttls_offer = yes\n");
        system.start();
        let mark = system.mark();
        assert_eq!(send(system, "a@example.net"), status(system, "none", SENT));
        system.wait_for_log_since(mark, r"Host offered STARTTLS: \[mx.example.net\]");
        assert!(!sink.transcript().contains("STARTTLS\nS: 220"));
        let mark = system.mark();
        let line = send(system, "a@plain.example.net");
        assert!(line.ends_with(SENT), "{line}");
        let line = system.wait_for_log_since(mark, "TLS connection established");
        assert!(line.ends_with(": TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)"), "{line}");
        // A parent domain's policy.
        assert_eq!(send(system, "a@more.example.net"), status(system, "encrypt", SENT));
        let mark = system.mark();
        let line = send(system, "a@bad.example.net");
        assert!(line.ends_with("dsn=4.7.5, status=deferred (client TLS configuration problem)"), "{line}");
        system.wait_for_log_since(mark, r#"warning: .*invalid security level "nonsense""#);
    }
}

scenario! {
    fn sessions_are_resumed_with_a_cache(system) {
        let sink = Sink::smtp("198.51.100.10:25");
        certificate(system, "peer", "rsa", "mx.example.net");
        sink.tls(&path("peer.pem"), &path("peer.key"));
        configure(system, "smtp_tls_security_level = encrypt\nsmtp_tls_session_cache_database = btree:${data_directory}/smtp_scache\nsmtp_destination_concurrency_limit = 1\n");
        system.start();
        send(system, "a@example.net");
        let mark = system.mark();
        send(system, "a@example.net");
        let line = tls_line(system, mark);
        assert!(line.starts_with("Untrusted TLS connection established to") && !line.contains("server-digest"), "{line}");
    }
}

scenario! {
    fn wrapper_mode(system) {
        certificate(system, "peer", "rsa", "mail.example.com");
        system.main_cf(&format!(
            "smtp_tls_loglevel = 1\nsmtp_tls_security_level = encrypt\nsmtp_tls_wrappermode = yes\nrelayhost = [127.0.0.1]:465\n\
             smtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\nhome_mailbox = Maildir/\n", path("peer.pem"), path("peer.key")
        ));
        // The same system takes it, under another name and for itself.
        system.master_cf("465 inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n  -o myhostname=other.example.org\n  -o content_filter=discard:\n");
        system.start();
        let mark = system.mark();
        system.submit("alice@example.com", &["someone@example.net"], "Subject: wrapped\n\nText.\n");
        system.wait_for_log_since(mark, r"smtp\[\d+\]: Untrusted TLS connection established to 127.0.0.1\[127.0.0.1\]:465: TLSv1.3");
        system.wait_for_log_since(mark, r"relay=127.0.0.1\[127.0.0.1\]:465, .*status=sent");
    }
}
