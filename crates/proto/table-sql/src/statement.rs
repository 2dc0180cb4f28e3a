//! What the three types have in common: the query of a key, and the value that its rows make.

use table::client::{Formats, Key, LimitExceeded, Settings, Template, Values};
use table::{Error, Opening};

/// The settings about queries and results.
pub(crate) struct Statement {
    /// `type:name`.
    pub(crate) title: String,
    /// What precedes the text of some warnings.
    pub(crate) name: String,
    formats: Formats,
    query: Template,
    result: Template,
    limit: usize,
}

impl Statement {
    /// Reads `query` (or what it was before there was one), `result_format`, `expansion_limit` and `domain`.
    pub(crate) fn read(opening: &Opening<'_>, settings: &Settings, query: &str) -> Result<Self, String> {
        let result = settings.text("result_format", "%s", 1..)?;
        let limit = settings.number("expansion_limit", 0, ..)?;
        let mut formats = Formats::new(opening);
        let query = formats.query(query)?;
        let result = formats.result(&result)?;
        formats.read_domains(settings, opening.env)?;
        Ok(Self {
            title: opening.title(),
            name: opening.name.to_owned(),
            formats,
            query,
            result,
            limit: usize::try_from(limit).unwrap_or_default(),
        })
    }

    /// The key, when the settings allow to look for it.
    pub(crate) async fn key<'a>(&self, key: &'a [u8]) -> Result<Option<Key<'a>>, Error> {
        if !self.formats.accepts(key).await? {
            log::debug!("{}: Skipping lookup of '{}'", self.title, bytes::show(key));
            return Ok(None);
        }
        Ok(self.formats.key(key))
    }

    /// The query about a key.
    pub(crate) fn query(&self, key: &Key<'_>, quote: impl Fn(&[u8], &mut Vec<u8>)) -> Vec<u8> {
        self.query.expand(key, quote)
    }

    /// The value that the columns make. `exceeded` is what is logged before the key when there are too many.
    pub(crate) fn value<'a>(
        &self,
        key: &Key<'_>,
        columns: impl Iterator<Item = Option<&'a [u8]>>,
        exceeded: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut values = Values::new(&self.formats, &self.result, key, self.limit);
        for column in columns {
            if let Err(LimitExceeded) = values.add(column) {
                log::warning!("{exceeded} '{}'", bytes::show(key.text()));
                return Err(self.retry());
            }
        }
        Ok(values.finish())
    }

    /// Nobody knows.
    pub(crate) fn retry(&self) -> Error {
        Error::retry(self.title.clone())
    }
}

/// The `query` setting, or the query that older settings make.
pub(crate) fn query(settings: &Settings) -> Result<String, String> {
    if let Some(query) = settings.optional_text("query", ..)? {
        return Ok(query);
    }
    let table = settings.text("table", "", 1..)?;
    let select = settings.text("select_field", "", 1..)?;
    let condition = settings.text("where_field", "", 1..)?;
    let more = settings.text("additional_conditions", "", ..)?;
    Ok(format!("SELECT {select} FROM {table} WHERE {condition}='%s' {more}"))
}
