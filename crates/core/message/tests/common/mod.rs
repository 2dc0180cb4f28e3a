//! Postfix's own test data, when it is at hand: `conformance/upstream` of the material beside the project.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The folder of one area; `None`, with the reason printed, when the data is not there.
pub(crate) fn area(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FERROFIX_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no conformance data at {}", folder.display());
    None
}

/// One `[[vector]]` table; values as bytes, `KEY_hex` decoded and stored under `KEY`.
pub(crate) type Vector = BTreeMap<String, Vec<u8>>;

/// The vectors of a TOML file of the simple form that the corpus uses.
#[allow(dead_code)]
pub(crate) fn vectors(text: &str) -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    let mut rest = text;
    while let Some((line, tail)) = rest.split_once('\n') {
        rest = tail;
        if line == "[[vector]]" {
            vectors.push(Vector::new());
        }
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let Some(vector) = vectors.last_mut() else { continue };
        let value = if let Some(start) = value.strip_prefix("'''") {
            let start = if start.is_empty() { tail } else { panic!("text after '''") };
            let (body, after) = start.split_once("'''").expect("closing '''");
            rest = after;
            body.as_bytes().to_vec()
        } else if let Some(quoted) = value.strip_prefix('"') {
            unescape(quoted.strip_suffix('"').expect("closing quote"))
        } else {
            value.as_bytes().to_vec()
        };
        match key.strip_suffix("_hex") {
            Some(plain) => vector.insert(plain.to_owned(), from_hex(&value)),
            None => vector.insert(key.to_owned(), value),
        };
    }
    vectors
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('u') => {
                let code: String = chars.by_ref().take(4).collect();
                out.push(char::from_u32(u32::from_str_radix(&code, 16).expect("hex")).expect("character"));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out.into_bytes()
}

fn from_hex(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("hex") as u8;
    text.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The records of a message as the drivers of the corpus make them: at most 1024 bytes each.
#[allow(dead_code)]
pub(crate) fn records(message: &[u8]) -> Vec<(ferrofix_message::Ending, &[u8])> {
    let mut records = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let window = &rest[..rest.len().min(1024)];
        match window.iter().position(|&byte| byte == b'\n') {
            Some(end) => {
                records.push((ferrofix_message::Ending::Line, &rest[..end]));
                rest = &rest[end + 1..];
            }
            None => {
                records.push((ferrofix_message::Ending::Part, window));
                rest = &rest[window.len()..];
            }
        }
    }
    records
}
