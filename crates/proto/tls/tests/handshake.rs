//! Handshakes between our own two sides, with certificates made by openssl(1).

use std::path::{Path, PathBuf};
use std::process::Command;

use ferrofix_tls as tls;
use tls::{AskCertificate, Client, ClientSettings, Level, Server, ServerSettings, Standing, Summary, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    /// Certificates: `ca`, and below it `rsa` and `ec`, both for mail.example. None without openssl(1).
    fn make() -> Option<Self> {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: no openssl command");
            return None;
        }
        files.openssl(
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=Test-CA",
        );
        for (name, key) in [("rsa", "rsa:2048"), ("ec", "ec -pkeyopt ec_paramgen_curve:prime256v1")] {
            files.openssl(&format!(
                "req -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN=mail.example"
            ));
            let path = files.path(&format!("{name}.ext"));
            std::fs::write(path, "subjectAltName=DNS:mail.example,DNS:*.mx.example\n").unwrap();
            files.openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile {name}.ext -out {name}.pem"
            ));
        }
        Some(files)
    }

    fn openssl(&self, line: &str) {
        let output = Command::new("openssl")
            .args(line.split(' '))
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn server(&self) -> ServerSettings {
        ServerSettings {
            cert_file: self.path("rsa.pem"),
            key_file: self.path("rsa.key"),
            fingerprint_digest: "sha256".into(),
            ..ServerSettings::default()
        }
    }

    fn client(&self) -> ClientSettings {
        ClientSettings {
            ca_file: self.path("ca.pem"),
            fingerprint_digest: "sha256".into(),
            resume: true,
            ..ClientSettings::default()
        }
    }
}

fn target(names: &[String]) -> Target<'_> {
    Target { host: "192.0.2.1", sni: None, level: Level::Secure, names }
}

/// One session with a few bytes each way.
async fn shake(server: &Server, client: &Client, target: &Target<'_>) -> (Summary, Summary) {
    let (near, far) = duplex(64 * 1024);
    let serve = async {
        let (mut stream, summary) = server.accept(near).await.unwrap();
        stream.write_all(b"220 hi\r\n").await.unwrap();
        let mut line = [0; 6];
        stream.read_exact(&mut line).await.unwrap();
        assert_eq!(&line, b"QUIT\r\n");
        stream.shutdown().await.unwrap();
        summary
    };
    let connect = async {
        let (mut stream, summary) = client.connect(far, target).await.unwrap();
        let mut line = [0; 8];
        stream.read_exact(&mut line).await.unwrap();
        stream.write_all(b"QUIT\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut rest = Vec::new();
        let _end = stream.read_to_end(&mut rest).await;
        summary
    };
    tokio::join!(serve, connect)
}

#[tokio::test(flavor = "current_thread")]
async fn trust_and_names() {
    let Some(files) = Files::make() else { return };
    let server = Server::new(&files.server()).unwrap();
    let client = Client::new(&files.client()).unwrap();
    let (theirs, ours) = shake(&server, &client, &target(&["mail.example".into()])).await;
    assert_eq!(
        ours.line("mail.example[192.0.2.1]:25"),
        format!(
            "Verified TLS connection established to mail.example[192.0.2.1]:25: TLSv1.3 with cipher \
             TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange {} server-signature RSA-PSS (2048 bits) server-digest SHA256",
            ours.key_exchange.unwrap()
        )
    );
    assert!(
        theirs
            .line("h[192.0.2.2]")
            .starts_with("Anonymous TLS connection established from h[192.0.2.2]: TLSv1.3")
    );
    assert!(
        theirs.line("h[192.0.2.2]").ends_with("server-signature RSA-PSS (2048 bits) server-digest SHA256")
    );
    let peer = ours.peer.unwrap();
    assert_eq!((peer.subject.as_str(), peer.issuer.as_str()), ("mail.example", "Test-CA"));
    assert_eq!(peer.certificate_digest.len(), 95);
    let wrong = shake(&server, &client, &target(&["other.example".into()])).await.1;
    assert_eq!(wrong.standing, Standing::Trusted);
    let wild = shake(&server, &client, &target(&["a.mx.example".into()])).await.1;
    assert_eq!(wild.standing, Standing::Verified);
    let nobody = Client::new(&ClientSettings::default()).unwrap();
    let untrusted = shake(&server, &nobody, &target(&["mail.example".into()])).await.1;
    assert_eq!(untrusted.standing, Standing::Untrusted);
    assert_eq!(
        untrusted.peer.unwrap().problem.unwrap(),
        tls::Problem::UntrustedIssuer("/CN=Test-CA".to_owned())
    );
}

#[tokio::test(flavor = "current_thread")]
async fn sessions_are_resumed() {
    let Some(files) = Files::make() else { return };
    let server = Server::new(&files.server()).unwrap();
    let client = Client::new(&files.client()).unwrap();
    let names = ["mail.example".to_owned()];
    assert!(!shake(&server, &client, &target(&names)).await.1.resumed);
    let (theirs, ours) = shake(&server, &client, &target(&names)).await;
    assert!(theirs.resumed && ours.resumed);
    assert_eq!((ours.standing, ours.server_signature), (Standing::Verified, None));
}

#[tokio::test(flavor = "current_thread")]
async fn sessions_are_resumed_by_another_process() {
    let Some(files) = Files::make() else { return };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let expires = i64::try_from(now.as_secs()).unwrap() + 1000;
    let key = ipc::tlsmgr::TicketKey { name: [1; 16], bits: [2; 32], hmac: [3; 32], expires };
    let process = || {
        let keyring = tls::Keyring::new(std::time::Duration::from_secs(3600));
        keyring.add(&key);
        let tickets = tls::Tickets::External(std::sync::Arc::new(keyring));
        Server::new(&ServerSettings { tickets, ..files.server() }).unwrap()
    };
    let client = Client::new(&files.client()).unwrap();
    let names = ["mail.example".to_owned()];
    assert!(!shake(&process(), &client, &target(&names)).await.1.resumed);
    assert!(shake(&process(), &client, &target(&names)).await.1.resumed);
}

#[tokio::test(flavor = "current_thread")]
async fn older_protocol_and_second_certificate() {
    let Some(files) = Files::make() else { return };
    let mut settings = files.server();
    settings.eccert_file = files.path("ec.pem");
    settings.eckey_file = files.path("ec.key");
    let server = Server::new(&settings).unwrap();
    let client = Client::new(&files.client()).unwrap();
    let (_, ours) = shake(&server, &client.variant("TLSv1.2", "").unwrap(), &target(&[])).await;
    assert_eq!((ours.protocol, ours.cipher), ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"));
    assert_eq!(ours.key_exchange, None);
    let (_, ours) = shake(&server, &client.variant("TLSv1.2", "aECDSA").unwrap(), &target(&[])).await;
    assert_eq!(ours.cipher, "ECDHE-RSA-AES256-GCM-SHA384");
    let (_, ours) = shake(&server, &client, &target(&[])).await;
    let signature = ours.server_signature.unwrap();
    assert_eq!(
        (signature.name, signature.curve, signature.digest),
        ("ECDSA", Some("prime256v1"), Some("SHA256"))
    );
}

#[tokio::test(flavor = "current_thread")]
async fn client_certificates_and_chain_files() {
    let Some(files) = Files::make() else { return };
    let chain = files.path("chain.pem");
    let text: Vec<u8> = ["ec.key", "ec.pem", "ca.pem", "rsa.key", "rsa.pem"]
        .iter()
        .flat_map(|name| std::fs::read(files.path(name)).unwrap())
        .collect();
    std::fs::write(&chain, text).unwrap();
    let mut settings = ServerSettings {
        chain_files: vec![chain.clone()],
        ask: AskCertificate::Yes,
        fingerprint_digest: "sha256".into(),
        ..ServerSettings::default()
    };
    let client = ClientSettings { chain_files: vec![chain], ..files.client() };
    let client = Client::new(&client).unwrap();
    let (theirs, ours) = shake(&Server::new(&settings).unwrap(), &client, &target(&[])).await;
    assert_eq!(theirs.standing, Standing::Untrusted);
    assert_eq!(theirs.client_signature.unwrap().name, "ECDSA");
    assert_eq!(ours.client_signature.unwrap().name, "ECDSA");
    assert_eq!(
        theirs.received(AskCertificate::Yes).last().unwrap(),
        "\t(Client CN \"mail.example\", Issuer \"Test-CA\" (not verified))"
    );
    settings.ca_file = files.path("ca.pem");
    let (theirs, _) = shake(&Server::new(&settings).unwrap(), &client, &target(&[])).await;
    assert_eq!(theirs.standing, Standing::Trusted);
    let silent = Client::new(&files.client()).unwrap();
    let (theirs, _) = shake(&Server::new(&settings).unwrap(), &silent, &target(&[])).await;
    assert_eq!(theirs.standing, Standing::Anonymous);
    assert_eq!(
        theirs.received(AskCertificate::Yes).last().unwrap(),
        "\t(Client did not present a certificate)"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn version_1_certificates_prove_their_keys() {
    let Some(files) = Files::make() else { return };
    for name in ["rsa", "ec"] {
        files.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out {name}1.pem"
        ));
    }
    let mut server = files.server();
    server.cert_file = files.path("rsa1.pem");
    server.ask = AskCertificate::Yes;
    let mut client = files.client();
    client.eccert_file = files.path("ec1.pem");
    client.eckey_file = files.path("ec.key");
    let server = Server::new(&server).unwrap();
    let client = Client::new(&client).unwrap();
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let (theirs, ours) = shake(&server, &client.variant(protocols, "").unwrap(), &target(&[])).await;
        assert_eq!((theirs.standing, ours.standing), (Standing::Untrusted, Standing::Untrusted));
        assert_eq!(theirs.peer.unwrap().subject, "mail.example");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_self_signed_certificate_is_trusted_when_pinned() {
    let Some(files) = Files::make() else { return };
    let mut server = files.server();
    server.cert_file = files.path("ca.pem");
    server.key_file = files.path("ca.key");
    let server = Server::new(&server).unwrap();
    let pinned = Client::new(&files.client()).unwrap();
    let (_, ours) = shake(&server, &pinned, &target(&["Test-CA".into()])).await;
    assert_eq!(ours.standing, Standing::Verified);
    let other = ClientSettings { ca_file: files.path("rsa.pem"), ..files.client() };
    let (_, ours) = shake(&server, &Client::new(&other).unwrap(), &target(&[])).await;
    assert_eq!(ours.peer.unwrap().problem, Some(tls::Problem::SelfSigned));
}

#[test]
fn files_that_do_not_fit() {
    let Some(files) = Files::make() else { return };
    let why = |settings: &ServerSettings| Server::new(settings).err().unwrap().to_string();
    let mut settings = files.server();
    settings.key_file = files.path("ec.key");
    assert_eq!(
        why(&settings),
        format!(
            "RSA private key in {} does not match public key in {}: disabling TLS support",
            files.path("ec.key").display(),
            files.path("rsa.pem").display()
        )
    );
    settings.key_file = files.path("ca.key");
    assert!(why(&settings).starts_with("cannot get RSA private key from file \""), "{}", why(&settings));
    assert!(why(&settings).ends_with("TLS library problem: key values mismatch"), "{}", why(&settings));
    settings.cert_file = Path::new("/nonexistent").into();
    assert_eq!(
        why(&settings),
        "cannot get RSA certificate from file \"/nonexistent\": disabling TLS support\n\
         TLS library problem: /nonexistent: No such file or directory"
    );
    assert_eq!(why(&ServerSettings::default()), "No server certs available. TLS won't be enabled");
    let bad = ServerSettings { chain_files: vec![files.path("rsa.pem")], ..ServerSettings::default() };
    assert!(why(&bad).contains(": key not first\nerror loading private keys and certificates from: "));
}
