//! What a peer's certificate says.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use crate::digest::Fingerprint;
use crate::keyinfo::KeyInfo;
use crate::summary::Peer;

/// Everything of interest in a leaf certificate.
pub(crate) struct Leaf {
    pub(crate) peer: Peer,
    pub(crate) key: KeyInfo,
    /// DNS names it is good for; the common name if it lists none.
    pub(crate) names: Vec<String>,
}

/// Reads a leaf certificate. A malformed one gives nothing but empty fields.
pub(crate) fn read(certificate: &CertificateDer<'_>, digest: Fingerprint) -> Leaf {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Leaf { peer: Peer::default(), key: KeyInfo::default(), names: Vec::new() };
    };
    let subject = common_name(parsed.subject()).unwrap_or_default();
    let listed =
        parsed.subject_alternative_name().ok().flatten().map(|extension| &extension.value.general_names);
    let mut names: Vec<String> = listed
        .into_iter()
        .flatten()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    if names.is_empty() && !subject.is_empty() {
        names.push(subject.clone());
    }
    Leaf {
        peer: Peer {
            subject,
            issuer: common_name(parsed.issuer())
                .or_else(|| organization(parsed.issuer()))
                .unwrap_or_default(),
            certificate_digest: digest.of(certificate),
            key_digest: digest.of(parsed.public_key().raw),
            problem: None,
        },
        key: KeyInfo::of(parsed.public_key()),
        names,
    }
}

/// The issuer in one line, and whether the certificate names itself as its issuer.
pub(crate) fn issuer_of(certificate: &CertificateDer<'_>) -> Option<(String, bool)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let parts = parsed.issuer().to_string();
    let line: String = parts.split(", ").map(|part| format!("/{part}")).collect();
    Some((printable(&line), parsed.issuer().as_raw() == parsed.subject().as_raw()))
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    name.iter_common_name().next().and_then(|value| value.as_str().ok()).map(printable)
}

fn organization(name: &X509Name<'_>) -> Option<String> {
    name.iter_organization().next().and_then(|value| value.as_str().ok()).map(printable)
}

fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c == ' ' || c.is_ascii_graphic() || !c.is_ascii() && !c.is_control() { c } else { '?' })
        .collect()
}
