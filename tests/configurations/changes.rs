//! Everything that is otherwise in Postfix 3.11 than in Debian's 3.7, and shows in what `postconf` says.
//!
//! What stands here is taken out of the answers before they are compared, each side's own. An entry that takes nothing out
//! of any answer is reported: the list says no more than is true.

mod list;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use harness::Package;
use regex::Regex;

use crate::answer::Answer;
use crate::commands::Shown;
use list::{PARAMETERS, TEXTS};

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Output,
    Errors,
}

/// The list, and which of it was needed.
#[derive(Debug)]
pub(crate) struct Changes {
    parameters: BTreeMap<&'static str, Parameter>,
    texts: Vec<Text>,
}

#[derive(Debug)]
struct Parameter {
    old: Side,
    new: Side,
}

/// What one system says about a parameter by default.
#[derive(Debug)]
struct Side {
    default: Option<&'static str>,
    is_used: Cell<bool>,
}

#[derive(Debug)]
struct Text {
    stream: Stream,
    package: Package,
    pattern: Regex,
    replacement: &'static str,
    is_used: Cell<bool>,
}

impl Changes {
    pub(crate) fn new() -> Changes {
        let side = |default| Side { default, is_used: Cell::new(false) };
        let parameters = PARAMETERS
            .iter()
            .map(|&(name, old, new, _)| (name, Parameter { old: side(old), new: side(new) }));
        let texts = TEXTS.iter().map(|&(stream, package, pattern, replacement, _)| Text {
            stream,
            package,
            pattern: Regex::new(pattern).expect("a pattern"),
            replacement,
            is_used: Cell::new(false),
        });
        Changes { parameters: parameters.collect(), texts: texts.collect() }
    }

    /// An answer without what is listed here. Of a value that is shown expanded, only the name is known; what the other
    /// system says too is left alone.
    pub(crate) fn apply(&self, package: Package, answer: &Answer, other: &Answer, shown: Shown) -> Answer {
        let others: BTreeSet<&[String]> = logical_lines(&other.output).collect();
        let mut output = Vec::new();
        for lines in logical_lines(&answer.output) {
            if others.contains(lines) {
                output.extend_from_slice(lines);
            } else if !self.is_default(package, lines, shown) {
                output.extend(lines.iter().filter_map(|line| self.replace(Stream::Output, package, line)));
            }
        }
        let errors = answer
            .errors
            .iter()
            .filter(|line| !self.is_about_unknown(package, line))
            .filter_map(|line| match other.errors.contains(line) {
                true => Some(line.clone()),
                false => self.replace(Stream::Errors, package, line),
            })
            .collect();
        let mut answer = Answer { output, errors, status: answer.status };
        answer.errors.sort();
        answer
    }

    /// What was of no use.
    pub(crate) fn unused(&self) -> Vec<String> {
        let mut list = Vec::new();
        for (name, parameter) in &self.parameters {
            for (side, package) in [(&parameter.old, "the reference"), (&parameter.new, "ours")] {
                if side.default.is_some() && !side.is_used.get() {
                    list.push(format!("{name} of {package} is not what the list says"));
                }
            }
        }
        let unused = self.texts.iter().filter(|text| !text.is_used.get());
        list.extend(
            unused
                .map(|text| format!("nothing like {:?}, {:?}: {}", text.stream, text.package, text.pattern)),
        );
        list
    }

    /// Whether a line shows a parameter that is listed, with its default.
    fn is_default(&self, package: Package, lines: &[String], shown: Shown) -> bool {
        let text: Vec<&str> = lines.iter().map(|line| line.trim_start()).collect();
        let text = text.join(" ");
        let (name, value) = match text.split_once(" =") {
            Some((name, value)) => (name, Some(value.trim_start())),
            None => (text.as_str(), None),
        };
        let Some(parameter) = self.parameters.get(name) else { return false };
        let (side, other) = parameter.sides(package);
        let Some(default) = side.default else { return false };
        match value {
            // Names alone.
            None => other.default.is_none(),
            Some(_) if shown == Shown::Expanded => true,
            Some(value) => {
                let is_default = value == default;
                side.is_used.set(side.is_used.get() || is_default);
                is_default
            }
        }
    }

    /// Whether a line warns about a parameter that the other system does know.
    fn is_about_unknown(&self, package: Package, line: &str) -> bool {
        let Some((_, setting)) = line.split_once(": unused parameter: ") else { return false };
        let name = setting.split('=').next().unwrap_or_default();
        self.parameters.get(name).is_some_and(|parameter| parameter.sides(package).0.default.is_none())
    }

    /// A line after all replacements; nothing when nothing remains.
    fn replace(&self, stream: Stream, package: Package, line: &str) -> Option<String> {
        let mut line = line.to_owned();
        for text in self.texts.iter().filter(|text| text.stream == stream && text.package == package) {
            // Lists grow shorter by one at a time.
            while text.pattern.is_match(&line) {
                text.is_used.set(true);
                let replaced = text.pattern.replace(&line, text.replacement).into_owned();
                if replaced.is_empty() {
                    return None;
                }
                if replaced == line {
                    break;
                }
                line = replaced;
            }
        }
        Some(line)
    }
}

impl Parameter {
    /// This system's and the other's.
    fn sides(&self, package: Package) -> (&Side, &Side) {
        match package {
            Package::Ours => (&self.new, &self.old),
            Package::Reference => (&self.old, &self.new),
        }
    }
}

/// Lines with those that continue them.
fn logical_lines(lines: &[String]) -> impl Iterator<Item = &[String]> {
    lines.chunk_by(|_, next| next.starts_with("    "))
}
