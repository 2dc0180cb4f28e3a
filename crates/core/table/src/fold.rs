//! Case folding and UTF-8 checks of keys.

/// `text` with case folded: ASCII letters always, others by Unicode's full case folding when `utf8` is on. Bytes that
/// are not UTF-8 stay as they are.
pub fn casefold(text: &[u8], utf8: Utf8) -> Vec<u8> {
    if utf8 == Utf8::Disabled || text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    address::casefold(text)
}

/// Whether text beyond ASCII is UTF-8 (`smtputf8_enable`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Utf8 {
    /// It is UTF-8.
    Enabled,
    /// It is bytes without meaning.
    Disabled,
}
