//! The actions of header_checks(5) and body_checks(5) that are safe while mail is delivered.
//!
//! [`split`] takes a table's answer apart; [`apply`] interprets the actions that do not change a message's fate. Programs
//! that know more actions (`cleanup`) handle theirs first.

use crate::header::{self, HeaderInfo};
use crate::mime::HeaderClass;
use bytes::show;

/// What was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A logical header.
    Header,
    /// A body line.
    Body,
}

impl Place {
    /// The word in log lines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Body => "body",
        }
    }
}

/// The table that applies to a header: MIME headers use mime_header_checks also in the primary block.
pub fn table_class(class: HeaderClass, info: Option<HeaderInfo>) -> HeaderClass {
    match info {
        Some(info) if info.is_mime() => HeaderClass::Multipart,
        _ => class,
    }
}

/// The action word of a table's answer and the text after it.
pub fn split(answer: &[u8]) -> (&[u8], &[u8]) {
    let end = answer.iter().position(|&byte| byte == b' ' || byte == b'\t').unwrap_or(answer.len());
    let (word, rest) = answer.split_at(end);
    (word, bytes::trim_start(rest))
}

/// What happens to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
    /// Other text takes its place.
    Replace(&'a [u8]),
    /// It stays, with other text before it.
    Prepend(&'a [u8]),
}

/// The result of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// What happens to the line.
    pub verdict: Verdict<'a>,
    /// The action's word in the log and its text, when the action is logged.
    pub log: Option<(&'static str, &'a [u8])>,
    /// A warning about the table's answer.
    pub warning: Option<String>,
}

impl<'a> Outcome<'a> {
    fn quiet(verdict: Verdict<'a>) -> Self {
        Self { verdict, log: None, warning: None }
    }

    fn logged(verdict: Verdict<'a>, action: &'static str, text: &'a [u8]) -> Self {
        Self { verdict, log: Some((action, text)), warning: None }
    }

    fn warned(warning: String) -> Self {
        Self { verdict: Verdict::Keep, log: None, warning: Some(warning) }
    }
}

/// What `answer`, found in the table of parameter `class`, asks for.
pub fn apply<'a>(class: &str, place: Place, answer: &'a [u8]) -> Outcome<'a> {
    let (word, text) = split(answer);
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    if is("WARN") {
        Outcome::logged(Verdict::Keep, "warning", text)
    } else if is("INFO") {
        Outcome::logged(Verdict::Keep, "info", text)
    } else if is("REPLACE") {
        match text_fault("REPLACE", class, place, text) {
            Some(warning) => Outcome::warned(warning),
            None => Outcome::logged(Verdict::Replace(text), "replace", text),
        }
    } else if is("PREPEND") {
        match text_fault("PREPEND", class, place, text) {
            Some(warning) => Outcome::warned(warning),
            None => Outcome::logged(Verdict::Prepend(text), "prepend", text),
        }
    } else if is("STRIP") {
        Outcome::logged(Verdict::Remove, "strip", text)
    } else if is("IGNORE") {
        Outcome::quiet(Verdict::Remove)
    } else if is("DUNNO") || is("OK") {
        Outcome::quiet(Verdict::Keep)
    } else {
        Outcome::warned(format!("unsupported command in {class} map: {}", show(answer)))
    }
}

/// Why `text` cannot be used by REPLACE or PREPEND.
pub fn text_fault(action: &str, class: &str, place: Place, text: &[u8]) -> Option<String> {
    if text.is_empty() {
        return Some(format!("{action} action without text in {class} map"));
    }
    if place == Place::Header && !header::is_header(text) {
        return Some(format!(
            "bad {action} header text \"{}\" in {class} map -- need \"headername: headervalue\"",
            show(text)
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions() {
        let outcome = apply("header_checks", Place::Header, b"replace X-A:  b");
        assert_eq!(outcome.verdict, Verdict::Replace(b"X-A:  b"));
        assert_eq!(outcome.log, Some(("replace", &b"X-A:  b"[..])));
        assert_eq!(
            apply("header_checks", Place::Header, b"PREPEND nonsense").warning.unwrap(),
            "bad PREPEND header text \"nonsense\" in header_checks map -- need \"headername: headervalue\""
        );
        assert_eq!(
            apply("body_checks", Place::Body, b"REPLACE").warning.unwrap(),
            "REPLACE action without text in body_checks map"
        );
        assert_eq!(apply("body_checks", Place::Body, b"IGNORE it").verdict, Verdict::Remove);
        assert_eq!(
            apply("body_checks", Place::Body, b"HOLD x").warning.unwrap(),
            "unsupported command in body_checks map: HOLD x"
        );
    }
}
