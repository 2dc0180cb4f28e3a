//! Trust anchors, and whether a chain leads to one.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, DistinguishedName, RootCertStore};

use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use crate::Error;
use crate::summary::Problem;

const EXPIRED: &str = "certificate has expired";
const NOT_YET: &str = "certificate not yet valid";

/// The anchors of one context, with a checker for either direction if there are any.
#[derive(Clone, Default)]
pub(crate) struct Anchors {
    servers: Option<Arc<WebPkiServerVerifier>>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    subjects: Arc<[DistinguishedName]>,
    /// Digests of the self-signed ones.
    roots: Arc<HashSet<[u8; 32]>>,
}

impl Anchors {
    /// Reads `CAfile` and all of `CApath`; a directory is not looked at again, so that it may lie outside a jail.
    pub(crate) fn load(
        file: Option<&Path>,
        directory: Option<&Path>,
        system: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        let mut own = HashSet::new();
        let mut note = |certificates: &[CertificateDer<'_>]| {
            own.extend(certificates.iter().filter(|one| is_self_signed(one)).map(digest));
        };
        if file.is_some() || directory.is_some() {
            let loaded = rustls_native_certs::load_certs_from_paths(file, directory);
            if loaded.certs.is_empty()
                && let (Some(file), Some(error)) = (file, loaded.errors.first())
            {
                return Err(Error::Setup(format!(
                    "cannot load Certification Authority data, CAfile=\"{}\": disabling TLS support\nTLS library problem: {error}",
                    file.display()
                )));
            }
            note(&loaded.certs);
            let (_, _ignored) = roots.add_parsable_certificates(loaded.certs);
        }
        let subjects = if file.is_some() { roots.subjects() } else { Vec::new() };
        if system {
            let certificates = rustls_native_certs::load_native_certs().certs;
            note(&certificates);
            let (_, _ignored) = roots.add_parsable_certificates(certificates);
        }
        if roots.is_empty() {
            return Ok(Self::default());
        }
        let roots = Arc::new(roots);
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider))
            .allow_unauthenticated();
        Ok(Self {
            servers: WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build().ok(),
            clients: clients.build().ok(),
            subjects: subjects.into(),
            roots: Arc::new(own),
        })
    }

    /// The names that a server tells clients it will trust.
    pub(crate) fn subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    /// `Err` says why a server's chain is not trusted. Names are somebody else's business.
    pub(crate) fn check_server(&self, chain: &[CertificateDer<'_>]) -> Result<(), Problem> {
        let (Some((leaf, rest)), Some(verifier)) = (chain.split_first(), &self.servers) else {
            return Err(untrusted(chain));
        };
        // The chain is checked before the name: a complaint about the name means that the chain is good.
        let nobody = ServerName::try_from("invalid.").map_err(|error| Problem::Other(error.to_string()))?;
        match verifier.verify_server_cert(leaf, rest, &nobody, &[], UnixTime::now()) {
            Ok(_) => Ok(()),
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(()),
            Err(_) if self.is_root(leaf) => check_dates(leaf),
            Err(error) => Err(reason(&error, chain)),
        }
    }

    /// `Err` says why a client's chain is not trusted.
    pub(crate) fn check_client(&self, chain: &[CertificateDer<'_>]) -> Result<(), Problem> {
        let (Some((leaf, rest)), Some(verifier)) = (chain.split_first(), &self.clients) else {
            return Err(untrusted(chain));
        };
        match verifier.verify_client_cert(leaf, rest, UnixTime::now()) {
            Ok(_) => Ok(()),
            Err(_) if self.is_root(leaf) => check_dates(leaf),
            Err(error) => Err(reason(&error, chain)),
        }
    }

    /// Whether a peer's certificate is an anchor itself, as people have it who know but one server.
    fn is_root(&self, leaf: &CertificateDer<'_>) -> bool {
        !self.roots.is_empty() && self.roots.contains(&digest(leaf))
    }
}

fn digest(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    digest.as_ref().try_into().unwrap_or_default()
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    crate::peer::issuer_of(certificate).is_some_and(|(_, own)| own)
}

/// For a certificate that needs no other check.
fn check_dates(certificate: &CertificateDer<'_>) -> Result<(), Problem> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Err(Problem::Other("malformed certificate".to_owned()));
    };
    let (now, validity) = (ASN1Time::now(), parsed.validity());
    if now < validity.not_before {
        return Err(Problem::Other(NOT_YET.to_owned()));
    }
    if now > validity.not_after {
        return Err(Problem::Other(EXPIRED.to_owned()));
    }
    Ok(())
}

fn reason(error: &rustls::Error, chain: &[CertificateDer<'_>]) -> Problem {
    let rustls::Error::InvalidCertificate(why) = error else {
        return Problem::Other(error.to_string());
    };
    match why {
        CertificateError::UnknownIssuer => untrusted(chain),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Problem::Other(EXPIRED.to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Problem::Other(NOT_YET.to_owned())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Problem::Purpose,
        // It is its own issuer and no anchor: whatever else is wrong with it, OpenSSL says this.
        _ if matches!(chain, [leaf] if is_self_signed(leaf)) => Problem::SelfSigned,
        CertificateError::Other(inner) => Problem::Other(inner.0.to_string()),
        other => Problem::Other(other.to_string()),
    }
}

fn untrusted(chain: &[CertificateDer<'_>]) -> Problem {
    let last = chain.last().and_then(crate::peer::issuer_of);
    last.map_or_else(
        || Problem::Other("malformed certificate".to_owned()),
        |(issuer, own)| {
            if own && chain.len() == 1 { Problem::SelfSigned } else { Problem::UntrustedIssuer(issuer) }
        },
    )
}
