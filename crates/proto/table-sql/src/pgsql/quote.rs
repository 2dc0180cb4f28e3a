//! Text in queries.

/// How a connection wants text in quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoting {
    /// Whether `\` takes the next character along (`standard_conforming_strings = off`).
    pub(crate) has_backslashes: bool,
    pub(crate) encoding: Encoding,
}

/// What the bytes of a text mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    /// UTF-8.
    Utf8,
    /// A byte below 128 is a character of ASCII, whatever is beside it.
    Transparent,
    /// Any byte may be part of another character.
    Opaque,
}

impl Encoding {
    /// The encoding of that name, of which PostgreSQL looks at letters and digits only.
    pub(crate) fn by_name(name: &str) -> Self {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = name.to_ascii_lowercase();
        let is_transparent = ["latin", "iso8859", "koi8", "euc", "win125", "windows125"]
            .iter()
            .any(|family| name.starts_with(family));
        match name.as_str() {
            "utf8" | "unicode" => Self::Utf8,
            "sqlascii" | "win866" | "windows866" | "win874" | "windows874" => Self::Transparent,
            _ if is_transparent => Self::Transparent,
            _ => Self::Opaque,
        }
    }
}

impl Quoting {
    /// Whether a text can be told apart from what is around it; the error is the library's.
    pub(crate) fn check(self, text: &[u8]) -> Result<(), &'static str> {
        match self.encoding {
            Encoding::Utf8 if std::str::from_utf8(text).is_err() => Err("invalid multibyte character"),
            Encoding::Opaque if !text.is_ascii() => Err("invalid multibyte character"),
            _ => Ok(()),
        }
    }

    /// Appends `text` so that it cannot end the quotes that it is put in.
    pub(crate) fn append(self, text: &[u8], query: &mut Vec<u8>) {
        for &byte in text {
            if byte == b'\'' || byte == b'\\' && self.has_backslashes {
                query.push(byte);
            }
            query.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let quoted = |has_backslashes, text: &str| {
            let mut query = Vec::new();
            Quoting { has_backslashes, encoding: Encoding::Utf8 }.append(text.as_bytes(), &mut query);
            String::from_utf8(query).unwrap()
        };
        assert_eq!(quoted(false, r#"a'b\c"d"#), r#"a''b\c"d"#);
        assert_eq!(quoted(true, r#"a'b\c"d"#), r#"a''b\\c"d"#);
    }

    #[test]
    fn encodings() {
        let check = |name: &str, text: &[u8]| {
            Quoting { has_backslashes: false, encoding: Encoding::by_name(name) }.check(text).is_ok()
        };
        assert!(check("UTF-8", "ü".as_bytes()) && !check("utf8", b"\xfc"));
        assert!(check("LATIN1", b"\xfc") && check("iso_8859_5", b"\xfc") && check("EUC_JP", b"\xa4\xa2"));
        assert!(check("SJIS", b"ascii") && !check("SJIS", b"\x83\\") && !check("unheard of", b"\xfc"));
    }
}
