//! Trust anchors, and whether a chain leads to one.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, DistinguishedName, RootCertStore};

use crate::Error;
use crate::summary::Problem;

/// The anchors of one context, with a checker for either direction if there are any.
#[derive(Clone, Default)]
pub(crate) struct Anchors {
    servers: Option<Arc<WebPkiServerVerifier>>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    subjects: Arc<[DistinguishedName]>,
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
            let (_, _ignored) = roots.add_parsable_certificates(loaded.certs);
        }
        let subjects = if file.is_some() { roots.subjects() } else { Vec::new() };
        if system {
            let (_, _ignored) =
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
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
            Err(error) => Err(reason(&error, chain)),
        }
    }
}

fn reason(error: &rustls::Error, chain: &[CertificateDer<'_>]) -> Problem {
    let rustls::Error::InvalidCertificate(why) = error else {
        return Problem::Other(error.to_string());
    };
    match why {
        CertificateError::UnknownIssuer => untrusted(chain),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Problem::Other("certificate has expired".to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Problem::Other("certificate not yet valid".to_owned())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Problem::Purpose,
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
