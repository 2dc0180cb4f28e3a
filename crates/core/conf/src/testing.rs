//! Reads conformance data for tests.

use std::collections::HashMap;

/// A file of the conformance data, where they are at hand.
pub(crate) fn conformance(name: &str) -> Option<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/conformance/upstream/");
    match std::fs::read_to_string(format!("{root}{name}")) {
        Ok(text) => Some(text),
        Err(error) => {
            eprintln!("skipped: {name}: {error}");
            None
        }
    }
}

/// The `[[vector]]` tables of a TOML file with flat basic strings and numbers.
pub(crate) fn vectors(text: &str) -> Vec<HashMap<String, String>> {
    let mut list: Vec<HashMap<String, String>> = Vec::new();
    for line in text.lines() {
        if line.trim() == "[[vector]]" {
            list.push(HashMap::new());
        } else if let (Some((name, value)), Some(last)) = (line.split_once(" = "), list.last_mut()) {
            last.insert(name.to_owned(), unquote(value));
        }
    }
    list
}

fn unquote(text: &str) -> String {
    let Some(text) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (char, char == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    out.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
                }
                Some(other) => out.push(other),
                None => {}
            },
            _ => out.push(char),
        }
    }
    out
}
