//! SCRAM (RFC 5802, RFC 7677): both sides prove that they know the password, and nobody shows it.

use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The hash of the mechanism.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

/// How often a password may be hashed, by the word of a server: at the most, it takes a blink.
const MOST_ROUNDS: u32 = 500_000;
/// And at least: less is somebody who wants to guess it.
const LEAST_ROUNDS: u32 = 4096;

/// The client's side of one login.
pub(crate) struct Scram {
    hash: Hash,
    secret: Vec<u8>,
    nonce: String,
    /// The first message, without what concerns channel binding.
    first: String,
    /// What the server must prove with.
    expected: Vec<u8>,
}

impl Hash {
    /// The name of the mechanism.
    pub(crate) fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    /// What is hashed in place of the password: with SHA-1, what servers before SCRAM have stored of it.
    fn secret(self, user: &str, password: &str) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                use md5::Digest;
                let hash = md5::Md5::digest(format!("{user}:mongo:{password}"));
                hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()
            }
            Self::Sha256 => {
                let prepared = stringprep::saslprep(password);
                prepared.as_deref().unwrap_or(password).as_bytes().to_vec()
            }
        }
    }

    fn mac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), text).as_ref().to_vec()
    }

    fn digest(self, text: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        };
        digest::digest(algorithm, text).as_ref().to_vec()
    }

    fn stretch(self, secret: &[u8], salt: &[u8], rounds: std::num::NonZeroU32) -> Vec<u8> {
        let (algorithm, length) = match self {
            Self::Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
        };
        let mut key = vec![0; length];
        pbkdf2::derive(algorithm, rounds, salt, secret, &mut key);
        key
    }
}

impl Scram {
    /// Begins. Nothing when the system has no random numbers.
    pub(crate) fn new(hash: Hash, user: &str, password: &str) -> Option<Self> {
        let mut nonce = [0; 24];
        rand::fill(&mut nonce).ok()?;
        Some(Self::with_nonce(hash, user, password, STANDARD.encode(nonce)))
    }

    fn with_nonce(hash: Hash, user: &str, password: &str, nonce: String) -> Self {
        let secret = hash.secret(user, password);
        let name = user.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n={name},r={nonce}");
        Self { hash, secret, nonce, first, expected: Vec::new() }
    }

    /// The first message.
    pub(crate) fn first(&self) -> Vec<u8> {
        format!("n,,{}", self.first).into_bytes()
    }

    /// The answer to the server's first message. Nothing when that is not as it must be.
    pub(crate) fn prove(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let message = std::str::from_utf8(message).ok()?;
        let mut fields = message.split(',');
        let nonce = fields.next()?.strip_prefix("r=")?;
        let salt = STANDARD.decode(fields.next()?.strip_prefix("s=")?).ok()?;
        let rounds: u32 = fields.next()?.strip_prefix("i=")?.parse().ok()?;
        let is_ours = nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce);
        if !is_ours || !(LEAST_ROUNDS..=MOST_ROUNDS).contains(&rounds) {
            return None;
        }
        let salted = self.hash.stretch(&self.secret, &salt, std::num::NonZeroU32::new(rounds)?);
        let client_key = self.hash.mac(&salted, b"Client Key");
        let server_key = self.hash.mac(&salted, b"Server Key");
        let last = format!("c=biws,r={nonce}");
        let all = format!("{},{message},{last}", self.first);
        let signature = self.hash.mac(&self.hash.digest(&client_key), all.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        self.expected = self.hash.mac(&server_key, all.as_bytes());
        Some(format!("{last},p={}", STANDARD.encode(proof)).into_bytes())
    }

    /// Whether the server proved that it knows the password as well.
    pub(crate) fn is_proved_by(&self, message: &[u8]) -> bool {
        let proof = message.strip_prefix(b"v=");
        let proof = proof.map(|proof| proof.split(|&byte| byte == b',').next().unwrap_or_default());
        let proof = proof.and_then(|proof| STANDARD.decode(proof).ok());
        !self.expected.is_empty() && proof.is_some_and(|proof| proof == self.expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of MongoDB's specification of drivers.
    #[test]
    fn sha_1() {
        let nonce = "fyko+d2lbbFgONRv9qkxdawL".to_owned();
        let mut scram = Scram::with_nonce(Hash::Sha1, "user", "pencil", nonce);
        assert_eq!(scram.first(), b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let server =
            b"r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,s=rQ9ZY3MntBeuP3E1TDVC4w==,i=10000";
        let proof = scram.prove(server).unwrap();
        assert_eq!(
            String::from_utf8(proof).unwrap(),
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,p=MC2T8BvbmWRckDw8oWl5IVghwCY="
        );
        assert!(scram.is_proved_by(b"v=UMWeI25JD1yNYZRMpZ4VHvhZ9e0="));
        assert!(!scram.is_proved_by(b"v=UMWeI25JD1yNYZRMpZ4VHvhZ9e1="));
    }

    /// The example of RFC 7677, which MongoDB's specification has as well.
    #[test]
    fn sha_256() {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let mut scram = Scram::with_nonce(Hash::Sha256, "user", "pencil", nonce);
        let server =
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.prove(server).unwrap();
        assert_eq!(
            String::from_utf8(proof).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(scram.is_proved_by(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!scram.is_proved_by(b"e=other-error"));
    }

    #[test]
    fn servers_that_are_not_believed() {
        let scram = || Scram::with_nonce(Hash::Sha256, "a=b,c", "x", "abc".to_owned());
        assert_eq!(scram().first(), b"n,,n=a=3Db=2Cc,r=abc");
        assert!(scram().prove(b"r=abcd,s=AA==,i=4096").is_some());
        for message in [
            &b"r=abc,s=AA==,i=4096"[..],
            b"r=xabcd,s=AA==,i=4096",
            b"r=abcd,s=?,i=4096",
            b"r=abcd,s=AA==,i=4095",
            b"r=abcd,s=AA==,i=500001",
            b"r=abcd,s=AA==,i=99999999999999999999",
            b"r=abcd,s=AA==",
            b"e=x",
            b"\xff",
            b"",
        ] {
            assert!(scram().prove(message).is_none(), "{message:?}");
        }
        assert!(!scram().is_proved_by(b"v="), "before the proof");
    }
}
