//! Which tables a client may use: those that the lists of `proxy_read_maps` and `proxy_write_maps` name with `proxy:`.

use std::collections::BTreeSet;

use bytes::list;
use conf::lines::LogicalLines;

/// Types whose name is itself a list of tables.
const NESTED: [&str; 2] = ["pipemap:", "unionmap:"];

/// Which tables of a list are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those with `proxy:` in front.
    Proxied,
    /// All.
    All,
}

/// The tables that lists name, as `type:name` without `proxy:`.
#[derive(Debug)]
pub struct Approved {
    which: Which,
    names: BTreeSet<String>,
}

impl Approved {
    /// None yet.
    pub fn new(which: Which) -> Self {
        Self { which, names: BTreeSet::new() }
    }

    /// Adds those in the value of a parameter, also within `{ }`, composed tables and `/file/name` elements. `origin`, for
    /// warnings, is the parameter's name.
    pub fn read(&mut self, text: &str, origin: &str) {
        for word in list::split_braced(text, list::SEPARATORS) {
            let mut word = word;
            if word.starts_with('{') {
                let Some(inner) = inside(word, origin) else { continue };
                let Some(first) = list::split_braced(inner, list::SEPARATORS).next() else { continue };
                word = first;
            }
            if word.starts_with('/') {
                self.read_file(word);
            } else if let Some(nested) = NESTED.iter().find_map(|kind| word.strip_prefix(kind)) {
                if nested.starts_with('{')
                    && let Some(inner) = inside(nested, origin)
                {
                    self.read(inner, origin);
                }
            } else {
                self.add(word);
            }
        }
    }

    /// Whether a table is approved.
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The tables in the order of their names, a line for each.
    pub fn lines(&self) -> String {
        self.names.iter().flat_map(|name| [name, "\n"]).collect()
    }

    // Other words are addresses, restrictions, or names of lists.
    fn add(&mut self, word: &str) {
        if !word.starts_with(|first: char| first.is_ascii_alphanumeric()) || !word.contains(':') {
            return;
        }
        let mut name = word;
        while let Some(inner) = name.strip_prefix("proxy:") {
            name = inner;
        }
        if self.which == Which::All || name.len() < word.len() {
            self.names.insert(name.to_owned());
        }
    }

    fn read_file(&mut self, path: &str) {
        match std::fs::read(path) {
            Ok(text) => LogicalLines::new(path, &text)
                .for_each(|line| self.read(&String::from_utf8_lossy(&line.text), path)),
            Err(error) => log::warning!("open {path}: {}", sys::reason(&error)),
        }
    }
}

fn inside<'a>(text: &'a str, origin: &str) -> Option<&'a str> {
    match list::braced(text) {
        Ok((inner, _)) => Some(inner),
        Err(why) => {
            log::warning!("bad syntax in {origin} content: {why}");
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
        let mut approved = Approved::new(Which::Proxied);
        approved.read(text, "proxy_read_maps");
        for name in ["hash:/b", "mysql:/c", "inline:{ x=y }", "hash:/d"] {
            assert!(approved.contains(name), "{name}");
        }
        for name in ["hash:/a", "hash:/e", "proxy:hash:/b"] {
            assert!(!approved.contains(name), "{name}");
        }
    }

    #[test]
    fn all_tables_of_a_list() {
        let mut all = Approved::new(Which::All);
        all.read(
            "$x, permit hash:/b !cidr:/n [::1]:25 check_x { inline:{ a=b }, c } proxy:pcre:/a",
            "proxy_read_maps",
        );
        assert_eq!(all.lines(), "hash:/b\ninline:{ a=b }\npcre:/a\n");
    }

    #[test]
    fn files_have_logical_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list");
        std::fs::write(&file, "# proxy:hash:/no\nx\n  proxy:hash:/a,\n# comment\n  proxy:hash:/b\n").unwrap();
        let mut approved = Approved::new(Which::Proxied);
        approved.read(&format!("y {}", file.display()), "proxy_read_maps");
        assert_eq!(approved.lines(), "hash:/a\nhash:/b\n");
    }
}
