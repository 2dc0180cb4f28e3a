//! `cidr:`, network addresses.

use std::collections::HashMap;

use crate::cidr::{Address, CidrPattern};
use crate::error::Error;
use crate::flags::Flags;
use crate::lines::Lines;
use crate::local::LocalTable;
use crate::open::{Opened, Opening};
use crate::rhs;
use crate::types::basic::Text;
use crate::types::pattern::keyword;

/// What a line of the file means.
enum Rule {
    Match {
        pattern: CidrPattern,
        positive: bool,
        value: Vec<u8>,
    },
    /// With the index of the matching `endif`.
    If {
        pattern: CidrPattern,
        positive: bool,
        end: Option<usize>,
    },
    EndIf,
}

/// The rules of a file.
struct Cidr {
    name: String,
    rules: Vec<Rule>,
    index: Option<Index>,
}

/// The rules of a file without `if` and `!`, by network: the first rule for each.
#[derive(Default)]
struct Index {
    networks: HashMap<(u32, Address), usize>,
    lengths: Vec<u32>,
}

impl Index {
    fn of(rules: &[Rule]) -> Option<Self> {
        let mut index = Self::default();
        for (at, rule) in rules.iter().enumerate() {
            let Rule::Match { pattern, positive: true, .. } = rule else { return None };
            index.networks.entry(pattern.key()).or_insert(at);
            index.lengths.push(pattern.prefix_length());
        }
        index.lengths.sort_unstable();
        index.lengths.dedup();
        Some(index)
    }

    fn find(&self, address: Address) -> Option<usize> {
        let found = |length: &u32| self.networks.get(&(*length, address.network(*length)));
        self.lengths.iter().filter_map(found).min().copied()
    }
}

impl LocalTable for Cidr {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        log::debug!("dict_cidr_lookup: {}: {}", self.name, bytes::show(key));
        let address = std::str::from_utf8(key).ok().and_then(Address::parse);
        let found = address.and_then(|address| match &self.index {
            Some(index) => index.find(address),
            None => search(&self.rules, address),
        });
        match found.and_then(|at| self.rules.get(at)) {
            Some(Rule::Match { value, .. }) => Ok(Some(value.clone())),
            _ => Ok(None),
        }
    }
}

fn search(rules: &[Rule], address: Address) -> Option<usize> {
    // COMPAT: a negated pattern still matches addresses of its own family only.
    let holds = |pattern: &CidrPattern, positive: bool| {
        pattern.is_same_family(address) && pattern.matches(address) == positive
    };
    let mut at = 0;
    while let Some(rule) = rules.get(at) {
        match rule {
            Rule::Match { pattern, positive, .. } if holds(pattern, *positive) => return Some(at),
            Rule::If { pattern, positive, end } if !holds(pattern, *positive) => at = (*end)?,
            _ => {}
        }
        at += 1;
    }
    None
}

/// `cidr:/file/name` or `cidr:{ { network result } }`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let text = Text::read(opening)?;
    let name = opening.name;
    let mut rules: Vec<Rule> = Vec::new();
    let mut open: Vec<(usize, usize)> = Vec::new();
    for line in Lines::new(name, &text.content) {
        let rule = match parse(&line.text, opening.flags, !open.is_empty()) {
            Ok(rule) => rule,
            Err(why) => {
                log::warning!("cidr map {name}, line {}: {why}: skipping this rule", line.number);
                continue;
            }
        };
        let here = rules.len();
        match rule {
            Rule::If { .. } => open.push((here, line.number)),
            Rule::EndIf => {
                if let Some(Rule::If { end, .. }) = open.pop().and_then(|(start, _)| rules.get_mut(start)) {
                    *end = Some(here);
                }
            }
            Rule::Match { .. } => {}
        }
        rules.push(rule);
    }
    for (_, line) in open.iter().rev() {
        log::warning!("cidr map {name}, line {line}: IF has no matching ENDIF");
    }
    let index = Index::of(&rules);
    let table = Cidr { name: name.to_owned(), rules, index };
    Ok(Opened::local(table, Flags::PATTERN).owned_by(text.owner))
}

fn parse(text: &[u8], flags: Flags, is_nested: bool) -> Result<Rule, String> {
    let rule = if let Some(rest) = keyword(text, b"IF") {
        let (positive, rest) = negation(rest);
        if rest.is_empty() {
            return Err("no address pattern".to_owned());
        }
        let pattern = CidrPattern::parse(&String::from_utf8_lossy(bytes::trim_end(rest)))?;
        Rule::If { pattern, positive, end: None }
    } else if let Some(rest) = keyword(text, b"ENDIF") {
        if !bytes::trim_start(rest).is_empty() {
            return Err("garbage after ENDIF".to_owned());
        }
        if !is_nested {
            return Err("ENDIF without IF".to_owned());
        }
        Rule::EndIf
    } else {
        let (positive, rest) = negation(text);
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
        Rule::Match { pattern, positive, value }
    };
    Ok(rule)
}

/// Takes `!` and white space from the start of a text; whether the number of `!` was even.
fn negation(text: &[u8]) -> (bool, &[u8]) {
    let mut positive = true;
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        match byte {
            b'!' => positive = !positive,
            _ if bytes::is_space(*byte) => {}
            _ => break,
        }
        rest = tail;
    }
    (positive, rest)
}
