//! The message that a report is about, as far as it can be read.

use std::fs::File;
use std::io;

use daemon::Fatal;
use queue::envelope::{Size, leading_number};
use queue::{Access, QueueId, QueueName, RecordReader, RecordType, encode_record};

use crate::Site;

/// So much of the message is copied at a time.
const CHUNK: usize = 64 * 1024;

/// A message in the queue. Fields that its file does not give are zero or empty: a report is sent with what there is.
#[derive(Default)]
pub struct Original {
    reader: Option<RecordReader<File>>,
    content_offset: u64,
    /// Size of its content.
    pub(crate) size: i64,
    /// When it arrived.
    pub(crate) arrival: i64,
    /// Its sender in quoted form, the mailer daemon for the null sender.
    pub(crate) sender: Vec<u8>,
    /// Its Message-ID with brackets, when reports refer to it.
    pub(crate) message_id: Vec<u8>,
}

/// How much of a message is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Full,
    /// Its headers.
    Headers,
}

impl Original {
    /// Opens a message and reads its envelope. It stays locked against the queue manager, not against delivery agents.
    pub(crate) fn open(site: &Site, queue: QueueName, id: &QueueId) -> Result<Self, Fatal> {
        let file = match site.spool.open(queue, id, Access::Update) {
            Ok(file) => file,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(fault) => {
                let reason = queue::reason(&fault);
                return Err(Fatal::new(format!("open {} {}: {reason}", site.logs, id.as_str())));
            }
        };
        sys::lock::flock(&file, sys::lock::Mode::Shared, sys::lock::Wait::No).map_err(|fault| {
            let name = site.spool.name(queue, id);
            Fatal::new(format!("cannot get shared lock on {name}: {}", queue::reason(&fault)))
        })?;
        let mut original = Self { reader: Some(RecordReader::new(file)), ..Self::default() };
        original.read_envelope(site, id);
        Ok(original)
    }

    // A damaged envelope gives what it gives.
    fn read_envelope(&mut self, site: &Site, id: &QueueId) {
        let Some(mut reader) = self.reader.take() else { return };
        let is_threaded = site.params.enable_threaded_bounces;
        loop {
            let mut is_content = false;
            match reader.next() {
                Ok(Some(record)) => match record.kind {
                    RecordType::Size if self.size == 0 => {
                        let size = Size::parse(record.data);
                        self.size = size.content_size.max(0);
                        self.content_offset = u64::try_from(size.content_offset).unwrap_or(0);
                    }
                    RecordType::Time if self.arrival == 0 => {
                        self.arrival = leading_number(record.text()).max(0);
                    }
                    RecordType::Sender => self.sender = shown_sender(site, record.text()),
                    RecordType::Content => is_content = true,
                    RecordType::Attr if is_threaded => self.take_attribute(id, record.text()),
                    _ => {}
                },
                Ok(None) => break,
                Err(fault) => {
                    log::debug!("{}: {fault}", id.as_str());
                    break;
                }
            }
            if is_content {
                if self.sender.is_empty() {
                    log::warning!("{}: no sender before message content record", id.as_str());
                }
                // Very old queue files do not say where the content begins.
                self.content_offset = reader.offset();
            }
            if self.content_offset > 0
                && self.arrival > 0
                && !self.sender.is_empty()
                && (!is_threaded || !self.message_id.is_empty())
            {
                break;
            }
            if is_content {
                reader.seek(self.content_offset.saturating_add(u64::try_from(self.size).unwrap_or(0)));
            }
        }
        self.reader = Some(reader);
    }

    fn take_attribute(&mut self, id: &QueueId, text: &[u8]) {
        let Some(value) = text.strip_prefix(b"message_id=") else { return };
        match bracketed(value) {
            Ok(()) => self.message_id = value.to_vec(),
            Err(problem) => {
                log::warning!("{}: malformed Message-ID attribute: {problem}", id.as_str());
            }
        }
    }

    /// Whether there is a message at all.
    pub(crate) fn is_there(&self) -> bool {
        self.reader.is_some()
    }

    /// Goes to the start of the content; whether there is any.
    pub(crate) fn rewind(&mut self) -> bool {
        match &mut self.reader {
            Some(reader) if self.content_offset > 0 => {
                reader.seek(self.content_offset);
                true
            }
            _ => false,
        }
    }

    /// Copies records of the content, not all at once; whether there is more.
    pub(crate) fn copy(&mut self, out: &mut Vec<u8>, extent: Extent) -> bool {
        let Some(reader) = &mut self.reader else { return false };
        let end = out.len() + CHUNK;
        while out.len() < end {
            let Ok(Some(record)) = reader.next() else { return false };
            if !record.kind.is_text() || (extent == Extent::Headers && !is_header(record.data)) {
                return false;
            }
            encode_record(out, record.kind, record.data);
        }
        true
    }

    /// Crosses a recipient off.
    pub(crate) fn mark_done(&self, offset: i64) -> Result<(), Fatal> {
        let (Some(reader), Ok(offset @ 1..)) = (&self.reader, u64::try_from(offset)) else { return Ok(()) };
        queue::mark_done(reader.source(), offset)
            .map_err(|fault| Fatal::new(format!("update queue file: {}", queue::reason(&fault))))
    }
}

fn shown_sender(site: &Site, sender: &[u8]) -> Vec<u8> {
    if sender.is_empty() {
        let daemon = [address::MAILER_DAEMON, b"@", site.params.myhostname.as_bytes()].concat();
        return address::quote::quote_822_local(&daemon);
    }
    address::quote::quote_822_local(sender)
}

fn is_header(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t')) || message::header::is_header(line)
}

// The text must be one pair of brackets with something balanced between them.
fn bracketed(text: &[u8]) -> Result<(), String> {
    let shown = bytes::show(text);
    if text.first() != Some(&b'<') {
        return Err(format!("no '<' at start of text in \"{shown}\""));
    }
    let mut level = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'<' => level += 1,
            b'>' => level -= 1,
            _ => {}
        }
        if level == 0 {
            return match text.len() == at + 1 {
                true => Ok(()),
                false => Err(format!("syntax error after '>' in \"{shown}\"")),
            };
        }
    }
    Err(format!("missing '>' in \"{shown}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_have_brackets() {
        assert_eq!(bracketed(b"<a@b>"), Ok(()));
        assert_eq!(bracketed(b"<a<b>c>"), Ok(()));
        assert_eq!(bracketed(b"a@b").unwrap_err(), "no '<' at start of text in \"a@b\"");
        assert_eq!(bracketed(b"<a@b").unwrap_err(), "missing '>' in \"<a@b\"");
        assert_eq!(bracketed(b"<a>b").unwrap_err(), "syntax error after '>' in \"<a>b\"");
    }
}
