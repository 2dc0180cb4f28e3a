//! Restriction lists as words, read once.

use super::Name;
use std::collections::HashMap;
use std::rc::Rc;

/// A word of a restriction list.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) name: Option<Name>,
}

/// A restriction list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(Rc<[Word]>);

impl Words {
    /// Splits a list at commas and white space; `{...}` is one word.
    pub(crate) fn parse(list: &str) -> Words {
        Words(
            bytes::list::split_braced(list, bytes::list::SEPARATORS)
                .map(|text| Word { text: text.to_owned(), name: Name::parse(text) })
                .collect(),
        )
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Word> {
        self.0.iter()
    }

    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { words: self.clone(), next: 0 }
    }
}

/// A place in a list.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    words: Words,
    next: usize,
}

impl Cursor {
    /// The next word, which is used up.
    pub(crate) fn take(&mut self) -> Option<Word> {
        let word = self.words.0.get(self.next)?.clone();
        self.next += 1;
        Some(word)
    }

    /// The next word, which stays.
    pub(crate) fn peek(&self) -> Option<&str> {
        self.words.0.get(self.next).map(|word| word.text.as_str())
    }

    /// Gives back the word that was taken last.
    pub(crate) fn put_back(&mut self) {
        self.next = self.next.saturating_sub(1);
    }
}

/// Restrictions one of which keeps a server from relaying for everybody.
const REQUIRED: [Name; 6] = [
    Name::RejectUnauthDestination,
    Name::DeferUnauthDestination,
    Name::Reject,
    Name::Defer,
    Name::DeferIfPermit,
    Name::CheckRelayDomains,
];

/// Whether a list, or one that it names, has one of the restrictions that prevent an open relay.
pub(crate) fn has_required(list: &Words, classes: &HashMap<String, Words>) -> bool {
    let mut at = 0;
    while let Some(word) = list.0.get(at) {
        let following = list.0.get(at + 1);
        at += 1;
        match word.name {
            Some(Name::WarnIfReject) if following.is_some() => {
                at += 1;
                continue;
            }
            Some(Name::Permit) => {
                if let Some(ignored) = following {
                    log::warning!("restriction `{}' after `{}' is ignored", ignored.text, word.text);
                }
                return false;
            }
            Some(name) if REQUIRED.contains(&name) => return true,
            _ => {}
        }
        if classes.get(&word.text).is_some_and(|list| has_required(list, classes)) {
            return true;
        }
    }
    false
}

/// The restrictions of [`has_required`], for people.
pub(crate) fn required_text() -> String {
    let names = REQUIRED.map(Name::text);
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", others.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_restriction_counts_only_where_it_works() {
        let mut classes = HashMap::new();
        classes.insert("mine".to_owned(), Words::parse("permit_mynetworks, reject"));
        let has = |list| has_required(&Words::parse(list), &classes);
        assert!(has("permit_mynetworks reject_unauth_destination"));
        assert!(has("permit_mynetworks, mine"));
        assert!(!has("permit, reject"));
        assert!(!has("warn_if_reject reject_unauth_destination"));
        assert!(!has(""));
        assert_eq!(
            required_text(),
            "reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit or check_relay_domains"
        );
    }

    #[test]
    fn braces_make_one_word() {
        let words = Words::parse("check_client_access { inline:{a=b}, search_order = c } permit");
        assert_eq!(words.iter().count(), 3);
    }
}
