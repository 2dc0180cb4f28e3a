//! Digests of certificates and keys (`smtpd_tls_fingerprint_digest`).

use std::fmt::Write;

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA224, SHA256, SHA384, SHA512};
use md5::{Digest, Md5};

use crate::Error;

/// A digest by its OpenSSL name, in any case.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprint(Kind);

#[derive(Clone, Copy)]
enum Kind {
    Md5,
    Library(&'static Algorithm),
}

impl Fingerprint {
    /// No name stands for SHA-256.
    pub(crate) fn by_name(name: &str) -> Result<Self, Error> {
        let kind = match name.to_ascii_lowercase().as_str() {
            "md5" | "ssl3-md5" => Kind::Md5,
            "sha1" | "sha-1" | "ssl3-sha1" => Kind::Library(&SHA1_FOR_LEGACY_USE_ONLY),
            "sha224" | "sha-224" | "sha2-224" => Kind::Library(&SHA224),
            "sha256" | "sha-256" | "sha2-256" | "" => Kind::Library(&SHA256),
            "sha384" | "sha-384" | "sha2-384" => Kind::Library(&SHA384),
            "sha512" | "sha-512" | "sha2-512" => Kind::Library(&SHA512),
            _ => {
                let text = format!("Digest algorithm \"{name}\" not found\ndisabling TLS support");
                return Err(Error::Setup(text));
            }
        };
        Ok(Self(kind))
    }

    /// The digest as `AA:BB:...`.
    pub(crate) fn of(self, data: &[u8]) -> String {
        match self.0 {
            Kind::Md5 => hexadecimal(&Md5::digest(data)),
            Kind::Library(algorithm) => hexadecimal(digest::digest(algorithm, data).as_ref()),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (index, byte) in bytes.iter().enumerate() {
        let colon = if index == 0 { "" } else { ":" };
        // Writing to a String cannot fail.
        write!(text, "{colon}{byte:02X}").unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new() {
        let of = |name: &str| Fingerprint::by_name(name).unwrap().of(b"abc");
        assert_eq!(of("md5"), "90:01:50:98:3C:D2:4F:B0:D6:96:3F:7D:28:E1:7F:72");
        assert_eq!(of("SHA1"), "A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D");
        assert!(of("sha256").starts_with("BA:78:16:BF:"));
        assert!(of("sha512").starts_with("DD:AF:35:A1:"));
        let why = Fingerprint::by_name("crc32").err().unwrap().to_string();
        assert_eq!(why, "Digest algorithm \"crc32\" not found\ndisabling TLS support");
    }
}
