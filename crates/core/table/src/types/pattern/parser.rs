//! Reads a file of patterns, with Postfix's messages about what is wrong in it.

use super::prefilter::Need;
use super::{Action, Condition, Dialect, Letter, Replacement, Rule, keyword};
use crate::flags::Flags;
use crate::lines::Line;
use crate::macros::{self, Malformed, Piece};
use crate::rhs;

/// Reads rules.
pub(super) struct Parser<'a, D: Dialect> {
    map: &'a str,
    flags: Flags,
    pub(super) rules: Vec<Rule<D>>,
    /// What is known about the pattern of each rule.
    pub(super) needs: Vec<Need>,
    /// The `if` rules without `endif` so far.
    open: Vec<usize>,
}

macro_rules! warn {
    ($self:ident, $line:expr, $($text:tt)*) => {
        log::warning!("{} map {}, line {}: {}", D::TYPE, $self.map, $line, format_args!($($text)*))
    };
}

impl<'a, D: Dialect> Parser<'a, D> {
    pub(super) fn new(map: &'a str, flags: Flags) -> Self {
        Self { map, flags, rules: Vec::new(), needs: Vec::new(), open: Vec::new() }
    }

    /// Warns about what is not complete at the end of the file.
    pub(super) fn end(&self) {
        for rule in self.open.iter().rev().filter_map(|index| self.rules.get(*index)) {
            warn!(self, rule.line, "IF has no matching ENDIF");
        }
    }

    pub(super) fn line(&mut self, line: &Line) {
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
        let Some(mut action) = action else { return };
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
        self.needs.push(action.need());
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
            Ok(pattern) => {
                let required = D::required(written.pattern, written.options);
                Some(Condition { pattern, positive: written.positive, required })
            }
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
