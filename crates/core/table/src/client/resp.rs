//! The protocol of Redis and Valkey, as much of it as a table needs.
//!
//! A request is a list of texts with their lengths, so that nothing in a key or a value can be taken for a command.

use crate::client::link::Trouble;
use crate::client::peer::Exchange;

/// The longest line that is not a text of its own: states, errors, numbers and lengths.
const LONGEST_LINE: usize = 1024;
/// The most elements of a list.
const MOST_ELEMENTS: usize = 100_000;
/// How deep lists may be in lists.
const DEPTH: usize = 2;

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// That it is well.
    State(Vec<u8>),
    /// That something is wrong.
    Error(Vec<u8>),
    Number(i64),
    /// A text, or that there is none.
    Text(Option<Vec<u8>>),
    List(Vec<Reply>),
    /// Something that is not in the protocol, or larger than it may be. What follows means nothing.
    Nonsense,
}

/// A request.
pub(crate) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    request
}

/// Receives a reply, with texts no longer than `limit`.
pub(crate) async fn receive(exchange: &mut Exchange, limit: usize) -> Result<Reply, Trouble> {
    let reply = receive_at(exchange, limit, 0).await?;
    if reply.is_nonsense() {
        exchange.spoil();
        return Ok(Reply::Nonsense);
    }
    Ok(reply)
}

impl Reply {
    fn is_nonsense(&self) -> bool {
        match self {
            Self::Nonsense => true,
            Self::List(replies) => replies.iter().any(Self::is_nonsense),
            _ => false,
        }
    }
}

async fn receive_at(exchange: &mut Exchange, limit: usize, depth: usize) -> Result<Reply, Trouble> {
    let line = exchange.line(LONGEST_LINE).await?;
    let Some((&kind, text)) = line.strip_suffix(b"\r").and_then(<[u8]>::split_first) else {
        return Ok(Reply::Nonsense);
    };
    let number = || std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    match kind {
        b'+' => Ok(Reply::State(text.to_vec())),
        b'-' => Ok(Reply::Error(text.to_vec())),
        b':' => Ok(number().map_or(Reply::Nonsense, Reply::Number)),
        b'$' => match number() {
            Some(-1) => Ok(Reply::Text(None)),
            Some(length) => match usize::try_from(length).ok().filter(|&length| length <= limit) {
                Some(length) => receive_text(exchange, length).await,
                None => Ok(Reply::Nonsense),
            },
            None => Ok(Reply::Nonsense),
        },
        b'*' => {
            let count = number().and_then(|count| usize::try_from(count).ok());
            let Some(count) = count.filter(|&count| count <= MOST_ELEMENTS && depth < DEPTH) else {
                return Ok(Reply::Nonsense);
            };
            let mut replies = Vec::new();
            for _ in 0..count {
                let reply = Box::pin(receive_at(exchange, limit, depth + 1)).await?;
                if reply.is_nonsense() {
                    return Ok(Reply::Nonsense);
                }
                replies.push(reply);
            }
            Ok(Reply::List(replies))
        }
        _ => Ok(Reply::Nonsense),
    }
}

async fn receive_text(exchange: &mut Exchange, length: usize) -> Result<Reply, Trouble> {
    let mut text = exchange.exactly(length + 2).await?;
    if !text.ends_with(b"\r\n") {
        return Ok(Reply::Nonsense);
    }
    text.truncate(length);
    Ok(Reply::Text(Some(text)))
}
