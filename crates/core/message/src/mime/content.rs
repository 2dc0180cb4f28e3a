//! `Content-Type:` and `Content-Transfer-Encoding:` as far as the parser needs them.

use crate::token::{RFC822_SPECIALS, RFC2045_SPECIALS, Scan, Token};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Other,
    Text,
    Message,
    Multipart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subtype {
    Other,
    Plain,
    Rfc822,
    Partial,
    ExternalBody,
    Global,
}

/// A content transfer encoding. The first three are "domains", that is, identity encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    SevenBit,
    EightBit,
    Binary,
    Base64,
    QuotedPrintable,
}

impl Encoding {
    const ALL: [Self; 5] =
        [Self::SevenBit, Self::EightBit, Self::Binary, Self::Base64, Self::QuotedPrintable];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::Binary => "binary",
            Self::Base64 => "base64",
            Self::QuotedPrintable => "quoted-printable",
        }
    }

    /// What the encoded text consists of.
    pub(super) fn domain(self) -> Self {
        match self {
            Self::Base64 | Self::QuotedPrintable => Self::SevenBit,
            identity => identity,
        }
    }

    /// The encoding that a header value names.
    pub(super) fn parse(mut value: &[u8]) -> Option<Self> {
        let tokens = Scan { specials: RFC822_SPECIALS, limit: 1, terminator: None }.next(&mut value)?;
        let token = tokens.first()?;
        Self::ALL.into_iter().find(|encoding| token.is_word(encoding.name()))
    }
}

/// The parts of a `Content-Type:` value, from first to last.
pub(super) struct ContentType<'a>(&'a [u8]);

const SCAN: Scan<'static> = Scan { specials: RFC2045_SPECIALS, limit: 3, terminator: Some(b';') };

impl<'a> ContentType<'a> {
    pub(super) fn new(value: &'a [u8]) -> Self {
        Self(value)
    }

    /// Type and subtype. `None` when there is neither; an unknown type is `Some((None, _))`.
    pub(super) fn media_type(&mut self) -> Option<(Option<Type>, Subtype)> {
        let tokens = SCAN.next(&mut self.0).filter(|tokens| !tokens.is_empty())?;
        let subtype = match tokens.as_slice() {
            [_, Token::Special(b'/'), subtype, ..] => Some(subtype),
            _ => None,
        };
        let is_subtype = |name| subtype.is_some_and(|token| token.is_word(name));
        let kind = tokens.first().and_then(|token| {
            [(Type::Text, "text"), (Type::Message, "message"), (Type::Multipart, "multipart")]
                .into_iter()
                .find_map(|(kind, name)| token.is_word(name).then_some(kind))
        });
        let subtype = match kind {
            Some(Type::Text) if is_subtype("plain") => Subtype::Plain,
            Some(Type::Message) if is_subtype("rfc822") => Subtype::Rfc822,
            Some(Type::Message) if is_subtype("partial") => Subtype::Partial,
            Some(Type::Message) if is_subtype("external-body") => Subtype::ExternalBody,
            Some(Type::Message) if is_subtype("global") => Subtype::Global,
            // For multipart/digest this is the default of its parts, see the caller.
            Some(Type::Multipart) if is_subtype("digest") => Subtype::Rfc822,
            _ => Subtype::Other,
        };
        Some((kind, subtype))
    }

    /// The next `boundary` parameter; there may be several, which hostile mail uses to hide content.
    pub(super) fn next_boundary(&mut self) -> Option<Vec<u8>> {
        loop {
            let tokens = SCAN.next(&mut self.0)?;
            if let [name, Token::Special(b'='), value] = tokens.as_slice()
                && name.is_word("boundary")
            {
                return Some(value.text().to_vec());
            }
        }
    }
}
