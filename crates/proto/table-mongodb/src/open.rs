//! Settings.

use std::time::Duration;

use database_link::Pool;
use table::client::{Formats, Settings};
use table::{Backend, Flags, Opened, Opening};

use crate::bson::Document;
use crate::lookup::Mongodb;
use crate::servers::Servers;
use crate::uri::{self, Fault, Uri};
use crate::{filter, json};

/// What separates the words of a list.
const SEPARATORS: &str = ", \t\r\n";

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);

/// Opens a table.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let settings = Settings::read(opening)?;
    let title = opening.title();
    let uri = settings.text("uri", "", 1..)?;
    let database = settings.text("dbname", "", 1..)?;
    let collection = settings.text("collection", "", 1..)?;
    let query = settings.text("query_filter", "", 1..)?;
    let projection = settings.optional_text("projection", ..)?;
    let attributes = settings.optional_text("result_attribute", ..)?;
    let result = settings.text("result_format", "%s", 1..)?;
    // Less than nothing is no limit either.
    let limit = settings.number("expansion_limit", 10, ..=100)?;
    let mut formats = Formats::new(opening);
    let template = formats.query(&query)?;
    let result = formats.result(&result)?;
    formats.read_domains(&settings, opening.env)?;
    let projection = match (projection, attributes) {
        (Some(text), None) => projection_of(&text),
        (None, Some(names)) => Ok(fields(&names)),
        _ => return Err(format!("{title}: specify exactly one of 'projection' or 'result_attribute'")),
    };
    filter::check(&query).map_err(|why| format!("{title}: query_filter has {why}: {query}"))?;
    let parsed = Uri::parse(&uri).map_err(|fault| {
        let shown = uri::shown(&uri);
        match fault {
            Fault::Text(why) => format!("{title}: failed to parse URI '{shown}': {why}"),
            Fault::Srv => format!(
                "{title}: failed to create client for '{shown}': mongodb+srv:// is not supported, name the hosts \
                 with mongodb://"
            ),
        }
    })?;
    let table = Mongodb {
        title,
        formats,
        database,
        collection,
        query: template,
        projection,
        result,
        expansion_limit: usize::try_from(limit).unwrap_or_default(),
        servers: Servers::new(parsed),
        pool: Pool::new(IDLE),
    };
    Ok(Opened {
        backend: Backend::Remote(Box::new(table)),
        // COMPAT: Postfix does not mark the type as one of fixed keys: no parts of addresses are looked up, and keys
        // are not folded. Test: `keys_are_taken_as_they_are`.
        flags: Flags::NONE,
        owner: settings.owner(),
        folds: false,
    })
}

/// `projection`, without the id of documents.
fn projection_of(text: &str) -> Result<Document, String> {
    let projection = json::document(text.as_bytes());
    let mut projection =
        projection.map_err(|why| format!("failed to create a projection from '{text}': {why}"))?;
    projection.int32("_id", 0);
    Ok(projection)
}

/// `result_attribute`, as a projection.
fn fields(names: &str) -> Document {
    let mut projection = Document::new();
    projection.int32("_id", 0);
    for name in bytes::list::split(names, SEPARATORS) {
        projection.int32(name, 1);
    }
    projection
}
