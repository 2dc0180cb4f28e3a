//! STARTTLS, as clients see it and as it is logged.

use std::time::Duration;

use harness::{Package, System, scenario};

use crate::tls_kit::{DIRECTORY, Secure, certificate, openssl, path, signed_certificate, worded};

const SETTINGS: &str = "smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtpd_tls_session_cache_database =
";

fn settings(more: &str) -> String {
    let rsa =
        format!("smtpd_tls_cert_file = {DIRECTORY}/rsa.pem\nsmtpd_tls_key_file = {DIRECTORY}/rsa.key\n");
    format!("{SETTINGS}{rsa}{more}")
}

/// The line that the session of these arguments leaves, without its tag.
fn line_of(system: &System, arguments: &str) -> String {
    let mark = system.mark();
    let client = Secure::start(system, arguments);
    client.end();
    let line = system.wait_for_log_since(mark, "TLS connection established from");
    line.split_once("]: ").map_or(line.clone(), |(_, text)| text.to_owned())
}

fn established(system: &System, what: &str) -> String {
    worded(system, &format!("Anonymous TLS connection established from localhost[127.0.0.1]: {what}"))
}

scenario! {
    fn says_what_was_agreed_on(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        certificate(system, "ec", "p256", "mail.example.com");
        system.main_cf(&settings(&format!("smtpd_tls_eccert_file = {0}/ec.pem\nsmtpd_tls_eckey_file = {0}/ec.key\n", DIRECTORY)));
        system.start();
        let is = |arguments: &str, what: &str| {
            assert_eq!(line_of(system, arguments), established(system, what), "{arguments}");
        };
        let ecdsa = "server-signature ECDSA (prime256v1) server-digest SHA256";
        let rsa = "server-signature RSA-PSS (2048 bits) server-digest";
        is("", &format!("TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 {ecdsa}"));
        is("-groups P-256", &format!("TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange secp256r1 {ecdsa}"));
        is("-groups P-384", &format!("TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange secp384r1 {ecdsa}"));
        is(
            "-ciphersuites TLS_AES_128_GCM_SHA256 -sigalgs rsa_pss_rsae_sha256",
            &format!("TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits) key-exchange x25519 {rsa} SHA256"),
        );
        is(
            "-ciphersuites TLS_CHACHA20_POLY1305_SHA256 -sigalgs rsa_pss_rsae_sha512",
            &format!("TLSv1.3 with cipher TLS_CHACHA20_POLY1305_SHA256 (256/256 bits) key-exchange x25519 {rsa} SHA512"),
        );
        is("-tls1_2", "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)");
        is("-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)");
        is("-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305", "TLSv1.2 with cipher ECDHE-RSA-CHACHA20-POLY1305 (256/256 bits)");
        // A name that the client asks for is nobody's business without a table of names.
        is("-servername other.example.com", &format!("TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 {ecdsa}"));
    }
}

scenario! {
    fn received_header(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        system.main_cf(&settings("home_mailbox = Maildir/\n"));
        system.start();
        let received = |arguments: &str| {
            let before = system.maildir("/home/alice/Maildir").len();
            Secure::start(system, arguments).deliver("alice@example.com");
            system.wait_until("mail", || system.maildir("/home/alice/Maildir").len() > before);
            let mail = system.maildir("/home/alice/Maildir").pop().expect("a message");
            let start = mail.find("Received:").expect("a header");
            mail[start..].lines().take_while(|line| !line.starts_with("\tby ")).map(|line| format!("{line}\n")).collect::<String>()
        };
        let from = "Received: from client.example.org (localhost [127.0.0.1])\n";
        assert_eq!(
            received(""),
            worded(system, &format!(
                "{from}\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n\
                 \t key-exchange x25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\n\
                 \t(No client certificate requested)\n"
            ))
        );
        assert_eq!(
            received("-tls1_2"),
            format!(
                "{from}\t(using TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits))\n\
                 \t(No client certificate requested)\n"
            )
        );
        assert!(system.maildir("/home/alice/Maildir").pop().expect("mail").contains("\tby mail.example.com (Postfix) with ESMTPS id "));
        system.main_cf(&settings("home_mailbox = Maildir/\n").replace("received_header = yes", "received_header = no"));
        system.reload();
        assert_eq!(received(""), from);
    }
}

scenario! {
    fn client_certificates(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        certificate(system, "ca", "rsa", "Test-CA");
        signed_certificate(system, "known", "p256", "client.example.org", "ca");
        certificate(system, "stranger", "rsa", "stranger.example.org");
        let home = "home_mailbox = Maildir/\nsmtpd_tls_ask_ccert = yes\nsmtpd_tls_loglevel = 1, peercert, untrusted\n";
        let ca = format!("smtpd_tls_CAfile = {}\nsmtpd_tls_fingerprint_digest = sha1\n", path("ca.pem"));
        system.main_cf(&settings(&format!("{home}{ca}")).replacen("smtpd_tls_loglevel = 1\n", "", 1));
        system.start();
        let session = |arguments: &str| {
            let mark = system.mark();
            let before = system.maildir("/home/alice/Maildir").len();
            Secure::start(system, arguments).deliver("alice@example.com");
            system.wait_until("mail", || system.maildir("/home/alice/Maildir").len() > before);
            let mail = system.maildir("/home/alice/Maildir").pop().expect("a message");
            let comment = mail.lines().find(|line| line.contains("ertificate") || line.contains("(Client CN")).unwrap_or_default().to_owned();
            let log = system.log_since(mark);
            let of = |text: &str| log.iter().find(|line| line.contains(text)).map(|line| line.split_once("]: ").expect("a tag").1.to_owned()).unwrap_or_default();
            (of(" TLS connection established"), of("subject_CN="), of("verification failed"), comment)
        };
        let established = |standing: &str, signature: &str| worded(system, &format!(
            "{standing} TLS connection established from localhost[127.0.0.1]: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) \
             key-exchange x25519 server-signature RSA-PSS (2048 bits) server-digest SHA256{signature}"
        ));
        let (line, names, problem, comment) = session("");
        assert_eq!(line, established("Anonymous", ""));
        assert_eq!((names.as_str(), problem.as_str(), comment.as_str()), ("", "", "\t(Client did not present a certificate)"));

        let (line, names, problem, comment) = session("-cert known.pem -key known.key");
        assert_eq!(line, established("Trusted", " client-signature ECDSA (prime256v1) client-digest SHA256"));
        let digest = openssl(system, "x509 -in known.pem -noout -fingerprint -sha1");
        let digest = digest.trim().split_once('=').expect("a digest").1;
        let expected = format!("localhost[127.0.0.1]: subject_CN=client.example.org, issuer=Test-CA, cert fingerprint={digest}, pkey fingerprint=");
        assert!(names.starts_with(&worded(system, &expected)), "{names}");
        assert_eq!((problem.as_str(), comment.as_str()), ("", "\t(Client CN \"client.example.org\", Issuer \"Test-CA\" (verified OK))"));

        let (line, _, problem, comment) = session("-cert stranger.pem -key stranger.key");
        assert_eq!(line, established("Untrusted", " client-signature RSA-PSS (2048 bits) client-digest SHA256"));
        assert_eq!(problem, "certificate verification failed for localhost[127.0.0.1]: self-signed certificate");
        assert_eq!(comment, "\t(Client CN \"stranger.example.org\", Issuer \"stranger.example.org\" (not verified))");
    }
}

scenario! {
    fn mandatory_encryption(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        system.main_cf(&settings("smtpd_tls_security_level = encrypt\nsmtpd_tls_auth_only = yes\n").replace("smtpd_tls_security_level = may\n", ""));
        system.start();
        let mut plain = system.smtp();
        let hello = plain.expect("EHLO client.example.org", 250).text();
        assert!(hello.contains("250-STARTTLS"), "{hello}");
        assert!(!hello.contains("REQUIRETLS"), "{hello}");
        for command in ["MAIL FROM:<a@example.org>", "RCPT TO:<alice@example.com>", "DATA", "RSET", "VRFY alice", "ETRN example.com"] {
            assert_eq!(plain.command(command).last(), "530 5.7.0 Must issue a STARTTLS command first", "{command}");
        }
        plain.expect("NOOP", 250);
        assert_eq!(plain.command("STARTTLS now").last(), "501 5.5.4 Syntax: STARTTLS");
        plain.expect("QUIT", 221);
        let mut client = Secure::start(system, "");
        let hello = client.expect("EHLO client.example.org", 250).text();
        assert!(!hello.contains("STARTTLS"), "{hello}");
        assert_eq!(client.command("STARTTLS").last(), "554 5.5.1 Error: TLS already active");
        client.expect("MAIL FROM:<a@example.org>", 250);
        client.expect("RCPT TO:<alice@example.com>", 250);
        client.end();
    }
}

scenario! {
    fn what_was_said_in_the_clear_is_forgotten(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        system.main_cf(&settings(""));
        system.start();
        // A middleman's command right behind STARTTLS is not answered, in the clear or later.
        let mut plain = system.smtp();
        plain.expect("EHLO client.example.org", 250);
        plain.patience(Duration::from_secs(3));
        plain.send(b"STARTTLS\r\nMAIL FROM:<middleman@example.org>\r\n");
        assert_eq!(plain.reply().last(), "220 2.0.0 Ready to start TLS");
        assert_eq!(plain.reply().code, 0);
        drop(plain);
        // The greeting is needed again, and the transaction is gone.
        let mut client = Secure::start(system, "");
        let reply = client.command("MAIL FROM:<a@example.org>");
        assert_eq!(reply.code, 250, "{}", reply.text());
        let received = client.command("RCPT TO:<alice@example.com>");
        assert_eq!(received.code, 250);
        client.end();
    }
}

scenario! {
    fn a_session_is_resumed_by_another_process(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        system.main_cf(&settings(""));
        system.master_cf("587 inet n - n - - smtpd\n  -o syslog_name=postfix/submission\n");
        system.start();
        for (protocol, cipher) in [("-tls1_3", "TLS_AES_256_GCM_SHA384"), ("-tls1_2", "ECDHE-RSA-AES256-GCM-SHA384")] {
            let mut client = Secure::start(system, &format!("{protocol} -sess_out session"));
            client.expect("NOOP", 250);
            let said = client.end();
            assert!(said.contains("New, TLSv1"), "{said}");
            let mark = system.mark();
            let mut client = Secure::open(system, &format!("-starttls smtp -connect 127.0.0.1:587 {protocol} -sess_in session"));
            client.expect("NOOP", 250);
            let said = client.end();
            assert!(said.contains("Reused, TLSv1"), "{protocol}: {said}");
            let line = system.wait_for_log_since(mark, "postfix/submission/smtpd.*TLS connection established");
            assert!(line.contains(cipher) && !line.contains("server-digest"), "{line}");
        }
    }
}

scenario! {
    fn tls_from_the_first_byte(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        system.main_cf(&settings("smtpd_tls_security_level = none\n").replace("smtpd_tls_security_level = may\n", ""));
        system.master_cf("465 inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n");
        system.start();
        let mut client = Secure::open(system, "-connect 127.0.0.1:465");
        assert_eq!(client.reply().last(), "220 mail.example.com ESMTP Postfix");
        let hello = client.expect("EHLO client.example.org", 250).text();
        assert!(!hello.contains("STARTTLS"), "{hello}");
        client.expect("MAIL FROM:<a@example.org>", 250);
        client.end();
        system.wait_for_log("Anonymous TLS connection established from localhost");
        let mut plain = system.smtp();
        assert!(!plain.expect("EHLO x", 250).text().contains("STARTTLS"));
        assert_eq!(plain.command("STARTTLS").last(), "502 5.5.1 Error: command not implemented");
    }
}

scenario! {
    fn handshakes_that_fail(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        system.main_cf(&settings(""));
        system.start();
        let mark = system.mark();
        let mut plain = system.smtp();
        plain.expect("EHLO client.example.org", 250);
        plain.expect("STARTTLS", 220);
        plain.send(b"MAIL FROM:<in-the-clear@example.org>\r\n");
        system.wait_for_log_since(mark, r"smtpd\[\d+\]: SSL_accept error from localhost\[127.0.0.1\]: -1$");
        system.wait_for_log_since(mark, r"warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:");
        system.wait_for_log_since(mark, r"lost connection after STARTTLS from localhost\[127.0.0.1\]");
        system.wait_for_log_since(mark, r"disconnect from localhost\[127.0.0.1\] ehlo=1 starttls=0/1 commands=1/2");
        let mark = system.mark();
        let mut plain = system.smtp();
        plain.expect("EHLO client.example.org", 250);
        plain.expect("STARTTLS", 220);
        drop(plain);
        system.wait_for_log_since(mark, r"SSL_accept error from localhost\[127.0.0.1\]: lost connection$");
        let mark = system.mark();
        Secure::start(system, "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256").finish();
        system.wait_for_log_since(mark, r"TLS library problem: error:0A0000C1:SSL routines::no shared cipher:");
    }
}

scenario! {
    fn quiet_at_level_0(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        system.main_cf(&settings("smtpd_tls_loglevel = 0\n").replace("smtpd_tls_loglevel = 1\n", ""));
        system.start();
        let mut client = Secure::start(system, "");
        client.expect("NOOP", 250);
        client.end();
        system.wait_for_log(r"disconnect from localhost\[127.0.0.1\] ehlo=1 starttls=1 noop=1 quit=1 commands=4");
        assert!(!system.logged("TLS connection"));
    }
}

scenario! {
    fn keys_are_read_before_the_jail(system) {
        certificate(system, "rsa", "rsa", "mail.example.com");
        system.main_cf(&settings(""));
        system.master_cf("smtp inet n - y - - smtpd\n");
        system.start();
        // A process that is older than this would be none of those that are jailed.
        let mut client = Secure::start(system, "");
        client.expect("NOOP", 250);
        client.end();
        let mode = system.shell(&format!("stat -c '%a %U' {}", path("rsa.key"))).stdout;
        assert_eq!(mode.trim(), "600 root");
        if system.package() == Package::Ours {
            let jail = system.shell("for p in $(pgrep smtpd); do readlink /proc/$p/root; done").stdout;
            assert!(jail.contains("/var/spool/postfix"), "{jail}");
        }
    }
}
