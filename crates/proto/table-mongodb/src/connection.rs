//! A connection: one command at a time, within limits of time and length.

use std::time::Duration;

use database_link::Link;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::bson::{Document, Elements, Malformed};
use crate::uri::Preference;

/// The longest message that servers send: a document of 16 megabytes, three times, and a bit.
const MESSAGE_LIMIT: usize = 48_000_000;
/// Lengths, numbers and the kind of a message.
const HEAD: usize = 16;
/// The kind of all messages: OP_MSG.
const MESSAGE: i32 = 2013;
/// Flags: a sum at the end; bits below 16 that are unknown are not to be ignored.
const HAS_CHECKSUM: u32 = 1;
const NEEDED_FLAGS: u32 = 0xffff;

/// An open connection.
pub(crate) struct Connection {
    link: Link,
    /// What was received and not yet used.
    input: Vec<u8>,
    /// The number of the last request.
    id: i32,
    /// What questions say about which servers may answer them.
    pub(crate) preference: Option<Preference>,
    is_lost: bool,
}

/// Why there is no answer.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// The connection is of no use any more.
    Lost(String),
    /// Nor is this one: the answer did not come in time.
    Late,
    /// The server refused the command.
    Refused { code: i64, text: String },
}

/// An answer.
pub(crate) struct Answer(Vec<u8>);

impl Answer {
    /// The document.
    pub(crate) fn elements(&self) -> Result<Elements<'_>, Malformed> {
        Elements::read(&self.0)
    }

    /// How long it is.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Trouble {
    fn refused(answer: Elements<'_>) -> Result<Self, Malformed> {
        let code = answer.find("code")?.and_then(|code| code.number()).unwrap_or_default();
        let text = match answer.find("errmsg")? {
            Some(crate::bson::Value::String(text)) => bytes::show(text).to_string(),
            _ => "Unknown command error".to_owned(),
        };
        Ok(Self::Refused { code, text })
    }

    /// For the log.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Late => "socket error or timeout",
            Self::Lost(text) | Self::Refused { text, .. } => text,
        }
    }

    /// Whether another connection, perhaps to another server, may do better at once.
    pub(crate) fn may_pass(&self) -> bool {
        self.is_about_the_server() && *self != Self::Late
    }

    /// Whether other connections are of no use either: the server ends, or is not any more what it was when it said
    /// hello.
    pub(crate) fn is_about_the_server(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Late => true,
            Self::Refused { code, .. } => {
                matches!(code, 89 | 91 | 189 | 6 | 7 | 9001 | 10107 | 11600 | 11602 | 13435 | 13436)
            }
        }
    }
}

impl From<Malformed> for Trouble {
    fn from(Malformed: Malformed) -> Self {
        Self::Lost("malformed message from server".to_owned())
    }
}

impl Connection {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, input: Vec::new(), id: 0, preference: None, is_lost: false }
    }

    /// Whether the connection is of no use any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Sends a command, and waits for its answer.
    pub(crate) async fn command(&mut self, command: &Document, limit: Duration) -> Result<Answer, Trouble> {
        self.id = self.id.checked_add(1).unwrap_or(1);
        // Nobody knows what comes next on a connection whose user went away in the middle.
        self.is_lost = true;
        let exchange = async {
            self.send(&command.bytes()).await?;
            self.receive().await
        };
        let answer = timeout(limit, exchange).await.unwrap_or(Err(Trouble::Late))?;
        self.is_lost = false;
        let judged = self.judge(&answer);
        self.is_lost = matches!(judged, Err(Trouble::Lost(_)));
        judged.map(|()| answer)
    }

    fn judge(&self, answer: &Answer) -> Result<(), Trouble> {
        let elements = answer.elements()?;
        match elements.find("ok")?.and_then(|ok| ok.number()) {
            Some(1) => Ok(()),
            _ => Err(Trouble::refused(elements)?),
        }
    }

    async fn send(&mut self, document: &[u8]) -> Result<(), Trouble> {
        let length = i32::try_from(HEAD + 5 + document.len()).ok();
        let length = length.filter(|&length| length < MESSAGE_LIMIT as i32);
        let length =
            length.ok_or_else(|| Trouble::Refused { code: 0, text: "query is too long".to_owned() })?;
        let head = [length, self.id, 0, MESSAGE].map(i32::to_le_bytes).concat();
        let message = [&head[..], &[0; 5], document].concat();
        let sent = async {
            self.link.write_all(&message).await?;
            self.link.flush().await
        };
        sent.await.map_err(|error: std::io::Error| {
            Trouble::Lost(format!("Failed to send: {}", sys::reason(&error)))
        })
    }

    async fn receive(&mut self) -> Result<Answer, Trouble> {
        loop {
            if let Some((head, rest)) = self.input.split_first_chunk::<HEAD>() {
                let length = body_length(head, self.id)?;
                if rest.len() > length {
                    // There is one answer to a command.
                    return Err(Malformed.into());
                }
                if rest.len() == length {
                    let answer = document_in(rest).map(<[u8]>::to_vec)?;
                    self.input = Vec::new();
                    return Ok(Answer(answer));
                }
            }
            // It grows with what comes, not with what is promised.
            self.input.reserve(4096);
            match self.link.read_buf(&mut self.input).await {
                Ok(0) => return Err(Trouble::Lost("connection closed by server".to_owned())),
                Err(error) => {
                    return Err(Trouble::Lost(format!("Failed to read: {}", sys::reason(&error))));
                }
                Ok(_) => {}
            }
        }
    }
}

/// How much follows the head of the answer to a request.
fn body_length(head: &[u8; HEAD], id: i32) -> Result<usize, Malformed> {
    let mut numbers = head.chunks_exact(4).map(|bytes| {
        let bytes = bytes.try_into().unwrap_or_default();
        i32::from_le_bytes(bytes)
    });
    let (length, _, to, kind) = (numbers.next(), numbers.next(), numbers.next(), numbers.next());
    let length = length.and_then(|length| usize::try_from(length).ok()).ok_or(Malformed)?;
    let is_right = to == Some(id) && kind == Some(MESSAGE) && length <= MESSAGE_LIMIT;
    length.checked_sub(HEAD).filter(|_| is_right).ok_or(Malformed)
}

/// The one document of a message.
fn document_in(body: &[u8]) -> Result<&[u8], Malformed> {
    let (flags, rest) = body.split_first_chunk().ok_or(Malformed)?;
    let rest = match u32::from_le_bytes(*flags) & NEEDED_FLAGS {
        0 => rest,
        // Over TLS or not, somebody else looks after that.
        HAS_CHECKSUM => rest.split_last_chunk::<4>().ok_or(Malformed)?.0,
        _ => return Err(Malformed),
    };
    rest.strip_prefix(&[0]).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(id: i32, flags: u32, document: &[u8]) -> Vec<u8> {
        let length = i32::try_from(HEAD + 5 + document.len()).unwrap();
        let head = [length, 77, id, MESSAGE].map(i32::to_le_bytes).concat();
        [&head[..], &flags.to_le_bytes(), &[0], document].concat()
    }

    fn ok() -> Vec<u8> {
        let mut document = Document::new();
        document.int32("ok", 1);
        document.bytes()
    }

    /// The first command of a connection to a server that answers with these bytes, and ends.
    async fn against(bytes: &[u8]) -> (Result<usize, Trouble>, bool) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        theirs.write_all(bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        let mut connection = Connection::new(Box::pin(ours));
        let answer = connection.command(&Document::new(), Duration::from_secs(5)).await;
        (answer.map(|answer| answer.len()), connection.is_lost())
    }

    #[tokio::test]
    async fn answers() {
        assert_eq!(against(&message(1, 0, &ok())).await, (Ok(ok().len()), false));
        assert_eq!(against(&message(1, 1 << 16, &ok())).await, (Ok(ok().len()), false));
        let mut summed = message(1, HAS_CHECKSUM, &[&ok()[..], &[1, 2, 3, 4]].concat());
        assert_eq!(against(&summed).await, (Ok(ok().len()), false));
        summed.pop();
        assert!(against(&summed).await.1);
        let mut refusal = Document::new();
        refusal.int32("ok", 0).string("errmsg", "no \n").int32("code", 18);
        let (answer, is_lost) = against(&message(1, 0, &refusal.bytes())).await;
        assert!(matches!(answer, Err(Trouble::Refused { code: 18, .. })), "{answer:?}");
        assert!(!is_lost);
    }

    #[tokio::test]
    async fn hostile_answers() {
        let mut long = message(1, 0, &ok());
        long[..4].copy_from_slice(&i32::MAX.to_le_bytes());
        let mut negative = message(1, 0, &ok());
        negative[..4].copy_from_slice(&(-1i32).to_le_bytes());
        let mut other_kind = message(1, 0, &ok());
        other_kind[12..16].copy_from_slice(&1i32.to_le_bytes());
        let mut other_section = message(1, 0, &ok());
        other_section[20] = 1;
        for (what, bytes) in [
            ("nothing", Vec::new()),
            ("another protocol", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            ("too long", long),
            ("a negative length", negative),
            ("the answer to another request", message(2, 0, &ok())),
            ("another kind", other_kind),
            ("more to come", message(1, 2, &ok())),
            ("an unknown flag", message(1, 1 << 15, &ok())),
            ("another section", other_section),
            ("no document", message(1, 0, b"")),
            ("half a document", message(1, 0, &ok()[..7])),
            ("two answers", [message(1, 0, &ok()), message(1, 0, &ok())].concat()),
            ("an end in the middle", message(1, 0, &ok())[..30].to_vec()),
        ] {
            let (answer, is_lost) = against(&bytes).await;
            assert!(matches!(answer, Err(Trouble::Lost(_))), "{what}: {answer:?}");
            assert!(is_lost, "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server() {
        let (ours, _theirs) = tokio::io::duplex(1 << 20);
        let mut connection = Connection::new(Box::pin(ours));
        let answer = connection.command(&Document::new(), Duration::from_secs(5)).await;
        assert!(matches!(answer, Err(Trouble::Late)));
        assert!(connection.is_lost());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (answer, is_lost) = runtime.block_on(against(&message(1, 0, &bytes)));
            prop_assert_eq!(is_lost, matches!(answer, Err(Trouble::Lost(_))));
        }
    }
}
