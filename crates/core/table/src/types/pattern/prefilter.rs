//! Which rules of a large file can match a subject at all.
//!
//! Most patterns have a text that every match contains ([`mod@super::required`]). All those texts are looked for
//! in one pass over the subject, and a rule whose text is not there is not tried. What remains is tried in the order of
//! the file, so that the answer is the same; a rule that is left out cannot have matched.

use std::cell::RefCell;
use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};

use super::required::{AnyOf, SHORTEST};

/// Files with fewer patterns of which something is known are not worth the memory.
const WORTHWHILE: usize = 8;
/// A text of this length is rare enough.
const LONG_ENOUGH: usize = 3;

/// What is known about the pattern of a rule.
pub(super) struct Need {
    /// What each match contains.
    pub(super) clauses: Vec<AnyOf>,
    /// Whether the rule is looked at also when its pattern does not match: `if`, and negated patterns.
    pub(super) always: bool,
}

/// The texts of a file, and the rules that need them.
pub(super) struct Prefilter {
    automaton: AhoCorasick,
    /// The rules that need a text, by the text's number.
    needed_by: Vec<Vec<u32>>,
    /// The rules of which nothing is known.
    unknown: Bits,
    /// The rules that are looked at also when their pattern does not match.
    always: Bits,
    possible: RefCell<Bits>,
}

impl Prefilter {
    /// `None`: it would not be worth it.
    pub(super) fn of(needs: &[Need]) -> Option<Self> {
        let known = needs.iter().filter(|need| !need.clauses.is_empty()).count();
        if known < WORTHWHILE {
            return None;
        }
        // A text that many rules need is in many subjects, as `subject:` is.
        let mut uses: HashMap<&[u8], usize> = HashMap::new();
        for text in needs.iter().flat_map(|need| &need.clauses).flatten() {
            *uses.entry(text).or_default() += 1;
        }
        let worth = |texts: &&AnyOf| {
            let shortest = texts.iter().map(Vec::len).min().unwrap_or(0);
            let common = texts.iter().filter_map(|text| uses.get(text.as_slice())).sum::<usize>();
            (shortest.min(LONG_ENOUGH), std::cmp::Reverse(common), shortest)
        };
        let mut unknown = Bits::none(needs.len());
        let mut always = Bits::none(needs.len());
        let mut texts: Vec<&[u8]> = Vec::new();
        let mut needed_by: Vec<Vec<u32>> = Vec::new();
        let mut numbers: HashMap<&[u8], usize> = HashMap::new();
        for (rule, need) in (0u32..).zip(needs) {
            if need.always {
                always.set(rule);
            }
            let Some(clause) = need.clauses.iter().max_by_key(worth) else {
                unknown.set(rule);
                continue;
            };
            debug_assert!(clause.iter().all(|text| text.len() >= SHORTEST));
            for text in clause {
                let number = *numbers.entry(text).or_insert_with(|| {
                    texts.push(text);
                    needed_by.push(Vec::new());
                    texts.len() - 1
                });
                needed_by.get_mut(number)?.push(rule);
            }
        }
        let automaton = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&texts)
            .ok()?;
        let possible = RefCell::new(unknown.clone());
        Some(Self { automaton, needed_by, unknown, always, possible })
    }

    /// Looks for the texts in a subject, and hands over what that says about the rules.
    pub(super) fn with<T>(&self, subject: &[u8], act: impl FnOnce(Candidates<'_>) -> T) -> T {
        let mut possible = self.possible.borrow_mut();
        possible.copy_from(&self.unknown);
        for found in self.automaton.find_overlapping_iter(subject) {
            for &rule in self.needed_by.get(found.pattern().as_usize()).into_iter().flatten() {
                possible.set(rule);
            }
        }
        act(Candidates::Some { possible: &possible, always: &self.always })
    }
}

/// What is known about the rules of a file for one subject.
#[derive(Clone, Copy)]
pub(super) enum Candidates<'a> {
    /// Nothing: all rules have to be tried.
    All,
    Some {
        possible: &'a Bits,
        always: &'a Bits,
    },
}

impl Candidates<'_> {
    /// The first rule at or after `rule` that has to be looked at.
    pub(super) fn next(&self, rule: usize) -> Option<usize> {
        match self {
            Self::All => Some(rule),
            Self::Some { possible, always } => Bits::next_of_both(possible, always, rule),
        }
    }

    /// Whether the pattern of a rule may match.
    pub(super) fn may_match(&self, rule: usize) -> bool {
        match self {
            Self::All => true,
            Self::Some { possible, .. } => possible.has(rule),
        }
    }
}

/// A set of numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn copy_from(&mut self, other: &Self) {
        self.0.clone_from(&other.0);
    }

    fn set(&mut self, number: u32) {
        let word = usize::try_from(number / 64).unwrap_or(usize::MAX);
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (number % 64);
        }
    }

    fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn next_of_both(one: &Self, other: &Self, from: usize) -> Option<usize> {
        let mut mask = u64::MAX << (from % 64);
        for at in from / 64..one.0.len() {
            let word = (one.0.get(at)? | other.0.get(at)?) & mask;
            if word != 0 {
                return Some(at * 64 + usize::try_from(word.trailing_zeros()).ok()?);
            }
            mask = u64::MAX;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(text: &str) -> Need {
        let texts = text.split('&').filter(|clause| !clause.is_empty());
        let clause = |clause: &str| clause.split('|').map(|text| text.as_bytes().to_vec()).collect();
        Need { clauses: texts.map(clause).collect(), always: text.is_empty() }
    }

    #[test]
    fn bits_in_order() {
        let (mut one, mut other) = (Bits::none(200), Bits::none(200));
        for number in [0, 63, 64, 199] {
            one.set(number);
        }
        other.set(130);
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(next) = Bits::next_of_both(&one, &other, at) {
            found.push(next);
            at = next + 1;
        }
        assert_eq!(found, [0, 63, 64, 130, 199]);
        assert!(one.has(63) && !one.has(130) && !one.has(1000));
    }

    #[test]
    fn the_rare_text_counts() {
        let words = ["alpha", "beta", "gamma", "delta", "eps", "zeta", "eta", "theta"];
        let mut needs: Vec<Need> = words.iter().map(|word| need(&format!("subject: &{word}"))).collect();
        needs.push(need(""));
        needs.push(need("foo|bar"));
        let prefilter = Prefilter::of(&needs).unwrap();
        let rules = |subject: &str| {
            prefilter.with(subject.as_bytes(), |candidates| {
                let mut found = Vec::new();
                let mut at = 0;
                while let Some(next) = candidates.next(at) {
                    found.push(next);
                    at = next + 1;
                }
                found
            })
        };
        assert_eq!(rules("Subject: GAMMA"), [2, 8]);
        // A text within another, and none of the words.
        assert_eq!(rules("subject: theta bar"), [6, 7, 8, 9]);
        assert_eq!(rules("subject: "), [8]);
        assert!(prefilter.with(b"", |candidates| candidates.may_match(8) && !candidates.may_match(9)));
    }

    #[test]
    fn small_files_go_without() {
        assert!(Prefilter::of(&[need("abc"), need("def")]).is_none());
    }
}
