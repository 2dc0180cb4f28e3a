//! The MIME parser: physical lines in, events out, one pass, bounded memory.
//!
//! [`Machine::update`] takes the message a line (or a part of a line) at a time and gives an iterator of [`Event`]s: whole
//! logical headers, body lines, the end of the primary headers, the end of the body and reports of malformed input. It
//! knows multipart boundaries and embedded messages, so that headers of attachments are seen as headers. With
//! [`Options::DOWNGRADE`] it turns 8-bit content into quoted-printable and corrects `Content-Transfer-Encoding:`.
//!
//! Malformed structure is never fatal. What the caller asked to have reported is reported once a kind; the parser then goes
//! on as Postfix's does.

mod content;
mod downgrade;
mod machine;

pub use machine::{Events, Machine};

use crate::Ending;
use crate::header::HeaderInfo;
use std::borrow::Cow;

/// Which header block a header stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderClass {
    /// The message's own headers.
    Primary,
    /// Headers after a multipart boundary.
    Multipart,
    /// The first headers of an embedded message.
    Nested,
}

/// One logical header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Where it stands.
    pub class: HeaderClass,
    /// What is known about it.
    pub info: Option<HeaderInfo>,
    /// Name, colon and value; continuation lines follow a newline character. White space before the colon is gone.
    pub text: Vec<u8>,
    /// Position in the current header block, as Postfix counts it.
    pub offset: u64,
}

/// One body line, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyLine<'a> {
    /// Whether the line is complete.
    pub ending: Ending,
    /// The line without its end.
    pub text: Cow<'a, [u8]>,
    /// Position in the current body block, each record counted with one byte for its end.
    pub offset: u64,
}

/// What the parser saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A header is complete.
    Header(Header),
    /// The primary headers are complete. Comes once.
    HeadersEnd,
    /// A body line, the empty line after a header block included.
    Body(BodyLine<'a>),
    /// The input has ended; this is the last chance for output.
    BodyEnd,
    /// Malformed input, reported once a kind, with the offending text.
    Error(MimeError, Vec<u8>),
}

/// What the parser can object to, most serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MimeError {
    /// More nested entities than `mime_nesting_limit`.
    Nesting,
    /// A header longer than `header_size_limit`; the rest was discarded.
    TruncatedHeader,
    /// 8-bit text in a header.
    EightBitHeader,
    /// 8-bit text in a body that is declared or defaults to 7bit.
    EightBitBody,
    /// A message or multipart with an encoding that is not an identity.
    EncodingDomain,
    /// Primary headers that end in something other than an empty line.
    NonEmptyEndOfHeader,
}

impl MimeError {
    const ALL: [Self; 6] = [
        Self::Nesting,
        Self::TruncatedHeader,
        Self::EightBitHeader,
        Self::EightBitBody,
        Self::EncodingDomain,
        Self::NonEmptyEndOfHeader,
    ];

    /// Enhanced status code (RFC 3463).
    pub fn dsn(self) -> &'static str {
        "5.6.0"
    }

    /// The text that Postfix logs and bounces with.
    pub fn text(self) -> &'static str {
        match self {
            Self::Nesting => "MIME nesting exceeds safety limit",
            Self::TruncatedHeader => "message header length exceeds safety limit",
            Self::EightBitHeader => "improper use of 8-bit data in message header",
            Self::EightBitBody => "improper use of 8-bit data in message body",
            Self::EncodingDomain => "invalid message/* or multipart/* encoding domain",
            Self::NonEmptyEndOfHeader => "primary header was terminated with non-empty line",
        }
    }
}

/// The kinds of malformed input seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MimeErrors(u8);

impl MimeErrors {
    /// Whether nothing was seen.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `error` was seen.
    pub fn contains(self, error: MimeError) -> bool {
        self.0 & (1 << error as u8) != 0
    }

    /// All that were seen, most serious first.
    pub fn iter(self) -> impl Iterator<Item = MimeError> {
        MimeError::ALL.into_iter().filter(move |&error| self.contains(error))
    }

    /// The most serious one.
    pub fn worst(self) -> Option<MimeError> {
        self.iter().next()
    }

    fn insert(&mut self, error: MimeError) {
        self.0 |= 1 << error as u8;
    }
}

/// What to do beyond parsing; combine with `|`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options(u16);

impl Options {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Convert 8-bit content into quoted-printable.
    pub const DOWNGRADE: Self = Self(1 << 0);
    /// Report [`MimeError::EightBitBody`].
    pub const REPORT_8BIT_BODY: Self = Self(1 << 1);
    /// Report [`MimeError::EightBitHeader`].
    pub const REPORT_8BIT_HEADER: Self = Self(1 << 2);
    /// Report [`MimeError::EncodingDomain`].
    pub const REPORT_ENCODING_DOMAIN: Self = Self(1 << 3);
    /// Report [`MimeError::TruncatedHeader`].
    pub const REPORT_TRUNCATED_HEADER: Self = Self(1 << 5);
    /// Ignore `Content-` headers; everything after the primary headers is body.
    pub const DISABLE_MIME: Self = Self(1 << 6);
    /// Report [`MimeError::Nesting`].
    pub const REPORT_NESTING: Self = Self(1 << 7);
    /// Report [`MimeError::NonEmptyEndOfHeader`].
    pub const REPORT_NON_EMPTY_END: Self = Self(1 << 8);

    /// Whether all of `other` is in here.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Options {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Options {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The limits that keep a hostile message from using much memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `header_size_limit`: the text of a logical header beyond it is discarded.
    pub header_size: usize,
    /// `mime_nesting_limit`.
    pub nesting: usize,
    /// `mime_boundary_length_limit`: only so much of a boundary is compared.
    pub boundary_length: usize,
}

/// One input record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// A line or a part of one.
    Text(Ending, &'a [u8]),
    /// The end of the message content.
    End,
}
