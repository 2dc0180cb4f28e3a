//! The values that belong to a key, as one.

use crate::client::{Formats, Key, Template};

/// Joins the values of a key with commas.
pub struct Values<'a> {
    formats: &'a Formats,
    template: &'a Template,
    key: &'a Key<'a>,
    limit: usize,
    count: usize,
    text: Vec<u8>,
}

/// There are more values than `expansion_limit` allows.
#[derive(Debug, PartialEq, Eq)]
pub struct LimitExceeded;

impl<'a> Values<'a> {
    /// No values yet. `limit` is the number of values that there may be, 0 any number.
    pub fn new(formats: &'a Formats, template: &'a Template, key: &'a Key<'a>, limit: usize) -> Self {
        Self { formats, template, key, limit, count: 0, text: Vec::new() }
    }

    /// Adds a value in the form of the result template; NULL, and a value without the parts that the template names, is
    /// left out.
    pub fn add(&mut self, value: Option<&[u8]>) -> Result<(), LimitExceeded> {
        let Some(value) = value else { return Ok(()) };
        if !self.formats.append(self.template, self.key, value, &mut self.text) {
            return Ok(());
        }
        self.count += 1;
        if self.limit > 0 && self.count > self.limit { Err(LimitExceeded) } else { Ok(()) }
    }

    /// All values, when there are any.
    pub fn finish(self) -> Option<Vec<u8>> {
        Some(self.text).filter(|text| !text.is_empty())
    }
}
