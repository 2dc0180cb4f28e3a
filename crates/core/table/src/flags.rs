//! How a table is opened and used, with the bit values that the proxymap protocol carries.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// What the caller wants of a table, and what a table is. The bits are Postfix's `DICT_FLAG_*`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Flags(u32);

impl Flags {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Warn about a duplicate key and keep the first value.
    pub const DUP_WARN: Self = Self(1 << 0);
    /// Keep the first value of a duplicate key without a word.
    pub const DUP_IGNORE: Self = Self(1 << 1);
    /// Keys and values are stored without a trailing NUL.
    pub const TRY0NULL: Self = Self(1 << 2);
    /// Keys and values are stored with a trailing NUL.
    pub const TRY1NULL: Self = Self(1 << 3);
    /// The table holds fixed keys, so that partial addresses and parent domains may be looked up.
    pub const FIXED: Self = Self(1 << 4);
    /// The table holds patterns: look up full addresses and names only.
    pub const PATTERN: Self = Self(1 << 5);
    /// Lock the file around each access.
    pub const LOCK: Self = Self(1 << 6);
    /// Replace the value of a duplicate key.
    pub const DUP_REPLACE: Self = Self(1 << 7);
    /// Each update reaches the disk before it returns.
    pub const SYNC_UPDATE: Self = Self(1 << 8);
    /// No `$number` substitution in results of pattern tables.
    pub const NO_REGSUB: Self = Self(1 << 11);
    /// Open what is behind `proxy:` directly.
    pub const NO_PROXY: Self = Self(1 << 12);
    /// No table types whose answers anybody on the network can forge.
    pub const NO_UNAUTH: Self = Self(1 << 13);
    /// Fold the case of keys for tables with fixed keys.
    pub const FOLD_FIX: Self = Self(1 << 14);
    /// Fold the case of keys for tables with patterns.
    pub const FOLD_MUL: Self = Self(1 << 15);
    /// Both kinds of case folding.
    pub const FOLD_ANY: Self = Self(Self::FOLD_FIX.0 | Self::FOLD_MUL.0);
    /// Hold an exclusive lock while the table is open.
    pub const OPEN_LOCK: Self = Self(1 << 16);
    /// Build the whole table in one transaction.
    pub const BULK_UPDATE: Self = Self(1 << 17);
    /// The file format survives several writers.
    pub const MULTI_WRITER: Self = Self(1 << 18);
    /// Check keys and values for UTF-8 and fold case by Unicode rules, where `smtputf8_enable` is on.
    pub const UTF8_REQUEST: Self = Self(1 << 19);
    /// The UTF-8 checks are in place.
    pub const UTF8_ACTIVE: Self = Self(1 << 20);
    /// Values in the source are file names; what is stored is the content in base64.
    pub const SRC_RHS_IS_FILE: Self = Self(1 << 21);
    /// What must not decide about security: substitution, proxies, unauthenticated sources.
    pub const PARANOID: Self = Self(Self::NO_REGSUB.0 | Self::NO_PROXY.0 | Self::NO_UNAUTH.0);

    /// The flags of the usual read-only lookup table: locked, case folded, UTF-8 aware.
    pub const LOOKUP: Self = Self(Self::LOCK.0 | Self::FOLD_FIX.0 | Self::UTF8_REQUEST.0);

    const NAMES: [(&'static str, Self); 20] = [
        ("warn_dup", Self::DUP_WARN),
        ("ignore_dup", Self::DUP_IGNORE),
        ("try0null", Self::TRY0NULL),
        ("try1null", Self::TRY1NULL),
        ("fixed", Self::FIXED),
        ("pattern", Self::PATTERN),
        ("lock", Self::LOCK),
        ("dup_replace", Self::DUP_REPLACE),
        ("sync_update", Self::SYNC_UPDATE),
        ("no_regsub", Self::NO_REGSUB),
        ("no_proxy", Self::NO_PROXY),
        ("no_unauth", Self::NO_UNAUTH),
        ("fold_fix", Self::FOLD_FIX),
        ("fold_mul", Self::FOLD_MUL),
        ("open_lock", Self::OPEN_LOCK),
        ("bulk_update", Self::BULK_UPDATE),
        ("multi_writer", Self::MULTI_WRITER),
        ("utf8_request", Self::UTF8_REQUEST),
        ("utf8_active", Self::UTF8_ACTIVE),
        ("src_rhs_is_file", Self::SRC_RHS_IS_FILE),
    ];

    /// The bits as they travel to proxymap.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Flags from the wire; unknown bits stay.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether all of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These flags and not those of `other`.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those of `other` that are set.
    pub fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The flag that [`fmt::Display`] prints as `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, flag)| *flag)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// `lock|fold_fix|utf8_request`, as in Postfix's verbose log.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut rest = *self;
        for (name, flag) in Self::NAMES {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = "|";
                rest = rest.without(flag);
            }
        }
        if rest != Self::NONE {
            write!(f, "{separator}0x{:x}", rest.0)?;
        }
        Ok(())
    }
}

/// What a table is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Lookups only.
    Read,
    /// Lookups and updates of a table that exists.
    Write,
    /// Lookups and updates; the table is created when it does not exist.
    Create,
    /// A new table that replaces the contents of the old one, in one step and when it is closed.
    Truncate,
}
