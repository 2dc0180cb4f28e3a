//! Address quoting in SMTP parameters: xtext (RFC 3461) and utf-8-addr-xtext (RFC 6533).

use std::fmt::Write;

/// Quotes as `+XX` what is not printable ASCII, `+`, and every byte in `special`.
pub fn quote(text: &[u8], special: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut quoted = Vec::with_capacity(text.len());
    for &byte in text {
        if byte.is_ascii_graphic() && byte != b'+' && !special.contains(&byte) {
            quoted.push(byte);
        } else {
            quoted.extend_from_slice(&[b'+', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    quoted
}

/// Undoes [`quote`]; `None` when a `+` is not followed by two hexadecimal digits.
pub fn unquote(quoted: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'+' {
            let (digits, tail) = rest.split_first_chunk::<2>()?;
            text.push((hex_digit(digits[0])? << 4 | hex_digit(digits[1])?) as u8);
            rest = tail;
        } else {
            text.push(byte);
        }
    }
    Some(text)
}

/// Quotes as `\x{HEX}` controls, blanks, backslashes, bytes in `special` and all non-ASCII characters.
///
/// `None` when the text is not UTF-8.
pub fn uxtext_quote(text: &[u8], special: &[u8]) -> Option<Vec<u8>> {
    quote_characters(text, special, |character| !character.is_ascii())
}

/// As [`uxtext_quote`], but non-ASCII characters stay.
pub fn unitext_quote(text: &[u8], special: &[u8]) -> Option<Vec<u8>> {
    quote_characters(text, special, |_| false)
}

fn quote_characters(text: &[u8], special: &[u8], quotes: impl Fn(char) -> bool) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        let is_plain = match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => {
                byte.is_ascii_graphic() && byte != b'\\' && !special.contains(&byte)
            }
            _ => !quotes(character),
        };
        if is_plain {
            quoted.push(character);
        } else {
            write!(quoted, "\\x{{{:02X}}}", u32::from(character)).ok()?;
        }
    }
    Some(quoted.into_bytes())
}

/// Undoes [`uxtext_quote`] and [`unitext_quote`]; `None` when a `\x{` is malformed or names no character.
pub fn uxtext_unquote(quoted: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some((&byte, tail)) = rest.split_first() {
        if let Some(hex) = rest.strip_prefix(b"\\x{") {
            let (digits, tail) = bytes::split_once(hex, b'}')?;
            let code = digits.iter().try_fold(0u32, |code, &digit| {
                let code = code << 4 | hex_digit(digit)?;
                (code <= 0x10_ffff).then_some(code)
            })?;
            // A quoted NUL could not be told from the end of a C string at the other side.
            let character = char::from_u32(code).filter(|&character| character != '\0')?;
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            rest = tail;
        } else {
            text.push(byte);
            rest = tail;
        }
    }
    Some(text)
}

fn hex_digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_round_trip() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unquote(&quote(&all, b"+=")).unwrap(), all);
        assert_eq!(quote(b"a+b=c d", b"="), b"a+2Bb+3Dc+20d");
        assert_eq!(unquote(b"+2+"), None);
        assert_eq!(unquote(b"+2"), None);
    }

    #[test]
    fn uxtext() {
        assert_eq!(uxtext_quote("π\\ a".as_bytes(), b"").unwrap(), b"\\x{3C0}\\x{5C}\\x{20}a");
        assert_eq!(unitext_quote("π\\".as_bytes(), b"").unwrap(), "π\\x{5C}".as_bytes());
        assert_eq!(uxtext_unquote(b"\\x{3C0}x").unwrap(), "πx".as_bytes());
        assert_eq!(uxtext_unquote(b"\\x{110000}"), None);
        assert_eq!(uxtext_unquote(b"\\x{41"), None);
        assert_eq!(uxtext_quote(b"\xff", b""), None);
    }
}
