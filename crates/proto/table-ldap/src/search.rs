//! What is asked of a directory.

/// How much of the directory a search is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// The entry itself.
    Base,
    /// The entries right below it.
    OneLevel,
    /// The entry and all below it.
    Subtree,
    /// All below it.
    Children,
}

impl Scope {
    /// As the `scope` setting has it.
    pub(crate) fn of_setting(text: &str) -> Option<Self> {
        [("one", Self::OneLevel), ("base", Self::Base), ("sub", Self::Subtree)]
            .into_iter()
            .find_map(|(name, scope)| text.eq_ignore_ascii_case(name).then_some(scope))
    }

    /// As URLs have it.
    pub(crate) fn of_url(text: &[u8]) -> Option<Self> {
        [
            ("one", Self::OneLevel),
            ("onetree", Self::OneLevel),
            ("base", Self::Base),
            ("sub", Self::Subtree),
            ("subtree", Self::Subtree),
            ("subord", Self::Children),
            ("subordinate", Self::Children),
            ("children", Self::Children),
        ]
        .into_iter()
        .find_map(|(name, scope)| text.eq_ignore_ascii_case(name.as_bytes()).then_some(scope))
    }
}

/// A search.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) base: Vec<u8>,
    pub(crate) scope: Scope,
    /// As text.
    pub(crate) filter: Vec<u8>,
    /// Whose values are wanted.
    pub(crate) attributes: Vec<String>,
    pub(crate) limits: Limits,
}

/// What holds for all searches of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `dereference`.
    pub(crate) dereference: u32,
    /// `size_limit`.
    pub(crate) size: u32,
    /// `timeout`, in seconds.
    pub(crate) seconds: u32,
}

/// What was found.
#[derive(Default, Debug)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// Where there may be more: lists of URLs that are worth the same.
    pub(crate) elsewhere: Vec<Vec<Vec<u8>>>,
}

/// An entry.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) attributes: Vec<Attribute>,
}

/// An attribute of an entry.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) values: Vec<Vec<u8>>,
}

impl Entry {
    /// How many values the entry has of an attribute of just that name; nothing when it has no such attribute.
    pub(crate) fn count(&self, name: &str) -> Option<usize> {
        let attribute = self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))?;
        Some(attribute.values.len())
    }
}
