//! Postfix's own vectors for EHLO keywords and reply footers.

use std::path::PathBuf;

use ferrofix_smtp::ehlo::Keywords;
use ferrofix_smtp::footer::{FooterError, append};

fn text(file: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../../shared/conformance/upstream/smtp_misc")
        .join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(_) => {
            println!("skipped: no conformance data at {}", path.display());
            None
        }
    }
}

/// The vectors of a file, as the names and values of their lines. The files use basic strings and true only.
fn vectors(text: &str) -> Vec<Vec<(String, String)>> {
    let mut vectors = Vec::new();
    for line in text.lines() {
        if line == "[[vector]]" {
            vectors.push(Vec::new());
        } else if let (Some((name, value)), Some(vector)) = (line.split_once(" = "), vectors.last_mut()) {
            let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            vector.push((name.to_owned(), unescaped(bare)));
        }
    }
    vectors
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('r') => out.push('\r'),
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, false) => out.push(c),
        }
    }
    out
}

fn value<'a>(vector: &'a [(String, String)], name: &str) -> Option<&'a str> {
    vector.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn ehlo_keywords() {
    let Some(text) = text("ehlo_mask.toml") else { return };
    let vectors = vectors(&text);
    assert!(vectors.len() > 10);
    for vector in vectors {
        let (keyword, want) = (value(&vector, "keyword").unwrap(), value(&vector, "want").unwrap());
        assert_eq!(Keywords::parse(keyword).text(), want, "{keyword}");
    }
}

#[test]
fn reply_footers() {
    let Some(text) = text("smtp_reply_footer.toml") else { return };
    let expand = |text: &str| {
        // Every macro expands to DUMMY.
        let Some(at) = text.find('$') else { return Ok(text.as_bytes().to_vec()) };
        let (head, rest) = text.split_at(at);
        if rest.starts_with("${") && !rest.contains('}') {
            return Err("truncated macro reference".to_owned());
        }
        Ok(format!("{head}DUMMY").into_bytes())
    };
    let vectors = vectors(&text);
    assert!(vectors.len() > 8);
    for vector in vectors {
        let (template, reply) = (value(&vector, "template").unwrap(), value(&vector, "reply").unwrap());
        let got = append(reply.as_bytes(), template, expand);
        match value(&vector, "want_error") {
            Some("bad SMTP reply") => assert_eq!(got, Err(FooterError::BadReply), "{vector:?}"),
            Some(_) => assert!(matches!(got, Err(FooterError::BadTemplate(_))), "{vector:?}"),
            None => {
                let want = value(&vector, "want").unwrap();
                assert_eq!(String::from_utf8(got.unwrap()).unwrap(), want, "{vector:?}");
            }
        }
    }
}
