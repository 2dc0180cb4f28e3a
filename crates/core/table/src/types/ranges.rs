//! Which rule an address gets, by binary search: the rules of a file cut the addresses into ranges, and within a range
//! the first rule that matches is always the same one.
//!
//! Networks are ranges, negated networks are what is left of them, and an `if` leaves of the rules within it what is in
//! its own ranges. So whatever the file says, its answer changes at the ends of networks only, and a file of N rules has
//! at most about 2 N ranges.

use crate::cidr::{Address, CidrPattern};

/// What a line of the file says about addresses.
pub(crate) enum Step<'a> {
    /// A rule with a result.
    Match(&'a CidrPattern, Sense),
    /// The rules up to the matching `endif`, or the end of the file, are for addresses that this holds for.
    If(&'a CidrPattern, Sense),
    EndIf,
}

/// Whether a pattern is negated.
///
/// COMPAT: a negated pattern still matches addresses of its own family only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sense {
    Inside,
    Outside,
}

/// First and last address, as numbers.
type Range = (u128, u128);

/// The ranges of both families.
pub(crate) struct Ranges {
    v4: Family<u32>,
    v6: Family<u128>,
}

/// The ranges of a family: where each begins, and the rule of the addresses from there to the next one.
struct Family<N> {
    starts: Vec<N>,
    rules: Vec<Option<u32>>,
}

impl Ranges {
    /// The ranges of a file. Steps are numbered as they come.
    pub(crate) fn of<'a>(steps: impl Iterator<Item = Step<'a>>) -> Self {
        let mut claims = Claims { v4: Vec::new(), v6: Vec::new() };
        let mut open = vec![Area { v4: vec![whole(u32::BITS)], v6: vec![whole(u128::BITS)] }];
        for (number, step) in (0u32..).zip(steps) {
            let Some(around) = open.last() else { break };
            match step {
                Step::Match(pattern, sense) => claims.add(number, &around.meet(pattern, sense)),
                Step::If(pattern, sense) => {
                    let inner = around.meet(pattern, sense);
                    open.push(inner);
                }
                Step::EndIf if open.len() > 1 => drop(open.pop()),
                Step::EndIf => {}
            }
        }
        let v4 = paint(&claims.v4, u32::BITS);
        Self {
            v4: Family {
                starts: v4.starts.iter().map(|&start| u32::try_from(start).unwrap_or(u32::MAX)).collect(),
                rules: v4.rules,
            },
            v6: paint(&claims.v6, u128::BITS),
        }
    }

    /// The number of the first rule that matches.
    pub(crate) fn find(&self, address: Address) -> Option<usize> {
        let rule = match address {
            Address::V4(bits) => self.v4.find(bits),
            Address::V6(bits) => self.v6.find(bits),
        };
        rule.and_then(|rule| usize::try_from(rule).ok())
    }
}

impl<N: Ord + Copy> Family<N> {
    fn find(&self, address: N) -> Option<u32> {
        let at = self.starts.partition_point(|start| *start <= address).checked_sub(1)?;
        *self.rules.get(at)?
    }
}

/// Addresses of both families, as ranges in order that do not overlap.
struct Area {
    v4: Vec<Range>,
    v6: Vec<Range>,
}

impl Area {
    /// The part of it that a pattern holds for.
    fn meet(&self, pattern: &CidrPattern, sense: Sense) -> Self {
        let (network, length) = pattern.network();
        let (first, width, mine) = match network {
            Address::V4(bits) => (u128::from(bits), u32::BITS, &self.v4),
            Address::V6(bits) => (bits, u128::BITS, &self.v6),
        };
        let last = first | size_less_one(width - length.min(width));
        let (_, end) = whole(width);
        let wanted = match sense {
            Sense::Inside => vec![(first, last)],
            Sense::Outside => {
                let before = first.checked_sub(1).map(|last| (0, last));
                let after = (last < end).then(|| (last + 1, end));
                before.into_iter().chain(after).collect()
            }
        };
        let mut both = Vec::new();
        for &(first, last) in mine {
            for &(from, to) in &wanted {
                if from.max(first) <= to.min(last) {
                    both.push((from.max(first), to.min(last)));
                }
            }
        }
        match network {
            Address::V4(_) => Self { v4: both, v6: Vec::new() },
            Address::V6(_) => Self { v4: Vec::new(), v6: both },
        }
    }
}

/// What the rules are for, in the order of the rules.
struct Claims {
    v4: Vec<(Range, u32)>,
    v6: Vec<(Range, u32)>,
}

impl Claims {
    fn add(&mut self, number: u32, area: &Area) {
        self.v4.extend(area.v4.iter().map(|&range| (range, number)));
        self.v6.extend(area.v6.iter().map(|&range| (range, number)));
    }
}

/// All addresses of so many bits.
fn whole(width: u32) -> Range {
    (0, size_less_one(width))
}

/// 2 to the power of `bits`, less one.
fn size_less_one(bits: u32) -> u128 {
    1u128.checked_shl(bits).map_or(u128::MAX, |size| size - 1)
}

/// Gives each range to the first rule that claims it.
fn paint(claims: &[(Range, u32)], width: u32) -> Family<u128> {
    let (_, end) = whole(width);
    let mut starts = vec![0];
    for &((first, last), _) in claims {
        starts.push(first);
        starts.extend((last < end).then_some(last.wrapping_add(1)));
    }
    starts.sort_unstable();
    starts.dedup();
    let mut rules: Vec<Option<u32>> = vec![None; starts.len()];
    // From each range the way to the next one that is free, so that none is looked at again.
    let mut free: Vec<usize> = (0..=starts.len()).collect();
    for &((first, last), number) in claims {
        let mut at = next_free(&mut free, starts.partition_point(|&start| start < first));
        while starts.get(at).is_some_and(|&start| start <= last) {
            if let (Some(rule), Some(next)) = (rules.get_mut(at), free.get_mut(at)) {
                *rule = Some(number);
                *next = at + 1;
            }
            at = next_free(&mut free, at + 1);
        }
    }
    // Neighbours with the same answer are one.
    let mut family = Family { starts: Vec::new(), rules: Vec::new() };
    for (start, rule) in starts.into_iter().zip(rules) {
        if family.rules.last() != Some(&rule) {
            family.starts.push(start);
            family.rules.push(rule);
        }
    }
    family.starts.shrink_to_fit();
    family.rules.shrink_to_fit();
    family
}

/// The first free range at or after `at`; shortens the way there.
fn next_free(free: &mut [usize], at: usize) -> usize {
    let step = |free: &[usize], at: usize| free.get(at).copied().unwrap_or(at);
    let mut end = at;
    while step(free, end) != end {
        end = step(free, end);
    }
    let mut at = at;
    while at != end {
        let next = step(free, at);
        if let Some(place) = free.get_mut(at) {
            *place = end;
        }
        at = next;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Line {
        Match(CidrPattern, Sense),
        If(CidrPattern, Sense),
        EndIf,
    }

    /// Postfix's way: line by line.
    fn search(lines: &[Line], address: Address) -> Option<usize> {
        let holds = |pattern: &CidrPattern, sense: Sense| {
            let (network, _) = pattern.network();
            let is_same_family = matches!(network, Address::V4(_)) == matches!(address, Address::V4(_));
            is_same_family && pattern.matches(address) == (sense == Sense::Inside)
        };
        let mut at = 0;
        while let Some(line) = lines.get(at) {
            match line {
                Line::Match(pattern, sense) if holds(pattern, *sense) => return Some(at),
                Line::If(pattern, sense) if !holds(pattern, *sense) => {
                    let mut depth = 1;
                    while depth > 0 {
                        at += 1;
                        match lines.get(at)? {
                            Line::If(..) => depth += 1,
                            Line::EndIf => depth -= 1,
                            Line::Match(..) => {}
                        }
                    }
                }
                _ => {}
            }
            at += 1;
        }
        None
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % limit
        }

        /// An address among few, so that networks overlap.
        fn address(&mut self) -> Address {
            let low = self.below(16) as u32;
            let high = [0u32, 1 << 31, u32::MAX - 15, 0x0a00_0000][self.below(4) as usize];
            match self.below(3) {
                0 => Address::V6(u128::from(high | low) << if self.below(2) == 0 { 96 } else { 0 }),
                _ => Address::V4(high | low),
            }
        }

        fn pattern(&mut self) -> CidrPattern {
            let address = self.address();
            let width = if matches!(address, Address::V4(_)) { 32 } else { 128 };
            let length = match self.below(4) {
                0 => self.below(width + 1),
                _ => width - self.below(5),
            };
            let network = address.network(length as u32);
            CidrPattern::parse(&format!("{network}/{length}")).unwrap()
        }

        fn sense(&mut self) -> Sense {
            if self.below(4) == 0 { Sense::Outside } else { Sense::Inside }
        }

        fn lines(&mut self) -> Vec<Line> {
            let mut depth = 0;
            let mut lines = Vec::new();
            for _ in 0..self.below(40) {
                lines.push(match self.below(8) {
                    0 | 1 => {
                        depth += 1;
                        Line::If(self.pattern(), self.sense())
                    }
                    2 if depth > 0 => {
                        depth -= 1;
                        Line::EndIf
                    }
                    _ => Line::Match(self.pattern(), self.sense()),
                });
            }
            lines
        }
    }

    #[test]
    fn same_as_line_by_line() {
        let mut random = Random(1);
        let mut found = 0;
        for _ in 0..2000 {
            let lines = random.lines();
            let ranges = Ranges::of(lines.iter().map(|line| match line {
                Line::Match(pattern, sense) => Step::Match(pattern, *sense),
                Line::If(pattern, sense) => Step::If(pattern, *sense),
                Line::EndIf => Step::EndIf,
            }));
            for _ in 0..50 {
                let address = random.address();
                let expected = search(&lines, address);
                assert_eq!(ranges.find(address), expected, "{address}");
                found += usize::from(expected.is_some());
            }
        }
        assert!(found > 20_000, "{found}");
    }

    #[test]
    fn the_ends_of_the_address_space() {
        let pattern = |text| CidrPattern::parse(text).unwrap();
        let all = [pattern("0.0.0.0/0"), pattern("::/0")];
        let ranges = Ranges::of(all.iter().map(|pattern| Step::Match(pattern, Sense::Inside)));
        assert_eq!(ranges.find(Address::V4(0)), Some(0));
        assert_eq!(ranges.find(Address::V4(u32::MAX)), Some(0));
        assert_eq!(ranges.find(Address::V6(0)), Some(1));
        assert_eq!(ranges.find(Address::V6(u128::MAX)), Some(1));
        let none = Ranges::of(all.iter().map(|pattern| Step::Match(pattern, Sense::Outside)));
        assert_eq!(none.find(Address::V4(7)), None);
        assert_eq!(none.find(Address::V6(7)), None);
    }
}
