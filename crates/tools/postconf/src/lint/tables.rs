//! The lookup tables that values name, and the entries of those that are text.

use bytes::list::{SEPARATORS, split_braced};
use conf::lines::{LogicalLines, in_braces};

/// A table as a value names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// `hash`, `pcre` and so on.
    pub(crate) kind: String,
    /// What follows the colon.
    pub(crate) name: String,
    /// Whether `proxy:` was in front of it.
    pub(crate) is_proxied: bool,
}

/// An entry of a table that is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Table {
    /// `type:name`.
    pub(crate) fn title(&self) -> String {
        format!("{}:{}", self.kind, self.name)
    }

    /// Whether keys are patterns.
    pub(crate) fn is_pattern(&self) -> bool {
        matches!(self.kind.as_str(), "pcre" | "regexp" | "cidr")
    }

    /// The entries, where the table is text and can be read; also those in braces in main.cf itself.
    pub(crate) fn rows(&self) -> Option<Vec<Row>> {
        match self.kind.as_str() {
            "static" => {
                return Some(vec![Row { key: String::new(), value: unbraced(&self.name).to_owned() }]);
            }
            "inline" => {
                let entries = split_braced(unbraced(&self.name), SEPARATORS).map(unbraced);
                let row = |entry: &str| {
                    let (key, value) = entry.split_once('=')?;
                    Some(Row { key: key.trim().to_owned(), value: value.trim().to_owned() })
                };
                return Some(entries.filter_map(row).collect());
            }
            "hash" | "btree" | "lmdb" | "cdb" | "texthash" | "pcre" | "regexp" | "cidr" => {}
            _ => return None,
        }
        if self.name.starts_with('{') {
            let entries = split_braced(unbraced(&self.name), SEPARATORS).map(unbraced);
            return Some(entries.map(|entry| self.row(entry)).collect());
        }
        let text = std::fs::read(&self.name).ok()?;
        let lines = LogicalLines::new(&self.name, &text);
        Some(lines.map(|line| self.row(&String::from_utf8_lossy(&line.text))).collect())
    }

    fn row(&self, line: &str) -> Row {
        let line = line.trim();
        let end = match self.kind.as_str() {
            "pcre" | "regexp" => pattern_length(line),
            _ => line.find(char::is_whitespace),
        };
        let (key, value) = line.split_at(end.unwrap_or(line.len()));
        Row { key: key.to_owned(), value: value.trim().to_owned() }
    }
}

/// The length of `/pattern/flags`.
fn pattern_length(line: &str) -> Option<usize> {
    let start = line.find(|char: char| char != '!' && !char.is_whitespace())?;
    let delimiter = line.get(start..)?.chars().next()?;
    let mut is_escaped = false;
    let after = line.get(start + delimiter.len_utf8()..)?;
    let end = after.find(|char| {
        let ends = char == delimiter && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        ends
    })?;
    let from = start + delimiter.len_utf8() + end + delimiter.len_utf8();
    line.get(from..)?.find(char::is_whitespace).map(|flags| from + flags)
}

/// The tables in a value whose names are expanded already; those within others come instead of them.
pub(crate) fn in_value(value: &str) -> Vec<Table> {
    let mut found = Vec::new();
    collect(value, Via::Direct, &mut found);
    found
}

/// Who opens a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Direct,
    Proxy,
}

fn collect(value: &str, via: Via, found: &mut Vec<Table>) {
    for word in split_braced(value, SEPARATORS) {
        let mut word = word.trim_start_matches('!');
        let mut via = via;
        if word.starts_with('{') {
            collect(unbraced(word), via, found);
            continue;
        }
        loop {
            if let Some(rest) = word.strip_prefix("proxy:") {
                (word, via) = (rest, Via::Proxy);
            } else if let Some(rest) = word.strip_prefix("debug:") {
                word = rest;
            } else {
                break;
            }
        }
        let Some((kind, name)) = word.split_once(':') else { continue };
        let is_kind =
            !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if matches!(kind, "pipemap" | "unionmap") {
            collect(unbraced(name), via, found);
        } else if is_kind {
            let is_proxied = via == Via::Proxy;
            found.push(Table { kind: kind.to_owned(), name: name.to_owned(), is_proxied });
        }
    }
}

fn unbraced(text: &str) -> &str {
    in_braces(text).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_values() {
        let titles = |value| {
            let show =
                |table: &Table| format!("{}{}", if table.is_proxied { "p " } else { "" }, table.title());
            in_value(value).iter().map(show).collect::<Vec<_>>()
        };
        assert_eq!(titles("example.com, !hash:/a proxy:mysql:/b"), ["hash:/a", "p mysql:/b"]);
        assert_eq!(titles("proxy:unionmap:{pcre:/c, static:{a b}}"), ["p pcre:/c", "p static:{a b}"]);
        assert_eq!(titles("{ debug:hash:/x, search_order = a }"), ["hash:/x"]);
        assert_eq!(titles("[::1]/128 10.0.0.0/8"), [] as [&str; 0]);
    }

    #[test]
    fn rows_of_texts() {
        let rows = |title: &str| in_value(title).remove(0).rows().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# c\na  OK b\n/x y\\/ OK/i REJECT no\n").unwrap();
        let name = file.path().display();
        let row = |key: &str, value: &str| Row { key: key.to_owned(), value: value.to_owned() };
        assert_eq!(rows(&format!("hash:{name}"))[0], row("a", "OK b"));
        assert_eq!(rows(&format!("pcre:{name}"))[1], row("/x y\\/ OK/i", "REJECT no"));
        assert_eq!(rows("inline:{a=OK, {b = x y}}"), [row("a", "OK"), row("b", "x y")]);
        assert_eq!(rows("static:all"), [row("", "all")]);
        assert_eq!(rows("pcre:{{/a b/ OK}}"), [row("/a b/", "OK")]);
        assert_eq!(in_value("mysql:/x")[0].rows(), None);
    }
}
