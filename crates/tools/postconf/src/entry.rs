//! One entry of master.cf as postconf sees it: its fields as written, with options brought into one form.

use crate::mode::Mode;
use crate::pattern::{COMMAND, FIELDS};
use crate::print::{INDENT, LINE_LIMIT, Output};
use command::{Fatal, fatal};
use conf::lines::{BLANKS, in_braces, split_name_value};
use std::collections::{BTreeMap, BTreeSet};

/// Where each field starts, when those before it are short enough.
const COLUMNS: [usize; 8] = [0, 11, 17, 25, 33, 41, 49, 57];

/// An entry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// `name/type`.
    pub(crate) name: String,
    /// The fields, then options and arguments of the command. `-o` and its value are two.
    pub(crate) fields: Vec<String>,
    /// What the program sets itself.
    pub(crate) fixed: BTreeMap<&'static str, String>,
    /// Whether it has `-o` settings, and which names are valid among them.
    pub(crate) valid: Option<BTreeSet<String>>,
}

/// An option or argument of the command, with what belongs to it.
pub(crate) enum Argument<'a> {
    /// `-o` and its value.
    Setting(&'a str, &'a str),
    /// Another option, or the last one without its value.
    Option(&'a str),
    /// After the options.
    Plain(&'a str),
}

impl Entry {
    /// Parses a logical line. A text that is wrong in a field is fatal; too few fields are an error of the line.
    pub(crate) fn parse(line: &str) -> Result<Result<Entry, &'static str>, Fatal> {
        let fields: Vec<String> = bytes::list::split_braced(line, BLANKS).map(str::to_owned).collect();
        if fields.len() < FIELDS.len() {
            return Ok(Err("bad field count"));
        }
        let mut entry = Entry { name: String::new(), fields, fixed: BTreeMap::new(), valid: None };
        entry.check(line)?;
        entry.normalize();
        entry.name = format!("{}/{}", entry.field(0), entry.field(1));
        let program = base_name(entry.field(COMMAND)).to_owned();
        entry.fixed.insert("service_name", entry.field(0).to_owned());
        entry.fixed.insert("process_name", program);
        Ok(Ok(entry))
    }

    /// A field as written.
    pub(crate) fn field(&self, at: usize) -> &str {
        self.fields.get(at).map_or("", String::as_str)
    }

    /// Whether a pattern's name and type are this entry's.
    pub(crate) fn is(&self, pattern: &crate::pattern::Pattern) -> bool {
        pattern.matches(self.field(0), self.field(1))
    }

    /// Options and arguments of the command.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = Argument<'_>> {
        let mut rest = self.fields.get(FIELDS.len()..).unwrap_or_default();
        let mut in_options = true;
        std::iter::from_fn(move || {
            let (first, after) = rest.split_first()?;
            rest = after;
            in_options &= is_option(first);
            if !in_options {
                return Some(Argument::Plain(first));
            }
            if !takes_value(first) {
                return Some(Argument::Option(first));
            }
            match after.split_first() {
                None => Some(Argument::Option(first)),
                Some((value, after)) => {
                    rest = after;
                    Some(Argument::Setting(first, value))
                }
            }
        })
    }

    /// The `-o name=value` settings, in order.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.arguments().filter_map(|argument| match argument {
            Argument::Setting("-o", value) => split_name_value(value).ok(),
            _ => None,
        })
    }

    /// Replaces a field; the command takes its options and arguments along.
    pub(crate) fn replace_field(&mut self, at: usize, value: &str) -> Result<(), Fatal> {
        if at == COMMAND {
            self.fields.truncate(COMMAND);
            self.fields.extend(bytes::list::split_braced(value, BLANKS).map(str::to_owned));
            self.normalize();
        } else if let Some(field) = self.fields.get_mut(at) {
            value.clone_into(field);
        }
        self.check(value)
    }

    /// Sets, adds or (without a value) removes a `-o` setting.
    pub(crate) fn replace_setting(&mut self, name: &str, value: Option<&str>) {
        let assignment = value.map(|value| format!("{name}={value}"));
        let mut has_name = false;
        let mut at = FIELDS.len();
        while let Some(option) = self.fields.get(at).filter(|option| is_option(option)) {
            let has_value = takes_value(option) && at + 1 < self.fields.len();
            let is_setting = has_value && option == "-o";
            let is_name =
                is_setting && self.field(at + 1).strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
            match (is_name, &assignment) {
                (true, Some(assignment)) => {
                    has_name = true;
                    self.fields[at + 1].clone_from(assignment);
                }
                (true, None) => {
                    self.fields.drain(at..at + 2);
                    continue;
                }
                (false, _) => {}
            }
            at += 1 + usize::from(has_value);
        }
        if let Some(assignment) = assignment.filter(|_| !has_name) {
            self.fields.splice(at..at, ["-o".to_owned(), assignment]);
        }
    }

    /// The entry as it is written to a file, every part of it on a line that is not too long.
    pub(crate) fn to_file(&self) -> Result<String, Fatal> {
        let mut out = Output::default();
        let mut line = Line { out: &mut out, mode: Mode::FOLD, length: 0, braces: Braces::WhereNeeded };
        line.columns(self);
        line.arguments(self, SETTING_MARGIN, None)?;
        Ok(out.take())
    }

    /// Prints the entry; `expand` expands the value of a `-o` setting where that is wanted.
    pub(crate) fn print(&self, out: &mut Output, mode: Mode, expand: Expand<'_>) -> Result<(), Fatal> {
        if mode.has(Mode::JSON) {
            let text = self.fields.get(..FIELDS.len()).unwrap_or_default().join(" ");
            out.json(&self.name, &self.with_arguments(text, expand)?);
            return Ok(());
        }
        let mut line = Line { out, mode, length: 0, braces: Braces::AsPostfix };
        line.columns(self);
        line.arguments(self, SETTING_MARGIN, expand)
    }

    /// Prints one field.
    pub(crate) fn print_field(
        &self,
        out: &mut Output,
        mode: Mode,
        at: usize,
        expand: Expand<'_>,
    ) -> Result<(), Fatal> {
        let name = format!("{}/{}", self.name, FIELDS.get(at).unwrap_or(&""));
        if mode.has(Mode::JSON) {
            let text = self.field(at).to_owned();
            let text = if at == COMMAND { self.with_arguments(text, expand)? } else { text };
            out.json(&name, &text);
            return Ok(());
        }
        let mut line = Line { out, mode, length: 0, braces: Braces::AsPostfix };
        if !mode.has(Mode::NO_NAME) {
            line.text(&name);
        }
        if !mode.has(Mode::NO_NAME | Mode::NO_VALUE) {
            line.text(" = ");
        }
        if mode.has(Mode::NO_VALUE) {
            line.end();
            return Ok(());
        }
        if line.length > 0 && line.length + self.field(at).len() > LINE_LIMIT {
            line.fold();
        }
        line.text(self.field(at));
        if at == COMMAND {
            return line.arguments(self, FIELD_MARGIN, expand);
        }
        line.end();
        Ok(())
    }

    fn with_arguments(&self, mut text: String, expand: Expand<'_>) -> Result<String, Fatal> {
        let mut braces = Braces::AsPostfix;
        for argument in self.arguments() {
            text.push(' ');
            match argument {
                Argument::Option(option) => text.push_str(option),
                Argument::Plain(argument) => text.push_str(&braces.around(argument)),
                Argument::Setting(option, value) => {
                    text.push_str(&format!("{option} {}", grouped(&expanded(option, value, expand)?)));
                }
            }
        }
        Ok(text)
    }

    /// Brings options into the form `-o` `name=value`, and takes braces off.
    fn normalize(&mut self) {
        let mut at = FIELDS.len();
        while let Some(option) = self.fields.get(at).filter(|option| is_option(option)).cloned() {
            // `-vozz` is `-v` and `-ozz`.
            if let Some(split) =
                option.char_indices().skip(2).find(|(_, char)| *char == 'o').map(|(at, _)| at)
                && !takes_value(&option)
            {
                let (first, second) = option.split_at(split);
                self.fields.insert(at + 1, format!("-{second}"));
                first.clone_into(&mut self.fields[at]);
            }
            if !takes_value(&option) {
                at += 1;
                continue;
            }
            if option.len() > 2 {
                let (first, second) = option.split_at(2);
                self.fields.insert(at + 1, second.to_owned());
                first.clone_into(&mut self.fields[at]);
            }
            if let Some(value) = self.fields.get_mut(at + 1).filter(|value| value.starts_with('{')) {
                *value = without_braces(value);
                match split_name_value(value) {
                    _ if option == "-" => {}
                    Ok((name, text)) => *value = format!("{name}={text}"),
                    Err(problem) => log::warning!("master.cf: {problem}: \"{value}\""),
                }
            }
            at += 2;
        }
        for argument in self.fields.iter_mut().skip(at).filter(|argument| argument.starts_with('{')) {
            *argument = without_braces(argument);
        }
    }

    /// Refuses fields that no entry can have; `text` is for the message.
    fn check(&self, text: &str) -> Result<(), Fatal> {
        let bad = |at: usize| {
            let (name, value) = (FIELDS.get(at).unwrap_or(&""), self.field(at));
            let message = format!("invalid {name} field \"{value}\" in \"{text}\"");
            fatal!("{}", message.replace('\n', " "))
        };
        if conf::master::Kind::by_name(self.field(1)).is_none() {
            return Err(bad(1));
        }
        if let Some(at) = (2..5).find(|&at| !matches!(self.field(at), "y" | "n" | "-" | "")) {
            return Err(bad(at));
        }
        let wakeup = self.field(5);
        if !is_number_or_dash(wakeup.strip_suffix('?').unwrap_or(wakeup)) {
            return Err(bad(5));
        }
        if !is_number_or_dash(self.field(6)) {
            return Err(bad(6));
        }
        Ok(())
    }
}

/// Expands the value of a setting, where that is wanted.
pub(crate) type Expand<'a> = Option<&'a dyn Fn(&str) -> Result<String, Fatal>>;

/// How much longer than its parts an option with its value counts when it is folded, in the two places.
const SETTING_MARGIN: usize = 3;
const FIELD_MARGIN: usize = 1;

/// A line of output in the making.
struct Line<'a> {
    out: &'a mut Output,
    mode: Mode,
    length: usize,
    braces: Braces,
}

/// Where arguments with blanks in them get braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Braces {
    /// Where they must have them.
    WhereNeeded,
    /// COMPAT: not around the first argument after the options; Postfix forgets it. Only for output: in a file it would
    /// change what the arguments are. Test: conformance case test59.
    AsPostfix,
}

impl Braces {
    fn around(&mut self, argument: &str) -> String {
        match std::mem::replace(self, Braces::WhereNeeded) {
            Braces::AsPostfix => argument.to_owned(),
            Braces::WhereNeeded => grouped(argument),
        }
    }
}

impl Line<'_> {
    fn text(&mut self, text: &str) {
        self.out.text(text);
        self.length += text.len();
    }

    fn columns(&mut self, entry: &Entry) {
        for (at, column) in COLUMNS.iter().enumerate() {
            if at > 0 {
                self.text(" ");
                self.pad(*column);
            }
            self.text(entry.field(at));
        }
    }

    fn pad(&mut self, column: usize) {
        while self.length < column {
            self.text(" ");
        }
    }

    fn fold(&mut self) {
        self.out.text("\n");
        self.out.text(INDENT);
        self.length = INDENT.len();
    }

    fn end(&mut self) {
        self.out.text("\n");
    }

    /// Prints options and arguments; every option with a value has a line of its own when lines are folded.
    fn arguments(&mut self, entry: &Entry, margin: usize, expand: Expand<'_>) -> Result<(), Fatal> {
        for argument in entry.arguments() {
            match argument {
                Argument::Option(option) => self.item(option, option.len()),
                Argument::Plain(argument) => {
                    let text = self.braces.around(argument);
                    self.item(&text, argument.len());
                }
                Argument::Setting(option, value) => {
                    let value = grouped(&expanded(option, value, expand)?);
                    self.length = LINE_LIMIT;
                    self.item(&format!("{option} {value}"), option.len() + value.len() + margin);
                    self.length = LINE_LIMIT;
                }
            }
        }
        self.end();
        Ok(())
    }

    fn item(&mut self, text: &str, length: usize) {
        if self.length > INDENT.len() {
            if !self.mode.has(Mode::FOLD) || self.length + 1 + length < LINE_LIMIT {
                self.text(" ");
            } else {
                self.fold();
            }
        }
        self.text(text);
    }
}

fn expanded(option: &str, value: &str, expand: Expand<'_>) -> Result<String, Fatal> {
    match expand.filter(|_| option == "-o") {
        Some(expand) => expand(value),
        None => Ok(value.to_owned()),
    }
}

/// In braces, if there is a blank in it.
fn grouped(text: &str) -> String {
    if text.contains([' ', '\t', '\r', '\n']) { format!("{{{text}}}") } else { text.to_owned() }
}

fn without_braces(text: &str) -> String {
    let (inner, problem) = in_braces(text);
    if let Some(problem) = problem {
        log::warning!("master.cf: {problem}");
    }
    inner.to_owned()
}

fn is_option(text: &str) -> bool {
    text.starts_with('-') && text != "--"
}

/// COMPAT: only `-o` is known to take a value; `-` alone is an option that takes one, since C finds the end of the text
/// among the letters. Test: `normalizing`.
fn takes_value(option: &str) -> bool {
    matches!(option.as_bytes().get(1), None | Some(b'o'))
}

fn is_number_or_dash(text: &str) -> bool {
    text == "-" || text.bytes().all(|byte| byte.is_ascii_digit())
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry::parse(text).unwrap().unwrap()
    }

    fn shown(entry: &Entry, letters: &str) -> String {
        let mut mode = Mode::default();
        letters.chars().for_each(|letter| mode.add(letter));
        let mut out = Output::default();
        entry.print(&mut out, mode, None).unwrap();
        out.take()
    }

    #[test]
    fn normalizing() {
        let text = "smtp inet n - y - - smtpd -v -oa=b -o { c = d e } -vof=g {x y} z";
        let entry = entry(text);
        assert_eq!(
            entry.fields[8..],
            ["-v", "-o", "a=b", "-o", "c=d e", "-v", "-o", "f=g", "x y", "z"].map(str::to_owned)
        );
        assert_eq!(entry.settings().collect::<Vec<_>>(), [("a", "b"), ("c", "d e"), ("f", "g")]);
        assert_eq!(
            shown(&entry, "f"),
            "smtp       inet  n       -       y       -       -       smtpd -v\n    -o a=b\n    -o {c=d e}\n    -v\n    \
             -o f=g\n    x y z\n"
        );
        assert!(entry.to_file().unwrap().ends_with("-o f=g\n    {x y} z\n"));
        assert_eq!(shown(&entry, "j").lines().count(), 1);
    }

    #[test]
    fn checking() {
        let problem = |text: &str| Entry::parse(text).map(drop).unwrap_err().text;
        assert_eq!(problem("a b n - - - - c"), "invalid type field \"b\" in \"a b n - - - - c\"");
        assert_eq!(problem("a unix x - - - -\n c"), "invalid private field \"x\" in \"a unix x - - - -  c\"");
        assert_eq!(
            problem("a unix n - - 6? x c"),
            "invalid process_limit field \"x\" in \"a unix n - - 6? x c\""
        );
        assert_eq!(Entry::parse("a unix n").unwrap().map(drop), Err("bad field count"));
    }

    #[test]
    fn editing() {
        let mut entry = entry("smtp inet n - y - - smtpd -v -o a=b -o c=d x");
        entry.replace_setting("a", Some("1"));
        entry.replace_setting("new", Some("2"));
        assert_eq!(entry.fields[8..].join(" "), "-v -o a=1 -o c=d -o new=2 x");
        entry.replace_setting("c", None);
        assert_eq!(entry.fields[8..].join(" "), "-v -o a=1 -o new=2 x");
        entry.replace_field(COMMAND, "other -o { q = r }").unwrap();
        assert_eq!(entry.fields[7..].join(" "), "other -o q=r");
        assert!(entry.replace_field(4, "maybe").is_err());
    }
}
