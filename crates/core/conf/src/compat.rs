//! `compatibility_level`, and which defaults are the old ones because of it.
//!
//! When a default changes in an incompatible way, the old one stays in force below the compatibility level of the
//! change, and whoever uses the old one says so: `using backwards-compatible default setting NAME=VALUE to ...`.
//! [`is_legacy_default`] tells whether to say it; the words after it belong to the place where it matters.

use crate::values::strtol;
use crate::{Error, MainCf};
use std::fmt;
use std::str::FromStr;

const BITS: u32 = 10;
const LOW: i64 = (1 << BITS) - 1;

/// A compatibility level: `major[.minor[.patch]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CompatLevel(i64);

impl CompatLevel {
    /// Level 1 (Postfix 3.0).
    pub const ONE: CompatLevel = CompatLevel(1 << (2 * BITS));
    /// Level 2 (Postfix 3.0).
    pub const TWO: CompatLevel = CompatLevel(2 << (2 * BITS));
    /// Level 3.6.
    pub const V3_6: CompatLevel = CompatLevel(3 << (2 * BITS) | 6 << BITS);
    /// Level 3.11, the latest.
    pub const V3_11: CompatLevel = CompatLevel(3 << (2 * BITS) | 11 << BITS);

    /// The three numbers in one, for comparison.
    pub fn encoded(self) -> i64 {
        self.0
    }
}

/// Text that is not a compatibility level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed compatibility level syntax: \"{0}\"")]
pub struct MalformedLevel(String);

impl FromStr for CompatLevel {
    type Err = MalformedLevel;

    fn from_str(text: &str) -> Result<Self, MalformedLevel> {
        let malformed = || MalformedLevel(text.to_owned());
        let mut parts = text.splitn(3, '.');
        let mut part = |most: i64| match parts.next() {
            None => Ok(0),
            Some(part) => match strtol(part) {
                Some((number, "")) if (0..=most).contains(&number) => Ok(number),
                _ => Err(malformed()),
            },
        };
        Ok(CompatLevel(part(i64::MAX >> (2 * BITS))? << (2 * BITS) | part(LOW)? << BITS | part(LOW)?))
    }
}

impl fmt::Display for CompatLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = (self.0 >> (2 * BITS), self.0 >> BITS & LOW, self.0 & LOW);
        write!(f, "{major}")?;
        if major > 2 {
            write!(f, ".{minor}")?;
            if patch != 0 {
                write!(f, ".{patch}")?;
            }
        }
        Ok(())
    }
}

/// The compatibility level in force.
pub fn compat_level(main: &MainCf) -> Result<CompatLevel, Error> {
    let text = match main.written("compatibility_level") {
        Some(text) => main.expand(text)?,
        None => "0".to_owned(),
    };
    text.parse().map_err(|error: MalformedLevel| Error::Value(error.to_string()))
}

/// Parameters whose default changed, the level of the change, and other parameters that settle the question too.
const CHANGED: &[(&str, CompatLevel, &[&str])] = &[
    ("smtp_tlsrpt_skip_reused_handshakes", CompatLevel::V3_11, &[]),
    ("smtp_tls_security_level", CompatLevel::V3_11, &[]),
    ("tlsproxy_client_security_level", CompatLevel::V3_11, &[]),
    ("smtpd_tls_fingerprint_digest", CompatLevel::V3_6, &[]),
    ("smtp_tls_fingerprint_digest", CompatLevel::V3_6, &[]),
    ("lmtp_tls_fingerprint_digest", CompatLevel::V3_6, &[]),
    ("smtpd_relay_before_recipient_restrictions", CompatLevel::V3_6, &[]),
    ("respectful_logging", CompatLevel::V3_6, &[]),
    ("relay_domains", CompatLevel::TWO, &[]),
    ("fast_flush_domains", CompatLevel::TWO, &["relay_domains"]),
    ("mynetworks_style", CompatLevel::TWO, &["mynetworks"]),
    ("append_dot_mydomain", CompatLevel::ONE, &[]),
    ("smtputf8_enable", CompatLevel::ONE, &[]),
    ("chroot", CompatLevel::ONE, &[]),
    ("smtpd_relay_restrictions", CompatLevel::ONE, &[]),
];

/// Whether the parameter has its old default only because of the compatibility level, so that using it must be logged.
///
/// `chroot` stands for the field of master.cf.
pub fn is_legacy_default(main: &MainCf, name: &str) -> bool {
    let Some((_, level, others)) = CHANGED.iter().find(|(known, ..)| *known == name) else {
        return false;
    };
    let is_below = compat_level(main).is_ok_and(|current| current < *level);
    is_below && !main.is_set(name) && !others.iter().any(|other| main.is_set(other))
}

/// The start of the log line about an old default in use: `using backwards-compatible default setting NAME=VALUE`.
pub fn legacy_notice(name: &str, value: &str) -> String {
    format!("using backwards-compatible default setting {name}={value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_defaults() {
        let mut main = MainCf::default();
        assert!(is_legacy_default(&main, "mynetworks_style"));
        main.set("mynetworks", "127.0.0.1");
        assert!(!is_legacy_default(&main, "mynetworks_style"));
        assert!(is_legacy_default(&main, "append_dot_mydomain"));
        main.set("compatibility_level", "1");
        assert!(!is_legacy_default(&main, "append_dot_mydomain"));
        main.set("compatibility_level", "x");
        assert_eq!(
            compat_level(&main).unwrap_err().to_string(),
            "malformed compatibility level syntax: \"x\""
        );
    }
}
