//! From entries to values: which attributes count, and which name other entries.

use std::vec::IntoIter;

use table::client::{LimitExceeded, Values};

use crate::chase::Directory;
use crate::code::Code;
use crate::search::{Attribute, Entry, Limits, Scope, Search};
use crate::url::{self, Url};

/// What a search without a filter finds: everything.
const ANYTHING: &[u8] = b"(objectclass=*)";

/// The attributes that a table wants.
pub(crate) struct Wanted {
    /// Those of `terminal_result_attribute`, `leaf_result_attribute`, `result_attribute` and
    /// `special_result_attribute`, in this order.
    pub(crate) names: Vec<String>,
    /// How many of them are of the first kind.
    pub(crate) terminal: usize,
    /// ... of the first two kinds.
    pub(crate) leaf: usize,
    /// ... of the first three kinds.
    pub(crate) ordinary: usize,
}

/// How entries become values.
pub(crate) struct Expansion<'a> {
    /// What precedes the text of some warnings.
    pub(crate) name: &'a str,
    pub(crate) wanted: &'a Wanted,
    pub(crate) limits: Limits,
    pub(crate) recursion_limit: usize,
    /// The key, for warnings.
    pub(crate) key: &'a [u8],
    /// What the library that Postfix has would say about its last work.
    pub(crate) last: Code,
}

/// The value cannot be known now. What is wrong has been logged.
#[derive(Debug)]
pub(crate) struct Unknown;

/// The entries of one search, in the middle of their expansion.
struct Level {
    entries: IntoIter<Entry>,
    count: u64,
    /// Attributes of the present entry.
    attributes: IntoIter<Attribute>,
    /// Values of the present attribute that name other entries.
    special: IntoIter<Vec<u8>>,
    /// Whether nothing but terminal attributes counts.
    is_terminal: bool,
    /// Whether attributes of leaves count.
    is_leaf: bool,
}

impl Level {
    fn new(entries: Vec<Entry>) -> Self {
        Self {
            entries: entries.into_iter(),
            count: 0,
            attributes: Vec::new().into_iter(),
            special: Vec::new().into_iter(),
            is_terminal: false,
            is_leaf: true,
        }
    }

    /// Notes what the attributes of an entry are about.
    ///
    /// COMPAT: what is found out about one entry holds for those after it that do not have the attribute. Test:
    /// `entries_after_a_terminal_one`.
    fn classify(&mut self, entry: &Entry, wanted: &Wanted, last: &mut Code) {
        let mut count = |name| {
            let count = entry.count(name);
            if count.is_none() {
                *last = Code::DECODING_ERROR;
            }
            count
        };
        for name in wanted.names.iter().take(wanted.terminal) {
            let Some(count) = count(name) else { continue };
            self.is_terminal = count > 0;
            if self.is_terminal {
                break;
            }
        }
        if self.is_terminal || wanted.leaf == wanted.terminal {
            return;
        }
        for name in wanted.names.iter().skip(wanted.ordinary) {
            let Some(count) = count(name) else { continue };
            self.is_leaf = count == 0;
            if !self.is_leaf {
                break;
            }
        }
    }
}

impl Expansion<'_> {
    /// Adds the values of entries, and of those that they name.
    pub(crate) async fn expand(
        &mut self,
        directory: &mut Directory<'_>,
        entries: Vec<Entry>,
        values: &mut Values<'_>,
    ) -> Result<(), Unknown> {
        let mut levels = vec![Level::new(entries)];
        loop {
            let depth = levels.len();
            let Some(level) = levels.last_mut() else { return Ok(()) };
            if let Some(value) = level.special.next() {
                if let Some(entries) = self.follow(directory, &value, depth).await? {
                    levels.push(Level::new(entries));
                }
            } else if let Some(attribute) = level.attributes.next() {
                self.take(attribute, level, depth, values)?;
            } else if let Some(entry) = level.entries.next() {
                level.count += 1;
                let limit = self.limits.size;
                if limit > 0 && level.count > u64::from(limit) {
                    let name = self.name;
                    log::warning!(
                        "dict_ldap_get_values[{depth}]: {name}: Query size limit ({limit}) exceeded"
                    );
                    return Err(Unknown);
                }
                level.classify(&entry, self.wanted, &mut self.last);
                level.attributes = entry.attributes.into_iter();
            } else {
                levels.pop();
            }
        }
    }

    /// Adds the values of an attribute, or notes the entries that they name.
    fn take(
        &self,
        attribute: Attribute,
        level: &mut Level,
        depth: usize,
        values: &mut Values<'_>,
    ) -> Result<(), Unknown> {
        let Some(first) = attribute.values.first() else { return Ok(()) };
        let wanted = self.wanted;
        let at = wanted.names.iter().position(|name| relation(name, &attribute.name) == Relation::Same);
        let at = at.unwrap_or(wanted.names.len());
        let name = self.name;
        if at < wanted.ordinary || level.is_terminal {
            let is_left_out =
                (level.is_terminal && at >= wanted.terminal) || (!level.is_leaf && at < wanted.leaf);
            for value in attribute.values.iter().filter(|_| !is_left_out) {
                if let Err(LimitExceeded) = values.add(Some(value)) {
                    let key = bytes::show(self.key);
                    log::warning!(
                        "dict_ldap_get_values[{depth}]: {name}: Expansion limit exceeded for key: '{key}'"
                    );
                    return Err(Unknown);
                }
            }
        } else if at < wanted.names.len() {
            if depth >= self.recursion_limit {
                log::warning!(
                    "dict_ldap_get_values[{depth}]: {name}: Recursion limit exceeded for special attribute {}={}",
                    attribute.name,
                    bytes::show(first)
                );
                return Err(Unknown);
            }
            level.special = attribute.values.into_iter();
        }
        Ok(())
    }

    /// The entries that a value names.
    async fn follow(
        &mut self,
        directory: &mut Directory<'_>,
        value: &[u8],
        depth: usize,
    ) -> Result<Option<Vec<Entry>>, Unknown> {
        let search = if url::is_url(value) {
            match Url::parse(value) {
                Ok(url) => match self.attributes_of(&url) {
                    Some(attributes) => Search {
                        base: url.name,
                        scope: url.scope.unwrap_or(Scope::Base),
                        filter: url.filter.unwrap_or_else(|| ANYTHING.to_vec()),
                        attributes,
                        limits: self.limits,
                    },
                    None => return Ok(None),
                },
                Err(fault) => {
                    let (number, value) = (fault as i32, bytes::show(value));
                    // COMPAT: the library's numbers for URLs, with its texts for results. Test: `ldap_as_the_reference`.
                    let text = Code(number);
                    log::warning!("dict_ldap_get_values[{depth}]: malformed URL {value}: {text}({number})");
                    return Err(Unknown);
                }
            }
        } else {
            Search {
                base: value.to_vec(),
                scope: Scope::Base,
                filter: ANYTHING.to_vec(),
                attributes: self.wanted.names.clone(),
                limits: self.limits,
            }
        };
        let found = directory.search(&search).await;
        self.last = found.as_ref().err().copied().unwrap_or(Code::SUCCESS);
        match found {
            Ok(entries) => Ok(Some(entries)),
            Err(Code::NO_SUCH_OBJECT) => {
                let value = bytes::show(value);
                log::warning!("dict_ldap_get_values[{depth}]: DN {value} not found, skipping ");
                Ok(None)
            }
            Err(code) => {
                log::warning!("dict_ldap_get_values[{depth}]: search error {}: {code} ", code.0);
                Err(Unknown)
            }
        }
    }

    /// What a URL and the table both want; nothing when that is nothing.
    fn attributes_of(&self, url: &Url) -> Option<Vec<String>> {
        if url.attributes.is_empty() {
            return Some(self.wanted.names.clone());
        }
        let mut both = Vec::new();
        for theirs in &url.attributes {
            for ours in &self.wanted.names {
                match relation(theirs, ours) {
                    Relation::Same => both.push(ours.clone()),
                    Relation::Narrower => both.push(theirs.clone()),
                    Relation::None => {}
                }
            }
        }
        Some(both).filter(|both| !both.is_empty())
    }
}

/// What one description of an attribute is to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relation {
    /// It means the other one, which may have options.
    Same,
    /// It has options that the other one has not.
    Narrower,
    /// Something else.
    None,
}

fn relation(one: &str, other: &str) -> Relation {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let is_extended = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(';'))
    };
    match () {
        () if is_extended(&other, &one) => Relation::Same,
        () if is_extended(&one, &other) => Relation::Narrower,
        () => Relation::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations() {
        assert_eq!(relation("mail", "MAIL"), Relation::Same);
        assert_eq!(relation("mail", "mail;x"), Relation::Same);
        assert_eq!(relation("Mail;x", "mail"), Relation::Narrower);
        assert_eq!(relation("mail;x", "mail;y"), Relation::None);
        assert_eq!(relation("mail", "mailbox"), Relation::None);
    }

    #[test]
    fn entries_after_a_terminal_one() {
        let wanted = Wanted {
            names: ["maildrop", "mail", "member"].map(str::to_owned).to_vec(),
            terminal: 1,
            leaf: 2,
            ordinary: 2,
        };
        let entry = |names: &[&str]| Entry {
            attributes: names
                .iter()
                .map(|name| Attribute { name: (*name).to_owned(), values: vec![b"x".to_vec()] })
                .collect(),
        };
        let mut level = Level::new(Vec::new());
        let mut kinds = |names: &[&str]| {
            level.classify(&entry(names), &wanted, &mut Code(0));
            (level.is_terminal, level.is_leaf)
        };
        assert_eq!(kinds(&["mail"]), (false, true));
        assert_eq!(kinds(&["mail", "member"]), (false, false));
        assert_eq!(kinds(&["mail"]), (false, false));
        assert_eq!(kinds(&["MailDrop"]), (true, false));
        assert_eq!(kinds(&["mail"]), (true, false));
    }
}
