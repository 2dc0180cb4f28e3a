//! What Debian's Postfix cannot do yet must agree with what it can: JSON says the same as text, `-q` only leaves warnings out,
//! values without names are those with names, and `-PP` shows for every service what is
//! shown without it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::Answers;
use crate::answer::Answer;

static MEMBER: LazyLock<Regex> = LazyLock::new(|| {
    let string = r#""((?:[^"\\]|\\.)*)""#;
    Regex::new(&format!(r"^\{{{string}: {string}\}}$")).expect("a pattern")
});

/// Checks the answers of a configuration; problems come back.
pub(crate) fn check(name: &str, answers: &Answers) -> Vec<String> {
    let answer = |arguments: &str| {
        let command = format!("postconf {arguments}");
        answers.get(&(name.to_owned(), command.trim_end().to_owned()))
    };
    let mut problems = Vec::new();
    let mut insist = |what: &str, is_true: bool| {
        if !is_true {
            problems.push(format!("{what}: not so"));
        }
    };
    for plain in ["", "-n", "-x", "-F", "-P"] {
        let json = answer(&format!("{}j", if plain.is_empty() { "-" } else { plain }));
        let Some((plain_answer, json)) = answer(plain).zip(json) else {
            insist(&format!("{plain} and its JSON were asked for"), false);
            continue;
        };
        insist(&format!("JSON says what {plain:?} says"), same_as_json(plain_answer, json, " = "));
    }
    for plain in ["-M", "-Mx"] {
        let both = answer(plain).zip(answer(&format!("{plain}j")));
        insist(
            &format!("JSON says what {plain} says"),
            both.is_some_and(|(plain, json)| same_entries(plain, json)),
        );
    }
    for plain in ["", "-n", "-P"] {
        let both = answer(plain).zip(answer(&format!("{}q", if plain.is_empty() { "-" } else { plain })));
        insist(
            &format!("-q only leaves warnings out of {plain:?}"),
            both.is_some_and(|(plain, quiet)| is_quieter(plain, quiet)),
        );
    }
    for (plain, values) in [("", "-h"), ("-n", "-nh")] {
        let both = answer(plain).zip(answer(values));
        insist(
            &format!("{values} shows the values of {plain:?}"),
            both.is_some_and(|(plain, values)| same_values(plain, values)),
        );
    }
    insist(
        "-PPC user shows for services what -C user shows",
        answer("-C user").zip(answer("-PPC user")).is_some_and(|(plain, all)| same_for_services(plain, all)),
    );
    insist(
        "-PPx leaves forward_path alone",
        answer("")
            .zip(answer("-PPx */*/forward_path"))
            .is_some_and(|(plain, all)| same_everywhere(plain, all)),
    );
    problems
}

fn words(text: &str) -> String {
    text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The names and values of JSON lines.
fn members(json: &Answer) -> Option<Vec<(String, String)>> {
    let member = |line: &String| {
        let found = MEMBER.captures(line)?;
        Some((unquoted(&found[1])?, unquoted(&found[2])?))
    };
    json.output.iter().map(member).collect()
}

fn same_as_json(plain: &Answer, json: &Answer, separator: &str) -> bool {
    let Some(members) = members(json) else { return false };
    let lines = members.iter().map(|(name, value)| words(&format!("{name}{separator}{value}")));
    let is_own_number = |line: &str| line.contains("process_id = ");
    let same =
        lines.zip(&plain.output).all(|(line, plain)| line == *plain.trim_end() || is_own_number(&line));
    same && members.len() == plain.output.len() && json.errors == plain.errors && json.status == plain.status
}

fn same_entries(plain: &Answer, json: &Answer) -> bool {
    let Some(members) = members(json) else { return false };
    let same = members.iter().zip(&plain.output).all(|((name, entry), plain)| {
        let start: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).take(2).collect();
        *name == start.join("/") && words(entry) == words(plain)
    });
    same && members.len() == plain.output.len() && json.errors == plain.errors && json.status == plain.status
}

fn is_quieter(plain: &Answer, quiet: &Answer) -> bool {
    let is_told = |line: &&String| {
        let silenced = [
            ": unused parameter: ",
            ": support for parameter ",
            "See https://www.postfix.org/DEPRECATION_README",
        ];
        !silenced.iter().any(|text| line.contains(text))
    };
    let told: Vec<&String> = plain.errors.iter().filter(is_told).collect();
    let without_number = |answer: &Answer| -> Vec<String> {
        answer.output.iter().filter(|line| !line.starts_with("process_id = ")).cloned().collect()
    };
    without_number(plain) == without_number(quiet)
        && told == quiet.errors.iter().collect::<Vec<_>>()
        && plain.status == quiet.status
}

fn same_values(plain: &Answer, values: &Answer) -> bool {
    let same = plain.output.iter().zip(&values.output).all(|(plain, value)| {
        let (name, rest) = plain.split_once(" =").unwrap_or_default();
        rest.trim_start() == value || name == "process_id"
    });
    same && plain.output.len() == values.output.len() && plain.status == values.status
}

/// For each service, every name with the value of plain `postconf` or with one of its own.
fn same_for_services(plain: &Answer, all: &Answer) -> bool {
    if plain.status != 0 || plain.errors.iter().any(|line| line.contains("warning: open ")) {
        return all.status != 0 || plain.status == 0;
    }
    let mut services: BTreeMap<&str, usize> = BTreeMap::new();
    let known: BTreeMap<&str, &str> = plain.output.iter().filter_map(|line| line.split_once(" =")).collect();
    for line in &all.output {
        let Some((full, _)) = line.split_once(" =") else { return false };
        let Some((service, name)) = full.rsplit_once('/') else { return false };
        *services.entry(service).or_default() += usize::from(known.contains_key(name));
    }
    if known.is_empty() {
        return true;
    }
    // Entries of the same name share their settings, and come more than once.
    services.is_empty() == all.output.is_empty() && services.values().all(|count| count % known.len() == 0)
}

/// Every service has the value of plain `postconf`, as it is written.
fn same_everywhere(plain: &Answer, all: &Answer) -> bool {
    let Some(line) = plain.output.iter().find(|line| line.starts_with("forward_path = ")) else {
        return plain.status != 0;
    };
    all.output.iter().all(|found| found.ends_with(&format!("/{line}")))
}

fn unquoted(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            plain.push(char);
            continue;
        }
        match chars.next()? {
            // A byte that does not print: the test's own writing.
            'x' => plain.push_str("\\x"),
            'b' => plain.push_str("\\x08"),
            'f' => plain.push_str("\\x0c"),
            'n' => plain.push('\n'),
            'r' => plain.push('\r'),
            't' => plain.push('\t'),
            'u' => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok()?;
                plain.push_str(&format!("\\x{code:02x}"));
            }
            other => plain.push(other),
        }
    }
    Some(plain)
}
