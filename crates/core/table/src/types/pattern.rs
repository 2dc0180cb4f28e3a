//! What `regexp:` and `pcre:` files have in common: rules with `if`, `endif`, `!`, and `$1` in results.

use std::ffi::CString;
use std::ops::Range;

use crate::error::Error;
use crate::flags::Flags;
use crate::lines::{Line, Lines};
use crate::local::LocalTable;
use crate::macros::{self, Malformed, Piece};
use crate::open::{Opened, Opening};
use crate::rhs;
use crate::types::basic::Text;

/// A subject for patterns.
pub(crate) struct Subject {
    /// COMPAT: ends at the first NUL, as all keys do in Postfix.
    pub(crate) text: CString,
}

/// The places of a match: the whole, then the groups.
pub(crate) type Places = Vec<Option<Range<usize>>>;

/// What a letter behind a pattern means.
pub(crate) enum Letter<O> {
    /// These options, from now on.
    Options(O),
    /// Nothing any more.
    Obsolete,
    /// Nothing.
    Unknown,
}

/// A kind of regular expressions.
pub(crate) trait Dialect: 'static {
    /// The table type.
    const TYPE: &'static str;
    /// What the message about a pattern without end says that is done.
    const UNTERMINATED: &'static str;
    /// How the message about `$0` spells it.
    const OUT_OF_RANGE: &'static str;
    /// Whether a rule may be `/pattern/!/other pattern/`.
    const TWO_PATTERNS: bool;
    /// Whether a backslash at the end of the line ends the pattern.
    const FINAL_BACKSLASH_ENDS: bool;
    /// Options of a pattern.
    type Options: Copy;
    /// A compiled pattern.
    type Pattern;

    /// The options of a pattern without letters behind it.
    fn options() -> Self::Options;
    /// The options after a letter.
    fn letter(options: Self::Options, letter: u8) -> Letter<Self::Options>;
    /// Compiles a pattern; the error is text for the log.
    fn compile(pattern: &[u8], options: Self::Options, needs_groups: bool) -> Result<Self::Pattern, String>;
    /// How many groups the pattern has.
    fn groups(pattern: &Self::Pattern) -> usize;
    /// Whether the subject matches.
    fn is_match(pattern: &Self::Pattern, subject: &Subject) -> Result<bool, String>;
    /// The places of a match and of `count` groups.
    fn captures(pattern: &Self::Pattern, subject: &Subject, count: usize) -> Result<Option<Places>, String>;
}

/// A pattern and whether it has to match.
struct Condition<D: Dialect> {
    pattern: D::Pattern,
    positive: bool,
}

/// What a line of the file means.
enum Action<D: Dialect> {
    Match {
        first: Condition<D>,
        second: Option<Condition<D>>,
        result: Replacement,
    },
    /// With the index of the matching `endif`.
    If {
        condition: Condition<D>,
        end: Option<usize>,
    },
    EndIf,
}

struct Rule<D: Dialect> {
    action: Action<D>,
    line: usize,
}

/// The right-hand side of a rule.
struct Replacement {
    text: Vec<u8>,
    /// The largest `$number`; without one, the text is what the lookup returns.
    groups: usize,
}

/// A file of patterns.
struct Patterns<D: Dialect> {
    name: String,
    rules: Vec<Rule<D>>,
}

/// Reads a file of patterns.
pub(crate) fn open<D: Dialect>(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let text = Text::read(opening)?;
    let mut parser =
        Parser::<D> { map: opening.name, flags: opening.flags, rules: Vec::new(), open: Vec::new() };
    for line in Lines::new(opening.name, &text.content) {
        parser.line(&line);
    }
    for index in parser.open.iter().rev() {
        if let Some(rule) = parser.rules.get(*index) {
            log::warning!("{} map {}, line {}: IF has no matching ENDIF", D::TYPE, opening.name, rule.line);
        }
    }
    let table = Patterns { name: opening.name.to_owned(), rules: parser.rules };
    Ok(Opened::local(table, Flags::PATTERN).folding().owned_by(text.owner))
}

impl<D: Dialect> LocalTable for Patterns<D> {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        log::debug!("dict_{}_lookup: {}: {}", D::TYPE, self.name, bytes::show(key));
        let subject = Subject { text: posix_regex::until_nul(key) };
        let mut at = 0;
        while let Some(rule) = self.rules.get(at) {
            at += 1;
            match &rule.action {
                Action::Match { first, second, result } => {
                    let Some(places) = self.places(rule, first, result.groups, &subject) else { continue };
                    if let Some(second) = second
                        && self.places(rule, second, 0, &subject).is_none()
                    {
                        continue;
                    }
                    return Ok(Some(result.expand(subject.text.as_bytes(), &places)));
                }
                Action::If { condition, end } => {
                    if self.places(rule, condition, 0, &subject).is_none() {
                        let Some(end) = end else { return Ok(None) };
                        at = *end;
                    }
                }
                Action::EndIf => {}
            }
        }
        Ok(None)
    }
}

impl<D: Dialect> Patterns<D> {
    /// The places of a match, or none when the condition does not hold. A pattern that fails does not hold.
    fn places(
        &self,
        rule: &Rule<D>,
        condition: &Condition<D>,
        groups: usize,
        subject: &Subject,
    ) -> Option<Places> {
        let answer = if groups > 0 {
            D::captures(&condition.pattern, subject, groups)
        } else {
            D::is_match(&condition.pattern, subject).map(|matches| matches.then(Places::new))
        };
        match answer {
            Ok(Some(places)) if condition.positive => Some(places),
            Ok(None) if !condition.positive => Some(Places::new()),
            Ok(_) => None,
            Err(why) => {
                log::warning!("{} map {}, line {}: {why}", D::TYPE, self.name, rule.line);
                None
            }
        }
    }
}

impl Replacement {
    fn expand(&self, subject: &[u8], places: &Places) -> Vec<u8> {
        if self.groups == 0 {
            return self.text.clone();
        }
        let mut result = Vec::new();
        let expanded = macros::parse(&self.text, |piece| {
            match piece {
                Piece::Literal(text) => result.extend_from_slice(&text),
                Piece::Name(name) => {
                    let place = bytes::decimal::<usize>(&name).and_then(|group| places.get(group)?.clone());
                    let text = place.and_then(|place| subject.get(place));
                    result.extend_from_slice(text.unwrap_or_default());
                }
            }
            Ok(())
        });
        debug_assert_eq!(expanded, Ok(()), "the text was checked when the rule was read");
        result
    }
}

/// Reads rules.
struct Parser<'a, D: Dialect> {
    map: &'a str,
    flags: Flags,
    rules: Vec<Rule<D>>,
    /// The `if` rules without `endif` so far.
    open: Vec<usize>,
}

macro_rules! warn {
    ($self:ident, $line:expr, $($text:tt)*) => {
        log::warning!("{} map {}, line {}: {}", D::TYPE, $self.map, $line, format_args!($($text)*))
    };
}

impl<D: Dialect> Parser<'_, D> {
    fn line(&mut self, line: &Line) {
        let text = bytes::trim_end(&line.text);
        let Some(&first) = text.first() else { return };
        let number = line.number;
        let action = if !first.is_ascii_alphanumeric() {
            self.match_rule(text, number)
        } else if let Some(rest) = keyword(text, b"IF") {
            self.if_rule(rest, number)
        } else if let Some(rest) = keyword(text, b"ENDIF") {
            self.end_if_rule(rest, number)
        } else {
            warn!(self, number, "ignoring unrecognized request");
            None
        };
        let Some(action) = action else { return };
        let index = self.rules.len();
        match action {
            Action::If { .. } => self.open.push(index),
            Action::EndIf => {
                let start = self.open.pop().and_then(|start| self.rules.get_mut(start));
                if let Some(Rule { action: Action::If { end, .. }, .. }) = start {
                    *end = Some(index);
                }
            }
            Action::Match { .. } => {}
        }
        self.rules.push(Rule { action, line: number });
    }

    fn match_rule(&self, text: &[u8], line: usize) -> Option<Action<D>> {
        let mut rest = text;
        let first = self.written(&mut rest, line)?;
        let second = if D::TWO_PATTERNS && rest.starts_with(b"!") {
            Some(self.written(&mut rest, line)?)
        } else {
            None
        };
        let result = bytes::trim_start(rest);
        if result.is_empty() {
            warn!(self, line, "no replacement text: using empty string");
        }
        let result = self.replacement(result, line)?;
        if result.groups > 0 && !first.positive {
            warn!(self, line, "$number found in negative match replacement text: skipping this rule");
            return None;
        }
        if result.groups > 0 && self.flags.contains(Flags::NO_REGSUB) {
            warn!(self, line, "regular expression substitution is not allowed: skipping this rule");
            return None;
        }
        let first = self.compile(first, result.groups > 0, line)?;
        if result.groups > 0 && result.groups > D::groups(&first.pattern) {
            let index = result.groups as i32;
            warn!(self, line, "out of range replacement index \"{index}\": skipping this rule");
            return None;
        }
        let second = match second {
            Some(second) => Some(self.compile(second, false, line)?),
            None => None,
        };
        Some(Action::Match { first, second, result })
    }

    fn if_rule(&self, text: &[u8], line: usize) -> Option<Action<D>> {
        let mut rest = bytes::trim_start(text);
        let written = self.written(&mut rest, line)?;
        let rest = bytes::trim_start(rest);
        if !rest.is_empty() {
            warn!(self, line, "ignoring extra text after IF statement: \"{}\"", bytes::show(rest));
            warn!(self, line, "do not prepend whitespace to statements between IF and ENDIF");
        }
        let condition = self.compile(written, false, line)?;
        Some(Action::If { condition, end: None })
    }

    fn end_if_rule(&self, text: &[u8], line: usize) -> Option<Action<D>> {
        if self.open.is_empty() {
            warn!(self, line, "ignoring ENDIF without matching IF");
            return None;
        }
        if !bytes::trim_start(text).is_empty() {
            warn!(self, line, "ignoring extra text after ENDIF");
        }
        Some(Action::EndIf)
    }

    /// Takes `!/pattern/letters` from the text.
    fn written<'t>(&self, rest: &mut &'t [u8], line: usize) -> Option<Written<'t, D>> {
        let mut positive = true;
        let mut text = *rest;
        while let [byte, tail @ ..] = text {
            match byte {
                b'!' => positive = !positive,
                _ if bytes::is_space(*byte) => {}
                _ => break,
            }
            text = tail;
        }
        let [delimiter, text @ ..] = text else {
            warn!(self, line, "no regexp: skipping this rule");
            return None;
        };
        let Some(end) = pattern_end::<D>(text, *delimiter) else {
            let (delimiter, action) =
                (bytes::show(std::slice::from_ref(delimiter)).to_string(), D::UNTERMINATED);
            warn!(self, line, "no closing regexp delimiter \"{delimiter}\": {action} this rule");
            return None;
        };
        let (pattern, text) = text.split_at(end);
        let mut text = text.get(1..).unwrap_or_default();
        let mut options = D::options();
        while let [letter, tail @ ..] = text {
            if bytes::is_space(*letter) || (D::TWO_PATTERNS && *letter == b'!') {
                break;
            }
            let shown = bytes::show(std::slice::from_ref(letter)).to_string();
            match D::letter(options, *letter) {
                Letter::Options(changed) => options = changed,
                Letter::Obsolete => warn!(self, line, "ignoring obsolete regexp option \"{shown}\""),
                Letter::Unknown => {
                    warn!(self, line, "unknown regexp option \"{shown}\": skipping this rule");
                    return None;
                }
            }
            text = tail;
        }
        *rest = text;
        Some(Written { pattern, options, positive })
    }

    fn compile(&self, written: Written<'_, D>, needs_groups: bool, line: usize) -> Option<Condition<D>> {
        match D::compile(written.pattern, written.options, needs_groups) {
            Ok(pattern) => Some(Condition { pattern, positive: written.positive }),
            Err(why) => {
                warn!(self, line, "{why}");
                None
            }
        }
    }

    /// Checks the `$number` of a result.
    fn replacement(&self, text: &[u8], line: usize) -> Option<Replacement> {
        let file;
        let mut text = text;
        if self.flags.contains(Flags::SRC_RHS_IS_FILE) {
            match rhs::files_in_source(text) {
                Ok(content) => {
                    file = content;
                    text = &file;
                }
                Err(why) => {
                    warn!(self, line, "{why}: skipping this rule");
                    return None;
                }
            }
        }
        let mut groups = 0;
        let mut literal = None;
        let checked = macros::parse(text, |piece| {
            let name = match piece {
                Piece::Literal(text) => {
                    literal = Some(text);
                    return Ok(());
                }
                Piece::Name(name) => name,
            };
            let shown = bytes::show(&name);
            if !name.iter().all(u8::is_ascii_digit) {
                warn!(self, line, "non-numeric replacement index \"{shown}\"");
                return Err(Malformed);
            }
            let group = bytes::decimal(&name).unwrap_or(usize::MAX);
            if group < 1 {
                warn!(self, line, "{} replacement index \"{shown}\"", D::OUT_OF_RANGE);
                return Err(Malformed);
            }
            groups = groups.max(group);
            Ok(())
        });
        if checked.is_err() {
            warn!(self, line, "bad replacement syntax: skipping this rule");
            return None;
        }
        let text = if groups == 0 { literal.unwrap_or_default() } else { text.to_vec() };
        Some(Replacement { text, groups })
    }
}

/// A pattern as it stands in the file.
struct Written<'a, D: Dialect> {
    pattern: &'a [u8],
    options: D::Options,
    positive: bool,
}

/// Where the pattern ends: at the next delimiter without backslash.
fn pattern_end<D: Dialect>(text: &[u8], delimiter: u8) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte == b'\\' {
            if at + 1 >= text.len() {
                return D::FINAL_BACKSLASH_ENDS.then_some(at);
            }
            at += 1;
        } else if byte == delimiter {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// What follows a keyword that is not part of a longer word.
pub(crate) fn keyword<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let rest = bytes::starts_with_ignore_case(text, word).then(|| text.get(word.len()..))??;
    (!rest.first().is_some_and(u8::is_ascii_alphanumeric)).then_some(rest)
}
