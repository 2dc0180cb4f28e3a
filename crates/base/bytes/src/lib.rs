//! Text as bytes: splitting, folding and showing what may not be UTF-8.
//!
//! Mail is bytes, and so are its addresses and headers. This crate holds the few text operations that every layer needs
//! on bytes, and the list syntax that main.cf, table values and command lines share (`a, b {c d}`). It does no I/O,
//! trusts nothing about its input and cannot fail other than by a returned error.

pub mod escape;
pub mod list;
mod mask;
mod show;

pub use mask::{NameMask, UnknownName};
pub use memchr;
pub use show::{Show, ShowLimited, printable, show, show_limited};

/// White space as C's `isspace` sees it in the POSIX locale.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The text without white space at either end.
pub fn trim(text: &[u8]) -> &[u8] {
    trim_start(trim_end(text))
}

/// The text without leading white space.
pub fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| !is_space(byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

/// The text without trailing white space.
pub fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&byte| !is_space(byte)).map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

/// ASCII letters in lower case, other bytes as they are.
pub fn lowercase(text: &[u8]) -> Vec<u8> {
    text.to_ascii_lowercase()
}

/// Whether `text` starts with `prefix`, ASCII case ignored.
pub fn starts_with_ignore_case(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// The parts before and after the first `separator`.
pub fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The parts before and after the last `separator`.
pub fn rsplit_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memrchr(separator, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// A text in which `%XX` stands for a byte (RFC 3986); `None` where something else follows a `%`.
pub fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(*rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high << 4 | low).ok()?);
    }
    Some(decoded)
}

/// A decimal number without sign, white space or trailing text.
pub fn decimal<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `text` with every byte outside `allowed` replaced by `_`, as Postfix does for values that reach a shell.
pub fn keep_safe(text: &[u8], allowed: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if allowed.contains(&byte) { byte } else { b'_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_both_ends() {
        assert_eq!(trim(b" \t a b \r\n"), b"a b");
        assert_eq!(trim(b"  "), b"");
    }

    #[test]
    fn splits_at_first_and_last() {
        assert_eq!(split_once(b"a@b@c", b'@'), Some((&b"a"[..], &b"b@c"[..])));
        assert_eq!(rsplit_once(b"a@b@c", b'@'), Some((&b"a@b"[..], &b"c"[..])));
    }

    #[test]
    fn percent_signs_need_two_digits() {
        assert_eq!(percent_decoded(b"a%2fb%00%7E").unwrap(), b"a/b\0~");
        for wrong in ["%", "%2", "%2g", "%+1", "a%%41"] {
            assert_eq!(percent_decoded(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn decimal_is_strict() {
        assert_eq!(decimal::<u32>(b"42"), Some(42));
        assert_eq!(decimal::<u32>(b"-1"), None);
        assert_eq!(decimal::<u32>(b"4 "), None);
    }
}
