//! The `key whitespace value` text format of postmap(1) and texthash tables.

use crate::lines::Lines;
use crate::rhs;
use crate::text::{Unbalanced, key_length};

/// An entry of a table's source.
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// The line that it starts on.
    pub(crate) line: usize,
}

/// How the lines of a source are read.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// The file name for messages.
    pub(crate) label: &'a str,
    /// Lines that are not UTF-8 are skipped.
    pub(crate) utf8: bool,
    /// Values are names of files with the real values.
    pub(crate) rhs_is_file: bool,
    /// What the message about a line without key or value says that is done with it.
    pub(crate) incomplete: &'static str,
    /// What the message about an unreadable file says that is done with it.
    pub(crate) skipping: &'static str,
}

/// The entries of a source text. Lines that are not entries are logged and skipped.
pub(crate) fn entries<'a>(text: &'a [u8], rules: Rules<'a>) -> impl Iterator<Item = Entry> + 'a {
    Lines::new(rules.label, text).filter_map(move |line| parse(&line.text, line.number, rules))
}

fn parse(text: &[u8], line: usize, rules: Rules<'_>) -> Option<Entry> {
    let label = rules.label;
    if rules.utf8 && std::str::from_utf8(text).is_err() {
        log::warning!(
            "{label}, line {line}: non-UTF-8 input \"{}\" -- ignoring this line",
            bytes::show(text)
        );
        return None;
    }
    let Ok(length) = key_length(text, |_| false) else {
        let Unbalanced = Unbalanced;
        log::warning!(
            "{label}, line {line}: unbalanced '\"' in '{}' -- ignoring this line",
            bytes::show(text)
        );
        return None;
    };
    let (key, value) = text.split_at(length);
    let value = bytes::trim(value);
    if key.is_empty() || value.is_empty() {
        log::warning!("{label}, line {line}: expected format: key whitespace value{}", rules.incomplete);
        return None;
    }
    if key.ends_with(b":") {
        log::warning!("{label}, line {line}: record is in \"key: value\" format; is this an alias file?");
    }
    let value = if rules.rhs_is_file {
        match rhs::files_in_source(value) {
            Ok(value) => value,
            Err(why) => {
                log::warning!("{label}, line {line}: {why}: {}", rules.skipping);
                return None;
            }
        }
    } else {
        value.to_vec()
    };
    Some(Entry { key: key.to_vec(), value, line })
}
