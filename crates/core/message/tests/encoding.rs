//! Encodings against Postfix's own vectors.

mod common;

use common::Vector;
use ferrofix_message::{rfc2047, text, xtext};

fn each(file: &str, check: impl Fn(&str, &Vector)) {
    let Some(folder) = common::area("encoding") else { return };
    let vectors = common::vectors(&std::fs::read_to_string(folder.join(file)).unwrap());
    assert!(!vectors.is_empty());
    for vector in &vectors {
        check(std::str::from_utf8(&vector["name"]).unwrap(), vector);
    }
}

fn value<'a>(vector: &'a Vector, key: &str) -> &'a [u8] {
    vector.get(key).map_or(b"", Vec::as_slice)
}

#[test]
fn xtext_vectors() {
    each("xtext.toml", |name, vector| {
        let input = value(vector, "input");
        let got = match value(vector, "op") {
            b"quote" => Some(xtext::quote(input, value(vector, "special"))),
            _ => xtext::unquote(input),
        };
        assert_eq!(got.as_deref(), vector.get("want").map(Vec::as_slice), "{name}");
    });
}

#[test]
fn uxtext_vectors() {
    each("uxtext.toml", |name, vector| {
        let (input, special) = (value(vector, "input"), value(vector, "special"));
        let got = match value(vector, "op") {
            b"uxtext_quote" => xtext::uxtext_quote(input, special),
            b"unitext_quote" => xtext::unitext_quote(input, special),
            b"uxtext_unquote" | b"unquote" => xtext::uxtext_unquote(input),
            other => panic!("{name}: operation {}", other.escape_ascii()),
        };
        let whole = got.as_ref().map(|got| [value(vector, "append_to"), got].concat());
        assert_eq!(whole.as_deref(), vector.get("want").map(Vec::as_slice), "{name}");
        if vector.contains_key("special") {
            assert_eq!(xtext::uxtext_unquote(&got.unwrap()).unwrap(), input, "{name}: back");
        }
    });
}

#[test]
fn header_text_vectors() {
    each("ascii_header_text.toml", |name, vector| {
        let input = value(vector, "input");
        let got = match value(vector, "mode") {
            b"phrase" => text::ascii_phrase(input),
            _ => text::ascii_comment(input),
        };
        assert_eq!(got.as_deref(), vector.get("want").map(Vec::as_slice), "{name}");
    });
    each("clean_ascii_cntrl_space.toml", |name, vector| {
        if !vector.contains_key("input") {
            return;
        }
        let got = text::clean_control_and_space(value(vector, "input"));
        assert_eq!(got.as_deref(), vector.get("want").map(Vec::as_slice), "{name}");
    });
}

#[test]
fn rfc2047_vectors() {
    each("rfc2047_code.toml", |name, vector| {
        if vector.contains_key("generated") {
            return generated(name, vector);
        }
        let text = |key| std::str::from_utf8(value(vector, key)).unwrap();
        let context = if value(vector, "context") == b"phrase" {
            rfc2047::Context::Phrase
        } else {
            rfc2047::Context::Comment
        };
        match rfc2047::encode(context, text("charset"), value(vector, "input"), text("separator")) {
            Ok(got) => assert_eq!(
                got.escape_ascii().to_string(),
                value(vector, "want").escape_ascii().to_string(),
                "{name}"
            ),
            Err(error) => assert_eq!(error.to_string(), text("want_warning"), "{name}"),
        }
    });
}

fn generated(name: &str, vector: &Vector) {
    let context = match name {
        "validates_charset" => {
            for byte in 1..=127u8 {
                let charset = format!("utf-8{}", char::from(byte));
                let result = rfc2047::encode(rfc2047::Context::Comment, &charset, b"testme", " ");
                let allowed = value(vector, "charset_chars_allowed").contains(&byte);
                match result {
                    Ok(_) => assert!(allowed, "{byte}"),
                    Err(error) => {
                        let want = format!(
                            "rfc2047_encode: invalid character: {byte:#x} in charset name: '{charset}'"
                        );
                        assert!(!allowed, "{byte}");
                        assert_eq!(error.to_string(), want);
                    }
                }
            }
            return;
        }
        "encodes_comment_text" => rfc2047::Context::Comment,
        _ => rfc2047::Context::Phrase,
    };
    for byte in 0..=255u8 {
        let input = [b"testme ".as_slice(), &[byte]].concat();
        let got = rfc2047::encode(context, "utf-8", &input, "\n").unwrap();
        let want = if byte == b' ' {
            "_".to_owned()
        } else if byte.is_ascii_graphic() && !value(vector, "special").contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("={byte:02X}")
        };
        assert_eq!(String::from_utf8(got).unwrap(), format!("=?utf-8?Q?testme_{want}?="), "{name} {byte}");
    }
}
