//! The copy of a message that a mailbox or a command receives.
//!
//! [`MailCopy`] makes the lines that delivery adds and escapes the message's own; reading the queue file and writing the
//! copy, with its errors, stay with the caller. [`MailCopy::finish`] must be called: a message may end in the middle of a
//! line.

use crate::{Ending, date};
use address::quote_822_local;

/// What to add and to escape; combine with `|`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyFlags(u16);

impl CopyFlags {
    /// A plain copy.
    pub const NONE: Self = Self(0);
    /// Put `>` before lines that begin with `From `.
    pub const QUOTE: Self = Self(1 << 0);
    /// The copy goes to a file. Has no meaning here; callers use it to decide about fsync and truncation.
    pub const TO_FILE: Self = Self(1 << 1);
    /// Begin with a `From ` line.
    pub const FROM: Self = Self(1 << 2);
    /// Add `Delivered-To:`.
    pub const DELIVERED: Self = Self(1 << 3);
    /// Add `Return-Path:`.
    pub const RETURN_PATH: Self = Self(1 << 4);
    /// Put `.` before lines that begin with `.`.
    pub const DOT: Self = Self(1 << 5);
    /// End with an empty line.
    pub const BLANK: Self = Self(1 << 6);
    /// Add `X-Original-To:` when the original recipient is known.
    pub const ORIGINAL_RECIPIENT: Self = Self(1 << 7);
    /// What a mailbox file gets.
    pub const MBOX: Self = Self(
        Self::QUOTE.0
            | Self::TO_FILE.0
            | Self::FROM.0
            | Self::DELIVERED.0
            | Self::RETURN_PATH.0
            | Self::BLANK.0
            | Self::ORIGINAL_RECIPIENT.0,
    );

    /// Whether all of `other` is in here.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags without those of `other`.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl std::ops::BitOr for CopyFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for CopyFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The addresses that delivery adds to a copy, in internal form.
#[derive(Clone, Copy, Debug, Default)]
pub struct CopyAddresses<'a> {
    /// Envelope sender.
    pub sender: &'a [u8],
    /// Original recipient; empty when unknown or when enable_original_recipient is off.
    pub original_recipient: &'a [u8],
    /// The address for `Delivered-To:`.
    pub delivered_to: &'a [u8],
}

/// A copy in progress.
#[derive(Clone, Debug)]
pub struct MailCopy<'a> {
    flags: CopyFlags,
    eol: &'a [u8],
    previous: Ending,
}

impl<'a> MailCopy<'a> {
    /// A copy whose lines end in `eol`.
    pub fn new(flags: CopyFlags, eol: &'a [u8]) -> Self {
        Self { flags, eol, previous: Ending::Line }
    }

    /// Appends the lines before the message: `From `, `Return-Path:`, `X-Original-To:`, `Delivered-To:`.
    pub fn begin(&self, addresses: &CopyAddresses<'_>, now: i64, out: &mut Vec<u8>) {
        let sender = quote_822_local(addresses.sender);
        if self.flags.contains(CopyFlags::FROM) {
            let name = if addresses.sender.is_empty() { address::MAILER_DAEMON } else { sender.as_slice() };
            self.push(out, &[b"From ", name, b"  ", date::asctime(now).as_bytes()]);
        }
        if self.flags.contains(CopyFlags::RETURN_PATH) {
            let sender = if addresses.sender.is_empty() { b"" } else { sender.as_slice() };
            self.push(out, &[b"Return-Path: <", sender, b">"]);
        }
        if self.flags.contains(CopyFlags::ORIGINAL_RECIPIENT) && !addresses.original_recipient.is_empty() {
            self.push(out, &[b"X-Original-To: ", &quote_822_local(addresses.original_recipient)]);
        }
        if self.flags.contains(CopyFlags::DELIVERED) {
            self.push(out, &[b"Delivered-To: ", &quote_822_local(addresses.delivered_to)]);
        }
    }

    /// Appends one record of the message.
    pub fn record(&mut self, ending: Ending, text: &[u8], out: &mut Vec<u8>) {
        if self.previous == Ending::Line {
            if self.flags.contains(CopyFlags::QUOTE) && text.starts_with(b"From ") {
                out.push(b'>');
            }
            if self.flags.contains(CopyFlags::DOT) && text.first() == Some(&b'.') {
                out.push(b'.');
            }
        }
        out.extend_from_slice(text);
        if ending == Ending::Line {
            out.extend_from_slice(self.eol);
        }
        self.previous = ending;
    }

    /// Appends what ends the copy.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.previous == Ending::Part {
            out.extend_from_slice(self.eol);
        }
        if self.flags.contains(CopyFlags::BLANK) {
            out.extend_from_slice(self.eol);
        }
    }

    fn push(&self, out: &mut Vec<u8>, parts: &[&[u8]]) {
        for part in parts {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(self.eol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailbox_copy() {
        let mut copy = MailCopy::new(CopyFlags::MBOX, b"\n");
        let addresses =
            CopyAddresses { sender: b"", original_recipient: b"a b@example", delivered_to: b"joe@example" };
        let mut out = Vec::new();
        copy.begin(&addresses, 0, &mut out);
        copy.record(Ending::Line, b"From x", &mut out);
        copy.record(Ending::Part, b"abc", &mut out);
        copy.record(Ending::Line, b"From y", &mut out);
        copy.record(Ending::Part, b".end", &mut out);
        copy.finish(&mut out);
        let want = format!(
            "From MAILER-DAEMON  {}\nReturn-Path: <>\nX-Original-To: \"a b\"@example\nDelivered-To: joe@example\n\
             >From x\nabcFrom y\n.end\n\n",
            date::asctime(0)
        );
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}
