//! What `regexp:` and `pcre:` files have in common: rules with `if`, `endif`, `!`, and `$1` in results.

mod parser;
mod prefilter;
mod required;

use std::ffi::CString;
use std::ops::Range;

use crate::error::Error;
use crate::flags::Flags;
use crate::lines::Lines;
use crate::local::LocalTable;
use crate::macros::{self, Piece};
use crate::open::{Opened, Opening};
use crate::types::basic::Text;

use parser::Parser;
use prefilter::{Candidates, Need, Prefilter};
pub(crate) use required::{AnyOf, Syntax, required};

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
    /// What each match of a pattern contains.
    fn required(pattern: &[u8], options: Self::Options) -> Vec<AnyOf>;
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
    /// What each match contains; moved out when the whole file is read.
    required: Vec<AnyOf>,
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
    prefilter: Option<Prefilter>,
}

/// Reads a file of patterns.
pub(crate) fn open<D: Dialect>(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let text = Text::read(opening)?;
    let mut parser = Parser::<D>::new(opening.name, opening.flags);
    for line in Lines::new(opening.name, &text.content) {
        parser.line(&line);
    }
    parser.end();
    let prefilter = Prefilter::of(&parser.needs);
    let table = Patterns { name: opening.name.to_owned(), rules: parser.rules, prefilter };
    Ok(Opened::local(table, Flags::PATTERN).folding().owned_by(text.owner))
}

impl<D: Dialect> LocalTable for Patterns<D> {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        log::debug!("dict_{}_lookup: {}: {}", D::TYPE, self.name, bytes::show(key));
        let subject = Subject { text: posix_regex::until_nul(key) };
        Ok(match &self.prefilter {
            Some(prefilter) => {
                prefilter.with(subject.text.as_bytes(), |candidates| self.search(&subject, candidates))
            }
            None => self.search(&subject, Candidates::All),
        })
    }
}

impl<D: Dialect> Patterns<D> {
    fn search(&self, subject: &Subject, candidates: Candidates<'_>) -> Option<Vec<u8>> {
        let mut next = 0;
        while let Some(at) = candidates.next(next) {
            let rule = self.rules.get(at)?;
            next = at + 1;
            let may_match = candidates.may_match(at);
            match &rule.action {
                Action::Match { first, second, result } => {
                    let first = if may_match {
                        self.places(rule, first, result.groups, subject)
                    } else {
                        first.without_match()
                    };
                    let Some(places) = first else { continue };
                    if let Some(second) = second
                        && self.places(rule, second, 0, subject).is_none()
                    {
                        continue;
                    }
                    return Some(result.expand(subject.text.as_bytes(), &places));
                }
                Action::If { condition, end } => {
                    let holds = if may_match {
                        self.places(rule, condition, 0, subject)
                    } else {
                        condition.without_match()
                    };
                    if holds.is_none() {
                        next = (*end)?;
                    }
                }
                Action::EndIf => {}
            }
        }
        None
    }

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
            Ok(None) => condition.without_match(),
            Ok(_) => None,
            Err(why) => {
                log::warning!("{} map {}, line {}: {why}", D::TYPE, self.name, rule.line);
                None
            }
        }
    }
}

impl<D: Dialect> Condition<D> {
    /// What [`Patterns::places`] says about a pattern that does not match.
    fn without_match(&self) -> Option<Places> {
        (!self.positive).then(Places::new)
    }
}

impl<D: Dialect> Action<D> {
    /// What is known about the pattern.
    fn need(&mut self) -> Need {
        match self {
            Self::Match { first, .. } => {
                Need { clauses: std::mem::take(&mut first.required), always: !first.positive }
            }
            Self::If { condition, .. } => {
                Need { clauses: std::mem::take(&mut condition.required), always: true }
            }
            Self::EndIf => Need { clauses: Vec::new(), always: false },
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

/// What follows a keyword that is not part of a longer word.
pub(crate) fn keyword<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let rest = bytes::starts_with_ignore_case(text, word).then(|| text.get(word.len()..))??;
    (!rest.first().is_some_and(u8::is_ascii_alphanumeric)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::pcre::Perl;
    use crate::types::regexp::Posix;

    const WORDS: &[&str] = &["alpha", "beta", "gamma", "delta", "zeta", "theta", "iota", "kappa"];

    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap() % limit
        }

        fn word(&mut self) -> &'static str {
            WORDS[self.below(WORDS.len())]
        }

        fn pattern(&mut self) -> String {
            let (one, two) = (self.word(), self.word());
            let negation = ["", "", "", "!"][self.below(4)];
            let pattern = match self.below(6) {
                0 => format!("^{one}"),
                1 => format!("{one}.*{two}"),
                2 => format!("({one}|{two}) *x"),
                3 => format!("[{one}] {two}$"),
                4 => format!("{one}+ ({two})?"),
                _ => ".".to_owned(),
            };
            format!("{negation}/{pattern}/")
        }

        fn file(&mut self) -> String {
            let mut depth = 0;
            let mut text = String::new();
            for line in 0..20 + self.below(100) {
                let pattern = self.pattern();
                match self.below(10) {
                    0 => {
                        depth += 1;
                        text.push_str(&format!("if {pattern}\n"));
                    }
                    1 if depth > 0 => {
                        depth -= 1;
                        text.push_str("endif\n");
                    }
                    2 if pattern.starts_with("/(") => text.push_str(&format!("{pattern} {line} $1\n")),
                    _ => text.push_str(&format!("{pattern} {line}\n")),
                }
            }
            text
        }

        fn subject(&mut self) -> String {
            let words: Vec<_> = (0..self.below(4)).map(|_| self.word()).collect();
            words.join([" ", "", " x "][self.below(3)])
        }
    }

    fn read<D: Dialect>(text: &str) -> Patterns<D> {
        let mut parser = Parser::<D>::new("test", Flags::NONE);
        for line in Lines::new("test", text.as_bytes()) {
            parser.line(&line);
        }
        let prefilter = Prefilter::of(&parser.needs);
        Patterns { name: "test".to_owned(), rules: parser.rules, prefilter }
    }

    fn leaving_out_changes_nothing<D: Dialect>() {
        let mut random = Random(7);
        let (mut found, mut filtered) = (0, 0);
        for _ in 0..60 {
            let text = random.file();
            let table = read::<D>(&text);
            filtered += usize::from(table.prefilter.is_some());
            for _ in 0..60 {
                let key = random.subject();
                let subject = Subject { text: posix_regex::until_nul(key.as_bytes()) };
                let expected = table.search(&subject, Candidates::All);
                assert_eq!(table.lookup(key.as_bytes()), Ok(expected.clone()), "{key}\n{text}");
                found += usize::from(expected.is_some());
            }
        }
        assert!(found > 1000 && filtered > 40, "{found} {filtered}");
    }

    #[test]
    fn leaving_out_changes_nothing_in_pcre() {
        leaving_out_changes_nothing::<Perl>();
    }

    #[test]
    fn leaving_out_changes_nothing_in_regexp() {
        leaving_out_changes_nothing::<Posix>();
    }
}
