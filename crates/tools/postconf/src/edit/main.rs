//! Edits main.cf.

use super::lines::{Lines, is_space};
use super::replace;
use crate::mode::Mode;
use command::{Fatal, fatal};
use conf::lines::split_name_value;
use std::collections::BTreeMap;
use std::path::Path;

/// What is to happen to a parameter.
struct Change<'a> {
    /// The new value; nothing to remove the parameter, or make it a comment.
    value: Option<&'a str>,
    found: usize,
}

/// Sets, removes or comments out the named parameters.
pub(crate) fn edit(path: &Path, mode: Mode, names: &[String]) -> Result<(), Fatal> {
    let mut changes = parse(mode, names)?;
    replace(path, |old| Ok(apply(path, mode, old, &mut changes)))
}

fn parse(mode: Mode, names: &[String]) -> Result<BTreeMap<&str, Change<'_>>, Fatal> {
    let mut changes: BTreeMap<&str, Change<'_>> = BTreeMap::new();
    for text in names {
        if text.contains('\n') {
            return Err(fatal!("-e, -X, or -# accepts no multi-line input"));
        }
        let text = text.trim_matches(|char| u8::try_from(char).is_ok_and(is_space));
        if text.starts_with('#') {
            return Err(fatal!("-e, -X, or -# accepts no comment input"));
        }
        let (name, value) = if mode.has(Mode::EDIT) {
            let (name, value) = split_name_value(text).map_err(|problem| fatal!("{problem}: \"{text}\""))?;
            (name, Some(value))
        } else if text.is_empty() {
            return Err(fatal!("-X or -# requires non-blank parameter names"));
        } else if text.contains('=') {
            return Err(fatal!("-X or -# requires parameter names without value"));
        } else {
            (text, None)
        };
        let earlier = changes.insert(name, Change { value, found: 0 }).and_then(|change| change.value);
        if let Some(earlier) = earlier.filter(|earlier| Some(*earlier) != value) {
            log::warning!("ignoring earlier request: '{name} = {earlier}'");
        }
    }
    Ok(changes)
}

fn apply(path: &Path, mode: Mode, old: &[u8], changes: &mut BTreeMap<&str, Change<'_>>) -> Vec<u8> {
    let mut lines = Lines::new(old);
    let mut is_changed = false;
    while let Some(line) = lines.next() {
        let is_start = line.first().is_some_and(|&byte| !is_space(byte));
        let mut value = None;
        if is_start {
            let end = line.iter().position(|&byte| is_space(byte) || byte == b'=').unwrap_or(line.len());
            let name = bytes::escape::to_text(line.get(..end).unwrap_or_default()).into_owned();
            let change = changes.get_mut(name.as_str());
            is_changed = change.is_some();
            if let Some(change) = change {
                change.found += 1;
                if change.found == 2 {
                    log::warning!("{}: multiple entries for \"{name}\"", path.display());
                }
                value = change.value.map(|value| format!("{name} = {value}\n"));
            }
        }
        if !is_changed {
            lines.new.extend_from_slice(&line);
        } else if mode.has(Mode::COMMENT) {
            lines.new.push(b'#');
            lines.new.extend_from_slice(&line);
        } else if let Some(value) = value {
            lines.new.extend_from_slice(&bytes::escape::to_bytes(&value));
        }
    }
    for (name, change) in changes.iter().filter(|(_, change)| change.found == 0) {
        if let Some(value) = change.value {
            lines.new.extend_from_slice(&bytes::escape::to_bytes(&format!("{name} = {value}\n")));
        }
    }
    lines.new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(letter: char, names: &[&str], old: &str) -> String {
        let mut mode = Mode::default();
        mode.add(letter);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut changes = parse(mode, &names).unwrap();
        String::from_utf8(apply(Path::new("main.cf"), mode, old.as_bytes(), &mut changes)).unwrap()
    }

    const OLD: &str = "# one\na = 1\n  more\n# two\n\n  still more\nb=2\n\n#end";

    #[test]
    fn sets() {
        assert_eq!(
            edited('e', &["z=26", "a = new ", "c="], OLD),
            "# one\na = new\n# two\n\nb=2\n\n#end\nc = \nz = 26\n"
        );
    }

    #[test]
    fn keeps_bytes() {
        let mut mode = Mode::default();
        mode.add('e');
        let names = [bytes::escape::to_text(b"new = J\xf6rg").into_owned()];
        let mut changes = parse(mode, &names).unwrap();
        let new = apply(Path::new("main.cf"), mode, b"old = \xff\n#\xfe\n", &mut changes);
        assert_eq!(new, b"old = \xff\n#\xfe\nnew = J\xf6rg\n");
    }

    #[test]
    fn removes_and_comments_out() {
        assert_eq!(edited('X', &["a"], OLD), "# one\n# two\n\nb=2\n\n#end\n");
        assert_eq!(
            edited('#', &["a", "b"], OLD),
            "# one\n#a = 1\n#  more\n# two\n\n#  still more\n#b=2\n\n#end\n"
        );
    }

    #[test]
    fn refuses() {
        let mode = |letter| {
            let mut mode = Mode::default();
            mode.add(letter);
            mode
        };
        let error = |letter, text: &str| parse(mode(letter), &[text.to_owned()]).map(drop).unwrap_err().text;
        assert_eq!(error('e', "a"), "missing '=' after attribute name: \"a\"");
        assert_eq!(error('e', "a=b\nc"), "-e, -X, or -# accepts no multi-line input");
        assert_eq!(error('X', "a=b"), "-X or -# requires parameter names without value");
        assert_eq!(error('#', " "), "-X or -# requires non-blank parameter names");
        assert_eq!(error('e', " #a=b"), "-e, -X, or -# accepts no comment input");
    }
}
