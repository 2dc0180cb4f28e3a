//! The question: the documents of a collection that fit a query.

use crate::bson::{Document, Elements, Malformed, Value};
use crate::connection::{Answer, Connection, Trouble};
use crate::uri::Uri;

/// The longest answer to one question.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;
/// How many documents come with the first answer; more are asked for in turn.
const BATCH: i32 = 101;

/// Where to look, and what to return.
pub(crate) struct Find<'a> {
    pub(crate) database: &'a str,
    pub(crate) collection: &'a str,
    pub(crate) query: &'a Document,
    pub(crate) projection: &'a Document,
}

/// A batch of documents.
pub(crate) struct Batch {
    answer: Answer,
    is_first: bool,
}

/// Whether the documents that follow are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    More,
    Enough,
}

impl Batch {
    /// The documents.
    pub(crate) fn documents(
        &self,
    ) -> Result<impl Iterator<Item = Result<Elements<'_>, Malformed>>, Malformed> {
        let Some(Value::Array(batch)) = self.part(if self.is_first { "firstBatch" } else { "nextBatch" })?
        else {
            return Err(Malformed);
        };
        Ok(batch.map(|element| match element?.value {
            Value::Document(document) => Ok(document),
            _ => Err(Malformed),
        }))
    }

    /// The number under which the server has more, or 0.
    fn cursor(&self) -> Result<i64, Malformed> {
        self.part("id")?.and_then(Value::number).ok_or(Malformed)
    }

    fn part(&self, name: &str) -> Result<Option<Value<'_>>, Malformed> {
        match self.answer.elements()?.find("cursor")? {
            Some(Value::Document(cursor)) => cursor.find(name),
            _ => Err(Malformed),
        }
    }
}

impl Find<'_> {
    /// Asks, and shows each batch to `take` as it comes.
    pub(crate) async fn run(
        &self,
        connection: &mut Connection,
        uri: &Uri,
        mut take: impl FnMut(&Batch) -> Result<Next, Malformed>,
    ) -> Result<(), Trouble> {
        let mut command = self.command(uri);
        self.add_preference(&mut command, connection);
        let limit = uri.answer_limit;
        let mut batch = Batch { answer: connection.command(&command, limit).await?, is_first: true };
        let mut length = 0;
        loop {
            length += batch.answer.len();
            let (cursor, next) = (batch.cursor()?, take(&batch)?);
            if cursor == 0 {
                return Ok(());
            }
            if next == Next::Enough || length > ANSWER_LIMIT {
                let mut cursors = Document::new();
                cursors.int64("0", cursor);
                let mut kill = Document::new();
                kill.string("killCursors", self.collection).array("cursors", &cursors);
                kill.string("$db", self.database);
                // The server forgets it by itself in time, if it did not hear that.
                let _killed = connection.command(&kill, limit).await;
                return match next {
                    Next::Enough => Ok(()),
                    Next::More => {
                        Err(Trouble::Refused { code: 0, text: "the answer is too long".to_owned() })
                    }
                };
            }
            let mut more = Document::new();
            more.int64("getMore", cursor).string("collection", self.collection).string("$db", self.database);
            self.add_preference(&mut more, connection);
            batch = Batch { answer: connection.command(&more, limit).await?, is_first: false };
        }
    }

    fn command(&self, uri: &Uri) -> Document {
        let mut find = Document::new();
        find.string("find", self.collection).document("filter", self.query);
        find.document("projection", self.projection).int32("batchSize", BATCH);
        if let Some(level) = &uri.read_concern {
            let mut concern = Document::new();
            concern.string("level", level);
            find.document("readConcern", &concern);
        }
        find.string("$db", self.database);
        find
    }

    fn add_preference(&self, command: &mut Document, connection: &Connection) {
        if let Some(preference) = connection.preference {
            let mut mode = Document::new();
            mode.string("mode", preference.name());
            command.document("$readPreference", &mode);
        }
    }
}
