//! A connection: asking.

use std::io;

use crate::pgsql::quote::{Encoding, Quoting};
use crate::pgsql::report::Report;
use crate::pgsql::wire::{Wire, malformed};
use database_link::link;

/// How long a message may be before somebody logged in.
pub(super) const SHORT: usize = 30_000;
/// No answer is longer.
const LONG: usize = 1 << 30;

pub(super) const GONE: &str = "server closed the connection unexpectedly\n\
                               \tThis probably means the server terminated abnormally\n\
                               \tbefore or while processing the request.\n";

/// A connection that is logged in.
pub(crate) struct Connection {
    wire: Wire,
    has_backslashes: bool,
    encoding: Encoding,
    /// What the server told of itself.
    pub(super) in_hot_standby: bool,
    pub(super) is_read_only: bool,
}

/// What a query gave.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Rows of columns; a column is nothing for NULL.
    Rows(Vec<Vec<Option<Vec<u8>>>>),
    /// Something that is neither rows nor an error, with the library's number for it.
    Other(u32),
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server says so; the connection lives on.
    Refused(String),
    /// The connection is gone, or of no use.
    Lost(String),
    /// What the server said makes no sense.
    Nonsense,
}

impl Connection {
    /// A connection over which a login was accepted.
    pub(super) fn new(wire: Wire, encoding: &str) -> Self {
        let encoding = Encoding::by_name(encoding);
        Self { wire, has_backslashes: false, encoding, in_hot_standby: false, is_read_only: false }
    }

    /// Hears what the server tells until it is ready, or what is wrong after all.
    pub(super) async fn settle(&mut self) -> io::Result<Option<Report>> {
        loop {
            let (tag, body) = self.wire.receive(SHORT).await?;
            match tag {
                b'Z' => return Ok(None),
                b'E' => return Ok(Some(Report::read(&body))),
                _ => self.note(tag, &body),
            }
        }
    }

    /// How text in a query is quoted.
    pub(crate) fn quoting(&self) -> Quoting {
        Quoting { has_backslashes: self.has_backslashes, encoding: self.encoding }
    }

    /// The answer to the last statement of a query.
    pub(crate) async fn query(&mut self, query: &[u8]) -> Result<Answer, Trouble> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidData => Trouble::Nonsense,
            _ => Trouble::Lost(GONE.to_owned()),
        };
        self.wire.send(b'Q', &[query, &[0]].concat()).await.map_err(gone)?;
        let mut answer = Answer::Rows(Vec::new());
        let mut error: Option<Report> = None;
        loop {
            let (tag, body) = match self.wire.receive(LONG).await {
                Ok(message) => message,
                // The server said why it goes.
                Err(cause) => {
                    let text = error.map(|report| report.text(&String::from_utf8_lossy(query)));
                    return Err(text.map_or_else(|| gone(cause), |text| Trouble::Lost(text + GONE)));
                }
            };
            match tag {
                b'T' => answer = Answer::Rows(Vec::new()),
                b'D' => {
                    let row = columns(&body).map_err(gone)?;
                    if let Answer::Rows(rows) = &mut answer {
                        rows.push(row);
                    }
                }
                b'I' => answer = Answer::Other(0),
                // Data for a file, or from one, that there is not.
                b'G' | b'W' => return Ok(Answer::Other(4)),
                b'H' => return Ok(Answer::Other(3)),
                b'E' => error = Some(Report::read(&body)),
                b'Z' => break,
                b'C' => {}
                _ => self.note(tag, &body),
            }
        }
        match error {
            Some(report) if report.is_fatal() => {
                Err(Trouble::Lost(report.text(&String::from_utf8_lossy(query))))
            }
            Some(report) => Err(Trouble::Refused(report.text(&String::from_utf8_lossy(query)))),
            None => Ok(answer),
        }
    }

    /// What the server tells about itself.
    fn note(&mut self, tag: u8, body: &[u8]) {
        let mut words = body.split(|&byte| byte == 0);
        match (tag, words.next(), words.next()) {
            (b'S', Some(b"standard_conforming_strings"), value) => {
                self.has_backslashes = value != Some(b"on");
            }
            (b'S', Some(b"client_encoding"), Some(value)) => {
                self.encoding = Encoding::by_name(&String::from_utf8_lossy(value));
            }
            (b'S', Some(b"in_hot_standby"), value) => self.in_hot_standby = value == Some(b"on"),
            (b'S', Some(b"default_transaction_read_only"), value) => {
                self.is_read_only = value == Some(b"on");
            }
            _ => {}
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        link::part(&mut self.wire.link, b"X\0\0\0\x04");
    }
}

fn columns(body: &[u8]) -> io::Result<Vec<Option<Vec<u8>>>> {
    let (count, mut rest) = body.split_first_chunk().ok_or_else(malformed)?;
    (0..u16::from_be_bytes(*count))
        .map(|_| {
            let (length, tail) = rest.split_first_chunk().ok_or_else(malformed)?;
            rest = tail;
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Ok(None) };
            let (column, tail) = rest.split_at_checked(length).ok_or_else(malformed)?;
            rest = tail;
            Ok(Some(column.to_vec()))
        })
        .collect()
}
