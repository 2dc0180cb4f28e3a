//! How much is logged: `smtpd_tls_loglevel`, `smtp_tls_loglevel` and `lmtp_tls_loglevel`.

/// What to log of TLS sessions, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogMask(u8);

impl LogMask {
    /// One line for each session.
    pub const SUMMARY: Self = Self(1);
    /// Why a peer's certificate is not trusted.
    pub const UNTRUSTED: Self = Self(1 << 1);
    /// Names and digests in the peer's certificate.
    pub const PEERCERT: Self = Self(1 << 2);
    /// The same, at the client.
    pub const CERTMATCH: Self = Self(1 << 3);
    /// More than most want to know.
    pub const VERBOSE: Self = Self(1 << 4);
    /// Resumed sessions.
    pub const CACHE: Self = Self(1 << 5);

    /// Reads a parameter's value: levels and names, in any case. One that is not known is warned of, and then nothing is logged.
    pub fn parse(parameter: &str, value: &str) -> Self {
        let mut mask = Self::default();
        for word in value.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty()) {
            mask = match Self::by_name(word) {
                Some(more) => mask.with(more),
                None => {
                    log::warning!("unknown {parameter} value \"{word}\" in \"{value}\"");
                    return Self::default();
                }
            };
        }
        mask
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of these is to be logged.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn by_name(name: &str) -> Option<Self> {
        const DEBUG: LogMask = LogMask::SUMMARY.with(LogMask::VERBOSE).with(LogMask::CACHE);
        Some(match name.to_ascii_lowercase().as_str() {
            // Dumps of the library's states and packets are not to be had here.
            "0" | "none" | "dane" | "ssl-debug" | "ssl-handshake-packet-dump" | "ssl-session-packet-dump" => {
                Self::default()
            }
            "1" | "routine" | "summary" => Self::SUMMARY,
            "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "debug" | "ssl-expert" | "ssl-developer" => DEBUG,
            "untrusted" => Self::UNTRUSTED,
            "peercert" => Self::PEERCERT,
            "certmatch" => Self::CERTMATCH,
            "verbose" => Self::VERBOSE,
            "cache" => Self::CACHE,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_names() {
        let parse = |value| LogMask::parse("smtpd_tls_loglevel", value);
        assert_eq!(parse("0"), LogMask::default());
        assert_eq!(parse("1"), LogMask::SUMMARY);
        assert_eq!(parse("Routine, peercert"), LogMask::SUMMARY.with(LogMask::PEERCERT));
        assert!(parse("3").has_any(LogMask::CACHE));
        assert_eq!(parse("1, loud"), LogMask::default());
    }
}
