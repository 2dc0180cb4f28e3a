//! The values in documents.

use table::client::{Formats, Key, Template, Values};

use crate::bson::{Elements, Malformed, Value, kind};

/// How deep arrays may be nested. Servers allow 100.
const DEPTH: usize = 100;

/// What all documents of one question make.
pub(crate) struct Results<'a> {
    /// `type:name`.
    pub(crate) title: &'a str,
    pub(crate) formats: &'a Formats,
    pub(crate) template: &'a Template,
    pub(crate) key: &'a Key<'a>,
    /// How many values there may be, 0 any number.
    pub(crate) limit: usize,
    count: usize,
    value: Option<Vec<u8>>,
}

/// There is no value to be had, which is logged unless the server makes no sense.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Logged,
    Malformed,
}

impl From<Malformed> for Fault {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl<'a> Results<'a> {
    pub(crate) fn new(
        title: &'a str,
        formats: &'a Formats,
        template: &'a Template,
        key: &'a Key<'a>,
        limit: usize,
    ) -> Self {
        Self { title, formats, template, key, limit, count: 0, value: None }
    }

    /// Takes the fields of one more document.
    ///
    /// COMPAT: of several documents the last one has the last word, while the limit counts the values of all. Tests:
    /// `the_last_document_counts`, `limits_count_all_documents`.
    pub(crate) fn take(&mut self, document: Elements<'_>) -> Result<(), Fault> {
        let mut values = Values::new(self.formats, self.template, self.key, 0);
        self.add(document, &mut values, 0)?;
        self.value = values.finish();
        Ok(())
    }

    /// The value.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        self.value
    }

    fn add(&mut self, fields: Elements<'_>, values: &mut Values<'_>, depth: usize) -> Result<(), Fault> {
        let title = self.title;
        for field in fields {
            let field = field?;
            match (field.value, field.kind) {
                (Value::String(text), _) => {
                    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
                    if std::str::from_utf8(text).is_err() {
                        let text = bytes::show(text);
                        log::warning!("{title}: invalid UTF-8 in lookup result '{text}'");
                        return Err(Fault::Logged);
                    }
                    self.add_one(text, values)?;
                }
                (Value::Int(number), kind::INT32 | kind::INT64) => {
                    self.add_one(number.to_string().as_bytes(), values)?;
                }
                (Value::Array(inner), _) if depth < DEPTH => self.add(inner, values, depth + 1)?,
                (Value::Array(_), _) => return Err(Fault::Malformed),
                _ => {
                    let (name, kind) = (bytes::show(field.name), field.kind);
                    log::warning!(
                        "{title}: failed to retrieve value of '{name}', Unknown result type {kind}."
                    );
                }
            }
        }
        Ok(())
    }

    fn add_one(&mut self, text: &[u8], values: &mut Values<'_>) -> Result<(), Fault> {
        self.count += 1;
        if self.limit > 0 && self.count > self.limit {
            let (title, key) = (self.title, bytes::show(self.key.text()));
            log::warning!("{title}: expansion limit exceeded for key: '{key}'");
            return Err(Fault::Logged);
        }
        // It has no limit of its own.
        let _added = values.add(Some(text));
        Ok(())
    }
}
