//! Lists of strings, names and tables, such as `mydestination = $myhostname, /file/name, !x, hash:/table`.

use std::fs;
use std::rc::Rc;

use crate::env::Env;
use crate::error::Error;
use crate::flags::Flags;
use crate::fold::{Utf8, casefold};
use crate::open::reason;
use crate::table::Table;
use crate::text;
use crate::types::Waiting;

/// How names match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ListFlags {
    /// `example.com` matches itself only, `.example.com` what is below it.
    #[default]
    Exact,
    /// `example.com` matches itself and all below it (`parent_domain_matches_subdomains`).
    Parent,
}

impl ListFlags {
    /// How the names of the parameter `name` match, as `parent_domain_matches_subdomains` lists it or does not.
    pub fn for_parameter(name: &str, parent_domain_matches_subdomains: &str) -> Self {
        let mut listed = bytes::list::split(parent_domain_matches_subdomains, bytes::list::SEPARATORS);
        if listed.any(|one| one.eq_ignore_ascii_case(name)) { Self::Parent } else { Self::Exact }
    }
}

/// Strings that match whole.
pub struct StringList(Patterns);

/// Domain names, which may match what is below them.
pub struct DomainList(Patterns, ListFlags);

impl StringList {
    /// Reads the list. The title, usually the parameter's name, appears in log messages. The flags mean nothing to
    /// strings, which match whole.
    pub fn open(title: &str, patterns: &str, env: &Rc<Env>, flags: ListFlags) -> Self {
        let _ = flags;
        Self(Patterns::open(title, patterns, env))
    }

    /// Whether there is nothing that could match.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether matching takes no waiting: no table in the list is another process's.
    pub fn is_local(&self) -> bool {
        self.0.waiting() == Waiting::Here
    }

    /// Whether the string is in the list.
    pub async fn matches(&self, string: &[u8]) -> Result<bool, Error> {
        let string = self.0.fold(string);
        for item in &self.0.items {
            let hit = match &item.what {
                What::Table(table) => self.0.ask(table, &string).await?,
                What::Text(text) => *text == string,
                What::Broken => return Err(self.0.failed()),
            };
            if hit {
                return Ok(item.positive);
            }
        }
        Ok(false)
    }

    /// As [`StringList::matches`], for programs without a runtime.
    pub fn matches_blocking(&self, string: &[u8]) -> Result<bool, Error> {
        crate::types::wait(self.0.waiting(), self.matches(string))
    }
}

impl DomainList {
    /// Reads the list. The title, usually the parameter's name, appears in log messages.
    pub fn open(title: &str, patterns: &str, env: &Rc<Env>, flags: ListFlags) -> Self {
        Self(Patterns::open(title, patterns, env), flags)
    }

    /// Whether there is nothing that could match.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`StringList::is_local`].
    pub fn is_local(&self) -> bool {
        self.0.waiting() == Waiting::Here
    }

    /// Whether the name is in the list.
    pub async fn matches(&self, name: &[u8]) -> Result<bool, Error> {
        let name = self.0.fold(name);
        for item in &self.0.items {
            if name_matches(&self.0, item, &name, self.1).await? {
                return Ok(item.positive);
            }
        }
        Ok(false)
    }

    /// As [`DomainList::matches`], for programs without a runtime.
    pub fn matches_blocking(&self, name: &[u8]) -> Result<bool, Error> {
        crate::types::wait(self.0.waiting(), self.matches(name))
    }
}

/// Whether one element matches a name (already folded) or a parent of it.
pub(crate) async fn name_matches(
    list: &Patterns,
    item: &Item,
    name: &[u8],
    flags: ListFlags,
) -> Result<bool, Error> {
    match &item.what {
        What::Broken => Err(list.failed()),
        What::Text(text) => Ok(text == name || is_below(name, text, flags)),
        What::Table(table) => {
            let mut rest = name;
            while !rest.is_empty() {
                // Patterns see the full name only.
                let is_asked = rest.len() == name.len() || table.flags().contains(Flags::FIXED);
                if is_asked && list.ask(table, rest).await? {
                    return Ok(true);
                }
                let Some(dot) = rest.iter().skip(1).position(|&byte| byte == b'.').map(|at| at + 1) else {
                    break;
                };
                let start = if flags == ListFlags::Parent { dot + 1 } else { dot };
                rest = rest.get(start..).unwrap_or_default();
            }
            Ok(false)
        }
    }
}

fn is_below(name: &[u8], pattern: &[u8], flags: ListFlags) -> bool {
    let Some(head) = name.strip_suffix(pattern).filter(|head| !head.is_empty()) else { return false };
    match flags {
        ListFlags::Parent => head.ends_with(b"."),
        ListFlags::Exact => pattern.starts_with(b"."),
    }
}

/// A list that was read: files replaced by their contents, tables opened, case folded.
pub(crate) struct Patterns {
    pub(crate) title: String,
    pub(crate) items: Vec<Item>,
    utf8: Utf8,
}

/// An element of a list.
pub(crate) struct Item {
    /// What the list says when the element matches: false for `!element`.
    pub(crate) positive: bool,
    pub(crate) what: What,
}

/// What an element is.
pub(crate) enum What {
    Text(Vec<u8>),
    Table(Table),
    /// Nothing that can be matched; what is wrong has been logged.
    Broken,
}

impl Patterns {
    pub(crate) fn open(title: &str, patterns: &str, env: &Rc<Env>) -> Self {
        let utf8 = if env.smtputf8_enable { Utf8::Enabled } else { Utf8::Disabled };
        let mut list = Self { title: title.to_owned(), items: Vec::new(), utf8 };
        list.parse(patterns, true, env, 0);
        list
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What it takes to wait for an answer.
    pub(crate) fn waiting(&self) -> Waiting {
        let is_here = |item: &Item| !matches!(&item.what, What::Table(table) if !table.is_local());
        if self.items.iter().all(is_here) { Waiting::Here } else { Waiting::Elsewhere }
    }

    pub(crate) fn fold(&self, text: &[u8]) -> Vec<u8> {
        casefold(text, self.utf8)
    }

    fn parse(&mut self, patterns: &str, positive: bool, env: &Rc<Env>, depth: usize) {
        let title = self.title.clone();
        let mut rest = patterns;
        while let Some((start, tail)) = next_element(rest) {
            rest = tail;
            if start.starts_with('#') {
                let shown: String = rest.chars().take(20).collect();
                log::warning!("{title}: #comment after other text is not allowed: {start} {shown}...");
                return;
            }
            let item = start.trim_start_matches('!');
            let positive = positive == (start.len() - item.len()).is_multiple_of(2);
            if item.is_empty() {
                log::error!("{title}: no pattern after '!'");
                self.items.push(Item { positive, what: What::Broken });
            } else if item.starts_with('/') {
                self.include(item, positive, env, depth);
            } else if is_table(item) {
                let flags = Flags::LOCK | Flags::UTF8_REQUEST;
                self.items.push(Item { positive, what: What::Table(Table::open(item, env, flags)) });
            } else {
                let text = self.fold(item.as_bytes());
                self.items.push(Item { positive, what: What::Text(text) });
            }
        }
    }

    /// Puts the elements in a file in the place of its name.
    fn include(&mut self, path: &str, positive: bool, env: &Rc<Env>, depth: usize) {
        let flags = Flags::LOCK | Flags::UTF8_REQUEST;
        let broken = |why: String| Table::broken(&format!("non-existent:{path}"), flags, why);
        let content = match fs::read(path) {
            Ok(content) => content,
            Err(error) => {
                let table = broken(format!("open file {path}: {}", reason(&error)));
                self.items.push(Item { positive: true, what: What::Table(table) });
                return;
            }
        };
        if depth > 100 {
            let table = broken(format!("open file {path}: Too many levels of symbolic links"));
            self.items.push(Item { positive: true, what: What::Table(table) });
            return;
        }
        for line in crate::lines::Lines::new(path, &content) {
            self.parse(&String::from_utf8_lossy(&line.text), positive, env, depth + 1);
        }
    }

    /// Whether a table knows a key. A table that fails is logged.
    pub(crate) async fn ask(&self, table: &Table, key: &[u8]) -> Result<bool, Error> {
        match table.lookup(key).await {
            Ok(value) => Ok(value.is_some()),
            Err(error) => {
                log::warning!("{}: {}: table lookup problem", self.title, table.name());
                Err(error)
            }
        }
    }

    pub(crate) fn failed(&self) -> Error {
        log::warning!("{}: no pattern after '!'", self.title);
        Error::config(self.title.clone())
    }
}

/// Whether an element names a table, rather than an address in brackets or a name.
fn is_table(element: &str) -> bool {
    !element.starts_with('[') && element.contains(':')
}

fn next_element(text: &str) -> Option<(&str, &str)> {
    let element = text::elements(text).next()?;
    let start = element.as_ptr().addr() - text.as_ptr().addr();
    let rest = text.get(start + element.len()..).unwrap_or_default();
    Some((element, rest.strip_prefix([' ', ',', '\t', '\r', '\n']).unwrap_or(rest)))
}
