//! Result codes, of the protocol and of OpenLDAP's library, which has negative ones for what happens on our side.

use std::fmt;

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Code(pub(crate) i32);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const REFERRAL: Self = Self(10);
    pub(crate) const NO_SUCH_OBJECT: Self = Self(32);
    pub(crate) const SERVER_DOWN: Self = Self(-1);
    pub(crate) const DECODING_ERROR: Self = Self(-4);
    pub(crate) const TIMED_OUT: Self = Self(-5);
    pub(crate) const AUTH_UNKNOWN: Self = Self(-6);
    pub(crate) const FILTER_ERROR: Self = Self(-7);
    pub(crate) const CONNECT_ERROR: Self = Self(-11);
    pub(crate) const NOT_SUPPORTED: Self = Self(-12);
    pub(crate) const REFERRAL_LIMIT: Self = Self(-17);

    /// Whether the connection is of no use any more.
    pub(crate) fn is_lost(self) -> bool {
        matches!(self, Self::SERVER_DOWN | Self::DECODING_ERROR | Self::TIMED_OUT | Self::CONNECT_ERROR)
    }
}

/// The library's text.
impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            0 => "Success",
            1 => "Operations error",
            2 => "Protocol error",
            3 => "Time limit exceeded",
            4 => "Size limit exceeded",
            5 => "Compare False",
            6 => "Compare True",
            7 => "Authentication method not supported",
            8 => "Strong(er) authentication required",
            9 => "Partial results and referral received",
            10 => "Referral",
            11 => "Administrative limit exceeded",
            12 => "Critical extension is unavailable",
            13 => "Confidentiality required",
            14 => "SASL bind in progress",
            16 => "No such attribute",
            17 => "Undefined attribute type",
            18 => "Inappropriate matching",
            19 => "Constraint violation",
            20 => "Type or value exists",
            21 => "Invalid syntax",
            32 => "No such object",
            33 => "Alias problem",
            34 => "Invalid DN syntax",
            35 => "Entry is a leaf",
            36 => "Alias dereferencing problem",
            47 => "Proxy Authorization Failure (X)",
            48 => "Inappropriate authentication",
            49 => "Invalid credentials",
            50 => "Insufficient access",
            51 => "Server is busy",
            52 => "Server is unavailable",
            53 => "Server is unwilling to perform",
            54 => "Loop detected",
            64 => "Naming violation",
            65 => "Object class violation",
            66 => "Operation not allowed on non-leaf",
            67 => "Operation not allowed on RDN",
            68 => "Already exists",
            69 => "Cannot modify object class",
            70 => "Results too large",
            71 => "Operation affects multiple DSAs",
            80 => "Other (e.g., implementation specific) error",
            -1 => "Can't contact LDAP server",
            -4 => "Decoding error",
            -5 => "Timed out",
            -6 => "Unknown authentication method",
            -7 => "Bad search filter",
            -11 => "Connect error",
            -12 => "Not Supported",
            -17 => "Referral Limit Exceeded",
            ..0 => "Unknown API error",
            _ => "Unknown error",
        })
    }
}
