//! What the records of a message say, typed.

use std::fmt;
use std::io;

use crate::reader::{ReadAt, ReadError, RecordReader};
use crate::record::{Record, RecordType};

/// The first record of a queue file. `cleanup` writes zeros first and the true values when it is done.
///
/// All fields have a fixed width, so that they can be overwritten in place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes from the first content record to the `Extracted` record.
    pub content_size: i64,
    /// Offset of the first content record.
    pub content_offset: i64,
    /// Number of recipients.
    pub recipients: i64,
    /// Hints for the queue manager.
    pub flags: i64,
    /// Bytes of the message as SMTP counts them; 0 in files of Postfix before 2.4.
    pub content_length: i64,
    /// SMTPUTF8 and REQUIRETLS options.
    pub send_options: i64,
    /// How many fields the record had.
    pub fields: usize,
}

impl Size {
    /// Reads as many numbers as there are, up to six, as C's `sscanf` does.
    pub fn parse(data: &[u8]) -> Size {
        let mut size = Size::default();
        let mut rest = data.split(|&c| c == 0).next().unwrap_or(&[]);
        let slots = [
            &mut size.content_size,
            &mut size.content_offset,
            &mut size.recipients,
            &mut size.flags,
            &mut size.content_length,
            &mut size.send_options,
        ];
        let mut fields = 0;
        for slot in slots {
            rest = rest.trim_ascii_start();
            let sign = usize::from(rest.first().is_some_and(|c| matches!(c, b'+' | b'-')));
            let digits = rest[sign..].iter().take_while(|c| c.is_ascii_digit()).count();
            if digits == 0 {
                break;
            }
            let (number, behind) = rest.split_at(sign + digits);
            rest = behind;
            let number = leading_number(number);
            *slot = number;
            fields += 1;
        }
        size.fields = fields;
        size
    }
}

/// The record's data.
/// The width of a field.
const PADDING: &str = "               ";

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { content_size, content_offset, recipients, flags, content_length, send_options, .. } = self;
        let fields = [content_size, content_offset, recipients, flags, content_length, send_options];
        for (number, field) in fields.into_iter().enumerate() {
            // The formatter's own padding writes character by character, twice for every message.
            let digits = field.to_string();
            let padding = PADDING.get(digits.len()..).unwrap_or_default();
            f.write_str(if number > 0 { " " } else { "" })?;
            f.write_str(padding)?;
            f.write_str(&digits)?;
        }
        Ok(())
    }
}

/// `SEND` options of a message, in the sixth field of [`Size`] and in delivery requests.
pub mod send_options {
    /// SMTPUTF8 was asked for.
    pub const SMTPUTF8_REQUESTED: i64 = 1;
    /// A header has bytes above 127.
    pub const SMTPUTF8_HEADER: i64 = 1 << 1;
    /// The sender has.
    pub const SMTPUTF8_SENDER: i64 = 1 << 2;
    /// A recipient has (delivery requests only).
    pub const SMTPUTF8_RECIPIENT: i64 = 1 << 3;
    /// All of the above.
    pub const SMTPUTF8_ALL: i64 = 15;
    /// Found in the message rather than asked for.
    pub const SMTPUTF8_DERIVED: i64 = SMTPUTF8_HEADER | SMTPUTF8_SENDER | SMTPUTF8_RECIPIENT;
    /// `TLS-Required: no`.
    pub const REQUIRETLS_HEADER: i64 = 1 << 4;
    /// `MAIL FROM ... REQUIRETLS`.
    pub const REQUIRETLS_ESMTP: i64 = 1 << 5;
    /// Both.
    pub const REQUIRETLS_ALL: i64 = REQUIRETLS_HEADER | REQUIRETLS_ESMTP;
    /// Every option that is known.
    pub const ALL: i64 = SMTPUTF8_ALL | REQUIRETLS_ALL;
    /// Every option that is derived from the message.
    pub const DERIVED: i64 = SMTPUTF8_DERIVED | REQUIRETLS_HEADER;
}

/// Data of a `Time` record: seconds and microseconds.
pub fn time_data(seconds: i64, micros: u32) -> String {
    format!("{seconds} {micros}")
}

/// Reads a `Time` record: seconds, and microseconds if they are there.
pub fn parse_time(data: &[u8]) -> (i64, i64) {
    let seconds = leading_number(data);
    let digits = data.iter().take_while(|c| c.is_ascii_digit()).count();
    (seconds, leading_number(&data[digits..]))
}

/// Data of a `Warn` record, which the queue manager overwrites.
pub fn warn_data(when: i64) -> String {
    format!("{when:15}")
}

/// Data of a `Pointer` record.
pub fn pointer_data(offset: u64) -> String {
    format!("{offset:15}")
}

/// Length of a `Pointer` record's data: room to keep for one.
pub const POINTER_DATA_LEN: usize = 15;

/// The number at the start, as C's `atol` reads it.
pub fn leading_number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let number = digits
        .iter()
        .take_while(|c| c.is_ascii_digit())
        .fold(0i64, |sum, c| sum.saturating_mul(10).saturating_add(i64::from(c - b'0')));
    if negative { -number } else { number }
}

/// Splits the data of an `Attr` record, `name = value` with optional white space.
pub fn split_attribute(text: &[u8]) -> Result<(&[u8], &[u8]), BadAttribute> {
    let text = text.trim_ascii_start();
    if text.first().is_none_or(|&c| c == b'=') {
        return Err(BadAttribute::NoName);
    }
    let name_end = text.iter().position(|c| c.is_ascii_whitespace() || *c == b'=').unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    match rest.trim_ascii_start().split_first() {
        Some((b'=', value)) => Ok((name, value.trim_ascii())),
        _ => Err(BadAttribute::NoEquals),
    }
}

/// Not `name=value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAttribute {
    /// Nothing before the `=`.
    #[error("missing attribute name")]
    NoName,
    /// No `=`.
    #[error("missing '=' after attribute name")]
    NoEquals,
}

/// A recipient of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// Where its record is: what [`crate::mark_done`] takes.
    pub offset: u64,
    /// The address.
    pub address: Vec<u8>,
    /// Before aliases and maps; empty if not recorded.
    pub original: Vec<u8>,
    /// DSN original recipient; empty if not given.
    pub dsn_orcpt: Vec<u8>,
    /// DSN notification flags, 0 if not given.
    pub dsn_notify: i64,
    /// Whether it is done already.
    pub done: bool,
}

/// A whole message's envelope, for programs that want all of it (the queue manager reads piecewise).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The size record.
    pub size: Option<Size>,
    /// Time of arrival, seconds and microseconds.
    pub arrival: (i64, i64),
    /// Sender; `None` if there is no sender record.
    pub sender: Option<Vec<u8>>,
    /// Full name of a local sender.
    pub full_name: Vec<u8>,
    /// Recipients to do and done.
    pub recipients: Vec<Recipient>,
    /// Named attributes in order.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Offset of the first content record.
    pub content_offset: u64,
    /// Offset of the record that ends the content.
    pub content_end: u64,
    /// Records without a field here, in order, with their types.
    pub others: Vec<(RecordType, Vec<u8>)>,
}

/// The message is damaged.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// A record cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record of this type may not stand here.
    #[error("unexpected record type {0} at offset {1}")]
    Misplaced(u8, u64),
    /// No `End` record: the file is cut off.
    #[error("missing end record")]
    NoEnd,
}

impl From<io::Error> for EnvelopeError {
    fn from(fault: io::Error) -> EnvelopeError {
        EnvelopeError::Read(fault.into())
    }
}

/// The parts of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before the content.
    Envelope,
    /// Header and body.
    Content,
    /// After the content.
    Extracted,
}

impl Part {
    /// The record types allowed in it; the first one ends it.
    pub const fn types(self) -> &'static [u8] {
        match self {
            Part::Envelope => RecordType::ENVELOPE,
            Part::Content => RecordType::CONTENT,
            Part::Extracted => RecordType::EXTRACTED,
        }
    }
}

impl Envelope {
    /// Reads all of a message but its content, and checks that it is complete.
    ///
    /// The content is skipped with the help of the size record; without one it is read through.
    pub fn read<S: ReadAt>(reader: &mut RecordReader<S>) -> Result<Envelope, EnvelopeError> {
        let mut envelope = Envelope::default();
        let mut part = Part::Envelope;
        let mut pending = Recipient::default();
        loop {
            let Some(record) = reader.next()? else {
                return Err(EnvelopeError::NoEnd);
            };
            if !record.kind.is_in(part.types()) && record.kind != RecordType::Delay {
                return Err(EnvelopeError::Misplaced(record.kind.as_byte(), record.offset));
            }
            match record.kind {
                RecordType::Content => {
                    part = Part::Content;
                    envelope.content_offset = reader.offset();
                    if let Some(end) = envelope.content_end_by_size() {
                        reader.seek(end);
                    }
                }
                RecordType::Extracted => {
                    part = Part::Extracted;
                    envelope.content_end = record.offset;
                }
                RecordType::End => return Ok(envelope),
                _ if part == Part::Content => {}
                _ => envelope.take(record, &mut pending),
            }
        }
    }

    fn content_end_by_size(&self) -> Option<u64> {
        let size = self.size.filter(|size| size.fields >= 3 && size.content_size > 0)?;
        if u64::try_from(size.content_offset).ok()? != self.content_offset {
            return None;
        }
        self.content_offset.checked_add(u64::try_from(size.content_size).ok()?)
    }

    fn take(&mut self, record: Record<'_>, pending: &mut Recipient) {
        let text = record.text();
        match record.kind {
            // Files that went through `postsuper -r` may hold the size record of an earlier life.
            RecordType::Size => {
                self.size.get_or_insert_with(|| Size::parse(text));
            }
            RecordType::Time if self.arrival.0 == 0 => self.arrival = parse_time(text),
            RecordType::FullName => self.full_name = text.to_vec(),
            RecordType::Sender => {
                self.sender.get_or_insert_with(|| text.to_vec());
            }
            RecordType::OriginalRecipient => pending.original = text.to_vec(),
            RecordType::DsnOrcpt => pending.dsn_orcpt = text.to_vec(),
            RecordType::DsnNotify => pending.dsn_notify = leading_number(text),
            RecordType::Recipient | RecordType::Done => {
                pending.offset = record.offset;
                pending.address = text.to_vec();
                pending.done = record.kind == RecordType::Done;
                self.recipients.push(std::mem::take(pending));
            }
            RecordType::Canceled => *pending = Recipient::default(),
            RecordType::Attr => {
                if let Ok((name, value)) = split_attribute(text) {
                    self.attributes.push((name.to_vec(), value.to_vec()));
                }
            }
            other => self.others.push((other, record.data.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_records() {
        let size = Size {
            content_size: 336,
            content_offset: 728,
            recipients: 1,
            content_length: 336,
            ..Size::default()
        };
        let text = size.to_string();
        assert_eq!(text.len(), 95);
        assert_eq!(Size::parse(text.as_bytes()), Size { fields: 6, ..size });
        assert_eq!(Size::parse(b"            336             728               1               0").fields, 4);
        assert_eq!(Size::parse(b"junk").fields, 0);
    }

    #[test]
    fn attributes() {
        assert_eq!(split_attribute(b" a = b c "), Ok((&b"a"[..], &b"b c"[..])));
        assert_eq!(split_attribute(b"a="), Ok((&b"a"[..], &b""[..])));
        assert_eq!(split_attribute(b"=x").unwrap_err().to_string(), "missing attribute name");
        assert_eq!(split_attribute(b"a b=c").unwrap_err().to_string(), "missing '=' after attribute name");
    }

    #[test]
    fn numbers() {
        assert_eq!(leading_number(b"  12x"), 12);
        assert_eq!(leading_number(b"-3"), -3);
        assert_eq!(leading_number(b""), 0);
        assert_eq!(parse_time(b"1700000000 123"), (1_700_000_000, 123));
        assert_eq!(parse_time(b"1700000000"), (1_700_000_000, 0));
    }
}
