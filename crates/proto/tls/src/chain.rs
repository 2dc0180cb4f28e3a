//! Our own certificates and keys.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::Error;
use crate::handshake::note_own;
use crate::keyinfo::KeyInfo;

/// Reads chain files as `smtpd_tls_chain_files` has them: each key followed by its certificates, leaf first, over any number of files.
pub(crate) fn chain_files(
    files: &[impl AsRef<Path>],
    provider: &CryptoProvider,
) -> Result<Vec<Arc<CertifiedKey>>, Error> {
    let mut keys = Vec::new();
    let mut key: Option<(PrivateKeyDer<'static>, String)> = None;
    let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
    for file in files {
        let file = file.as_ref();
        for (kind, data) in sections(file)
            .map_err(|error| Error::Setup(format!("error opening chain file: {}: {error}", file.display())))?
        {
            if let Some(next) = private_key(kind, &data) {
                if let Some((key, source)) = key.take() {
                    keys.push(certified(key, std::mem::take(&mut certificates), &source, provider)?);
                }
                key = Some((next, file.display().to_string()));
            } else if kind == SectionKind::Certificate {
                if key.is_none() {
                    return Err(Error::Setup(format!(
                        "error loading chain from {}: key not first",
                        file.display()
                    )));
                }
                certificates.push(CertificateDer::from(data));
            }
        }
    }
    match key {
        Some((key, source)) => keys.push(certified(key, certificates, &source, provider)?),
        None => return Err(Error::Setup("No PEM data in chain files".to_owned())),
    }
    Ok(keys)
}

/// Reads a certificate file and the file of its key, which may be the same.
pub(crate) fn pair(
    what: &str,
    cert_file: &Path,
    key_file: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, Error> {
    let no_cert = || {
        Error::Setup(format!(
            "cannot get {what} certificate from file \"{}\": disabling TLS support",
            cert_file.display()
        ))
    };
    let no_key = || {
        Error::Setup(format!(
            "cannot get {what} private key from file \"{}\": disabling TLS support",
            key_file.display()
        ))
    };
    let certificates: Vec<_> = sections(cert_file)
        .map_err(|_| no_cert())?
        .into_iter()
        .filter(|(kind, _)| *kind == SectionKind::Certificate)
        .map(|(_, data)| CertificateDer::from(data))
        .collect();
    if certificates.is_empty() {
        return Err(no_cert());
    }
    let mut sections = sections(key_file).map_err(|_| no_key())?.into_iter();
    let key = sections.find_map(|(kind, data)| private_key(kind, &data)).ok_or_else(no_key)?;
    certified(key, certificates, &key_file.display().to_string(), provider)
}

fn sections(file: &Path) -> Result<Vec<(SectionKind, Vec<u8>)>, String> {
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    let sections = <(SectionKind, Vec<u8>) as PemObject>::pem_slice_iter(&text);
    sections.collect::<Result<_, _>>().map_err(|error| format!("{error:?}"))
}

fn private_key(kind: SectionKind, data: &[u8]) -> Option<PrivateKeyDer<'static>> {
    let data = data.to_vec();
    Some(match kind {
        SectionKind::PrivateKey => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(data)),
        SectionKind::RsaPrivateKey => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(data)),
        SectionKind::EcPrivateKey => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(data)),
        _ => return None,
    })
}

fn certified(
    key: PrivateKeyDer<'static>,
    certificates: Vec<CertificateDer<'static>>,
    source: &str,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, Error> {
    let Some(leaf) = certificates.first() else {
        return Err(Error::Setup(format!("No certs for key in {source}")));
    };
    let info = X509Certificate::from_der(leaf).map(|(_, parsed)| KeyInfo::of(parsed.public_key()));
    let info = info.map_err(|_| {
        Error::Setup(format!("error loading certificate chain: malformed certificate for key in {source}"))
    })?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| Error::Setup(format!("error loading private key from {source}: {error}")))?;
    let certified = CertifiedKey::new(certificates, Arc::new(TellingKey { key, info: Arc::new(info) }));
    match certified.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(Error::Setup(format!("key in {source} does not match next certificate")))
        }
        _ => Ok(Arc::new(certified)),
    }
}

/// A key that notes which scheme it signed with.
#[derive(Debug)]
struct TellingKey {
    key: Arc<dyn SigningKey>,
    info: Arc<KeyInfo>,
}

impl SigningKey for TellingKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        // The peer's order counts, as with OpenSSL.
        let signer = offered.iter().find_map(|&scheme| self.key.choose_scheme(&[scheme]))?;
        note_own(&self.info, signer.scheme());
        Some(signer)
    }

    fn public_key(&self) -> Option<rustls::pki_types::SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}
