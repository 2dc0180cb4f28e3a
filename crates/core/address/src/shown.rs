//! Display of foreign bytes inside messages.

use std::fmt;

/// Shows at most the first hundred bytes, as C's `%.100s`; what does not print becomes `?`.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.get(..100).unwrap_or(self.0);
        for chunk in text.utf8_chunks() {
            for ch in chunk.valid().chars() {
                let shown = if ch.is_ascii_control() { '?' } else { ch };
                fmt::Write::write_char(f, shown)?;
            }
            for _ in chunk.invalid() {
                fmt::Write::write_char(f, '?')?;
            }
        }
        Ok(())
    }
}
