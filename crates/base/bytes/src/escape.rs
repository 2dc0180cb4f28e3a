//! Bytes as text and back without loss, for files that are text except for a byte here and there.
//!
//! A byte that is not part of UTF-8 becomes a character of a private plane that nobody else uses for anything. It takes
//! part in nothing but comparison, and becomes the byte again when the text is written.

use std::borrow::Cow;

/// The character for byte 0x80; the others follow in order, up to [`LAST`].
pub const FIRST: char = '\u{10ff80}';
/// The character for byte 0xff.
pub const LAST: char = '\u{10ffff}';

/// The text for some bytes.
pub fn to_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let stand_in = |byte: &u8| char::from_u32(u32::from(FIRST) + u32::from(*byte) - 0x80);
        text.extend(chunk.invalid().iter().filter_map(stand_in));
    }
    Cow::Owned(text)
}

/// The bytes that a text stands for.
pub fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(|char| (FIRST..=LAST).contains(&char)) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for char in text.chars() {
        match char {
            FIRST..=LAST => {
                let byte = u32::from(char) - u32::from(FIRST) + 0x80;
                bytes.extend(u8::try_from(byte));
            }
            _ => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for bytes in [&b""[..], b"plain", "größe".as_bytes(), b"J\xf6rg \xff\x80", b"\xe2\x82", b"a\xc3(\xa9"]
        {
            let text = to_text(bytes).into_owned();
            assert_eq!(to_bytes(&text), bytes, "{text:?}");
        }
        assert_eq!(to_text(b"J\xf6rg"), "J\u{10fff6}rg");
    }
}
