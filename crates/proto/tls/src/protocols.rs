//! Protocol lists, cipher exclusions, and the nine suites with their OpenSSL names.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ProtocolVersion, SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion};

use crate::Error;

/// One cipher suite as OpenSSL calls it.
pub(crate) struct Suite {
    id: CipherSuite,
    pub(crate) name: &'static str,
    pub(crate) bits: u16,
    /// The words by which a cipher list can mean it.
    words: &'static [&'static str],
}

const SUITES: [Suite; 9] = [
    Suite {
        id: CipherSuite::TLS13_AES_256_GCM_SHA384,
        name: "TLS_AES_256_GCM_SHA384",
        bits: 256,
        words: &["AES", "AES256", "AESGCM", "SHA384", "TLSv1.3"],
    },
    Suite {
        id: CipherSuite::TLS13_AES_128_GCM_SHA256,
        name: "TLS_AES_128_GCM_SHA256",
        bits: 128,
        words: &["AES", "AES128", "AESGCM", "SHA256", "TLSv1.3"],
    },
    Suite {
        id: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        name: "TLS_CHACHA20_POLY1305_SHA256",
        bits: 256,
        words: &["CHACHA20", "TLSv1.3"],
    },
    Suite {
        id: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        bits: 256,
        words: &[
            "AES", "AES256", "AESGCM", "SHA384", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH", "ECDSA",
            "aECDSA",
        ],
    },
    Suite {
        id: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        bits: 128,
        words: &[
            "AES", "AES128", "AESGCM", "SHA256", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH", "ECDSA",
            "aECDSA",
        ],
    },
    Suite {
        id: CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        bits: 256,
        words: &["CHACHA20", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH", "ECDSA", "aECDSA"],
    },
    Suite {
        id: CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        bits: 256,
        words: &[
            "AES", "AES256", "AESGCM", "SHA384", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH", "RSA",
            "aRSA",
        ],
    },
    Suite {
        id: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        bits: 128,
        words: &[
            "AES", "AES128", "AESGCM", "SHA256", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH", "RSA",
            "aRSA",
        ],
    },
    Suite {
        id: CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        bits: 256,
        words: &["CHACHA20", "TLSv1.2", "ECDHE", "EECDH", "kECDHE", "kEECDH", "RSA", "aRSA"],
    },
];

/// OpenSSL's name and key size of a negotiated suite.
pub(crate) fn suite(id: CipherSuite) -> (&'static str, u16) {
    SUITES.iter().find(|suite| suite.id == id).map_or(("unknown", 0), |suite| (suite.name, suite.bits))
}

/// OpenSSL's name of a protocol version.
pub(crate) fn version(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "unknown",
    }
}

/// The versions a `tls_protocols` value leaves of the two there are. Old ones may be named; they are not offered.
pub(crate) fn versions(list: &str) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    const NAMES: [(&str, u16); 7] = [
        ("None", 0),
        ("SSLv2", 0x0200),
        ("SSLv3", 0x0300),
        ("TLSv1", 0x0301),
        ("TLSv1.1", 0x0302),
        ("TLSv1.2", 0x0303),
        ("TLSv1.3", 0x0304),
    ];
    let invalid = || Error::Setup(format!("Invalid TLS protocol list \"{list}\": disabling TLS support"));
    let number = |name: &str| {
        let known =
            NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, number)| number);
        known.or_else(|| u16::from_str_radix(name.strip_prefix("0x")?, 16).ok())
    };
    let (mut low, mut high) = (0, u16::MAX);
    let mut included: Vec<u16> = Vec::new();
    let mut excluded: Vec<u16> = Vec::new();
    for word in list.split([' ', '\t', ',', ':']).filter(|word| !word.is_empty()) {
        if let Some(name) = word.strip_prefix(">=") {
            low = number(name).ok_or_else(invalid)?;
        } else if let Some(name) = word.strip_prefix("<=") {
            high = number(name).filter(|&number| number > 0).unwrap_or(u16::MAX);
        } else if let Some(name) = word.strip_prefix('!') {
            excluded.push(number(name).ok_or_else(invalid)?);
        } else {
            included.push(number(word).ok_or_else(invalid)?);
        }
    }
    let allowed = |version: u16| {
        (low..=high).contains(&version)
            && !excluded.contains(&version)
            && (included.is_empty() || included.contains(&version))
    };
    let mut left = Vec::new();
    if allowed(0x0304) {
        left.push(&TLS13);
    }
    if allowed(0x0303) {
        left.push(&TLS12);
    }
    if left.is_empty() {
        return Err(Error::Setup(format!(
            "TLS protocol list \"{list}\" allows neither TLSv1.2 nor TLSv1.3: disabling TLS support"
        )));
    }
    Ok(left)
}

/// Whether there is a cipher grade of that name. They all mean the same nine suites, but for that of those that do not encrypt.
pub fn knows_grade(name: &str) -> bool {
    ["high", "medium", "low", "export"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The library's provider without the suites that `exclude` (one or more `_exclude_ciphers` values) names.
pub(crate) fn provider(exclude: &str) -> Result<Arc<CryptoProvider>, Error> {
    let mut provider = aws_lc_rs::default_provider();
    let excluded: Vec<&str> = exclude.split([' ', '\t', ',', ':']).filter(|word| !word.is_empty()).collect();
    if let Some(word) = excluded.iter().find(|word| word.starts_with(['!', '+', '-', '@'])) {
        return Err(Error::Setup(format!("invalid unary '!+-@' in cipher exclusion: {word}")));
    }
    provider.cipher_suites.retain(|suite| !is_excluded(suite, &excluded));
    if provider.cipher_suites.is_empty() {
        return Err(Error::Setup(format!(
            "no ciphers left after excluding \"{exclude}\": disabling TLS support"
        )));
    }
    Ok(Arc::new(provider))
}

/// The signatures that the provider can verify, in OpenSSL's order, since peers choose the first that suits them.
pub(crate) fn signature_schemes(provider: &CryptoProvider) -> Vec<SignatureScheme> {
    use SignatureScheme as S;
    const ORDER: [SignatureScheme; 10] = [
        S::ECDSA_NISTP256_SHA256,
        S::ECDSA_NISTP384_SHA384,
        S::ECDSA_NISTP521_SHA512,
        S::ED25519,
        S::RSA_PSS_SHA256,
        S::RSA_PSS_SHA384,
        S::RSA_PSS_SHA512,
        S::RSA_PKCS1_SHA256,
        S::RSA_PKCS1_SHA384,
        S::RSA_PKCS1_SHA512,
    ];
    let mut schemes = provider.signature_verification_algorithms.supported_schemes();
    schemes.sort_by_key(|scheme| ORDER.iter().position(|known| known == scheme).unwrap_or(ORDER.len()));
    schemes
}

fn is_excluded(suite: &SupportedCipherSuite, excluded: &[&str]) -> bool {
    let Some(known) = SUITES.iter().find(|known| known.id == suite.suite()) else {
        return false;
    };
    // TLS 1.3 suites are outside OpenSSL's cipher lists, so no word excludes them.
    if known.words.contains(&"TLSv1.3") {
        return false;
    }
    excluded.iter().any(|word| {
        word.eq_ignore_ascii_case(known.name)
            || word.eq_ignore_ascii_case("ALL")
            || word.split('+').all(|part| known.words.iter().any(|word| word.eq_ignore_ascii_case(part)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_lists() {
        assert_eq!(versions(">=TLSv1").unwrap().len(), 2);
        assert_eq!(versions("!SSLv2, !SSLv3").unwrap().len(), 2);
        assert_eq!(versions("").unwrap().len(), 2);
        assert_eq!(versions("TLSv1.2").unwrap(), [&TLS12]);
        assert_eq!(versions(">=TLSv1.3").unwrap(), [&TLS13]);
        assert!(versions("TLSv9").is_err());
        assert!(versions("<=TLSv1.1").is_err());
    }

    #[test]
    fn exclusions_leave_tls13() {
        let left = |words: &str| provider(words).unwrap().cipher_suites.len();
        assert_eq!(left("aNULL, MD5, RC4, 3DES"), 9);
        assert_eq!(left("aRSA"), 6);
        assert_eq!(left("CHACHA20:ECDHE-RSA-AES128-GCM-SHA256"), 6);
        assert_eq!(left("ECDHE+AESGCM"), 5);
        assert_eq!(left("ALL"), 3);
    }
}
