//! Certificate and key files of the SMTP server: all the ways to have them, and to get them wrong.

use harness::{System, scenario};

use crate::tls_kit::{DIRECTORY, Secure, certificate, openssl, path, signed_certificate};

fn configure(system: &System, files: &str) {
    system.main_cf(&format!("smtpd_tls_security_level = may\nsmtpd_tls_loglevel = 1\n{files}"));
}

/// Sessions work, with this certificate (as `openssl x509 -subject` has it).
fn works(system: &System, arguments: &str, subject: &str) {
    let mut client = Secure::start(system, arguments);
    client.expect("NOOP", 250);
    let said = client.end();
    assert!(said.contains(&format!("s:CN = {subject}")), "{said}");
}

/// STARTTLS is offered and does not work; gives what a new process logged.
fn fails(system: &System) -> Vec<String> {
    // Right after a reload, an old process may still take a client.
    let tries = std::iter::repeat_with(|| fails_once(system)).take(5);
    tries.into_iter().find(|warnings| !warnings.is_empty()).unwrap_or_default()
}

fn fails_once(system: &System) -> Vec<String> {
    let mark = system.mark();
    let mut client = system.smtp();
    assert!(client.expect("EHLO client.example.org", 250).text().contains("250-STARTTLS"));
    assert_eq!(client.command("STARTTLS").last(), "454 4.7.0 TLS not available due to local problem");
    client.expect("MAIL FROM:<a@example.org>", 250);
    client.expect("QUIT", 221);
    system.wait_for_log_since(mark, "disconnect from");
    let log = system.log_since(mark);
    log.iter().filter_map(|line| line.split_once("]: warning: ").map(|(_, text)| text.to_owned())).collect()
}

fn last(lines: &str) -> String {
    lines.lines().last().unwrap_or_default().to_owned()
}

scenario! {
    fn every_way_to_name_them(system) {
        certificate(system, "rsa", "rsa", "rsa.example.com");
        certificate(system, "ec", "p384", "ec.example.com");
        certificate(system, "ed", "ed25519", "ed.example.com");
        certificate(system, "ca", "rsa", "Test-CA");
        signed_certificate(system, "leaf", "p256", "leaf.example.com", "ca");
        let shell = |command: &str| system.shell(&format!("cd {DIRECTORY} && umask 077 && {command}")).well();
        shell("cat rsa.pem rsa.key >both.pem; cat leaf.key leaf.pem ca.pem rsa.key rsa.pem >chain.pem");
        shell("openssl rsa -in rsa.key -traditional -out old.key 2>/dev/null; openssl ec -in ec.key -out oldec.key 2>/dev/null");
        let d = DIRECTORY;
        configure(system, &format!("smtpd_tls_cert_file = {d}/rsa.pem\nsmtpd_tls_key_file = {d}/old.key\n"));
        system.start();
        works(system, "", "rsa.example.com");
        configure(system, &format!("smtpd_tls_cert_file = {d}/both.pem\n"));
        system.reload();
        works(system, "", "rsa.example.com");
        configure(system, &format!("smtpd_tls_eccert_file = {d}/ec.pem\nsmtpd_tls_eckey_file = {d}/oldec.key\n"));
        system.reload();
        works(system, "", "ec.example.com");
        configure(system, &format!("smtpd_tls_chain_files = {d}/ed.key {d}/ed.pem, {d}/chain.pem\n"));
        system.reload();
        works(system, "-sigalgs ed25519", "ed.example.com");
        works(system, "-sigalgs rsa_pss_rsae_sha256", "rsa.example.com");
        works(system, "-sigalgs ecdsa_secp256r1_sha256", "leaf.example.com");
        // The chain is sent, so that a client that knows the authority is content.
        let mut client = Secure::start(system, "-sigalgs ecdsa_secp256r1_sha256 -CAfile ca.pem");
        client.expect("NOOP", 250);
        let said = client.end();
        assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
        assert!(said.contains(" 1 s:CN = Test-CA"), "{said}");
    }
}

scenario! {
    fn every_way_to_get_them_wrong(system) {
        certificate(system, "rsa", "rsa", "rsa.example.com");
        certificate(system, "ec", "p256", "ec.example.com");
        openssl(system, "genrsa -out other.key 2048");
        openssl(system, "rsa -in rsa.key -aes128 -passout pass:secret -out locked.key");
        system.file(&path("junk.pem"), "This is no certificate.\n");
        system.shell(&format!("cd {DIRECTORY} && cat other.key rsa.pem >misfit.pem; cat rsa.pem rsa.key >leaf-first.pem")).well();
        let d = DIRECTORY;
        configure(system, &format!("smtpd_tls_cert_file = {d}/none.pem\n"));
        system.start();
        assert_eq!(fails(system), [format!("error opening chain file: {d}/none.pem: No such file or directory")]);
        let first = |files: &str| {
            configure(system, files);
            system.reload();
            let warnings = fails(system);
            assert!(warnings.iter().skip(1).all(|line| {
                line.starts_with("TLS library problem: ") || line.starts_with("error loading private keys and certificates from: ")
            }), "{warnings:?}");
            (warnings.first().cloned().unwrap_or_default(), warnings.get(1..).unwrap_or_default().join("\n"))
        };
        let rsa = format!("smtpd_tls_cert_file = {d}/rsa.pem\n");
        let (warning, detail) = first(&format!("smtpd_tls_cert_file = {d}/none.pem\nsmtpd_tls_key_file = {d}/rsa.key\n"));
        assert_eq!(warning, format!("cannot get RSA certificate from file \"{d}/none.pem\": disabling TLS support"));
        assert!(detail.contains("No such file or directory"), "{detail}");
        for (key, why) in [("none.key", "No such file"), ("junk.pem", ""), ("locked.key", ""), ("other.key", "key values mismatch")] {
            let (warning, detail) = first(&format!("{rsa}smtpd_tls_key_file = {d}/{key}\n"));
            assert_eq!(warning, format!("cannot get RSA private key from file \"{d}/{key}\": disabling TLS support"));
            assert!(detail.contains(why), "{detail}");
        }
        let (warning, _) = first(&format!("{rsa}smtpd_tls_key_file = {d}/ec.key\n"));
        assert_eq!(warning, format!("RSA private key in {d}/ec.key does not match public key in {d}/rsa.pem: disabling TLS support"));
        let (warning, _) = first(&format!("smtpd_tls_eccert_file = {d}/junk.pem\nsmtpd_tls_eckey_file = {d}/ec.key\n"));
        assert_eq!(warning, format!("cannot get ECDSA certificate from file \"{d}/junk.pem\": disabling TLS support"));
        let loading = |file: &str| format!("error loading private keys and certificates from: {d}/{file}: disabling TLS support");
        let (warning, end) = first(&rsa);
        assert_eq!((warning, last(&end)), (format!("No private key found in {d}/rsa.pem"), loading("rsa.pem")));
        let (warning, end) = first(&format!("smtpd_tls_cert_file = {d}/junk.pem\n"));
        assert_eq!((warning, last(&end)), (format!("No PEM data in {d}/junk.pem"), loading("junk.pem")));
        let (warning, end) = first(&format!("smtpd_tls_chain_files = {d}/leaf-first.pem\n"));
        assert_eq!((warning, last(&end)), (format!("error loading chain from {d}/leaf-first.pem: key not first"), loading("leaf-first.pem")));
        let (warning, end) = first(&format!("smtpd_tls_chain_files = {d}/misfit.pem\n"));
        assert_eq!((warning, last(&end)), (format!("key at index 1 in {d}/misfit.pem does not match next certificate"), loading("misfit.pem")));
        let (warning, _) = first("smtpd_tls_cert_file =\n");
        assert_eq!(warning, "No server certs available. TLS won't be enabled");
        let (warning, end) = {
            configure(system, &format!("{rsa}smtpd_tls_key_file = {d}/rsa.key\nsmtpd_tls_fingerprint_digest = rot13\n"));
            system.reload();
            let warnings = fails(system);
            (warnings[0].clone(), warnings[1].clone())
        };
        assert_eq!((warning.as_str(), end.as_str()), ("Digest algorithm \"rot13\" not found", "disabling TLS support"));
    }
}
