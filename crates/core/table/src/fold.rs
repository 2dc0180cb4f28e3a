//! Case folding and UTF-8 checks of keys.

use std::borrow::Cow;

/// `text` with case folded: ASCII letters always, others by Unicode's full case folding when `utf8` is on. Bytes that
/// are not UTF-8 stay as they are.
pub fn casefold(text: &[u8], utf8: Utf8) -> Vec<u8> {
    if utf8 == Utf8::Disabled || text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        folded.extend_from_slice(fold_unicode(chunk.valid()).as_bytes());
        folded.extend_from_slice(chunk.invalid());
    }
    folded
}

/// Whether text beyond ASCII is UTF-8 (`smtputf8_enable`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Utf8 {
    /// It is UTF-8.
    Enabled,
    /// It is bytes without meaning.
    Disabled,
}

fn fold_unicode(text: &str) -> Cow<'_, str> {
    Cow::Owned(text.to_lowercase())
}
