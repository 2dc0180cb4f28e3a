//! Templates such as `SELECT goto FROM alias WHERE address = '%s'`, and the keys and values that fill them.

use std::rc::Rc;

use crate::client::Settings;
use crate::env::Env;
use crate::error::Error;
use crate::list::{ListFlags, StringList};
use crate::open::Opening;

/// What the templates of one table ask of a key and of the values that belong to it.
///
/// All templates must be read before the first key: a key has to fill the template of the result as well as that of
/// the query, and is not looked up otherwise.
pub struct Formats {
    kind: String,
    name: String,
    key_user: bool,
    key_domain: bool,
    value_user: bool,
    value_domain: bool,
    labels: usize,
    domains: Option<StringList>,
}

/// A template, ready to be filled.
pub struct Template(Vec<Piece>);

enum Piece {
    Text(Vec<u8>),
    Value(Part),
    Key(Part),
}

#[derive(Clone, Copy)]
enum Part {
    Whole,
    User,
    Domain,
    /// Of the key's domain, counted from its end.
    Label(usize),
}

/// A key that fills the templates of its table.
pub struct Key<'a> {
    address: Address<'a>,
    labels: Vec<&'a [u8]>,
}

/// A text with what is around its last `@`.
struct Address<'a> {
    whole: &'a [u8],
    user: &'a [u8],
    domain: &'a [u8],
}

/// Which words of a template may be used, and what the error calls it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Query,
    Result,
}

impl Formats {
    /// No templates yet.
    pub fn new(opening: &Opening<'_>) -> Self {
        Self {
            kind: opening.kind.to_owned(),
            name: opening.name.to_owned(),
            key_user: false,
            key_domain: false,
            value_user: false,
            value_domain: false,
            labels: 0,
            domains: None,
        }
    }

    /// Reads a template that makes a query of a key.
    pub fn query(&mut self, text: &str) -> Result<Template, String> {
        self.parse(text, Role::Query)
    }

    /// Reads a template that makes a result of a value and its key.
    pub fn result(&mut self, text: &str) -> Result<Template, String> {
        self.parse(text, Role::Result)
    }

    /// Reads the `domain` setting: whose addresses are in the database.
    pub fn read_domains(&mut self, settings: &Settings, env: &Rc<Env>) -> Result<(), String> {
        let domains = settings.optional_text("domain", ..)?;
        self.domains =
            domains.map(|domains| StringList::open(settings.name(), &domains, env, ListFlags::Exact));
        Ok(())
    }

    /// Whether the `domain` setting allows to look for the key.
    pub async fn accepts(&self, key: &[u8]) -> Result<bool, Error> {
        let Some(domains) = &self.domains else { return Ok(true) };
        match bytes::rsplit_once(key, b'@') {
            None | Some((b"", _)) => Ok(false),
            Some((_, domain)) => domains.matches(domain).await,
        }
    }

    /// The key with its parts, unless it lacks one that a template needs. No database holds a NUL.
    pub fn key<'a>(&self, key: &'a [u8]) -> Option<Key<'a>> {
        if key.is_empty() {
            log::warning!("table \"{}:{}\": empty query string -- ignored", self.kind, self.name);
            return None;
        }
        if key.contains(&0) {
            return None;
        }
        let address = Address::split(key, self.key_user || self.key_domain);
        if !address.has(self.key_user, self.key_domain) {
            return None;
        }
        let mut labels = Vec::new();
        if self.labels > 0 {
            labels.extend(address.domain.rsplit(|&byte| byte == b'.').filter(|label| !label.is_empty()));
        }
        (labels.len() >= self.labels).then_some(Key { address, labels })
    }

    /// Appends a value to the text of a result, after a comma when there is text already. Whether it was appended: a
    /// value that is empty or lacks a part that the template needs is not.
    pub(crate) fn append(
        &self,
        template: &Template,
        key: &Key<'_>,
        value: &[u8],
        result: &mut Vec<u8>,
    ) -> bool {
        let value = value.split(|&byte| byte == 0).next().unwrap_or_default();
        if value.is_empty() {
            let key = bytes::show(key.address.whole);
            let (kind, name) = (&self.kind, &self.name);
            log::warning!("table \"{kind}:{name}\": empty lookup result for: \"{key}\" -- ignored");
            return false;
        }
        let address = Address::split(value, self.value_user || self.value_domain);
        if !address.has(self.value_user, self.value_domain) {
            return false;
        }
        if !result.is_empty() {
            result.push(b',');
        }
        template.fill(&address, key, result, &|text, result| result.extend_from_slice(text));
        true
    }

    fn parse(&mut self, text: &str, role: Role) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            if byte != b'%' {
                literal.push(byte);
                continue;
            }
            let (is_key, part) = match bytes.next() {
                Some(b'%') => {
                    literal.push(b'%');
                    continue;
                }
                Some(b's') => (role == Role::Query, Part::Whole),
                Some(b'u') => (role == Role::Query, Part::User),
                Some(b'd') => (role == Role::Query, Part::Domain),
                Some(b'S') => (true, Part::Whole),
                Some(b'U') => (true, Part::User),
                Some(b'D') => (true, Part::Domain),
                Some(digit @ b'1'..=b'9') => (true, Part::Label(usize::from(digit - b'0'))),
                _ => {
                    let role = if role == Role::Query { "query" } else { "result" };
                    return Err(format!("db_common_parse: {}: Invalid {role} template: {text}", self.name));
                }
            };
            self.require(is_key, part);
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(if is_key { Piece::Key(part) } else { Piece::Value(part) });
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Template(pieces))
    }

    fn require(&mut self, is_key: bool, part: Part) {
        match (is_key, part) {
            (_, Part::Whole) => {}
            (true, Part::User) => self.key_user = true,
            (true, Part::Domain) => self.key_domain = true,
            (_, Part::Label(number)) => {
                self.key_domain = true;
                self.labels = self.labels.max(number);
            }
            (false, Part::User) => self.value_user = true,
            (false, Part::Domain) => self.value_domain = true,
        }
    }
}

impl Template {
    /// Whether anything in it depends on the key.
    pub fn is_dynamic(&self) -> bool {
        self.0.iter().any(|piece| !matches!(piece, Piece::Text(_)))
    }

    /// A query about the key. `quote` appends a text in the form that cannot be taken for anything but text.
    pub fn expand(&self, key: &Key<'_>, quote: impl Fn(&[u8], &mut Vec<u8>)) -> Vec<u8> {
        let mut query = Vec::new();
        self.fill(&key.address, key, &mut query, &quote);
        query
    }

    fn fill(
        &self,
        value: &Address<'_>,
        key: &Key<'_>,
        filled: &mut Vec<u8>,
        quote: &dyn Fn(&[u8], &mut Vec<u8>),
    ) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.extend_from_slice(text),
                Piece::Value(part) => quote(value.part(*part, &[]), filled),
                Piece::Key(part) => quote(key.address.part(*part, &key.labels), filled),
            }
        }
    }
}

impl Key<'_> {
    /// The key itself.
    pub fn text(&self) -> &[u8] {
        self.address.whole
    }
}

impl<'a> Address<'a> {
    /// Splits at the last `@`, when anybody asks for the parts.
    fn split(whole: &'a [u8], wanted: bool) -> Self {
        match bytes::rsplit_once(whole, b'@').filter(|_| wanted) {
            Some((user, domain)) => Self { whole, user, domain },
            None => Self { whole, user: whole, domain: b"" },
        }
    }

    /// Whether the parts that are asked for are there.
    fn has(&self, user: bool, domain: bool) -> bool {
        (!user || !self.user.is_empty()) && (!domain || !self.domain.is_empty())
    }

    fn part(&self, part: Part, labels: &[&'a [u8]]) -> &'a [u8] {
        match part {
            Part::Whole => self.whole,
            Part::User => self.user,
            Part::Domain => self.domain,
            Part::Label(number) => labels.get(number - 1).copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
