//! What every match of a pattern contains, found by reading the pattern.
//!
//! This is for leaving patterns out that cannot match, so it must never claim too much: what is rare or strange in a
//! pattern ends the reading, and then nothing is known. Case is not looked at: texts are in lower case, and are to be
//! looked for without regard to case, also where the pattern means it.

/// Texts of which each match contains at least one. In lower case, none shorter than [`SHORTEST`].
pub(crate) type AnyOf = Vec<Vec<u8>>;

/// The rules by which a pattern is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Syntax {
    /// PCRE2's, without `PCRE2_EXTENDED`.
    Perl,
    /// POSIX extended regular expressions, as the GNU C library reads them.
    Posix,
}

/// Shorter texts are in too many subjects.
pub(crate) const SHORTEST: usize = 2;
/// Longer ones are as good in part.
const LONGEST: usize = 48;
/// How many texts are followed side by side.
const SIDE_BY_SIDE: usize = 16;
/// How many texts an alternative may lead to.
const MOST: usize = 64;
const DEEPEST: usize = 40;

/// What each match of a pattern contains: one of the texts of each element. Nothing is known of a pattern without any.
pub(crate) fn required(pattern: &[u8], syntax: Syntax) -> Vec<AnyOf> {
    let mut reader = Reader { rest: pattern, syntax, depth: 0 };
    let Some(known) = reader.alternatives().filter(|_| reader.rest.is_empty()) else { return Vec::new() };
    let mut clauses = known.into_clauses();
    clauses.retain(|texts| shortest(texts) >= SHORTEST);
    clauses
}

fn shortest(texts: &AnyOf) -> usize {
    texts.iter().map(Vec::len).min().unwrap_or(0)
}

/// What is known about the texts that a part of a pattern matches.
struct Known {
    /// All of them, when they are few. Then there are no clauses.
    exact: Option<AnyOf>,
    clauses: Vec<AnyOf>,
}

impl Known {
    /// Any text at all.
    fn anything() -> Self {
        Self { exact: None, clauses: Vec::new() }
    }

    fn one_of(texts: AnyOf) -> Self {
        Self { exact: Some(texts), clauses: Vec::new() }
    }

    /// The empty text: what only looks around matches nothing else.
    fn empty() -> Self {
        Self::one_of(vec![Vec::new()])
    }

    fn byte(byte: u8) -> Self {
        // Which bytes beyond ASCII are the same letter is the library's business.
        if !byte.is_ascii() {
            return Self::anything();
        }
        Self::one_of(vec![vec![byte.to_ascii_lowercase()]])
    }

    fn into_clauses(self) -> Vec<AnyOf> {
        let mut clauses = self.clauses;
        clauses.extend(self.exact.filter(|texts| shortest(texts) > 0));
        clauses
    }

    /// The clause that says most.
    fn best(self) -> Option<AnyOf> {
        self.into_clauses().into_iter().max_by_key(|texts| (shortest(texts), usize::MAX - texts.len()))
    }

    fn repeated(self, least: usize, most: Option<usize>) -> Self {
        match (least, most, self.exact) {
            (1, Some(1), exact) => Self { exact, clauses: self.clauses },
            (0, Some(1), Some(mut texts)) if texts.len() < SIDE_BY_SIDE => {
                texts.push(Vec::new());
                texts.sort_unstable();
                texts.dedup();
                Self::one_of(texts)
            }
            (0, _, _) => Self::anything(),
            (_, Some(most), Some(texts))
                if most == least && texts.len() == 1 && least.saturating_mul(shortest(&texts)) <= LONGEST =>
            {
                Self::one_of(texts.iter().map(|text| text.repeat(least)).collect())
            }
            (_, _, exact) => {
                let clauses = Self { exact, clauses: self.clauses }.into_clauses();
                Self { exact: None, clauses }
            }
        }
    }
}

/// Parts of a pattern one after the other.
struct Sequence {
    /// The texts that the last parts can be.
    run: AnyOf,
    /// Whether the run is all there is.
    is_exact: bool,
    clauses: Vec<AnyOf>,
}

impl Sequence {
    fn new() -> Self {
        Self { run: vec![Vec::new()], is_exact: true, clauses: Vec::new() }
    }

    fn push(&mut self, next: Known) {
        let Some(texts) = next.exact else {
            self.interrupt(vec![Vec::new()]);
            self.clauses.extend(next.clauses);
            return;
        };
        let longest = |texts: &AnyOf| texts.iter().map(Vec::len).max().unwrap_or(0);
        if self.run.len() * texts.len() > SIDE_BY_SIDE || longest(&self.run) + longest(&texts) > LONGEST {
            self.interrupt(texts);
            return;
        }
        let joined = self.run.iter().flat_map(|head| texts.iter().map(move |tail| [&**head, tail].concat()));
        self.run = joined.collect();
        self.run.sort_unstable();
        self.run.dedup();
    }

    fn interrupt(&mut self, run: AnyOf) {
        let before = std::mem::replace(&mut self.run, run);
        if shortest(&before) > 0 {
            self.clauses.push(before);
        }
        self.is_exact = false;
    }

    fn finish(mut self) -> Known {
        if self.is_exact {
            return Known::one_of(self.run);
        }
        self.interrupt(Vec::new());
        Known { exact: None, clauses: self.clauses }
    }
}

fn either(branches: Vec<Known>) -> Known {
    let count: Option<usize> = branches.iter().map(|branch| branch.exact.as_ref().map(Vec::len)).sum();
    if branches.len() == 1 || count.is_some_and(|count| count <= SIDE_BY_SIDE) {
        let mut branches = branches;
        let Some(mut all) = branches.pop() else { return Known::empty() };
        for branch in branches {
            if let (Some(all), Some(texts)) = (&mut all.exact, branch.exact) {
                all.extend(texts);
            }
        }
        return all;
    }
    let best: Option<Vec<AnyOf>> = branches.into_iter().map(Known::best).collect();
    let texts = best.map(|best| best.concat()).filter(|texts| texts.len() <= MOST);
    Known { exact: None, clauses: texts.into_iter().collect() }
}

/// Reads a pattern. `None` ends the reading.
struct Reader<'a> {
    rest: &'a [u8],
    syntax: Syntax,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, text: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Up to a `)`, or the end.
    fn alternatives(&mut self) -> Option<Known> {
        let mut branches = vec![self.sequence()?];
        while self.skip(b"|") {
            branches.push(self.sequence()?);
        }
        Some(either(branches))
    }

    fn sequence(&mut self) -> Option<Known> {
        let mut sequence = Sequence::new();
        while let Some(byte) = self.peek().filter(|byte| !matches!(byte, b'|' | b')')) {
            let part = self.part()?;
            if matches!(byte, b'^' | b'$') && self.peek().is_some_and(is_quantifier) {
                return None;
            }
            sequence.push(self.quantified(part)?);
        }
        Some(sequence.finish())
    }

    fn part(&mut self) -> Option<Known> {
        match self.next()? {
            b'.' => Some(Known::anything()),
            b'^' | b'$' => Some(Known::empty()),
            b'[' => self.class(),
            b'(' => self.group(),
            b'\\' => self.escape(),
            byte if is_quantifier(byte) => None,
            byte => Some(Known::byte(byte)),
        }
    }

    fn quantified(&mut self, part: Known) -> Option<Known> {
        let mut part = part;
        while let Some(byte) = self.peek().filter(|byte| is_quantifier(*byte)) {
            self.next();
            let (least, most) = match byte {
                b'*' => (0, None),
                b'+' => (1, None),
                b'?' => (0, Some(1)),
                _ => self.bounds()?,
            };
            if self.syntax == Syntax::Perl && !self.skip(b"?") {
                self.skip(b"+");
            }
            part = part.repeated(least, most);
        }
        Some(part)
    }

    /// What follows a `{`.
    fn bounds(&mut self) -> Option<(usize, Option<usize>)> {
        let least = self.number()?;
        if self.skip(b"}") {
            return Some((least, Some(least)));
        }
        if !self.skip(b",") {
            return None;
        }
        if self.skip(b"}") {
            return Some((least, None));
        }
        let most = self.number()?;
        self.skip(b"}").then_some((least, Some(most)))
    }

    fn number(&mut self) -> Option<usize> {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        bytes::decimal(digits)
    }

    /// What follows a `(`.
    fn group(&mut self) -> Option<Known> {
        let mut looks_around = false;
        if self.syntax == Syntax::Perl {
            if self.peek() == Some(b'*') {
                return None;
            }
            if self.skip(b"?") {
                if self.skip(b"=") || self.skip(b"!") || self.skip(b"<=") || self.skip(b"<!") {
                    looks_around = true;
                } else if self.skip(b"#") {
                    while self.next()? != b')' {}
                    return Some(Known::empty());
                } else if self.skip(b"<") || self.skip(b"P<") {
                    while self.next()? != b'>' {}
                } else if !self.skip(b":") && !self.skip(b">") && !self.skip(b"|") {
                    let letters =
                        self.rest.iter().take_while(|byte| matches!(byte, b'i' | b's' | b'm' | b'U' | b'-'));
                    self.rest = self.rest.get(letters.count()..)?;
                    if self.skip(b")") {
                        return Some(Known::empty());
                    }
                    if !self.skip(b":") {
                        return None;
                    }
                }
            }
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let inside = self.alternatives()?;
        self.depth -= 1;
        if !self.skip(b")") {
            return None;
        }
        Some(if looks_around { Known::empty() } else { inside })
    }

    /// What follows a `\`.
    fn escape(&mut self) -> Option<Known> {
        let byte = self.next()?;
        match (self.syntax, byte) {
            (Syntax::Posix, b'w' | b'W' | b's' | b'S' | b'b' | b'B' | b'<' | b'>' | b'`' | b'\'') => {
                Some(Known::anything())
            }
            (Syntax::Perl, b'd' | b'D' | b's' | b'S' | b'w' | b'W' | b'h' | b'H' | b'v' | b'V' | b'R') => {
                Some(Known::anything())
            }
            (Syntax::Perl, b'b' | b'B' | b'A' | b'Z' | b'z' | b'G') => Some(Known::empty()),
            (Syntax::Perl, b'n') => Some(Known::byte(b'\n')),
            (Syntax::Perl, b'r') => Some(Known::byte(b'\r')),
            (Syntax::Perl, b't') => Some(Known::byte(b'\t')),
            (_, byte) if byte.is_ascii_alphanumeric() => None,
            (_, byte) => Some(Known::byte(byte)),
        }
    }

    /// What follows a `[`.
    fn class(&mut self) -> Option<Known> {
        let mut is_simple = !self.skip(b"^");
        let mut members = Vec::new();
        while let Some(byte) = self.next() {
            match byte {
                b']' if !members.is_empty() => {
                    members.sort_unstable();
                    members.dedup();
                    let few = is_simple && members.len() <= 4;
                    let texts = || members.iter().map(|&byte| vec![byte]).collect();
                    return Some(if few { Known::one_of(texts()) } else { Known::anything() });
                }
                b'[' if self.peek().is_some_and(|next| matches!(next, b':' | b'.' | b'=')) => {
                    self.named_class()?;
                    is_simple = false;
                }
                b'\\' if self.syntax == Syntax::Perl => {
                    is_simple = false;
                    if matches!(self.next()?, b'Q' | b'E') {
                        return None;
                    }
                }
                // A range, or not: nothing depends on it.
                b'-' => is_simple = false,
                _ if !byte.is_ascii() => is_simple = false,
                _ => {}
            }
            members.push(byte.to_ascii_lowercase());
        }
        None
    }

    /// What follows the `[` of `[:alpha:]`.
    fn named_class(&mut self) -> Option<()> {
        let kind = self.next()?;
        if self.syntax == Syntax::Perl && kind != b':' {
            return None;
        }
        self.skip(b"^");
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        self.rest = self.rest.get(length..)?;
        (length > 0 && self.skip(&[kind, b']'])).then_some(())
    }
}

fn is_quantifier(byte: u8) -> bool {
    matches!(byte, b'*' | b'+' | b'?' | b'{')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pattern: &str, syntax: Syntax) -> String {
        let clauses = required(pattern.as_bytes(), syntax);
        let texts = |texts: &AnyOf| {
            let mut texts: Vec<_> = texts.iter().map(|text| String::from_utf8_lossy(text)).collect();
            texts.sort();
            texts.join("|")
        };
        clauses.iter().map(texts).collect::<Vec<_>>().join(" & ")
    }

    #[test]
    fn what_both_syntaxes_share() {
        for syntax in [Syntax::Perl, Syntax::Posix] {
            for (pattern, expected) in [
                ("^Subject:.*viagra", "subject: & viagra"),
                ("foo|bar", "bar|foo"),
                ("a(bc|d)ef", "abcef|adef"),
                ("colou?r", "color|colour"),
                ("v[i1]agra", "v1agra|viagra"),
                ("[[:space:]]abc[^x]def", "abc & def"),
                ("(abc)*def(ghi)+", "def & ghi"),
                ("(abc){2}", "abcabc"),
                ("x{3,}", ""),
                ("foo|.", ""),
                ("(foo|b.r)x", ""),
                ("(food|ba.ar)x", "ar|food"),
                ("a.b.c", ""),
                (r"ex\.am\-ple", "ex.am-ple"),
                (r"a\1bcd", ""),
                ("[]ab]cde", "]cde|acde|bcde"),
                ("ab{0}cd", "cd"),
                ("é.abc", "abc"),
            ] {
                assert_eq!(shown(pattern, syntax), expected, "{pattern} {syntax:?}");
            }
        }
    }

    #[test]
    fn what_differs() {
        for (pattern, perl, posix) in [
            (r"foo\b bar", "foo bar", "foo &  bar"),
            // A quantifier behind one is lazy or possessive, or counts again.
            ("(abc)+?", "abc", ""),
            ("(abc)+?def", "abc & def", "def"),
            (r"\d+abc", "abc", ""),
            (r"[\]abc]def", "def", r"\abc]def"),
            ("(?:abc)def", "abcdef", ""),
            ("(?=x)def", "def", ""),
            ("(?i)def", "def", ""),
            ("(?x)d e f", "", ""),
            (r"\Qa.b\E", "", ""),
            ("(*UTF)kelvin", "", ""),
            ("abc)", "", ""),
            ("(?<name>abc)d", "abcd", ""),
            (r"abc\x41", "", ""),
        ] {
            assert_eq!(shown(pattern, Syntax::Perl), perl, "{pattern} perl");
            assert_eq!(shown(pattern, Syntax::Posix), posix, "{pattern} posix");
        }
    }

    /// Patterns of a few pieces against texts of a few letters, by the libraries themselves.
    #[test]
    fn never_claims_too_much() {
        const PIECES: &[&str] = &[
            "a",
            "b",
            "ab",
            "ba",
            "A",
            ".",
            "^",
            "$",
            "|",
            "(",
            ")",
            "(?:",
            "(?=",
            "(?!",
            "*",
            "+",
            "?",
            "{2}",
            "{1,2}",
            "{0,1}",
            "[ab]",
            "[^a]",
            "[]a]",
            "[a-b]",
            "[[:alpha:]]",
            r"\b",
            r"\w",
            r"\.",
            r"\n",
            r"\1",
            "(a)",
            "(?i)",
            "(?>",
            "-",
            "]",
            "}",
            "{",
            "[[.a.]]",
            r"[\]b]",
            r"\<",
            "(?|",
            "|a",
            "a|",
            "x",
            "\\",
        ];
        let mut random = 12345u64;
        let mut below = |limit: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % limit
        };
        let (mut known, mut matches) = (0, 0);
        for _ in 0..20_000 {
            let pattern: String = (0..1 + below(8)).map(|_| PIECES[below(PIECES.len())]).collect();
            let perl =
                pcre::Regex::new(pattern.as_bytes(), pcre::Options::CASELESS ^ pcre::Options::DOTALL).ok();
            let options =
                posix_regex::Options { extended: true, ignore_case: true, newline: false, no_groups: true };
            let posix = posix_regex::Regex::new(pattern.as_bytes(), options).ok();
            let clauses = [Syntax::Perl, Syntax::Posix].map(|syntax| required(pattern.as_bytes(), syntax));
            for (clauses, is_there) in clauses.iter().zip([perl.is_some(), posix.is_some()]) {
                known += usize::from(is_there && !clauses.is_empty());
            }
            for _ in 0..20 {
                let subject: String =
                    (0..below(9)).map(|_| ["a", "b", "A", "B", "-", "x"][below(6)]).collect();
                let lower = subject.to_ascii_lowercase();
                let holds = |clauses: &[AnyOf]| {
                    let has = |text: &Vec<u8>| lower.contains(std::str::from_utf8(text).unwrap());
                    clauses.iter().all(|texts| texts.iter().any(has))
                };
                let subject = posix_regex::until_nul(subject.as_bytes());
                let by_perl =
                    perl.as_ref().is_some_and(|regex| regex.is_match(subject.as_bytes()) == Ok(true));
                let by_posix = posix.as_ref().is_some_and(|regex| regex.is_match(&subject) == Ok(true));
                assert!(!by_perl || holds(&clauses[0]), "{pattern} matches {subject:?}: {:?}", clauses[0]);
                assert!(!by_posix || holds(&clauses[1]), "{pattern} matches {subject:?}: {:?}", clauses[1]);
                matches += usize::from(by_perl) + usize::from(by_posix);
            }
        }
        assert!(known > 1500 && matches > 15_000, "{known} {matches}");
    }
}
