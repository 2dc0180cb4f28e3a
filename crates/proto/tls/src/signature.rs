//! Handshake signatures, also of certificates that the library does not read.
//!
//! Certificates of X.509 version 1, or with critical extensions that nobody knows, are no good for a chain of trust. But their keys are
//! keys, peers use them, and who shows one must prove to own it like anybody else.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, Error};
use x509_parser::prelude::{FromDer, X509Certificate};

type Verified = Result<HandshakeSignatureValid, Error>;

pub(crate) fn verify_tls12(
    provider: &CryptoProvider,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Verified {
    let algorithms = &provider.signature_verification_algorithms;
    let verified = verify_tls12_signature(message, certificate, signed, algorithms);
    if !is_unreadable(&verified) {
        return verified;
    }
    let Some(info) = public_key_info(certificate) else { return verified };
    let Some((method, key)) = parts(info) else { return verified };
    let known = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
    for algorithm in known.iter().flat_map(|(_, algorithms)| algorithms.iter()) {
        if algorithm.public_key_alg_id().as_ref() == method {
            return match algorithm.verify_signature(key, message, signed.signature()) {
                Ok(()) => Ok(HandshakeSignatureValid::assertion()),
                Err(_) => Err(CertificateError::BadSignature.into()),
            };
        }
    }
    verified
}

pub(crate) fn verify_tls13(
    provider: &CryptoProvider,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Verified {
    let algorithms = &provider.signature_verification_algorithms;
    let verified = verify_tls13_signature(message, certificate, signed, algorithms);
    match public_key_info(certificate) {
        Some(info) if is_unreadable(&verified) => {
            let key = SubjectPublicKeyInfoDer::from(info);
            verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
        }
        _ => verified,
    }
}

fn is_unreadable(verified: &Verified) -> bool {
    matches!(
        verified,
        Err(Error::InvalidCertificate(CertificateError::BadEncoding | CertificateError::Other(_)))
    )
}

/// The `SubjectPublicKeyInfo` of a certificate.
fn public_key_info<'a>(certificate: &'a CertificateDer<'_>) -> Option<&'a [u8]> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.tbs_certificate.subject_pki.raw)
}

/// The contents of the algorithm identifier and of the bit string.
fn parts(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, _) = element(info, 0x30)?;
    let (method, rest) = element(info, 0x30)?;
    let (key, _) = element(rest, 0x03)?;
    // No bits are left over in a key.
    Some((method, key.strip_prefix(&[0])?))
}

/// The contents of the first DER element, and what follows it.
fn element(data: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = data.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*short) {
        length @ 0..=0x7f => (length, rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), rest.get(2..)?),
        _ => return None,
    };
    (*first == tag).then(|| rest.split_at_checked(length))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        assert_eq!(element(&[0x30, 2, 1, 2, 3], 0x30), Some((&[1, 2][..], &[3][..])));
        assert_eq!(element(&[0x30, 0x81, 1, 9], 0x30), Some((&[9][..], &[][..])));
        assert_eq!(element(&[0x30, 2, 1], 0x30), None);
        assert_eq!(element(&[0x30, 0x82, 0], 0x30), None);
        assert_eq!(element(&[0x31, 0], 0x30), None);
        assert_eq!(parts(&[0x30, 7, 0x30, 1, 5, 0x03, 2, 0, 8]), Some((&[5][..], &[8][..])));
    }
}
