//! A connection: asking.

use std::io;

use crate::mysql::packet::{Packets, Reader, malformed};
use crate::mysql::quote::{Quoting, is_ambiguous};
use database_link::link;

const MORE_RESULTS: u16 = 1 << 3;
const NO_BACKSLASH_ESCAPES: u16 = 1 << 9;

const COMMAND_QUIT: u8 = 1;
const COMMAND_QUERY: u8 = 3;

/// A connection that is logged in.
pub(crate) struct Connection {
    packets: Packets,
    status: u16,
    charset: String,
}

/// Rows of columns; a column is nothing for NULL.
pub(crate) type Rows = Vec<Vec<Option<Vec<u8>>>>;

/// Why there is no connection, or no answer.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Where it happened, when that is not in the text.
    pub(crate) stage: &'static str,
    /// What the server or the system says.
    pub(crate) text: String,
    /// Whether the connection is of no use any more.
    pub(crate) is_lost: bool,
}

impl Trouble {
    pub(super) fn lost(text: impl Into<String>) -> Self {
        Self { stage: "", text: text.into(), is_lost: true }
    }

    fn refused(text: String) -> Self {
        Self { stage: "", text, is_lost: false }
    }

    /// There is no answer within the time there is.
    pub(crate) fn slow() -> Self {
        Self::lost("Lost connection to server during query")
    }

    fn at(self, stage: &'static str) -> Self {
        Self { stage, ..self }
    }
}

impl Connection {
    /// A connection over which a login was accepted.
    pub(super) fn new(packets: Packets, status: u16, charset: &str) -> Self {
        Self { packets, status, charset: charset.to_owned() }
    }

    /// Sets the character set of the login.
    pub(crate) async fn use_charset(&mut self) -> Result<(), Trouble> {
        let name: String = self.charset.chars().filter(|&char| char != '\'' && char != '\\').collect();
        self.query(format!("SET NAMES '{name}'").as_bytes()).await.map(drop)
    }

    /// How text in a query is quoted.
    pub(crate) fn quoting(&self) -> Quoting {
        Quoting {
            backslash_is_plain: self.status & NO_BACKSLASH_ESCAPES != 0,
            is_ambiguous: is_ambiguous(&self.charset),
        }
    }

    /// The result sets of a query, of those statements that have one.
    pub(crate) async fn query(&mut self, query: &[u8]) -> Result<Vec<Rows>, Trouble> {
        self.packets.restart();
        let command = [&[COMMAND_QUERY], query].concat();
        self.packets.send(&command).await.map_err(|_| Trouble::lost("Server has gone away"))?;
        let mut results = Vec::new();
        let mut head = self.answer().await?;
        loop {
            let rows = self.rows(&head).await.map_err(|trouble| trouble.at(" (mysql_store_result)"))?;
            results.extend(rows);
            if self.status & MORE_RESULTS == 0 {
                return Ok(results);
            }
            head = self.answer().await.map_err(|trouble| trouble.at(" (mysql_next_result)"))?;
        }
    }

    /// The rows that follow a packet, if any do.
    async fn rows(&mut self, head: &[u8]) -> Result<Option<Rows>, Trouble> {
        match head.first() {
            Some(0) => {
                self.status = status_of_ok(head).map_err(lost)?;
                return Ok(None);
            }
            // The server asks for a file of ours, which it cannot have.
            Some(0xfb) | None => return Err(lost(malformed())),
            Some(_) => {}
        }
        let columns = Reader(head).length().map_err(lost)?.unwrap_or_default();
        // Their descriptions, and the end of these.
        for _ in 0..=columns {
            self.answer().await?;
        }
        let mut rows = Vec::new();
        loop {
            let packet = self.answer().await?;
            if packet.first() == Some(&0xfe) && packet.len() < 9 {
                let mut end = Reader(&packet);
                end.bytes(3).map_err(lost)?;
                self.status = u16::try_from(end.number(2).map_err(lost)?).unwrap_or_default();
                return Ok(Some(rows));
            }
            let mut row = Reader(&packet);
            let column = |_| Ok(row.column()?.map(<[u8]>::to_vec));
            rows.push((0..columns).map(column).collect::<io::Result<_>>().map_err(lost)?);
        }
    }

    /// A packet that is no error.
    async fn answer(&mut self) -> Result<Vec<u8>, Trouble> {
        let packet = self.packets.receive().await.map_err(lost)?;
        if packet.first() == Some(&0xff) {
            return Err(refused(&packet));
        }
        Ok(packet)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        link::part(&mut self.packets.link, &[1, 0, 0, 0, COMMAND_QUIT]);
    }
}

/// The status of a session, from a packet that says that all is well.
pub(super) fn status_of_ok(packet: &[u8]) -> io::Result<u16> {
    let mut ok = Reader(packet);
    ok.bytes(1)?;
    ok.length()?;
    ok.length()?;
    Ok(u16::try_from(ok.number(2)?).unwrap_or_default())
}

/// What the server says is wrong.
pub(super) fn refused(packet: &[u8]) -> Trouble {
    let mut error = Reader(packet);
    let code = error.bytes(1).and_then(|_| error.number(2));
    let text = match error.0 {
        // The SQL state.
        [b'#', _, _, _, _, _, text @ ..] => text,
        text => text,
    };
    let text = String::from_utf8_lossy(text).into_owned();
    match code {
        // The server ends: 1053 shutdown, 1927 and 3169 killed, 4031 idle for too long.
        Ok(1053 | 1927 | 3169 | 4031) | Err(_) => Trouble::lost(text),
        Ok(_) => Trouble::refused(text),
    }
}

/// What becomes of a connection that failed.
pub(super) fn lost(error: io::Error) -> Trouble {
    Trouble::lost(match error.kind() {
        io::ErrorKind::InvalidData => error.to_string(),
        _ => "Lost connection to server during query".to_owned(),
    })
}
