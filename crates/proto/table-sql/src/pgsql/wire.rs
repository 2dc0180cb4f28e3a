//! Messages.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use database_link::link::Link;

/// Sends and receives messages.
pub(super) struct Wire {
    pub(super) link: Link,
    input: Vec<u8>,
}

impl Wire {
    pub(super) fn new(link: Link) -> Self {
        Self { link, input: Vec::new() }
    }

    pub(super) async fn send(&mut self, tag: u8, body: &[u8]) -> io::Result<()> {
        let length = length(body)?;
        self.link.write_all(&[&[tag], &length[..], body].concat()).await?;
        self.link.flush().await
    }

    /// The first message, which has no tag.
    pub(super) async fn send_bare(&mut self, body: &[u8]) -> io::Result<()> {
        let length = length(body)?;
        self.link.write_all(&[&length[..], body].concat()).await?;
        self.link.flush().await
    }

    pub(super) async fn receive(&mut self, longest: usize) -> io::Result<(u8, Vec<u8>)> {
        while self.input.len() < 5 {
            self.read().await?;
        }
        let [tag, length @ ..] = self.input.first_chunk::<5>().copied().unwrap_or_default();
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if !(4..=longest).contains(&length) {
            return Err(malformed());
        }
        while self.input.len() < length + 1 {
            self.read().await?;
        }
        let rest = self.input.split_off(length + 1);
        let message = std::mem::replace(&mut self.input, rest);
        Ok((tag, message.get(5..).unwrap_or_default().to_vec()))
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.link.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn length(body: &[u8]) -> io::Result<[u8; 4]> {
    Ok(u32::try_from(body.len() + 4).map_err(io::Error::other)?.to_be_bytes())
}

/// What no server says.
pub(super) fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed message")
}
