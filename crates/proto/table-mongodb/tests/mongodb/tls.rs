//! Encrypted connections, with certificates made by openssl(1).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::bson::Document;
use crate::server::{receive, send};
use crate::table::{ask, at, found, later, run};

/// `ca.pem`, and below it `server.pem` for 127.0.0.1 and `client.pem`, each with its key; and `other.pem` of somebody
/// else. None without openssl(1), which is said.
fn keys(test: &str) -> Option<tempfile::TempDir> {
    let place = tempfile::tempdir().unwrap();
    if Command::new("openssl").arg("version").output().is_err() {
        skip(test, "no openssl command");
        return None;
    }
    let openssl = |line: &str| {
        let output =
            Command::new("openssl").args(line.split(' ')).current_dir(place.path()).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for name in ["ca", "other"] {
        openssl(&format!("req -x509 {new} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"));
    }
    std::fs::write(place.path().join("server.ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    std::fs::write(place.path().join("client.ext"), "extendedKeyUsage=clientAuth\n").unwrap();
    for name in ["server", "client"] {
        openssl(&format!("req {new} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext -out {name}.pem"
        ));
    }
    // A certificate with its key behind it, as MongoDB's option wants.
    let both =
        ["client.pem", "client.key"].map(|name| std::fs::read(place.path().join(name)).unwrap()).concat();
    std::fs::write(place.path().join("both.pem"), both).unwrap();
    Some(place)
}

/// Says that a test did not run, and why. `scripts/test` counts these lines.
fn skip(test: &str, why: &str) {
    use std::io::Write;
    println!("SKIPPED: {test}: {why}");
    if let Some(path) = std::env::var_os("FERROFIX_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "SKIPPED: {test}: {why}").unwrap();
    }
}

/// Whether a server insists on a certificate of the client's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clients {
    Anybody,
    Certified,
}

/// A server with one document; its address.
fn start(place: &Path, clients: Clients) -> std::net::SocketAddr {
    let path = |name: &str| place.join(name);
    let authority = CertificateDer::from_pem_file(path("ca.pem")).unwrap();
    let builder =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        Clients::Anybody => builder.with_no_client_auth(),
        Clients::Certified => {
            let mut roots = RootCertStore::empty();
            roots.add(authority).unwrap();
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let certificate = CertificateDer::from_pem_file(path("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(path("server.key")).unwrap();
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            std::thread::spawn(move || serve(&mut StreamOwned::new(session, stream)));
        }
    });
    address
}

fn serve(stream: &mut (impl std::io::Read + std::io::Write)) {
    while let Ok((id, _)) = receive(stream) {
        // One answer to all commands.
        let (mut document, mut batch, mut cursor, mut answer) =
            (Document::new(), Document::new(), Document::new(), Document::new());
        document.string("to", "here");
        batch.document("0", &document);
        cursor.array("firstBatch", &batch).int64("id", 0);
        answer.boolean("isWritablePrimary", true).int32("maxWireVersion", 17);
        answer.boolean("done", true).document("cursor", &cursor).int32("ok", 1);
        if send(stream, id, &answer).is_err() {
            return;
        }
    }
}

#[test]
fn certificates() {
    let Some(place) = keys("certificates") else { return };
    let path = |name: &str| -> String { PathBuf::from(place.path()).join(name).display().to_string() };
    let anybody = start(place.path(), Clients::Anybody);
    let certified = start(place.path(), Clients::Certified);
    let (ca, both) =
        (format!("tlsCAFile={}", path("ca.pem")), format!("tlsCertificateKeyFile={}", path("both.pem")));
    let other = format!("tlsCAFile={}", path("other.pem"));
    let named = format!("localhost:{}", anybody.port());
    run(async {
        for (host, options, is_good) in [
            (anybody.to_string(), format!("tls=true&{ca}"), true),
            (anybody.to_string(), ca.clone(), true),
            (anybody.to_string(), format!("tls=true&{other}"), false),
            // The system's authorities do not know it.
            (anybody.to_string(), "tls=true".to_owned(), false),
            (anybody.to_string(), "tls=true&tlsAllowInvalidCertificates=true".to_owned(), true),
            (anybody.to_string(), format!("tlsInsecure=true&{other}"), true),
            // The certificate has no such name.
            (named.clone(), format!("tls=true&{ca}"), false),
            (named.clone(), format!("tls=true&{ca}&tlsAllowInvalidHostnames=true"), true),
            (named, format!("tls=true&{other}&tlsAllowInvalidHostnames=true"), false),
            (certified.to_string(), format!("tls=true&{ca}"), false),
            (certified.to_string(), format!("tls=true&{ca}&{both}"), true),
            (certified.to_string(), format!("authMechanism=MONGODB-X509&tls=true&{ca}&{both}"), true),
            (anybody.to_string(), "tls=true&tlsCAFile=/nonexistent".to_owned(), false),
            (anybody.to_string(), format!("{ca}&tlsCertificateKeyFile=/nonexistent"), false),
            // Without encryption they do not understand each other.
            (anybody.to_string(), "connectTimeoutMS=1000".to_owned(), false),
        ] {
            let table = at(&format!("mongodb://{host}/?{options}"), "");
            let want = if is_good { found("here") } else { later(&table) };
            assert_eq!(ask(&table, "joe").await, want, "{host} {options}");
        }
        let table = at(&format!("mongodb://u:p@{anybody}/?authMechanism=PLAIN&{ca}"), "");
        assert_eq!(ask(&table, "joe").await, found("here"));
    });
}
