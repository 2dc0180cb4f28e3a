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
    let names: Vec<_> = files.iter().map(|file| file.as_ref().display().to_string()).collect();
    let failed = |why: String| loading_failed(&why, &names.join(", "));
    let mut keys = Vec::new();
    let mut key: Option<Found> = None;
    let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
    for (file, name) in files.iter().zip(&names) {
        let sections = sections(file.as_ref())
            .map_err(|problem| Error::Setup(format!("error opening chain file: {name}: {problem}")))?;
        for (index, (kind, data)) in (1..).zip(sections) {
            if let Some(next) = private_key(kind, &data) {
                if let Some(key) = key.take() {
                    if certificates.is_empty() {
                        let place = key.place();
                        return Err(failed(format!(
                            "error loading certificate chain: key {place} not followed by a certificate"
                        )));
                    }
                    keys.push(key.certified(std::mem::take(&mut certificates), provider).map_err(failed)?);
                }
                key = Some(Found { key: next, index, file: name.clone() });
            } else if kind == SectionKind::Certificate {
                if key.is_none() {
                    return Err(failed(format!("error loading chain from {name}: key not first")));
                }
                certificates.push(CertificateDer::from(data));
            }
        }
    }
    match key {
        Some(key) if certificates.is_empty() => Err(failed(format!("No certs for key {}", key.place()))),
        Some(key) => {
            keys.push(key.certified(certificates, provider).map_err(failed)?);
            Ok(keys)
        }
        None => Err(failed(format!("No PEM data in {}", names.join(", ")))),
    }
}

/// Reads a certificate file and the file of its key, which may be the same.
pub(crate) fn pair(
    what: &str,
    cert_file: &Path,
    key_file: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, Error> {
    if cert_file == key_file {
        return mixed_file(cert_file, provider);
    }
    let unusable = |kind: &str, file: &Path, problem: String| {
        let file = file.display();
        Error::Setup(format!(
            "cannot get {what} {kind} from file \"{file}\": disabling TLS support\nTLS library problem: {problem}"
        ))
    };
    let no_cert = |problem| unusable("certificate", cert_file, problem);
    let no_key = |problem| unusable("private key", key_file, problem);
    let named = |file: &Path, problem: String| format!("{}: {problem}", file.display());
    let certificates: Vec<_> = sections(cert_file)
        .map_err(|problem| no_cert(named(cert_file, problem)))?
        .into_iter()
        .filter(|(kind, _)| *kind == SectionKind::Certificate)
        .map(|(_, data)| CertificateDer::from(data))
        .collect();
    if certificates.is_empty() {
        return Err(no_cert(named(cert_file, "no certificate in this file".to_owned())));
    }
    let mut sections = sections(key_file).map_err(|problem| no_key(named(key_file, problem)))?.into_iter();
    let key = sections
        .find_map(|(kind, data)| private_key(kind, &data))
        .ok_or_else(|| no_key(named(key_file, "no unencrypted private key in this file".to_owned())))?;
    match certified(key, certificates, provider) {
        Ok(certified) => Ok(certified),
        Err(Misfit::Key(problem)) => Err(no_key(named(key_file, problem))),
        Err(Misfit::Certificate(problem)) => Err(no_cert(named(cert_file, problem))),
        Err(Misfit::Values) => Err(no_key("key values mismatch".to_owned())),
        Err(Misfit::Kinds) => Err(Error::Setup(format!(
            "{what} private key in {} does not match public key in {}: disabling TLS support",
            key_file.display(),
            cert_file.display()
        ))),
    }
}

/// Reads one file with a key anywhere in it.
fn mixed_file(file: &Path, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
    let name = file.display().to_string();
    let failed = |why: String| loading_failed(&why, &name);
    let sections = sections(file)
        .map_err(|problem| Error::Setup(format!("error opening chain file: {name}: {problem}")))?;
    let mut key: Option<Found> = None;
    let mut certificates = Vec::new();
    for (index, (kind, data)) in (1..).zip(sections) {
        if let Some(next) = private_key(kind, &data) {
            match &key {
                None => key = Some(Found { key: next, index, file: name.clone() }),
                Some(first) => {
                    log::warning!("ignoring 2nd key at index {index} in {name} after 1st at {}", first.index)
                }
            }
        } else if kind == SectionKind::Certificate {
            certificates.push(CertificateDer::from(data));
        }
    }
    match key {
        Some(key) if certificates.is_empty() => Err(failed(format!("No certs for key {}", key.place()))),
        Some(key) => key.certified(certificates, provider).map_err(failed),
        None if certificates.is_empty() => Err(failed(format!("No PEM data in {name}"))),
        None => Err(failed(format!("No private key found in {name}"))),
    }
}

fn loading_failed(why: &str, files: &str) -> Error {
    Error::Setup(format!(
        "{why}\nerror loading private keys and certificates from: {files}: disabling TLS support"
    ))
}

/// The objects of a PEM file in their order.
fn sections(file: &Path) -> Result<Vec<(SectionKind, Vec<u8>)>, String> {
    let text = std::fs::read(file).map_err(|error| crate::system_text(&error))?;
    let sections = <(SectionKind, Vec<u8>) as PemObject>::pem_slice_iter(&text);
    sections.collect::<Result<_, _>>().map_err(|error| error.to_string())
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

/// A key, and where it was found.
struct Found {
    key: PrivateKeyDer<'static>,
    index: usize,
    file: String,
}

impl Found {
    fn place(&self) -> String {
        format!("at index {} in {}", self.index, self.file)
    }

    fn certified(
        self,
        certificates: Vec<CertificateDer<'static>>,
        provider: &CryptoProvider,
    ) -> Result<Arc<CertifiedKey>, String> {
        let place = self.place();
        certified(self.key, certificates, provider).map_err(|misfit| match misfit {
            Misfit::Key(problem) => format!("error loading private key {place}: {problem}"),
            Misfit::Certificate(problem) => format!("error loading certificate for key {place}: {problem}"),
            Misfit::Values | Misfit::Kinds => format!("key {place} does not match next certificate"),
        })
    }
}

/// Why a key and certificates make no pair.
enum Misfit {
    Key(String),
    Certificate(String),
    /// They are of the same kind, and that is all.
    Values,
    Kinds,
}

fn certified(
    key: PrivateKeyDer<'static>,
    certificates: Vec<CertificateDer<'static>>,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, Misfit> {
    let leaf = certificates.first().ok_or_else(|| Misfit::Certificate("none".to_owned()))?;
    let info = X509Certificate::from_der(leaf).map(|(_, parsed)| KeyInfo::of(parsed.public_key()));
    let info = info.map_err(|_| Misfit::Certificate("malformed certificate".to_owned()))?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| Misfit::Key(error.to_string()))?;
    let is_same_kind = info.is_of(key.algorithm());
    let certified = CertifiedKey::new(certificates, Arc::new(TellingKey { key, info: Arc::new(info) }));
    match certified.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(if is_same_kind { Misfit::Values } else { Misfit::Kinds })
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
