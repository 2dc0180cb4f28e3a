//! The client side.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::digest::Fingerprint;
use crate::handshake::{Facts, Noted, note_peer, summary};
use crate::level::Level;
use crate::server::non_empty;
use crate::summary::{Role, Standing, Summary};
use crate::trust::Anchors;
use crate::{Error, chain, from_io, names, peer, protocols, signature};

/// The encrypted stream of a client.
pub type ClientStream<S> = tokio_rustls::client::TlsStream<S>;

/// Sessions remembered for resumption.
const SESSION_LIMIT: usize = 256;

/// What main.cf says of a TLS client; field names follow `smtp_tls_...`.
#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    /// `chain_files`: used instead of the others if not empty.
    pub chain_files: Vec<PathBuf>,
    /// `cert_file`; empty for none.
    pub cert_file: PathBuf,
    /// `key_file`.
    pub key_file: PathBuf,
    /// `eccert_file`; empty for none.
    pub eccert_file: PathBuf,
    /// `eckey_file`.
    pub eckey_file: PathBuf,
    /// `CAfile`; empty for none.
    pub ca_file: PathBuf,
    /// `CApath`; empty for none.
    pub ca_path: PathBuf,
    /// `tls_append_default_CA`.
    pub append_default_ca: bool,
    /// `protocols` or `mandatory_protocols`.
    pub protocols: String,
    /// `exclude_ciphers` and kin, joined.
    pub exclude_ciphers: String,
    /// `fingerprint_digest`.
    pub fingerprint_digest: String,
    /// Whether sessions are remembered, as with a `session_cache_database`.
    pub resume: bool,
}

/// Whom a client talks to.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Key under which sessions are remembered: host name or address.
    pub host: &'a str,
    /// The name to send as SNI, if any.
    pub sni: Option<&'a str>,
    /// The level: from [`Level::Verify`] up, names are matched.
    pub level: Level,
    /// The names one of which the certificate must carry; a leading dot means any sub-domain.
    pub names: &'a [String],
}

/// A client context. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    silent: TlsConnector,
    naming: TlsConnector,
    anchors: Anchors,
    keys: Arc<Keys>,
    digest: Fingerprint,
    resume: bool,
}

impl Client {
    /// Reads all files and makes the context.
    pub fn new(settings: &ClientSettings) -> Result<Self, Error> {
        let provider = protocols::provider("")?;
        let anchors = Anchors::load(
            non_empty(&settings.ca_file),
            non_empty(&settings.ca_path),
            settings.append_default_ca,
            &provider,
        )?;
        let mut keys = Vec::new();
        if settings.chain_files.is_empty() {
            for (what, cert, key) in [
                ("RSA", &settings.cert_file, &settings.key_file),
                ("ECDSA", &settings.eccert_file, &settings.eckey_file),
            ] {
                if let Some(cert) = non_empty(cert) {
                    keys.push(chain::pair(what, cert, non_empty(key).unwrap_or(cert), &provider)?);
                }
            }
        } else {
            keys = chain::chain_files(&settings.chain_files, &provider)?;
        }
        let digest = Fingerprint::by_name(&settings.fingerprint_digest)?;
        Self::assemble(
            anchors,
            Arc::new(Keys { keys }),
            digest,
            settings.resume,
            &settings.protocols,
            &settings.exclude_ciphers,
        )
    }

    /// The same files with other protocols and exclusions, for policy tables. It reads nothing, so it works inside a jail.
    pub fn variant(&self, protocols: &str, exclude_ciphers: &str) -> Result<Self, Error> {
        Self::assemble(
            self.anchors.clone(),
            Arc::clone(&self.keys),
            self.digest,
            self.resume,
            protocols,
            exclude_ciphers,
        )
    }

    fn assemble(
        anchors: Anchors,
        keys: Arc<Keys>,
        digest: Fingerprint,
        resume: bool,
        protocols: &str,
        exclude: &str,
    ) -> Result<Self, Error> {
        let provider = protocols::provider(exclude)?;
        let versions = protocols::versions(protocols)?;
        let resolver: Arc<dyn ResolvesClientCert> = keys.clone();
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| Error::Setup(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer { provider }))
            .with_client_cert_resolver(resolver);
        let sessions = || match resume {
            true => Resumption::in_memory_sessions(SESSION_LIMIT),
            false => Resumption::disabled(),
        };
        config.resumption = sessions();
        let naming = config.clone();
        config.enable_sni = false;
        config.resumption = sessions();
        Ok(Self {
            silent: TlsConnector::from(Arc::new(config)),
            naming: TlsConnector::from(Arc::new(naming)),
            anchors,
            keys,
            digest,
            resume,
        })
    }

    /// Does the handshake. The caller limits the time, and decides what to do with a peer of low standing.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        target: &Target<'_>,
    ) -> Result<(ClientStream<S>, Summary), Error> {
        let (connector, name) = match target.sni {
            Some(name) => (&self.naming, name),
            None => (&self.silent, target.host),
        };
        // The name is a key for sessions and, with SNI, a hint: one that is no DNS name is no reason to fail.
        let fallback = || ServerName::try_from("unnamed.invalid".to_owned());
        let name = ServerName::try_from(name.to_owned())
            .or_else(|_| fallback())
            .map_err(|error| Error::Setup(error.to_string()))?;
        let (result, notes) = Noted::new(connector.connect(name, stream)).await;
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
        let mut summary = summary(Role::Client, &facts, notes, leaf.as_ref().map(|leaf| &leaf.key));
        if let Some(mut leaf) = leaf {
            summary.standing = match self.anchors.check_server(chain) {
                Err(problem) => {
                    leaf.peer.problem = Some(problem);
                    Standing::Untrusted
                }
                Ok(()) if target.level < Level::Verify => Standing::Trusted,
                Ok(()) if target.names.iter().any(|wanted| names::matches(wanted, &leaf.names)) => {
                    Standing::Verified
                }
                Ok(()) => Standing::Trusted,
            };
            summary.peer = Some(leaf.peer);
        }
        Ok((stream, summary))
    }
}

/// Our certificates, if a server asks.
#[derive(Debug)]
struct Keys {
    keys: Vec<Arc<CertifiedKey>>,
}

impl ResolvesClientCert for Keys {
    fn resolve(&self, _hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.keys.iter().find(|key| key.key.choose_scheme(schemes).is_some()).cloned()
    }

    fn has_certs(&self) -> bool {
        !self.keys.is_empty()
    }
}

/// Accepts any server certificate: what it is worth is found out after the handshake.
#[derive(Debug)]
struct AnyServer {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        signature::verify_tls12(&self.provider, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        note_peer(dss.scheme);
        signature::verify_tls13(&self.provider, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        protocols::signature_schemes(&self.provider)
    }
}
