//! Numbers and texts by chance that is always the same.

/// A linear congruential generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.below(2);
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 31
    }

    /// Less than `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap() % limit
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// Some letters in a row, of few kinds, so that they come again.
    pub(crate) fn word(&mut self) -> String {
        let length = 1 + self.below(3);
        (0..length).map(|_| self.pick(&["a", "b", "c", "x", "1", "-", "_"])).collect()
    }

    pub(crate) fn domain(&mut self) -> String {
        let labels = 1 + self.below(3);
        let labels: Vec<_> = (0..labels).map(|_| self.word()).collect();
        labels.join(".")
    }

    pub(crate) fn address(&mut self) -> String {
        format!("{}@{}", self.word(), self.domain())
    }

    /// The same text in other letters, now and then.
    pub(crate) fn case(&mut self, text: &str) -> String {
        match self.below(4) {
            0 => text.to_uppercase(),
            1 => text.chars().map(|c| if self.one_in(2) { c.to_ascii_uppercase() } else { c }).collect(),
            _ => text.to_owned(),
        }
    }
}
