//! The `query_filter` setting: a query in JSON, in which parts of a key may stand within quoted texts.

/// Appends a part of a key to a quoted text, so that it cannot end the text (RFC 4627).
pub(crate) fn quote(text: &[u8], quoted: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'\x08' => quoted.extend_from_slice(b"\\b"),
            b'\x0c' => quoted.extend_from_slice(b"\\f"),
            b'\n' => quoted.extend_from_slice(b"\\n"),
            b'\r' => quoted.extend_from_slice(b"\\r"),
            b'\t' => quoted.extend_from_slice(b"\\t"),
            b'"' | b'\\' => quoted.extend_from_slice(&[b'\\', byte]),
            byte if byte.is_ascii_control() => quoted.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            byte => quoted.push(byte),
        }
    }
}

/// Refuses a template in which a key could become more than the text of a value. The error says what is wrong.
///
/// COMPAT: Postfix takes the word of its manual for it that templates have quotes. Test: `keys_are_text_only`.
pub(crate) fn check(template: &str) -> Result<(), &'static str> {
    let mut bytes = template.bytes().peekable();
    let (mut is_text, mut has_part) = (false, false);
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if is_text => {
                is_text = false;
                while bytes.next_if(|&byte| bytes::is_space(byte)).is_some() {}
                if has_part && bytes.peek() == Some(&b':') {
                    return Err("a key in the name of a field");
                }
            }
            b'"' => (is_text, has_part) = (true, false),
            // What follows belongs to it, and a key must not.
            b'\\' if is_text && bytes.next() == Some(b'%') => return Err("a key after a backslash"),
            b'%' => match bytes.next() {
                Some(b'%') | None => {}
                Some(_) if is_text => has_part = true,
                Some(_) => return Err("a key that is not within double quotes"),
            },
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted() {
        let quoted = |text: &[u8]| {
            let mut quoted = Vec::new();
            quote(text, &mut quoted);
            quoted
        };
        assert_eq!(quoted(b" abcABC012.,[]{}/'$:"), b" abcABC012.,[]{}/'$:");
        assert_eq!(quoted(b"\x08\x0c\r\n\t"), b"\\b\\f\\r\\n\\t");
        assert_eq!(quoted(b"\0\x01\x1f \x7f~"), b"\\u0000\\u0001\\u001F \\u007F~");
        assert_eq!(quoted("\\\"ü\\u0022".as_bytes()), "\\\\\\\"ü\\\\u0022".as_bytes());
        assert_eq!(quoted(b"\x80"), b"\x80");
    }

    #[test]
    fn keys_are_text_only() {
        for good in [
            r#"{"a": "%s"}"#,
            r#"{"$or": [{"a": "%s"}, {"b.c": "x%u@%d"}], "active": 1}"#,
            r#"{"a": "\"%s\\%s\"", "b\"": "%%"}"#,
            r#"{"100%%": %%, "a" : "%1"}"#,
            r#"{"a": {"$regex": "^%s$"}}"#,
            "{}",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            r#"{"a": %s}"#,
            "%s",
            r#"{"%s": 1}"#,
            "{\"a%u\" \n : 1}",
            r#"{"a": "\%s"}"#,
            r#"{"a": "\\\%s"}"#,
            r#"{"a": '%s'}"#,
            r#"{"a": "x"%s}"#,
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
