//! Bytes as text for replies and logs.

use std::borrow::Cow;

/// Characters that could change the meaning of a header or a log line.
pub(crate) const NEUTER_CHARACTERS: &str = " <>()\\\";@";

/// Bytes as text: UTF-8 as it is, every other byte as `?`.
pub(crate) fn show(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|_| '?'));
            }
            Cow::Owned(text)
        }
    }
}

/// Bytes with everything but printable characters replaced; UTF-8 stays when `smtputf8_enable` is set.
pub(crate) fn printable(bytes: &[u8], replacement: char, encoding: Encoding) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if matches!(c, ' '..='~') || (!c.is_ascii() && encoding == Encoding::Utf8) {
                text.push(c);
            } else {
                text.extend(std::iter::repeat_n(replacement, c.len_utf8()));
            }
        }
        text.extend(chunk.invalid().iter().map(|_| replacement));
    }
    text
}

/// What counts as printable text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// ASCII only.
    Ascii,
    /// Valid UTF-8 as well.
    Utf8,
}

/// Replaces unprintable and special characters.
pub(crate) fn neuter(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_control() || NEUTER_CHARACTERS.contains(c) { '?' } else { c })
        .collect()
}

/// Bytes with C escapes, for showing what a client sent.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            0x0c => text.push_str("\\f"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x0b => text.push_str("\\v"),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text
}

/// The bytes that C escapes stand for.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let escaped = match (byte, rest.split_first()) {
            (b'\\', Some((&escaped, tail))) => {
                rest = tail;
                escaped
            }
            _ => {
                bytes.push(byte);
                continue;
            }
        };
        bytes.push(match escaped {
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let more = rest.iter().take(2).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
                let (digits, tail) = rest.split_at(more);
                rest = tail;
                let octal = digits
                    .iter()
                    .fold(u16::from(escaped - b'0'), |value, digit| value * 8 + u16::from(digit - b'0'));
                octal.to_le_bytes()[0]
            }
            other => other,
        });
    }
    bytes
}

/// The first `limit` bytes of a text, without cutting a character.
pub(crate) fn clip(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether a text consists of digits, and has some.
pub(crate) fn all_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Splits `user@domain` at the last `@`.
pub(crate) fn split_domain(address: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memrchr(b'@', address)?;
    Some((&address[..at], &address[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unprintable_bytes_are_replaced_one_for_one() {
        assert_eq!(printable(b"a\x01\xffb", '?', Encoding::Utf8), "a??b");
        assert_eq!(printable("é".as_bytes(), '?', Encoding::Ascii), "??");
        assert_eq!(printable("é".as_bytes(), '?', Encoding::Utf8), "é");
        assert_eq!(neuter("a<b>@c"), "a?b??c");
        assert_eq!(unescape(r"\t\40!\\x"), b"\t !\\x");
        assert_eq!(escape(b"GET /\r\n\x00"), "GET /\\r\\n\\000");
    }
}
