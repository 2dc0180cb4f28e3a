//! Records: a type byte, a length in 7-bit groups (least significant first, bit 8 means more), and that much data.

use std::fmt;

macro_rules! record_types {
    ($($(#[$doc:meta])* $variant:ident = $byte:literal, $name:literal;)*) => {
        /// What a record is. Its byte is what the file holds; its name is what `postcat` prints.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RecordType {
            $($(#[$doc])* $variant,)*
            /// A byte that no version of Postfix writes.
            Unknown(u8),
        }

        impl RecordType {
            /// The type that this byte stands for.
            pub const fn from_byte(byte: u8) -> RecordType {
                match byte {
                    $($byte => RecordType::$variant,)*
                    other => RecordType::Unknown(other),
                }
            }

            /// The byte in the file.
            pub const fn as_byte(self) -> u8 {
                match self {
                    $(RecordType::$variant => $byte,)*
                    RecordType::Unknown(byte) => byte,
                }
            }

            /// The name that `postcat` prints.
            pub const fn name(self) -> &'static str {
                match self {
                    $(RecordType::$variant => $name,)*
                    RecordType::Unknown(_) => "unknown_record_type",
                }
            }
        }
    };
}

record_types! {
    /// First record: sizes and counts, updated in place by `cleanup` when it is done.
    Size = b'C', "message_size";
    /// Time of arrival, `seconds microseconds`.
    Time = b'T', "message_arrival_time";
    /// Time when the queue file was made; differs from arrival after `postsuper -r`.
    CreateTime = b'c', "queue_file_create_time";
    /// Full name of a local sender.
    FullName = b'F', "sender_fullname";
    /// Content inspection transport.
    Inspector = b'I', "content_inspector";
    /// In the message part: text without a line end. In the envelope: the content filter.
    /// COMPAT: one byte, two meanings, told apart by where it stands.
    Cont = b'L', "unterminated_text";
    /// Sender address, required.
    Sender = b'S', "sender";
    /// A recipient that is done; delivery agents write this byte over `Recipient`.
    Done = b'D', "done_recipient";
    /// A recipient to do.
    Recipient = b'R', "recipient";
    /// Address of the next recipient before aliases and maps.
    OriginalRecipient = b'O', "original_recipient";
    /// A recipient that a milter took back.
    Canceled = b'/', "canceled_recipient";
    /// When to warn the sender about delay; 15 characters, updated in place.
    Warn = b'W', "warning_message_time";
    /// `name=value`.
    Attr = b'A', "named_attribute";
    /// A record that was made void in place.
    Killed = b'K', "killed_record";
    /// Redirect all mail to this address.
    Redirect = b'>', "redirect_to";
    /// Processing flags for `cleanup`.
    Flags = b'f', "flags";
    /// Delay upon arrival.
    Delay = b'd', "unknown_record_type";
    /// The message content begins.
    Content = b'M', "message_content";
    /// A line of text.
    Norm = b'N', "regular_text";
    /// Padding, never part of the content.
    Padding = b'w', "padding";
    /// The part extracted from headers begins.
    Extracted = b'X', "extracted_info";
    /// Return-Receipt-To.
    ReturnReceipt = b'r', "return_receipt";
    /// Errors-To.
    ErrorsTo = b'e', "errors_to";
    /// Priority.
    Priority = b'P', "priority";
    /// Continue reading at this offset; 0 means here.
    Pointer = b'p', "pointer_record";
    /// VERP delimiters.
    Verp = b'V', "verp_delimiters";
    /// DSN: what to return, full message or headers.
    DsnReturn = b'<', "dsn_return_flags";
    /// DSN envelope id.
    DsnEnvid = b'i', "dsn_envelope_id";
    /// DSN original recipient of the next recipient.
    DsnOrcpt = b'o', "dsn_original_recipient";
    /// DSN notification flags of the next recipient.
    DsnNotify = b'n', "dsn_notify_flags";
    /// Reserved for milter bookkeeping.
    MilterCount = b'm', "unknown_record_type";
    /// The end, required.
    End = b'E', "message_end";
}

impl RecordType {
    /// The content filter, when the record stands in the envelope.
    pub const FILTER: RecordType = RecordType::Cont;
    /// Types of the envelope part (the first ends it).
    pub const ENVELOPE: &'static [u8] = b"MCTcFILSDRO/WVA>K<ion";
    /// Types of the content part (the first ends it).
    pub const CONTENT: &'static [u8] = b"XLNw";
    /// Types of the extracted part (the first ends it).
    pub const EXTRACTED: &'static [u8] = b"EDRO/PreAFIL>Kon";
    /// Types of the envelope part that may stand among recipients at its end without spoiling early delivery.
    pub const ENVELOPE_RECIPIENTS: &'static [u8] = b"MDRO/Kon";
    /// The same for the extracted part.
    pub const EXTRACTED_RECIPIENTS: &'static [u8] = b"EDRO/Kon";
    /// What `postdrop` accepts in the envelope part.
    pub const POSTDROP_ENVELOPE: &'static [u8] = b"MCFSRVAin";
    /// What `postdrop` accepts in the content part.
    pub const POSTDROP_CONTENT: &'static [u8] = b"XLN";
    /// What `postdrop` accepts in the extracted part.
    pub const POSTDROP_EXTRACTED: &'static [u8] = b"EAR";

    /// Whether it is one of the bytes of such a set.
    pub fn is_in(self, set: &[u8]) -> bool {
        memchr::memchr(self.as_byte(), set).is_some()
    }

    /// Whether it is text of the message: `N` or `L`.
    pub const fn is_text(self) -> bool {
        matches!(self, RecordType::Norm | RecordType::Cont)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One record, borrowed from wherever it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: RecordType,
    /// Where its type byte stands.
    pub offset: u64,
    /// Its data.
    pub data: &'a [u8],
}

impl<'a> Record<'a> {
    /// The data up to the first NUL: what programs written in C take it for. Envelope data is read so.
    pub fn text(&self) -> &'a [u8] {
        match memchr::memchr(0, self.data) {
            Some(end) => &self.data[..end],
            None => self.data,
        }
    }
}

/// The bytes are no records, or not all of them are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The length has too many digits.
    #[error("too many length bits, record type {0}")]
    LengthBits(u8),
    /// Nothing follows the type or part of the length.
    #[error("unexpected EOF reading length, record type {0}")]
    LengthEof(u8),
    /// The length is above the reader's limit.
    #[error("illegal length {length}, record type {kind}")]
    Length {
        /// Type byte.
        kind: u8,
        /// Stated length.
        length: u64,
    },
    /// Data is missing.
    #[error("unexpected EOF in data, record type {kind} length {length}")]
    DataEof {
        /// Type byte.
        kind: u8,
        /// Stated length.
        length: u64,
    },
}

/// What stands at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A record of this many bytes in all (its `offset` is 0).
    Record(Record<'a>, usize),
    /// Part of a record; so many bytes are needed at least, from its start, to know more.
    Partial {
        /// Wanted length of the input.
        needed: usize,
    },
}

/// Longest head of a record: the type, and four digits of length.
pub const HEAD_LONGEST: usize = 5;
/// Shifts above this do not fit: four length digits, 28 bits.
const SHIFT_LIMIT: u32 = 32;

/// Decodes the record at the start of `input`. `limit` bounds the data's length; 0 is no bound.
///
/// For streams: read more and call again on [`Decoded::Partial`].
pub fn decode(input: &[u8], limit: usize) -> Result<Decoded<'_>, Malformed> {
    let Some((&kind, rest)) = input.split_first() else {
        return Ok(Decoded::Partial { needed: 2 });
    };
    let mut length = 0u64;
    let mut shift = 0;
    let mut used = 1;
    let mut digits = rest.iter();
    loop {
        if shift + 7 >= SHIFT_LIMIT {
            return Err(Malformed::LengthBits(kind));
        }
        let Some(&digit) = digits.next() else {
            return Ok(Decoded::Partial { needed: used + 1 });
        };
        used += 1;
        length |= u64::from(digit & 0o177) << shift;
        if digit & 0o200 == 0 {
            break;
        }
        shift += 7;
    }
    if limit > 0 && length > limit as u64 {
        return Err(Malformed::Length { kind, length });
    }
    let total = used + length as usize;
    match input.get(used..total) {
        Some(data) => {
            Ok(Decoded::Record(Record { kind: RecordType::from_byte(kind), offset: 0, data }, total))
        }
        None => Ok(Decoded::Partial { needed: total }),
    }
}

/// What is wrong with a partial record at the end of the input.
pub fn truncated(input: &[u8]) -> Option<Malformed> {
    let (&kind, digits) = input.split_first()?;
    let Some(end) = digits.iter().position(|digit| digit & 0o200 == 0) else {
        return Some(Malformed::LengthEof(kind));
    };
    let length = digits[..=end].iter().rev().fold(0u64, |sum, digit| sum << 7 | u64::from(digit & 0o177));
    Some(Malformed::DataEof { kind, length })
}

/// Appends a record to `out`.
pub fn encode(out: &mut Vec<u8>, kind: RecordType, data: &[u8]) {
    out.reserve(data.len() + HEAD_LONGEST);
    out.push(kind.as_byte());
    let mut rest = data.len();
    loop {
        let digit = (rest & 0o177) as u8;
        rest >>= 7;
        if rest == 0 {
            out.push(digit);
            break;
        }
        out.push(digit | 0o200);
    }
    out.extend_from_slice(data);
}

/// Appends a record that takes `total` bytes (at least 3) with filler data, as `cleanup` reserves room for pointers.
pub fn encode_padding(out: &mut Vec<u8>, kind: RecordType, total: usize) {
    let width = total.saturating_sub(2).max(1);
    let data = format!("{:>width$}", "0");
    encode(out, kind, data.as_bytes());
}

/// Bytes that a record with this much data takes.
pub const fn encoded_len(data: usize) -> usize {
    let mut rest = data >> 7;
    let mut head = 2;
    while rest != 0 {
        head += 1;
        rest >>= 7;
    }
    head + data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        let mut out = Vec::new();
        encode(&mut out, RecordType::Norm, b"hello");
        assert_eq!(out, b"N\x05hello");
        let long = vec![b'x'; 300];
        out.clear();
        encode(&mut out, RecordType::Cont, &long);
        assert_eq!(&out[..3], b"L\xac\x02");
        assert_eq!(out.len(), encoded_len(300));
        out.clear();
        encode_padding(&mut out, RecordType::Pointer, 17);
        assert_eq!(out, b"p\x0f              0");
    }

    #[test]
    fn faults_have_postfix_texts() {
        assert_eq!(
            decode(b"N\x80\x80\x80\x80\x01", 0).unwrap_err().to_string(),
            "too many length bits, record type 78"
        );
        assert_eq!(decode(b"N\x05hello", 4).unwrap_err().to_string(), "illegal length 5, record type 78");
        assert_eq!(decode(b"N\x05hel", 0), Ok(Decoded::Partial { needed: 7 }));
        assert_eq!(
            truncated(b"N\x05hel").unwrap().to_string(),
            "unexpected EOF in data, record type 78 length 5"
        );
        assert_eq!(truncated(b"N\x85").unwrap().to_string(), "unexpected EOF reading length, record type 78");
    }

    #[test]
    fn every_byte_is_a_type() {
        for byte in 0..=255 {
            assert_eq!(RecordType::from_byte(byte).as_byte(), byte);
        }
    }

    proptest::proptest! {
        #[test]
        fn round_trip(kind: u8, data: Vec<u8>, tail: Vec<u8>) {
            let kind = RecordType::from_byte(kind);
            let mut out = Vec::new();
            encode(&mut out, kind, &data);
            let length = out.len();
            assert_eq!(length, encoded_len(data.len()));
            out.extend(tail);
            assert_eq!(decode(&out, 0), Ok(Decoded::Record(Record { kind, offset: 0, data: &data }, length)));
        }

        #[test]
        fn no_input_panics(input: Vec<u8>) {
            let _ignored = decode(&input, 100);
            let _ignored = truncated(&input);
        }
    }
}
