//! Security levels.

use std::fmt;

/// A TLS security level, as in `smtp_tls_security_level` and policy tables. Ordered from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No TLS.
    None,
    /// TLS if the peer offers it.
    May,
    /// TLS or nothing; any certificate.
    Encrypt,
    /// The certificate or key has a known digest.
    Fingerprint,
    /// DANE, with signed MX records not required.
    HalfDane,
    /// DANE if there are TLSA records, else as `may`.
    Dane,
    /// DANE or nothing.
    DaneOnly,
    /// Trusted chain, name of the MX host matches.
    Verify,
    /// Trusted chain, name of the destination matches.
    Secure,
}

impl Level {
    /// The level called `name` in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// Its name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::May => "may",
            Self::Encrypt => "encrypt",
            Self::Fingerprint => "fingerprint",
            Self::HalfDane => "half-dane",
            Self::Dane => "dane",
            Self::DaneOnly => "dane-only",
            Self::Verify => "verify",
            Self::Secure => "secure",
        }
    }

    /// Whether mail must not leave without TLS.
    pub fn required(self) -> bool {
        self >= Self::Encrypt
    }

    /// Whether mail must not leave without an authenticated peer.
    pub fn must_match(self) -> bool {
        matches!(
            self,
            Self::Fingerprint | Self::HalfDane | Self::Dane | Self::DaneOnly | Self::Verify | Self::Secure
        )
    }
}

const ALL: [Level; 9] = [
    Level::None,
    Level::May,
    Level::Encrypt,
    Level::Fingerprint,
    Level::HalfDane,
    Level::Dane,
    Level::DaneOnly,
    Level::Verify,
    Level::Secure,
];

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
