//! Which tables a client may use: those that the lists of `proxy_read_maps` and `proxy_write_maps` name with `proxy:`.

use std::collections::HashSet;

use bytes::list;

/// Types whose name is itself a list of tables.
const NESTED: [&str; 2] = ["pipemap:", "unionmap:"];

/// The approved tables, as `type:name`.
#[derive(Debug, Default)]
pub struct Approved(HashSet<String>);

impl Approved {
    /// Finds them in the value of a parameter, also within `{ }`, composed tables and `/file/name` elements.
    pub fn read(text: &str) -> Self {
        let mut approved = Self::default();
        approved.read_list(text);
        approved
    }

    /// Whether a table is approved.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn read_list(&mut self, text: &str) {
        for word in list::split_braced(text, list::SEPARATORS) {
            let mut word = word;
            if word.starts_with('{') {
                let Some(first) =
                    inside(word).and_then(|inner| list::split_braced(inner, list::SEPARATORS).next())
                else {
                    continue;
                };
                word = first;
            }
            if word.starts_with('/') {
                match std::fs::read_to_string(word) {
                    Ok(text) => text
                        .lines()
                        .filter(|line| !line.starts_with('#'))
                        .for_each(|line| self.read_list(line)),
                    Err(error) => log::warning!("open {word}: {error}"),
                }
            } else if let Some(nested) = NESTED.iter().find_map(|kind| word.strip_prefix(kind)) {
                if let Some(inner) = inside(nested) {
                    self.read_list(inner);
                }
            } else if let Some(mut name) = word.strip_prefix("proxy:") {
                while let Some(inner) = name.strip_prefix("proxy:") {
                    name = inner;
                }
                self.0.insert(name.to_owned());
            }
        }
    }
}

fn inside(text: &str) -> Option<&str> {
    match list::braced(text) {
        Ok((inner, _)) => Some(inner),
        Err(why) => {
            log::warning!("bad syntax in {text}: {why}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_with_proxy_is_approved() {
        let text = "hash:/a, proxy:hash:/b proxy:proxy:mysql:/c { proxy:inline:{ x=y } search_order } \
                    unionmap:{proxy:hash:/d, hash:/e}, [::1]";
        let approved = Approved::read(text);
        for name in ["hash:/b", "mysql:/c", "inline:{ x=y }", "hash:/d"] {
            assert!(approved.contains(name), "{name}");
        }
        for name in ["hash:/a", "hash:/e", "proxy:hash:/b"] {
            assert!(!approved.contains(name), "{name}");
        }
    }
}
