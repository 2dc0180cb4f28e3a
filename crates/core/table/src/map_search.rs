//! A table with attributes, as in `check_ccert_access { hash:/table, { search_order = a, b } }`.

use conf::lines::split_name_value;

use crate::text;

/// What stands in the place of a table where it may have attributes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapSearch {
    /// `type:name`.
    pub table: String,
    /// What is looked up, and in which order, if that is said: the places in the list of names that there are.
    pub order: Option<Vec<usize>>,
}

impl MapSearch {
    /// Reads `type:name` or `{ type:name, search_order = a }`. `names` are those that a search order may have. What is
    /// wrong is logged, in Postfix's words.
    pub fn parse(spec: &str, names: &[&str]) -> Option<Self> {
        let (table, attributes) = if spec.starts_with('{') {
            let inside = match text::extract_trimmed(spec) {
                Ok(inside) => inside,
                Err(why) => {
                    log::warning!("malformed map specification: '{why}'");
                    return None;
                }
            };
            let mut words = text::elements(inside);
            let Some(table) = words.next() else {
                log::warning!("empty map specification: '{spec}'");
                return None;
            };
            (table, words.collect())
        } else {
            (spec, Vec::new())
        };
        if !table.contains(':') {
            log::warning!("malformed map specification: '{spec}'");
            log::warning!("expected maptype:mapname instead of '{table}'");
            return None;
        }
        let mut order = None;
        for attribute in attributes {
            order = Some(search_order(spec, attribute)?);
        }
        let code = |name: &str| {
            let found = names.iter().position(|known| known.eq_ignore_ascii_case(name));
            if found.is_none() {
                log::warning!("unknown search type '{name}' in '{spec}'");
            }
            found
        };
        let order = match order {
            Some(list) => {
                Some(bytes::list::split(list, bytes::list::SEPARATORS).map(code).collect::<Option<_>>()?)
            }
            None => None,
        };
        Some(Self { table: table.to_owned(), order })
    }
}

/// The value of the only attribute that there is.
fn search_order<'a>(spec: &str, attribute: &'a str) -> Option<&'a str> {
    let attribute = match attribute.starts_with('{').then(|| text::extract_trimmed(attribute)) {
        None => attribute,
        Some(Ok(inside)) => inside,
        Some(Err(why)) => {
            log::warning!("malformed map attribute: {why}");
            return None;
        }
    };
    match split_name_value(attribute) {
        Ok((name, value)) if name.eq_ignore_ascii_case("search_order") => Some(value),
        Ok((name, _)) => {
            log::warning!("unknown map attribute in '{spec}': '{name}'");
            None
        }
        Err(why) => {
            log::warning!("malformed map attribute in '{spec}': '{why}'");
            None
        }
    }
}
