//! The server side.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CipherSuite, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureAlgorithm, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::digest::Fingerprint;
use crate::handshake::{Facts, Noted, note_peer, summary};
use crate::summary::{Role, Standing, Summary};
use crate::tickets::Tickets;
use crate::trust::Anchors;
use crate::{Error, Keyring, chain, from_io, peer, protocols, signature};

/// The encrypted stream of a server.
pub type ServerStream<S> = tokio_rustls::server::TlsStream<S>;

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AskCertificate {
    /// No.
    #[default]
    No,
    /// Yes, and none or a bad one is accepted.
    Yes,
}

/// What main.cf says of a TLS server; field names follow `smtpd_tls_...`.
#[derive(Clone, Debug, Default)]
pub struct ServerSettings {
    /// `chain_files`: used instead of the others if not empty.
    pub chain_files: Vec<PathBuf>,
    /// `cert_file` (RSA by tradition; any kind works); empty for none.
    pub cert_file: PathBuf,
    /// `key_file`.
    pub key_file: PathBuf,
    /// `eccert_file`; empty for none.
    pub eccert_file: PathBuf,
    /// `eckey_file`.
    pub eckey_file: PathBuf,
    /// `dcert_file`: DSA, which nobody speaks any more.
    pub dcert_file: PathBuf,
    /// `CAfile`; empty for none.
    pub ca_file: PathBuf,
    /// `CApath`; empty for none.
    pub ca_path: PathBuf,
    /// `tls_append_default_CA`.
    pub append_default_ca: bool,
    /// `ask_ccert` or `req_ccert`.
    pub ask: AskCertificate,
    /// `protocols` or `mandatory_protocols`.
    pub protocols: String,
    /// `exclude_ciphers` and kin, joined.
    pub exclude_ciphers: String,
    /// `fingerprint_digest`.
    pub fingerprint_digest: String,
    /// `tls_preempt_cipherlist`: our order of ciphers counts.
    pub preempt_cipherlist: bool,
    /// Session tickets.
    pub tickets: Tickets,
}

/// A server context. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    acceptor: TlsAcceptor,
    keyring: Option<Arc<Keyring>>,
    anchors: Anchors,
    digest: Fingerprint,
}

impl Server {
    /// Reads all files and makes the context.
    pub fn new(settings: &ServerSettings) -> Result<Self, Error> {
        let versions = protocols::versions(&settings.protocols)?;
        let digest = Fingerprint::by_name(&settings.fingerprint_digest)?;
        let provider = protocols::provider(&settings.exclude_ciphers)?;
        let anchors = Anchors::load(
            non_empty(&settings.ca_file),
            non_empty(&settings.ca_path),
            settings.append_default_ca,
            &provider,
        )?;
        let keys = Keys { keys: keys(settings, &provider)? };
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| Error::Setup(error.to_string()))?;
        let config = match settings.ask {
            AskCertificate::No => config.with_no_client_auth(),
            AskCertificate::Yes => config.with_client_cert_verifier(Arc::new(AnyClient {
                provider,
                subjects: anchors.subjects().into(),
            })),
        };
        let mut config = config.with_cert_resolver(Arc::new(keys));
        config.ignore_client_order = settings.preempt_cipherlist;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        if let Some(ticketer) = settings.tickets.producer() {
            config.ticketer = ticketer;
            config.send_tls13_tickets = 1;
        }
        let keyring = settings.tickets.keyring();
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), keyring, anchors, digest })
    }

    /// Does the handshake. The caller limits the time, and must have thrown away whatever it had read in advance.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Result<(ServerStream<S>, Summary), Error> {
        if let Some(keyring) = &self.keyring {
            keyring.ready().await;
        }
        let (result, notes) = Noted::new(self.acceptor.accept(stream)).await;
        let stream = result.map_err(from_io)?;
        let (_, connection) = stream.get_ref();
        let chain = connection.peer_certificates().unwrap_or_default();
        let leaf = chain.first().map(|leaf| peer::read(leaf, self.digest));
        let facts = Facts {
            version: connection.protocol_version(),
            suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            group: connection.negotiated_key_exchange_group().map(|group| group.name()),
            kind: connection.handshake_kind(),
        };
        let mut summary = summary(Role::Server, &facts, notes, leaf.as_ref().map(|leaf| &leaf.key));
        if let Some(mut leaf) = leaf {
            let trusted = self.anchors.check_client(chain);
            summary.standing = if trusted.is_ok() { Standing::Trusted } else { Standing::Untrusted };
            leaf.peer.problem = trusted.err();
            summary.peer = Some(leaf.peer);
        }
        Ok((stream, summary))
    }
}

fn keys(settings: &ServerSettings, provider: &CryptoProvider) -> Result<Vec<Arc<CertifiedKey>>, Error> {
    if !settings.chain_files.is_empty() {
        return chain::chain_files(&settings.chain_files, provider);
    }
    if non_empty(&settings.dcert_file).is_some() {
        log::warning!("DSA certificates are not supported: ignoring \"{}\"", settings.dcert_file.display());
    }
    let mut keys = Vec::new();
    let mut is_anonymous = false;
    for (what, cert, key) in [
        ("RSA", &settings.cert_file, &settings.key_file),
        ("ECDSA", &settings.eccert_file, &settings.eckey_file),
    ] {
        let Some(cert) = non_empty(cert) else { continue };
        if what == "RSA" && cert.as_os_str().eq_ignore_ascii_case("none") {
            is_anonymous = true;
            continue;
        }
        keys.push(chain::pair(what, cert, non_empty(key).unwrap_or(cert), provider)?);
    }
    if keys.is_empty() && is_anonymous {
        let text = "a TLS server without certificate is not supported: disabling TLS support";
        return Err(Error::Setup(text.to_owned()));
    }
    if keys.is_empty() {
        return Err(Error::Setup("No server certs available. TLS won't be enabled".to_owned()));
    }
    Ok(keys)
}

pub(crate) fn non_empty(path: &std::path::Path) -> Option<&std::path::Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

/// Several certificates; the client's preferences choose among them.
#[derive(Debug)]
struct Keys {
    keys: Vec<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let (first, rest) = self.keys.split_first()?;
        if rest.is_empty() {
            return Some(Arc::clone(first));
        }
        // Suites of TLS 1.3 go with every key; but who offers older ones too may end up with those.
        let suites = hello.cipher_suites();
        let is_old = suites.iter().any(|&suite| key_kind(suite).is_some());
        let fits =
            |algorithm| !is_old || suites.iter().any(|&suite| key_kind(suite) == Some(is_rsa(algorithm)));
        let usable = |key: &&Arc<CertifiedKey>, scheme: SignatureScheme| {
            key.key.choose_scheme(&[scheme]).is_some() && fits(key.key.algorithm())
        };
        let schemes = hello.signature_schemes();
        let chosen = schemes.iter().find_map(|&scheme| self.keys.iter().find(|key| usable(key, scheme)));
        Some(Arc::clone(chosen.unwrap_or(first)))
    }
}

fn is_rsa(algorithm: SignatureAlgorithm) -> bool {
    algorithm == SignatureAlgorithm::RSA
}

/// Whether a suite of TLS 1.2 wants an RSA key (true) or another one; nothing for other suites.
fn key_kind(suite: CipherSuite) -> Option<bool> {
    match suite {
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => Some(true),
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => Some(false),
        _ => None,
    }
}

/// Accepts any client certificate, so that the session goes on and the caller can judge.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
    subjects: Vec<DistinguishedName>,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        signature::verify_tls12(&self.provider, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        note_peer(dss.scheme);
        signature::verify_tls13(&self.provider, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        protocols::signature_schemes(&self.provider)
    }
}
