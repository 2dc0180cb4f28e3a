//! Patterns that name services, and fields or parameters of services: `name/type/what`, `*` for any.

use command::{Fatal, fatal};

/// The fields of master.cf, in order.
pub(crate) const FIELDS: &[&str] =
    &["service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"];

/// Where the command is.
pub(crate) const COMMAND: usize = 7;

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<String>,
}

impl Pattern {
    /// Parses a pattern of `least` to `most` parts; missing ones are `*`. Nothing when it is none.
    pub(crate) fn parse(text: &str, least: usize, most: usize) -> Option<Pattern> {
        if text.starts_with('/') {
            return None;
        }
        let mut parts: Vec<String> = bytes::list::split(text, "/").map(str::to_owned).collect();
        let is_partly_wild = |part: &String| part.contains('*') && part != "*";
        if !(least..=most).contains(&parts.len()) || parts.iter().any(is_partly_wild) {
            return None;
        }
        parts.resize(most, "*".to_owned());
        Some(Pattern { parts })
    }

    /// Whether a service fits.
    pub(crate) fn matches(&self, service: &str, kind: &str) -> bool {
        fits(self.part(0), service) && fits(self.part(1), kind)
    }

    /// What follows name and type.
    pub(crate) fn what(&self) -> &str {
        self.part(2)
    }

    /// The field that the pattern names; nothing for any.
    pub(crate) fn field(&self) -> Result<Option<usize>, Fatal> {
        let name = self.what();
        if name == "*" {
            return Ok(None);
        }
        match FIELDS.iter().position(|field| *field == name) {
            Some(field) => Ok(Some(field)),
            None => Err(fatal!("invalid service attribute name: \"{name}\"")),
        }
    }

    fn part(&self, at: usize) -> &str {
        self.parts.get(at).map_or("*", String::as_str)
    }
}

/// Whether a part of a pattern fits a text.
pub(crate) fn fits(part: &str, text: &str) -> bool {
    part == "*" || part == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let pattern = Pattern::parse("smtp", 1, 3).unwrap();
        assert!(pattern.matches("smtp", "inet") && pattern.what() == "*");
        let pattern = Pattern::parse("*/inet/chroot", 1, 3).unwrap();
        assert!(pattern.matches("smtp", "inet") && !pattern.matches("smtp", "unix"));
        assert_eq!(pattern.field().unwrap(), Some(4));
        for bad in ["/x", "a*/inet", "a/b/c/d", ""] {
            assert_eq!(Pattern::parse(bad, 1, 3), None, "{bad}");
        }
    }
}
