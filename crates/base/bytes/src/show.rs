//! Bytes in texts for people: logs, replies, terminal output.

use std::fmt;

/// Bytes as text for a log line: control characters and bytes that are not UTF-8 become `?`.
///
/// This is what Postfix's `printable` makes of a log record, so the text of two systems compares equal.
pub fn show(bytes: &[u8]) -> Show<'_> {
    Show(bytes)
}

/// As [`show`], cut after `limit` bytes as with C's `%.100s`.
pub fn show_limited(bytes: &[u8], limit: usize) -> ShowLimited<'_> {
    ShowLimited(bytes.get(..limit).unwrap_or(bytes))
}

/// See [`show`].
#[derive(Clone, Copy)]
pub struct Show<'a>(&'a [u8]);

/// See [`show_limited`].
#[derive(Clone, Copy)]
pub struct ShowLimited<'a>(&'a [u8]);

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_printable(f, self.0)
    }
}

impl fmt::Display for ShowLimited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_printable(f, self.0)
    }
}

/// A copy of `bytes` with control characters and bytes that are not UTF-8 replaced by `replacement`.
pub fn printable(bytes: &[u8], replacement: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.extend(chunk.valid().bytes().map(|b| if b < 0x20 || b == 0x7f { replacement } else { b }));
        out.extend(chunk.invalid().iter().map(|_| replacement));
    }
    out
}

fn write_printable(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.bytes().position(|b| b < 0x20 || b == 0x7f) {
            let (clean, tail) = rest.split_at(at);
            f.write_str(clean)?;
            f.write_str("?")?;
            rest = tail.get(1..).unwrap_or_default();
        }
        f.write_str(rest)?;
        for _ in chunk.invalid() {
            f.write_str("?")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_broken_bytes_become_question_marks() {
        assert_eq!(show(b"a\tb\xffc\xc3\xa9").to_string(), "a?b?cé");
        assert_eq!(printable(b"a\nb\xfe", b'_'), b"a_b_");
        assert_eq!(show_limited(b"abcdef", 3).to_string(), "abc");
    }
}
