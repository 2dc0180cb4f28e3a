//! Keys in searches, so that they cannot be taken for anything but text.

/// Appends a part of a key to the name of an entry (RFC 2253).
pub(crate) fn name(text: &[u8], quoted: &mut Vec<u8>) {
    quote(text, b" \t\"#+,;<>\\", quoted);
}

/// Appends a part of a key to a filter (RFC 2254).
pub(crate) fn filter(text: &[u8], quoted: &mut Vec<u8>) {
    quote(text, b"*()\\", quoted);
}

fn quote(text: &[u8], special: &[u8], quoted: &mut Vec<u8>) {
    for &byte in text {
        if special.contains(&byte) {
            quoted.extend_from_slice(format!("\\{byte:02X}").as_bytes());
        } else {
            quoted.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted() {
        let quoted = |quote: fn(&[u8], &mut Vec<u8>), text: &str| {
            let mut quoted = Vec::new();
            quote(text.as_bytes(), &mut quoted);
            String::from_utf8(quoted).unwrap()
        };
        assert_eq!(quoted(filter, "a*(b)\\c"), r"a\2A\28b\29\5Cc");
        assert_eq!(quoted(filter, "ü, =&|!<>~"), "ü, =&|!<>~");
        assert_eq!(quoted(name, "a b\t\"#+,;<>\\=ü"), r"a\20b\09\22\23\2B\2C\3B\3C\3E\5C=ü");
    }
}
