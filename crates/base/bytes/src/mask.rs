//! Sets of names, such as `notify_classes = resource, software`, as bits.

use crate::list;

/// A table that gives each name a bit.
#[derive(Clone, Copy, Debug)]
pub struct NameMask(pub &'static [(&'static str, u32)]);

/// A word that is not in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName(pub String);

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unknown name \"{}\"", self.0)
    }
}

impl std::error::Error for UnknownName {}

impl NameMask {
    /// The bits of all names in `text`, ASCII case ignored.
    pub fn parse(&self, text: &str) -> Result<u32, UnknownName> {
        list::split(text, list::SEPARATORS).try_fold(0, |bits, name| {
            let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, bit)| bits | bit).ok_or_else(|| UnknownName(name.to_owned()))
        })
    }

    /// The names of the bits that are set, in the table's order, separated by blanks.
    pub fn text(&self, bits: u32) -> String {
        let names: Vec<&str> =
            self.0.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name).collect();
        names.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: NameMask = NameMask(&[("one", 1), ("two", 2)]);

    #[test]
    fn parses_and_prints() {
        assert_eq!(MASK.parse("Two, one"), Ok(3));
        assert_eq!(MASK.text(3), "one two");
        assert_eq!(MASK.parse("six"), Err(UnknownName("six".into())));
    }
}
