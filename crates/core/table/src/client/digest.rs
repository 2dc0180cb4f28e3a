//! Keys of a fixed length in place of keys of any length: the `key_digest` setting.

use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_256};

/// A message digest.
#[derive(Clone, Copy)]
pub(crate) struct Digest(fn(&[u8]) -> Vec<u8>);

/// The digests, under the names that OpenSSL has for them.
const KNOWN: [(&[&str], Digest); 7] = [
    (&["md5"], Digest(digest::<Md5>)),
    (&["sha1", "sha-1"], Digest(digest::<Sha1>)),
    (&["sha224", "sha-224", "sha2-224"], Digest(digest::<Sha224>)),
    (&["sha256", "sha-256", "sha2-256"], Digest(digest::<Sha256>)),
    (&["sha384", "sha-384", "sha2-384"], Digest(digest::<Sha384>)),
    (&["sha512", "sha-512", "sha2-512"], Digest(digest::<Sha512>)),
    (&["sha512-256", "sha-512/256", "sha2-512/256"], Digest(digest::<Sha512_256>)),
];

fn digest<D: sha2::Digest>(text: &[u8]) -> Vec<u8> {
    D::digest(text).to_vec()
}

impl Digest {
    /// The digest of that name, if there is one.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        let is_it = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        KNOWN.iter().find(|(names, _)| is_it(names)).map(|(_, digest)| *digest)
    }

    /// The digest of a text, in lower-case hexadecimal digits.
    pub(crate) fn hexadecimal(self, text: &[u8]) -> Vec<u8> {
        let Self(digest) = self;
        digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_by_name() {
        let of = |name| Digest::by_name(name).map(|digest| digest.hexadecimal(b"abc"));
        assert_eq!(of("md5").unwrap(), b"900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(of("SHA1").unwrap(), b"a9993e364706816aba3e25717850c26c9cd0d89d");
        let sha256 = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of("sha256").unwrap(), sha256);
        assert_eq!(of("SHA2-256").unwrap(), sha256);
        assert_eq!(of("whirlpool-x"), None);
    }
}
