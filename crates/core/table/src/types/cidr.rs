//! `cidr:`, network addresses.

use crate::cidr::{Address, CidrPattern};
use crate::error::Error;
use crate::flags::Flags;
use crate::lines::Lines;
use crate::local::LocalTable;
use crate::open::{Opened, Opening};
use crate::rhs;
use crate::types::basic::Text;
use crate::types::pattern::keyword;
use crate::types::ranges::{Ranges, Sense, Step};

/// What a line of the file means.
enum Rule {
    Match { pattern: CidrPattern, sense: Sense, value: Vec<u8> },
    If { pattern: CidrPattern, sense: Sense },
    EndIf,
}

/// The results of a file.
struct Cidr {
    name: String,
    /// By the number of the rule; nothing where it has no result.
    values: Vec<Vec<u8>>,
    ranges: Ranges,
}

impl LocalTable for Cidr {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        log::debug!("dict_cidr_lookup: {}: {}", self.name, bytes::show(key));
        let address = std::str::from_utf8(key).ok().and_then(Address::parse);
        let rule = address.and_then(|address| self.ranges.find(address));
        Ok(rule.and_then(|rule| self.values.get(rule)).cloned())
    }
}

/// `cidr:/file/name` or `cidr:{ { network result } }`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let text = Text::read(opening)?;
    let name = opening.name;
    let mut rules: Vec<Rule> = Vec::new();
    // The lines of those that have no `endif` yet.
    let mut open: Vec<usize> = Vec::new();
    for line in Lines::new(name, &text.content) {
        let rule = match parse(&line.text, opening.flags, !open.is_empty()) {
            Ok(rule) => rule,
            Err(why) => {
                log::warning!("cidr map {name}, line {}: {why}: skipping this rule", line.number);
                continue;
            }
        };
        match &rule {
            Rule::If { .. } => open.push(line.number),
            Rule::EndIf => drop(open.pop()),
            Rule::Match { .. } => {}
        }
        rule.log();
        rules.push(rule);
    }
    for line in open.iter().rev() {
        log::warning!("cidr map {name}, line {line}: IF has no matching ENDIF");
    }
    let ranges = Ranges::of(rules.iter().map(|rule| match rule {
        Rule::Match { pattern, sense, .. } => Step::Match(pattern, *sense),
        Rule::If { pattern, sense } => Step::If(pattern, *sense),
        Rule::EndIf => Step::EndIf,
    }));
    let values = rules.into_iter().map(|rule| match rule {
        Rule::Match { value, .. } => value,
        Rule::If { .. } | Rule::EndIf => Vec::new(),
    });
    let table = Cidr { name: name.to_owned(), values: values.collect(), ranges };
    Ok(Opened::local(table, Flags::PATTERN).owned_by(text.owner))
}

impl Rule {
    fn log(&self) {
        let (pattern, value): (_, &[u8]) = match self {
            Self::Match { pattern, value, .. } => (pattern, value),
            Self::If { pattern, .. } => (pattern, b""),
            Self::EndIf => return,
        };
        let (network, length) = pattern.network();
        log::debug!("dict_cidr_open: add {network}/{length} {}", bytes::show(value));
    }
}

fn parse(text: &[u8], flags: Flags, is_nested: bool) -> Result<Rule, String> {
    let rule = if let Some(rest) = keyword(text, b"IF") {
        let (sense, rest) = negation(rest);
        if rest.is_empty() {
            return Err("no address pattern".to_owned());
        }
        let pattern = CidrPattern::parse(&String::from_utf8_lossy(bytes::trim_end(rest)))?;
        Rule::If { pattern, sense }
    } else if let Some(rest) = keyword(text, b"ENDIF") {
        if !bytes::trim_start(rest).is_empty() {
            return Err("garbage after ENDIF".to_owned());
        }
        if !is_nested {
            return Err("ENDIF without IF".to_owned());
        }
        Rule::EndIf
    } else {
        let (sense, rest) = negation(text);
        let end = rest.iter().position(|&byte| bytes::is_space(byte)).unwrap_or(rest.len());
        let (pattern, value) = rest.split_at(end);
        if pattern.is_empty() {
            return Err("no address pattern".to_owned());
        }
        let pattern = CidrPattern::parse(&String::from_utf8_lossy(pattern))?;
        let value = bytes::trim(value);
        if value.is_empty() {
            return Err("no lookup result".to_owned());
        }
        let value = if flags.contains(Flags::SRC_RHS_IS_FILE) {
            rhs::files_in_source(value)?
        } else {
            value.to_vec()
        };
        Rule::Match { pattern, sense, value }
    };
    Ok(rule)
}

/// Takes `!` and white space from the start of a text.
fn negation(text: &[u8]) -> (Sense, &[u8]) {
    let end = text.iter().position(|&byte| byte != b'!' && !bytes::is_space(byte)).unwrap_or(text.len());
    let (taken, rest) = text.split_at(end);
    let count = taken.iter().filter(|&&byte| byte == b'!').count();
    (if count.is_multiple_of(2) { Sense::Inside } else { Sense::Outside }, rest)
}
