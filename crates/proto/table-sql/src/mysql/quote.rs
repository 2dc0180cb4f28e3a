//! Text in queries.

/// How a connection wants text in quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoting {
    /// Whether `\` is an ordinary character (`sql_mode = NO_BACKSLASH_ESCAPES`).
    pub(crate) backslash_is_plain: bool,
    /// Whether a byte of the character set may look like `\` and be part of another character.
    pub(crate) is_ambiguous: bool,
}

/// Whether the second byte of a character may be that of `\`.
pub(crate) fn is_ambiguous(charset: &str) -> bool {
    ["big5", "cp932", "gb18030", "gbk", "sjis"].iter().any(|known| known.eq_ignore_ascii_case(charset))
}

impl Quoting {
    /// Appends `text` so that it cannot end the quotes that it is put in.
    pub(crate) fn append(self, text: &[u8], query: &mut Vec<u8>) {
        for &byte in text {
            let escape = match byte {
                // No character set has a quote as the second byte of another character.
                b'\'' if self.backslash_is_plain => Some((b'\'', b'\'')),
                _ if self.backslash_is_plain => None,
                0 => Some((b'\\', b'0')),
                b'\n' => Some((b'\\', b'n')),
                b'\r' => Some((b'\\', b'r')),
                0x1a => Some((b'\\', b'Z')),
                b'\\' | b'\'' | b'"' => Some((b'\\', byte)),
                // After `\` a byte stands for itself, and begins no character that takes the next one along.
                0x80.. if self.is_ambiguous => Some((b'\\', byte)),
                _ => None,
            };
            match escape {
                Some((mark, byte)) => query.extend([mark, byte]),
                None => query.push(byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(quoting: Quoting, text: &[u8]) -> Vec<u8> {
        let mut query = Vec::new();
        quoting.append(text, &mut query);
        query
    }

    #[test]
    fn escapes() {
        let usual = Quoting { backslash_is_plain: false, is_ambiguous: false };
        assert_eq!(quoted(usual, b"a'b\"c\\d\ne\rf\x1ag\0h"), br#"a\'b\"c\\d\ne\rf\Zg\0h"#);
        assert_eq!(quoted(usual, "ü".as_bytes()), "ü".as_bytes());
        let plain = Quoting { backslash_is_plain: true, ..usual };
        assert_eq!(quoted(plain, br#"a'b"c\d"#), br#"a''b"c\d"#);
        let wide = Quoting { is_ambiguous: true, ..usual };
        assert_eq!(quoted(wide, b"\xbf'"), b"\\\xbf\\'", "the first two bytes are a character of GBK");
        assert!(is_ambiguous("GBK") && !is_ambiguous("utf8mb4"));
    }
}
