//! RFC 3463 enhanced status codes.

use std::fmt;

/// An enhanced status code `class.subject.detail`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Status {
    text: [u8; 9],
    length: u8,
}

impl Status {
    /// A code written in the source. An invalid one is a compile-time error in a constant.
    pub const fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        match enhanced_status(bytes) {
            Some(length) if length == bytes.len() => {}
            _ => panic!("not an enhanced status code"),
        }
        Self::copy(bytes)
    }

    /// The code, when `text` is exactly one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        (enhanced_status(text) == Some(text.len()) && !text.is_empty()).then(|| Self::copy(text))
    }

    /// As text, such as `4.3.0`.
    pub fn as_str(&self) -> &str {
        self.text
            .get(..usize::from(self.length))
            .and_then(|t| std::str::from_utf8(t).ok())
            .unwrap_or_default()
    }

    /// 2, 4 or 5.
    pub fn class(&self) -> u8 {
        self.text[0].wrapping_sub(b'0')
    }

    /// The same subject and detail in another class, as `soft_bounce` needs it.
    #[must_use]
    pub fn with_class(mut self, class: u8) -> Self {
        if self.length > 0 {
            self.text[0] = b'0' + class;
        }
        self
    }

    const fn copy(bytes: &[u8]) -> Self {
        let mut text = [0; 9];
        let mut at = 0;
        while at < bytes.len() {
            text[at] = bytes[at];
            at += 1;
        }
        Self { text, length: bytes.len() as u8 }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The length of the enhanced status code that `text` begins with: class 2, 4 or 5, then two numbers of 1 to 3 digits.
///
/// It must end the text or be followed by white space.
pub const fn enhanced_status(text: &[u8]) -> Option<usize> {
    if text.len() < 5 || !matches!(text[0], b'2' | b'4' | b'5') || text[1] != b'.' {
        return None;
    }
    let mut at = 2;
    let mut part = 0;
    while part < 2 {
        let start = at;
        while at < text.len() && text[at].is_ascii_digit() {
            at += 1;
        }
        if at == start || at - start > 3 {
            return None;
        }
        if part == 0 {
            if at >= text.len() || text[at] != b'.' {
                return None;
            }
            at += 1;
        }
        part += 1;
    }
    if at < text.len() && !matches!(text[at], b' ' | b'\t' | b'\r' | b'\n') { None } else { Some(at) }
}

/// Splits a text into its leading code and the rest; `default` when it has none.
///
/// Postfix's rule for texts from tables and commands: when the class of the code and that of the default differ, the
/// text's own code wins all the same.
pub fn split_status(default: Status, text: &[u8]) -> (Status, &[u8]) {
    let text = bytes::trim_start(text);
    match enhanced_status(text) {
        Some(length) => {
            let (code, rest) = text.split_at(length);
            (Status::parse(code).unwrap_or(default), bytes::trim_start(rest))
        }
        None => (default, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_recognised_exactly() {
        assert_eq!(enhanced_status(b"5.1.1 User unknown"), Some(5));
        assert_eq!(enhanced_status(b"5.700.123"), Some(9));
        for wrong in ["3.1.1", "5.1", "5.1.", "5.1.1x", "5.1000.1", "5..1.1", ""] {
            assert_eq!(enhanced_status(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn text_without_code_gets_the_default() {
        let default = Status::new("4.3.0");
        assert_eq!(split_status(default, b" 5.2.1 no"), (Status::new("5.2.1"), &b"no"[..]));
        assert_eq!(split_status(default, b"no"), (default, &b"no"[..]));
        assert_eq!(default.with_class(5).as_str(), "5.3.0");
    }
}
