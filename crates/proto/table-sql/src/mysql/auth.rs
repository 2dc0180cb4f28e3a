//! Proofs of knowing a password.

use aws_lc_rs::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

/// A way to prove it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    /// `mysql_native_password`
    Native,
    /// `caching_sha2_password`
    CachingSha2,
    /// `sha256_password`
    Sha256,
    /// `mysql_clear_password`
    Clear,
}

impl Method {
    pub(crate) fn by_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"mysql_native_password" | b"" => Self::Native,
            b"caching_sha2_password" => Self::CachingSha2,
            b"sha256_password" => Self::Sha256,
            b"mysql_clear_password" => Self::Clear,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::Sha256 => "sha256_password",
            Self::Clear => "mysql_clear_password",
        }
    }
}

/// SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password))).
pub(crate) fn native(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let hash = |parts: &[&[u8]]| digest(&SHA1_FOR_LEGACY_USE_ONLY, parts);
    let once = hash(&[password]);
    let twice = hash(&[&once]);
    xor(&once, &hash(&[nonce, &twice]))
}

/// SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce).
pub(crate) fn caching_sha2(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let hash = |parts: &[&[u8]]| digest(&SHA256, parts);
    let once = hash(&[password]);
    let twice = hash(&[&once]);
    xor(&once, &hash(&[&twice, nonce]))
}

/// The password for the owner of a public key in PEM form. Nothing when that is no key, or the password too long for it.
pub(crate) fn encrypted(password: &[u8], nonce: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let key = SubjectPublicKeyInfoDer::from_pem_slice(key).ok()?;
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&key).ok()?).ok()?;
    let plain: Vec<u8> = password.iter().chain(&[0]).zip(nonce.iter().cycle()).map(|(a, b)| a ^ b).collect();
    let mut sealed = vec![0; key.ciphertext_size()];
    let length = key.encrypt(&OAEP_SHA1_MGF1SHA1, &plain, &mut sealed, None).ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

fn digest(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

    /// A key pair of a server.
    pub(crate) struct Pair {
        private: OaepPrivateDecryptingKey,
        pub(crate) pem: String,
    }

    impl Pair {
        pub(crate) fn new() -> Self {
            let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
            let der: PublicKeyX509Der<'_> = private.public_key().as_der().unwrap();
            let text = base64(der.as_ref());
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
            Self { private: OaepPrivateDecryptingKey::new(private).unwrap(), pem }
        }

        /// What was sealed, as the server reads it.
        pub(crate) fn opened(&self, sealed: &[u8], nonce: &[u8]) -> Vec<u8> {
            let mut room = vec![0; self.private.min_output_size()];
            let plain = self.private.decrypt(&OAEP_SHA1_MGF1SHA1, sealed, &mut room, None).unwrap();
            plain.iter().zip(nonce.iter().cycle()).map(|(a, b)| a ^ b).collect()
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let group = |group: &[u8]| -> String {
            let number = (0..3).fold(0, |number, at| number << 8 | usize::from(*group.get(at).unwrap_or(&0)));
            let digit = |at: usize| match at <= group.len() {
                true => char::from(DIGITS[number >> (18 - 6 * at) & 63]),
                false => '=',
            };
            (0..4).map(digit).collect()
        };
        bytes.chunks(3).map(group).collect()
    }

    /// Computed with Python's hashlib.
    #[test]
    fn proofs() {
        let nonce: Vec<u8> = (1..=20).collect();
        assert_eq!(hex(&native(b"secret", &nonce)), "b32bb3a583e1340c0a1108d58b1be49781ad8c2f");
        assert_eq!(
            hex(&caching_sha2(b"secret", &nonce)),
            "746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9"
        );
    }

    #[test]
    fn a_password_for_the_owner_of_a_key() {
        let pair = Pair::new();
        let nonce: Vec<u8> = (1..=20).collect();
        let password = b"a password that is longer than the nonce";
        let sealed = encrypted(password, &nonce, pair.pem.as_bytes()).unwrap();
        assert_eq!(pair.opened(&sealed, &nonce), b"a password that is longer than the nonce\0");
        assert!(encrypted(password, &nonce, b"no key").is_none());
        assert!(encrypted(&[b'x'; 300], &nonce, pair.pem.as_bytes()).is_none());
    }
}
