//! URI schemes.

/// The length of a leading `scheme://` (RFC 3986: a letter, then letters, digits, `+`, `-`; the
/// dot that the RFC also allows is not taken, as in Postfix), or 0.
pub fn valid_uri_scheme(text: &[u8]) -> usize {
    if !text.first().is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-');
    let end = text.iter().position(|byte| !is_scheme(byte)).unwrap_or(text.len());
    if text[end..].starts_with(b"://") { end + 3 } else { 0 }
}
