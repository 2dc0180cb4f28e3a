//! Address extensions: `user+extension@domain`.

use crate::fold::eq_fold;
use crate::{DOUBLE_BOUNCE, MAILER_DAEMON, POSTMASTER};

/// The rules by which a local part is split: `recipient_delimiter`, `double_bounce_sender` and
/// `owner_request_special`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splitter {
    delimiters: Vec<u8>,
    /// `double_bounce_sender`, which is never split.
    pub double_bounce_sender: Vec<u8>,
    /// Whether `owner-name` and `name-request` stay whole when `-` is a delimiter.
    pub owner_request_special: bool,
}

/// An address without its extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stripped<'a> {
    /// The address with the extension taken out.
    pub address: Vec<u8>,
    /// The extension, its delimiter included.
    pub extension: &'a [u8],
}

impl Splitter {
    /// Splits at the first of these delimiters; no delimiter, no splitting.
    pub fn new(delimiters: impl Into<Vec<u8>>) -> Splitter {
        Splitter {
            delimiters: delimiters.into(),
            double_bounce_sender: DOUBLE_BOUNCE.to_vec(),
            owner_request_special: true,
        }
    }

    /// Replaces the name that is never split.
    pub fn with_double_bounce_sender(mut self, name: impl Into<Vec<u8>>) -> Splitter {
        self.double_bounce_sender = name.into();
        self
    }

    /// Sets `owner_request_special`.
    pub fn with_owner_request_special(mut self, special: bool) -> Splitter {
        self.owner_request_special = special;
        self
    }

    /// The set of delimiters.
    pub fn delimiters(&self) -> &[u8] {
        &self.delimiters
    }

    /// Whether there is anything to split at.
    pub fn is_enabled(&self) -> bool {
        !self.delimiters.is_empty()
    }

    /// Name and extension (without its delimiter) of a local part in internal form, when there is
    /// an extension and the name is not reserved. The name is never empty.
    pub fn split<'a>(&self, local: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let at = local.iter().position(|byte| self.delimiters.contains(byte))?;
        if at == 0 || self.is_reserved(local) {
            return None;
        }
        Some((&local[..at], &local[at + 1..]))
    }

    /// Takes the extension out of an address (with or without domain) in internal form.
    pub fn strip<'a>(&self, address: &'a [u8]) -> Option<Stripped<'a>> {
        let local = crate::local_part(address);
        let (name, _) = self.split(local)?;
        let mut stripped = name.to_vec();
        stripped.extend_from_slice(&address[local.len()..]);
        Some(Stripped { address: stripped, extension: &local[name.len()..] })
    }

    fn is_reserved(&self, local: &[u8]) -> bool {
        if local.eq_ignore_ascii_case(POSTMASTER)
            || local.eq_ignore_ascii_case(MAILER_DAEMON)
            || eq_fold(local, &self.double_bounce_sender)
        {
            return true;
        }
        if !self.owner_request_special || !self.delimiters.contains(&b'-') {
            return false;
        }
        let starts = local.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"owner-"));
        let ends = local
            .len()
            .checked_sub(8)
            .is_some_and(|name| name > 0 && local[name..].eq_ignore_ascii_case(b"-request"));
        starts || ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_stay_whole() {
        let splitter = Splitter::new("+-");
        for name in ["double-bounce", "MAILER-DAEMON", "owner-list", "list-REQUEST", "+foo", "foo"] {
            assert_eq!(splitter.split(name.as_bytes()), None, "{name}");
        }
        assert_eq!(splitter.split(b"-request"), None);
        let plain = Splitter::new("-").with_owner_request_special(false);
        assert_eq!(plain.split(b"owner-list"), Some((&b"owner"[..], &b"list"[..])));
        assert_eq!(Splitter::new("+").split(b"owner-list+x"), Some((&b"owner-list"[..], &b"x"[..])));
    }

    #[test]
    fn an_empty_extension_is_an_extension() {
        assert_eq!(Splitter::new("+").split(b"foo+"), Some((&b"foo"[..], &b""[..])));
    }
}
