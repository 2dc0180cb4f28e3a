//! Differences that are intended; each stands in `tests/DEVIATIONS.md` under the same name.

use std::sync::LazyLock;

use harness::Package;
use regex::Regex;

/// Name, whose lines of messages, pattern, replacement.
const RULES: &[(&str, Option<Package>, &str, &str)] = &[
    // A hash or btree table is an LMDB file, and has the name that an LMDB table has.
    ("index-name", None, r"(/tmp/lookups/(?:hash|btree)/[a-z0-9/]+)\.(?:db|lmdb)\b", "$1"),
    ("index-name", None, r"(open database /nonexistent)\.(?:db|lmdb)\b", "$1"),
    (
        "index-name",
        Some(Package::Reference),
        r": (/tmp/lookups/(hash|btree)/[a-z0-9/]+): duplicate",
        ": $2:$1: duplicate",
    ),
    // The table's name is without the ending.
    ("cdb-name", Some(Package::Reference), r"(cdb:/tmp/lookups/cdb/[a-z0-9/]+)\.cdb\b", "$1"),
    ("null-byte", Some(Package::Ours), r"^err: .*: text after null byte may be ignored$", ""),
    // What is only nearly UTF-8 is shown byte by byte.
    ("printable", Some(Package::Reference), r"\\xed\\xa0\\x80", "???"),
    ("printable", Some(Package::Reference), r"\\xf4\\x90\\x80\\x80", "????"),
    ("printable", Some(Package::Reference), r"\\xe2\\x82", "??"),
];

static COMPILED: LazyLock<Vec<(Option<Package>, Regex, &str)>> = LazyLock::new(|| {
    let compiled = |pattern: &str| Regex::new(pattern).expect("a rule");
    RULES.iter().map(|(_, package, pattern, text)| (*package, compiled(pattern), *text)).collect()
});

/// The text as it is compared.
pub(crate) fn apply(package: Package, text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| if line.starts_with("err: ") { message(package, line) } else { line.to_owned() });
    lines.filter(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

fn message(package: Package, line: &str) -> String {
    let mut line = line.to_owned();
    for (only, pattern, replacement) in COMPILED.iter() {
        if only.is_none_or(|only| only == package) {
            line = pattern.replace_all(&line, *replacement).into_owned();
        }
    }
    line
}

/// `unflushed-output`: at a fatal end Postfix loses the answers that it has not yet written. Those are taken out of ours;
/// the last one that is left may be a part of one, and is taken out of both.
pub(crate) fn cut_where_lost(ours: &str, reference: &str) -> (String, String) {
    let (mut both, mut rest) = ((String::new(), String::new()), ours.split("\n$ "));
    for theirs in reference.split("\n$ ") {
        let Some(own) = rest.next() else { break };
        let is_fatal = |text: &str| text.contains(": fatal: table ") && text.contains(" error");
        let (own, theirs) = match is_fatal(own) && is_fatal(theirs) {
            true => {
                let kept = theirs.lines().filter(|line| line.starts_with("out: ")).count().saturating_sub(1);
                (first_answers(own, kept), first_answers(theirs, kept))
            }
            false => (own.to_owned(), theirs.to_owned()),
        };
        both.0.push_str(&format!("$ {own}\n"));
        both.1.push_str(&format!("$ {theirs}\n"));
    }
    both.0.extend(rest);
    both
}

/// A report without the answers after the first few.
fn first_answers(report: &str, count: usize) -> String {
    let mut seen = 0;
    let mut is_kept = |line: &&str| {
        seen += usize::from(line.starts_with("out: "));
        !line.starts_with("out: ") || seen <= count
    };
    report.lines().filter(|line| is_kept(line)).map(|line| format!("{line}\n")).collect()
}
