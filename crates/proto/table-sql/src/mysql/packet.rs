//! Packets, and what is in them.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use database_link::link::Link;

/// The length of a packet that is continued in the next one.
const FULL: usize = 0xff_ffff;

/// Sends and receives packets.
pub(crate) struct Packets {
    pub(crate) link: Link,
    /// The number of the next packet.
    sequence: u8,
    input: Vec<u8>,
    /// Where in the input the next packet begins.
    start: usize,
}

impl Packets {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, sequence: 0, input: Vec::new(), start: 0 }
    }

    /// The same conversation over another stream, such as an encrypted one.
    pub(crate) async fn transfer<E>(
        self,
        change: impl AsyncFnOnce(Link) -> Result<Link, E>,
    ) -> Result<Self, E> {
        // What the server said before is no part of the new stream.
        Ok(Self { link: change(self.link).await?, input: Vec::new(), start: 0, ..self })
    }

    /// Begins a new exchange.
    pub(crate) fn restart(&mut self) {
        self.sequence = 0;
    }

    pub(crate) async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut output = Vec::with_capacity(payload.len() + 4);
        let mut rest = payload;
        loop {
            let (part, tail) = rest.split_at(rest.len().min(FULL));
            output.extend(part.len().to_le_bytes().get(..3).unwrap_or_default());
            output.push(self.sequence);
            output.extend_from_slice(part);
            self.sequence = self.sequence.wrapping_add(1);
            rest = tail;
            if part.len() < FULL {
                break;
            }
        }
        self.link.write_all(&output).await?;
        self.link.flush().await
    }

    pub(crate) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let header = self.take(4).await?;
            let [a, b, c, sequence] = header.try_into().unwrap_or_default();
            let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            if sequence != self.sequence {
                return Err(malformed());
            }
            self.sequence = sequence.wrapping_add(1);
            payload.extend(self.take(length).await?);
            if length < FULL {
                return Ok(payload);
            }
        }
    }

    async fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.input.len() - self.start < count {
            if self.start > 0 {
                self.input.drain(..self.start);
                self.start = 0;
            }
            if self.link.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let end = self.start + count;
        let taken = self.input.get(self.start..end).unwrap_or_default().to_vec();
        self.start = end;
        Ok(taken)
    }
}

/// What no server says.
pub(crate) fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "Malformed packet")
}

/// Reads a packet from its start.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count).ok_or_else(malformed)?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn number(&mut self, count: usize) -> io::Result<u64> {
        Ok(self.bytes(count)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A text that ends with a NUL, or with the packet.
    pub(crate) fn text(&mut self) -> &'a [u8] {
        let (text, rest) = bytes::split_once(self.0, 0).unwrap_or((self.0, b""));
        self.0 = rest;
        text
    }

    /// A number in as many bytes as it needs; nothing for NULL.
    pub(crate) fn length(&mut self) -> io::Result<Option<u64>> {
        Ok(Some(match self.number(1)? {
            0xfb => return Ok(None),
            0xfc => self.number(2)?,
            0xfd => self.number(3)?,
            0xfe => self.number(8)?,
            0xff => return Err(malformed()),
            small => small,
        }))
    }

    /// A text with its length in front; nothing for NULL.
    pub(crate) fn column(&mut self) -> io::Result<Option<&'a [u8]>> {
        let Some(length) = self.length()? else { return Ok(None) };
        self.bytes(usize::try_from(length).map_err(|_| malformed())?).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let mut reader = Reader(b"\x05\x01ab\0\xfb\x02xy\xfc\x01\0z\xff");
        assert_eq!(reader.number(2).unwrap(), 0x105);
        assert_eq!(reader.text(), b"ab");
        assert_eq!(reader.column().unwrap(), None);
        assert_eq!(reader.column().unwrap(), Some(&b"xy"[..]));
        assert_eq!(reader.column().unwrap(), Some(&b"z"[..]));
        assert!(reader.column().is_err());
        assert!(reader.bytes(1).is_err());
    }

    #[tokio::test]
    async fn large_packets() {
        let (here, there) = tokio::io::duplex(100_000);
        let (mut here, mut there) = (Packets::new(Box::pin(here)), Packets::new(Box::pin(there)));
        let payload = vec![7; FULL + 3];
        let sent = payload.clone();
        let sender = tokio::spawn(async move {
            here.send(&sent).await.unwrap();
            here.send(b"x").await.unwrap();
        });
        assert_eq!(there.receive().await.unwrap(), payload);
        assert_eq!(there.receive().await.unwrap(), b"x");
        sender.await.unwrap();
        assert_eq!(there.receive().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
