//! `$name` expansion: `$name`, `${name}`, `${name?text}`, `${name?{text}:{text}}`, comparisons and functions.
//!
//! main.cf goes through [`MainCf::expand`]; other texts with `$` in them (bounce templates, command lines, reply
//! templates) come with their own [`Names`] to [`Expand::run`]. A syntax error never loses what was expanded before it:
//! the result carries the text so far, the fact, and the warnings in Postfix's words for the caller to log.

use crate::{CompatLevel, Error, MainCf};
use std::cell::RefCell;
use std::cmp::Ordering;

/// Blanks as C's isspace(3) has them.
const SPACE: &[u8] = b" \t\r\n\x0b\x0c";

/// Pieces nested deeper than this are a mistake, most likely a name that refers to itself.
const MAX_DEPTH: usize = 100;

/// Gives the values of names.
pub trait Names {
    /// The value, or nothing when the name is not defined.
    fn value(&self, name: &[u8]) -> Option<Vec<u8>>;

    /// Whether the value comes from outside and `$` in it means nothing.
    fn is_final(&self, _name: &[u8]) -> bool {
        false
    }
}

impl<F: Fn(&[u8]) -> Option<Vec<u8>>> Names for F {
    fn value(&self, name: &[u8]) -> Option<Vec<u8>> {
        self(name)
    }
}

/// What happens to the bytes of an inserted value that is not expanded again.
#[derive(Debug, Clone, Copy)]
pub enum Filter<'a> {
    /// They stay.
    Keep,
    /// Those that do not print become `_`.
    Printable,
    /// Those not listed become `_`.
    Allowed(&'a [u8]),
}

/// Whether the values of names are expanded in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// As they are.
    Plain,
    /// Expanded, as in main.cf.
    Expanded,
}

/// Compares the operands of `<suffix`, `==suffix` and so on; an error is the text of a warning.
pub type Comparison = fn(&[u8], &[u8]) -> Result<Ordering, String>;

/// Makes the value of `${name{argument}}`; an error is the text of a warning.
pub type Function = fn(&[u8]) -> Result<Vec<u8>, String>;

/// How to expand.
#[derive(Clone, Copy)]
pub struct Expand<'a> {
    /// What happens to values.
    pub values: Values,
    /// What may be in values.
    pub filter: Filter<'a>,
    /// Suffixes of comparison operators.
    pub comparisons: &'a [(&'a str, Comparison)],
    /// Functions.
    pub functions: &'a [(&'a str, Function)],
}

/// What came out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// The text, up to an error.
    pub text: Vec<u8>,
    /// There was a syntax error.
    pub failed: bool,
    /// A name was used that is not defined.
    pub undefined: bool,
    /// What to tell the administrator.
    pub warnings: Vec<String>,
}

impl Expand<'static> {
    /// As main.cf is expanded: values in turn, `<level` and so on, `domain_to_ascii` and `domain_to_utf8`.
    pub const MAIN_CF: Expand<'static> = Expand {
        values: Values::Expanded,
        filter: Filter::Keep,
        comparisons: &[("level", compare_levels)],
        functions: &[("domain_to_ascii", domain_to_ascii), ("domain_to_utf8", domain_to_utf8)],
    };

    /// Values go in as they are.
    pub const PLAIN: Expand<'static> = Expand { values: Values::Plain, ..Expand::MAIN_CF };
}

impl Expand<'_> {
    /// Expands a text.
    pub fn run(&self, text: &[u8], names: &dyn Names) -> Expanded {
        self.work(text, names, Mode::Produce, 0).out
    }

    /// Reports every name in a text, also in operands that an expansion would not use.
    pub fn scan(&self, text: &[u8], mut report: impl FnMut(&[u8])) -> Expanded {
        let found = RefCell::new(Vec::new());
        let names = |name: &[u8]| -> Option<Vec<u8>> {
            found.borrow_mut().push(name.to_owned());
            None
        };
        let out = self.work(text, &names, Mode::Scan, 0).out;
        found.into_inner().iter().for_each(|name| report(name));
        out
    }

    fn work<'w>(&'w self, text: &[u8], names: &'w dyn Names, mode: Mode, depth: usize) -> Work<'w> {
        let mut work = Work { how: self, names, mode, depth, is_too_deep: false, out: Expanded::default() };
        work.text(text);
        work
    }
}

/// A piece of a text with `$` in it.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Literal text; `$$` has become `$`.
    Literal(Vec<u8>),
    /// What follows `$` or stands in `${}` or `$()`.
    Expression(Vec<u8>),
}

/// Splits a text into literals and `$` expressions; an error is the text of a warning and ends it.
#[derive(Debug)]
pub struct Pieces<'a> {
    text: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Pieces<'a> {
    /// The pieces of a text.
    pub fn new(text: &'a [u8]) -> Self {
        Pieces { text, rest: text }
    }

    fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn fail(&mut self, problem: &str) -> Option<Result<Piece, String>> {
        self.rest = b"";
        Some(Err(format!("{problem}: \"{}\"", lossy(self.text))))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut literal = Vec::new();
        loop {
            match *self.rest {
                [b'$', b'$', ..] => {
                    literal.push(b'$');
                    self.rest = &self.rest[2..];
                }
                [b'$', ..] | [] if !literal.is_empty() => return Some(Ok(Piece::Literal(literal))),
                [] => return None,
                [b'$', b'{', ..] => return self.enclosed(b'{', b'}'),
                [b'$', b'(', ..] => return self.enclosed(b'(', b')'),
                [b'$', ..] => {
                    let start = &self.rest[1..];
                    let length = start.iter().take_while(|byte| is_name(**byte)).count();
                    let (name, rest) = start.split_at(length);
                    self.rest = rest;
                    if name.is_empty() {
                        return self.fail("empty macro name");
                    }
                    return Some(Ok(Piece::Expression(name.to_owned())));
                }
                [byte, ..] => {
                    literal.push(byte);
                    self.rest = &self.rest[1..];
                }
            }
        }
    }
}

impl Pieces<'_> {
    fn enclosed(&mut self, open: u8, close: u8) -> Option<Result<Piece, String>> {
        let start = self.rest.get(2..).unwrap_or_default();
        let Some(end) = balance(start, open, close) else {
            return self.fail("truncated macro reference");
        };
        self.rest = start.get(end + 1..).unwrap_or_default();
        match start.get(..end).unwrap_or_default() {
            [] => self.fail("empty macro name"),
            inner => Some(Ok(Piece::Expression(inner.to_owned()))),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Produce,
    Scan,
}

struct Work<'w> {
    how: &'w Expand<'w>,
    names: &'w dyn Names,
    mode: Mode,
    depth: usize,
    /// A comparison of which one side was too deep need not try the other, which would take forever.
    is_too_deep: bool,
    out: Expanded,
}

/// The warning was recorded.
struct Failed;

impl Work<'_> {
    /// COMPAT: after an error only what comes of it is lost: the other pieces at every level are still looked at, so
    /// that their own errors are told, and a piece that failed counts as nested from then on. Test:
    /// `a_name_of_itself_is_an_error`.
    fn text(&mut self, text: &[u8]) {
        let mut pieces = Pieces::new(text);
        while let Some(piece) = pieces.next() {
            let piece = match piece {
                Ok(piece) => piece,
                Err(warning) => {
                    self.fail(warning);
                    return;
                }
            };
            let is_last_literal = matches!(piece, Piece::Literal(_)) && pieces.is_done();
            if self.out.failed && is_last_literal {
                return;
            }
            self.depth += 1;
            if self.depth > MAX_DEPTH + 1 {
                let (Piece::Literal(text) | Piece::Expression(text)) = &piece;
                let warning = format!("unreasonable macro call nesting: \"{}\"", lossy(text));
                self.fail(warning);
                self.is_too_deep = true;
            }
            if self.out.failed {
                continue;
            }
            match piece {
                Piece::Literal(text) => {
                    if self.mode == Mode::Produce {
                        self.out.text.extend(text);
                    }
                }
                Piece::Expression(text) => {
                    if self.expression(&text).is_err() {
                        continue;
                    }
                }
            }
            self.depth -= 1;
        }
    }

    fn fail(&mut self, warning: String) -> Failed {
        self.out.warnings.push(warning);
        self.out.failed = true;
        Failed
    }

    fn expression(&mut self, text: &[u8]) -> Result<(), Failed> {
        let mut is_final = false;
        let (value, operator, rest) = if let Some(left) = left_curly(text) {
            let (value, rest) = self.comparison(left)?;
            match rest {
                [] => (value, None, rest),
                [operator @ (b'?' | b':'), rest @ ..] => (value, Some(*operator), rest),
                _ => {
                    let warning = format!("\"?\" or \":\" expected at: \"...}}>>>{}\"", head(rest));
                    return Err(self.fail(warning));
                }
            }
        } else {
            match self.name(text)? {
                Name::Done => return Ok(()),
                Name::Use(name, operator, rest) => {
                    is_final = self.names.is_final(name);
                    (self.names.value(name), operator, rest)
                }
            }
        };
        let is_true = value.as_ref().is_some_and(|value| !value.is_empty());
        match operator {
            None => self.insert(value, is_final),
            Some(b'?') => self.when_true(is_true, rest)?,
            Some(_) => self.when_false(is_true, rest)?,
        }
        Ok(())
    }

    fn insert(&mut self, value: Option<Vec<u8>>, is_final: bool) {
        let Some(mut value) = value else {
            self.out.undefined = true;
            return;
        };
        if value.is_empty() || self.mode == Mode::Scan {
            return;
        }
        if self.how.values == Values::Expanded && !is_final {
            self.text(&value);
            return;
        }
        match self.how.filter {
            Filter::Keep => {}
            Filter::Printable => replace(&mut value, |byte| byte.is_ascii_graphic() || byte == b' '),
            Filter::Allowed(allowed) => replace(&mut value, |byte| allowed.contains(&byte)),
        }
        self.out.text.extend(value);
    }

    /// After `?`: the text for a true condition, and maybe `:` and the text for a false one.
    fn when_true(&mut self, is_true: bool, rest: &[u8]) -> Result<(), Failed> {
        let (text, rest) = self.operand(rest)?;
        if is_true || self.mode == Mode::Scan {
            self.text(text);
        }
        match rest {
            [] => Ok(()),
            [b':', rest @ ..] => self.when_false(is_true, rest),
            _ => {
                let warning = format!("\":\" expected at: \"...{}}}>>>{}\"", lossy(text), head(rest));
                Err(self.fail(warning))
            }
        }
    }

    fn when_false(&mut self, is_true: bool, rest: &[u8]) -> Result<(), Failed> {
        let (text, rest) = self.operand(rest)?;
        if !is_true || self.mode == Mode::Scan {
            self.text(text);
        }
        if rest.is_empty() {
            return Ok(());
        }
        let warning = format!("unexpected input at: \"...{}}}>>>{}\"", lossy(text), head(rest));
        Err(self.fail(warning))
    }

    /// `{text}` and what follows, or all of the text.
    ///
    /// COMPAT: only text in braces can be followed by anything; `${name??a:{b}` is text to the end, as it was before
    /// there were braces. Test: `conformance_of_expansion`.
    fn operand<'t>(&mut self, text: &'t [u8]) -> Result<(&'t [u8], &'t [u8]), Failed> {
        match left_curly(text) {
            Some(start) => self.braced(start),
            None => Ok((text, b"")),
        }
    }

    /// Takes `{text}` and the blanks after it from the start of a text.
    fn braced<'t>(&mut self, start: &'t [u8]) -> Result<(&'t [u8], &'t [u8]), Failed> {
        let inner = start.get(1..).unwrap_or_default();
        let Some(end) = balance(inner, b'{', b'}') else {
            let warning = format!("unbalanced {{}} in attribute expression: \"{}\"", lossy(start));
            return Err(self.fail(warning));
        };
        let (text, rest) = inner.split_at(end);
        Ok((text, skip_space(rest.get(1..).unwrap_or_default())))
    }

    /// `{text} operator {text}`, from its first brace.
    fn comparison<'t>(&mut self, start: &'t [u8]) -> Result<(Option<Vec<u8>>, &'t [u8]), Failed> {
        let (left, rest) = self.braced(start)?;
        let length = rest.iter().take_while(|byte| b"<>!=?+-*/~&|%".contains(byte)).count();
        let (operator, after) = rest.split_at(length);
        let Some(holds) = relation(operator) else {
            // COMPAT: the doubled quotes are Postfix's. Test: `conformance_of_expansion`.
            let warning = format!(
                "\"==\" or \"!=\"\" or \"<\"\" or \"<=\"\" or \">=\"\" or \">\" expected at: \"...{}}}>>>{}\"",
                lossy(left),
                head(rest)
            );
            return Err(self.fail(warning));
        };
        let length = after.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let (suffix, after) = after.split_at(length);
        let compare = match suffix {
            b"" => compare as Comparison,
            _ => match self.how.comparisons.iter().find(|(name, _)| name.as_bytes() == suffix) {
                Some((_, compare)) => *compare,
                None => {
                    let (operator, suffix) = (lossy(operator), lossy(suffix));
                    let warning = format!("bad operator suffix at: \"...{operator}>>>{suffix}\"");
                    return Err(self.fail(warning));
                }
            },
        };
        let Some(start) = left_curly(after) else {
            let (left, operator) = (lossy(left), lossy(operator));
            let warning =
                format!("\"{{expression}}\" expected at: \"...{{{left}}} {operator}>>>{}\"", head(after));
            return Err(self.fail(warning));
        };
        let (right, rest) = self.braced(start)?;
        let left = self.nested(left);
        if self.is_too_deep {
            return Err(Failed);
        }
        let right = self.nested(right);
        if self.mode == Mode::Scan {
            return if self.out.failed { Err(Failed) } else { Ok((None, rest)) };
        }
        match compare(&left, &right) {
            Err(warning) => Err(self.fail(warning)),
            Ok(_) if self.out.failed => Err(Failed),
            Ok(order) => Ok((Some(if holds(order) { b"true".to_vec() } else { Vec::new() }), rest)),
        }
    }

    /// Expands an operand apart from the result. The depth goes on from here: Postfix begins anew, and a name that
    /// compares itself is the end of it.
    fn nested(&mut self, text: &[u8]) -> Vec<u8> {
        let Work { out, is_too_deep, .. } = self.how.work(text, self.names, self.mode, self.depth);
        self.is_too_deep |= is_too_deep;
        self.out.failed |= out.failed;
        self.out.undefined |= out.undefined;
        self.out.warnings.extend(out.warnings);
        out.text
    }

    /// A name and the operator after it, or a function call.
    fn name<'t>(&mut self, text: &'t [u8]) -> Result<Name<'t>, Failed> {
        let start = skip_space(text);
        let length = start.iter().take_while(|byte| is_name(**byte)).count();
        let (name, rest) = start.split_at(length);
        match skip_space(rest) {
            [] => Ok(Name::Use(name, None, b"")),
            [operator @ (b'?' | b':'), after @ ..] => Ok(Name::Use(name, Some(*operator), after)),
            [b'{', ..] => {
                self.call(name, skip_space(rest))?;
                Ok(Name::Done)
            }
            _ => {
                let good = text.len() - rest.len();
                let warning = format!(
                    "attribute name syntax error at: \"...{}>>>{}\"",
                    lossy(&text[..good]),
                    head(rest)
                );
                Err(self.fail(warning))
            }
        }
    }

    fn call(&mut self, name: &[u8], start: &[u8]) -> Result<(), Failed> {
        let (argument, rest) = self.braced(start)?;
        let argument = trim(argument);
        if !rest.is_empty() {
            let warning = format!("unexpected input at: \"...{}}}>>>{}\"", lossy(argument), head(rest));
            return Err(self.fail(warning));
        }
        let Some((_, function)) = self.how.functions.iter().find(|(known, _)| known.as_bytes() == name)
        else {
            let (name, argument) = (lossy(name), lossy(argument));
            let warning = format!("unknown function \"{name}\" at\"...>>>{name}{{{argument}}}\"");
            return Err(self.fail(warning));
        };
        let argument = self.nested(argument);
        if self.out.failed {
            return Err(Failed);
        }
        if self.mode == Mode::Scan {
            return Ok(());
        }
        match function(&argument) {
            Ok(text) => {
                self.out.text.extend(text);
                Ok(())
            }
            Err(warning) => Err(self.fail(warning)),
        }
    }
}

enum Name<'t> {
    /// A name, the operator after it, and the rest.
    Use(&'t [u8], Option<u8>, &'t [u8]),
    /// A function call, done.
    Done,
}

/// Expands a text of main.cf.
pub(crate) fn main_cf(main: &MainCf, text: &str) -> Result<String, Error> {
    if !text.contains('$') {
        return Ok(text.to_owned());
    }
    let problem = RefCell::new(None);
    let names = |name: &[u8]| -> Option<Vec<u8>> {
        match main.lookup(&lossy(name)) {
            Ok(value) => value.map(String::into_bytes),
            Err(error) => {
                problem.borrow_mut().get_or_insert(error);
                None
            }
        }
    };
    let out = Expand::MAIN_CF.run(text.as_bytes(), &names);
    if let Some(error) = problem.into_inner() {
        return Err(error);
    }
    for warning in &out.warnings {
        log::warning!("{warning}");
    }
    if out.failed {
        return Err(Error::Expansion { warnings: out.warnings });
    }
    Ok(lossy(&out.text).into_owned())
}

fn relation(operator: &[u8]) -> Option<fn(Ordering) -> bool> {
    Some(match operator {
        b"==" => Ordering::is_eq,
        b"!=" => Ordering::is_ne,
        b"<" => Ordering::is_lt,
        b"<=" => Ordering::is_le,
        b">=" => Ordering::is_ge,
        b">" => Ordering::is_gt,
        _ => return None,
    })
}

/// Numbers by value when both are all digits, else bytes in order.
fn compare(left: &[u8], right: &[u8]) -> Result<Ordering, String> {
    if is_number(left) && is_number(right) {
        return Ok(number(left)?.cmp(&number(right)?));
    }
    Ok(left.cmp(right))
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn number(text: &[u8]) -> Result<i64, String> {
    lossy(text).parse().map_err(|_| format!("mac_exp_eval: bad conversion: {}", lossy(text)))
}

fn compare_levels(left: &[u8], right: &[u8]) -> Result<Ordering, String> {
    let level = |text: &[u8]| lossy(text).parse::<CompatLevel>().map_err(|error| error.to_string());
    Ok(level(left)?.cmp(&level(right)?))
}

fn domain_to_ascii(name: &[u8]) -> Result<Vec<u8>, String> {
    if name.is_ascii() {
        return Ok(name.to_owned());
    }
    let bad = || format!("bad domain argument in: 'domain_to_ascii{{{}}}'", lossy(name));
    let text = std::str::from_utf8(name).map_err(|_| bad())?;
    idna::domain_to_ascii(text).map(String::into_bytes).map_err(|_| bad())
}

fn domain_to_utf8(name: &[u8]) -> Result<Vec<u8>, String> {
    let Some(text) = std::str::from_utf8(name).ok().filter(|text| text.is_ascii()) else {
        return Ok(name.to_owned());
    };
    match idna::domain_to_unicode(text) {
        (text, Ok(())) => Ok(text.into_bytes()),
        _ => Err(format!("bad domain argument in: 'domain_to_utf8{{{text}}}'")),
    }
}

/// Where the bracket that opened before the text closes.
fn balance(text: &[u8], open: u8, close: u8) -> Option<usize> {
    let mut level = 1usize;
    text.iter().position(|&byte| {
        if byte == open {
            level += 1;
        } else if byte == close {
            level -= 1;
        }
        level == 0
    })
}

fn left_curly(text: &[u8]) -> Option<&[u8]> {
    Some(skip_space(text)).filter(|text| text.first() == Some(&b'{'))
}

fn skip_space(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| SPACE.contains(byte)).count();
    text.get(blanks..).unwrap_or_default()
}

fn trim(text: &[u8]) -> &[u8] {
    let text = skip_space(text);
    let blanks = text.iter().rev().take_while(|byte| SPACE.contains(byte)).count();
    text.get(..text.len() - blanks).unwrap_or_default()
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn replace(value: &mut [u8], keep: impl Fn(u8) -> bool) {
    value.iter_mut().filter(|byte| !keep(**byte)).for_each(|byte| *byte = b'_');
}

fn lossy(text: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(text)
}

/// The first 20 bytes, as messages show them.
fn head(text: &[u8]) -> std::borrow::Cow<'_, str> {
    lossy(text.get(..20).unwrap_or(text))
}

#[cfg(test)]
mod tests;
