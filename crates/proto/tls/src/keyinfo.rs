//! What a log line says about a public key.

use x509_parser::oid_registry::{Oid, asn1_rs::oid};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use rustls::SignatureScheme;

use crate::summary::Signature;

/// Kind and size of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyInfo {
    name: &'static str,
    curve: Option<&'static str>,
    bits: Option<usize>,
}

impl KeyInfo {
    pub(crate) fn of(key: &SubjectPublicKeyInfo<'_>) -> Self {
        let ed25519: Oid<'static> = oid!(1.3.101.112);
        if key.algorithm.algorithm == ed25519 {
            return Self { name: "ED25519", curve: None, bits: None };
        }
        match key.parsed() {
            Ok(PublicKey::RSA(rsa)) => Self { name: "RSA-PSS", curve: None, bits: Some(rsa.key_size()) },
            Ok(PublicKey::EC(point)) => Self { name: "ECDSA", curve: curve(point.key_size()), bits: None },
            _ => Self::default(),
        }
    }

    /// Whether a private key of this algorithm can belong to it.
    pub(crate) fn is_of(&self, algorithm: rustls::SignatureAlgorithm) -> bool {
        use rustls::SignatureAlgorithm as A;
        match algorithm {
            A::RSA => self.name == "RSA-PSS",
            A::ECDSA => self.name == "ECDSA",
            A::ED25519 => self.name == "ED25519",
            _ => false,
        }
    }

    /// The facts about a signature made with this key.
    pub(crate) fn signature(&self, scheme: SignatureScheme) -> Option<Signature> {
        (!self.name.is_empty()).then(|| Signature {
            name: self.name,
            curve: self.curve,
            bits: self.bits,
            digest: digest(scheme),
        })
    }
}

fn curve(bits: usize) -> Option<&'static str> {
    // The size is that of a coordinate rounded up to whole bytes.
    match bits {
        256 => Some("prime256v1"),
        384 => Some("secp384r1"),
        521..=528 => Some("secp521r1"),
        _ => None,
    }
}

fn digest(scheme: SignatureScheme) -> Option<&'static str> {
    match scheme {
        SignatureScheme::RSA_PSS_SHA256
        | SignatureScheme::RSA_PKCS1_SHA256
        | SignatureScheme::ECDSA_NISTP256_SHA256 => Some("SHA256"),
        SignatureScheme::RSA_PSS_SHA384
        | SignatureScheme::RSA_PKCS1_SHA384
        | SignatureScheme::ECDSA_NISTP384_SHA384 => Some("SHA384"),
        SignatureScheme::RSA_PSS_SHA512
        | SignatureScheme::RSA_PKCS1_SHA512
        | SignatureScheme::ECDSA_NISTP521_SHA512 => Some("SHA512"),
        SignatureScheme::RSA_PKCS1_SHA1 | SignatureScheme::ECDSA_SHA1_Legacy => Some("SHA1"),
        _ => None,
    }
}
