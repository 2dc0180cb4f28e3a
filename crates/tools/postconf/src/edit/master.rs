//! Edits master.cf: whole entries, fields, `-o` settings.

use super::lines::{Lines, is_space};
use super::replace;
use crate::entry::Entry;
use crate::mode::Mode;
use crate::pattern::{COMMAND, Pattern};
use command::{Fatal, fatal};
use conf::lines::{BLANKS, split_name_value};
use std::path::Path;

const OPTIONS: &str = "-Me, -Fe, -Pe, -X, or -#";

/// What is to happen to the entries that fit a pattern.
struct Request<'a> {
    text: &'a str,
    pattern: Pattern,
    change: Change<'a>,
    matched: usize,
}

enum Change<'a> {
    /// Another entry takes the place of the first; the others go.
    Entry(Box<Entry>),
    /// The entries go, or become comments.
    Remove,
    Field(usize, &'a str),
    /// A `-o` setting; without a value it goes.
    Setting(String, Option<&'a str>),
}

/// Changes, adds, removes or comments out.
pub(crate) fn edit(path: &Path, mode: Mode, names: &[String]) -> Result<(), Fatal> {
    let mut requests: Vec<Request<'_>> =
        names.iter().map(|text| parse(mode, text)).collect::<Result<_, _>>()?;
    replace(path, |old| apply(path, mode, old, &mut requests))
}

fn parse(mode: Mode, text: &str) -> Result<Request<'_>, Fatal> {
    if text.contains('\n') {
        return Err(fatal!("{OPTIONS} accept no multi-line input"));
    }
    let trimmed = text.trim_matches(|char| u8::try_from(char).is_ok_and(is_space));
    if trimmed.starts_with('#') {
        return Err(fatal!("{OPTIONS} accept no comment input"));
    }
    let (pattern, value) = if mode.has(Mode::EDIT) {
        let (name, value) = split_name_value(trimmed).map_err(|problem| fatal!("{problem}: \"{text}\""))?;
        (name, Some(value))
    } else if trimmed.contains('=') {
        return Err(fatal!("-X or -# requires names without value"));
    } else {
        (trimmed, None)
    };
    let parse = |parts: usize, problem: &str| {
        Pattern::parse(pattern, parts, parts).ok_or_else(|| fatal!("{problem}"))
    };
    let has_blank = value.is_some_and(|value| value.contains(|char| BLANKS.contains(char)));
    let (pattern, change) = if mode.has(Mode::ENTRIES) {
        let pattern = parse(2, "-Me, -MX or -M# requires service_name/type")?;
        let change = match value {
            Some(value) => match Entry::parse(value)? {
                Ok(entry) => Change::Entry(Box::new(entry)),
                Err(problem) => return Err(fatal!("{problem}: \"{text}\"")),
            },
            None => Change::Remove,
        };
        (pattern, change)
    } else if mode.has(Mode::FIELDS) {
        let pattern = parse(3, "-Fe or -FX requires service_name/type/field_name")?;
        let Some(field) = pattern.field()? else {
            return Err(fatal!("-Fe does not accept wild-card field name"));
        };
        if has_blank && field < COMMAND {
            return Err(fatal!("-Fe does not accept whitespace in non-command field"));
        }
        (pattern, Change::Field(field, value.unwrap_or_default()))
    } else {
        let pattern = parse(3, "-Pe or -PX requires service_name/type/parameter")?;
        if pattern.what() == "*" {
            return Err(fatal!("-Pe does not accept wild-card parameter name"));
        }
        if has_blank {
            return Err(fatal!("-Pe does not accept whitespace in parameter value"));
        }
        let name = pattern.what().to_owned();
        (pattern, Change::Setting(name, value))
    };
    Ok(Request { text, pattern, change, matched: 0 })
}

fn apply(path: &Path, mode: Mode, old: &[u8], requests: &mut [Request<'_>]) -> Result<Vec<u8>, Fatal> {
    let mut lines = Lines::new(old);
    let mut is_matched = false;
    while let Some(line) = lines.next() {
        if line.first().is_some_and(|&byte| is_space(byte)) {
            keep(&mut lines.new, mode, &line, is_matched);
            continue;
        }
        let text = bytes::escape::to_text(&line).into_owned();
        let (name, kind) = name_and_type(path, lines.number, &text)?;
        is_matched = false;
        let mut new: Option<Entry> = None;
        for request in requests.iter_mut() {
            let fits = request.pattern.matches(name, kind);
            match &request.change {
                // An entry also replaces the one that has its own name.
                Change::Entry(entry) if fits || entry.field(0) == name && entry.field(1) == kind => {
                    request.matched += 1;
                    is_matched = true;
                    if request.matched == 1 {
                        new = Some((**entry).clone());
                    }
                }
                _ if !fits => {}
                Change::Entry(_) | Change::Remove => {
                    request.matched += 1;
                    is_matched = true;
                }
                Change::Field(..) | Change::Setting(..) => {
                    request.matched += 1;
                    is_matched = true;
                    let entry = match &mut new {
                        Some(entry) => entry,
                        None => {
                            let number = lines.number;
                            let more = bytes::escape::to_text(&lines.continuation()).into_owned();
                            let entry = Entry::parse(&format!("{text}{more}"))?.map_err(|problem| {
                                fatal!("file {}: line {number}: {problem}", path.display())
                            })?;
                            new.insert(entry)
                        }
                    };
                    match &request.change {
                        Change::Field(field, value) => entry.replace_field(*field, value)?,
                        Change::Setting(name, value) => entry.replace_setting(name, *value),
                        Change::Entry(_) | Change::Remove => {}
                    }
                }
            }
        }
        match new {
            Some(entry) => print(&mut lines.new, &entry)?,
            None => keep(&mut lines.new, mode, &line, is_matched),
        }
    }
    for request in requests.iter().filter(|request| request.matched == 0) {
        match &request.change {
            Change::Entry(entry) => print(&mut lines.new, entry)?,
            Change::Remove => {}
            _ => log::warning!("unmatched service_name/type: \"{}\"", request.text),
        }
    }
    Ok(lines.new)
}

/// Keeps a line, unless its entry is to go.
fn keep(new: &mut Vec<u8>, mode: Mode, line: &[u8], is_matched: bool) {
    if is_matched && !mode.has(Mode::COMMENT) {
        return;
    }
    if is_matched {
        new.push(b'#');
    }
    new.extend_from_slice(line);
}

fn print(new: &mut Vec<u8>, entry: &Entry) -> Result<(), Fatal> {
    new.extend_from_slice(&bytes::escape::to_bytes(&entry.to_file()?));
    Ok(())
}

fn name_and_type<'a>(path: &Path, number: usize, text: &'a str) -> Result<(&'a str, &'a str), Fatal> {
    let place = format!("file {}: line {number}", path.display());
    let mut words = bytes::list::split(text, BLANKS);
    let (Some(name), Some(kind)) = (words.next(), words.next()) else {
        return Err(fatal!("{place}: specify service name and type on the same line"));
    };
    if name.contains('=') {
        return Err(fatal!("{place}: service name syntax \"{name}\" is unsupported with {OPTIONS}"));
    }
    if kind.contains(['=', '/']) {
        return Err(fatal!("{place}: service type syntax \"{kind}\" is unsupported with {OPTIONS}"));
    }
    Ok((name, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "# c\nsmtp inet n - y - - smtpd\n  -o a=b\n# d\n  -v\nqmgr unix n - n 300 1 qmgr\n";

    fn edited(letters: &str, names: &[&str]) -> Result<String, String> {
        let mut mode = Mode::default();
        letters.chars().for_each(|letter| mode.add(letter));
        let path = Path::new("master.cf");
        let requests: Result<Vec<_>, _> = names.iter().map(|text| parse(mode, text)).collect();
        let new = requests.and_then(|mut requests| apply(path, mode, OLD.as_bytes(), &mut requests));
        new.map(|new| String::from_utf8(new).unwrap()).map_err(|fatal| fatal.text)
    }

    #[test]
    fn entries() {
        let new =
            edited("Me", &["smtp/inet=smtp inet n - n - 5 smtpd -o c=d", "new/unix=new unix - - - - - pipe"]);
        assert_eq!(
            new.unwrap(),
            "# c\nsmtp       inet  n       -       n       -       5       smtpd\n    -o c=d\n# d\n\
             qmgr unix n - n 300 1 qmgr\nnew        unix  -       -       -       -       -       pipe\n"
        );
        assert_eq!(edited("MX", &["smtp/inet"]).unwrap(), "# c\n# d\nqmgr unix n - n 300 1 qmgr\n");
        assert_eq!(edited("M#", &["*/unix"]).unwrap(), OLD.replace("qmgr unix", "#qmgr unix"));
    }

    #[test]
    fn fields_and_settings() {
        assert_eq!(
            edited("Fe", &["*/inet/chroot=n", "smtp/inet/process_limit=7"]).unwrap(),
            "# c\n# d\nsmtp       inet  n       -       n       -       7       smtpd\n    -o a=b\n    -v\n\
             qmgr unix n - n 300 1 qmgr\n"
        );
        assert_eq!(
            edited("Pe", &["qmgr/unix/x=1"]).unwrap(),
            OLD.replace(
                "qmgr unix n - n 300 1 qmgr\n",
                "qmgr       unix  n       -       n       300     1       qmgr\n    -o x=1\n"
            )
        );
    }

    #[test]
    fn refuses() {
        assert_eq!(edited("Me", &["smtp=x"]).unwrap_err(), "-Me, -MX or -M# requires service_name/type");
        assert_eq!(edited("Me", &["smtp/inet=x"]).unwrap_err(), "bad field count: \"smtp/inet=x\"");
        assert_eq!(
            edited("Fe", &["smtp/inet/chroot=a b"]).unwrap_err(),
            "-Fe does not accept whitespace in non-command field"
        );
        assert_eq!(edited("Fe", &["a/b/c=d"]).unwrap_err(), "invalid service attribute name: \"c\"");
    }
}
