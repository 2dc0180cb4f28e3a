//! The message as its recipient gets it, read from the queue file piece by piece.

use std::fs::File;
use std::io;

use message::Ending;
use message::copy::{CopyAddresses, CopyFlags, MailCopy};
use queue::{ReadError, RecordReader, RecordType};

use crate::limit;

/// A piece of the copy is about this large.
const CHUNK: usize = 64 * 1024;

/// A message in the queue, and how to copy it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The queue file.
    pub file: &'a File,
    /// Where its content begins.
    pub offset: u64,
    /// What to add and to escape.
    pub flags: CopyFlags,
    /// The addresses in what is added.
    pub addresses: CopyAddresses<'a>,
    /// What ends a line.
    pub eol: &'a [u8],
}

/// Why the next piece cannot be had.
#[derive(Debug)]
pub enum ContentError {
    /// The file does not hold what it should; a warning has been logged.
    Corrupt,
    /// The file cannot be read.
    Read(io::Error),
}

impl<'a> Message<'a> {
    /// The copy, in pieces.
    pub fn chunks(&self) -> Result<Chunks<'a>, ContentError> {
        let size = self.file.metadata().map_err(ContentError::Read)?.len();
        // Such a file cannot be marked when its recipients are done, and would be delivered again and again.
        if limit::of_files().is_some_and(|limit| limit < size) {
            log::warning!("file size limit is smaller than the queue file of {size} bytes");
            return Err(ContentError::Read(io::Error::from_raw_os_error(nix::libc::EAGAIN)));
        }
        let mut reader = RecordReader::new(self.file);
        reader.seek(self.offset);
        let mut pending = Vec::new();
        let copy = MailCopy::new(self.flags, self.eol);
        copy.begin(&self.addresses, sys::time::now(), &mut pending);
        Ok(Chunks { reader, copy: Some(copy), pending })
    }
}

/// A copy in progress.
#[derive(Debug)]
pub struct Chunks<'a> {
    reader: RecordReader<&'a File>,
    copy: Option<MailCopy<'a>>,
    pending: Vec<u8>,
}

impl Chunks<'_> {
    /// The next piece; `None` after the last one.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, ContentError> {
        let mut out = std::mem::take(&mut self.pending);
        while let Some(copy) = &mut self.copy {
            if out.len() >= CHUNK {
                return Ok(Some(out));
            }
            match self.reader.next() {
                Ok(Some(record)) => match record.kind {
                    RecordType::Norm => copy.record(Ending::Line, record.data, &mut out),
                    RecordType::Cont => copy.record(Ending::Part, record.data, &mut out),
                    RecordType::Extracted => {
                        if let Some(copy) = self.copy.take() {
                            copy.finish(&mut out);
                        }
                    }
                    other => return Err(corrupt(i32::from(other.as_byte()))),
                },
                Ok(None) => return Err(corrupt(-1)),
                Err(ReadError::Io(error)) => return Err(ContentError::Read(error)),
                Err(error) => {
                    log::warning!("{error}");
                    return Err(corrupt(-2));
                }
            }
        }
        Ok((!out.is_empty()).then_some(out))
    }
}

fn corrupt(kind: i32) -> ContentError {
    log::warning!("bad record type: {kind} in message content");
    ContentError::Corrupt
}

/// Has the queue manager put a damaged message aside. Needs the mail system's identity.
pub fn mark_corrupt(file: &File, queue_id: &str) {
    log::warning!("corrupted queue file: {queue_id}");
    if let Err(error) = queue::mark_corrupt(file) {
        log::warning!("{queue_id}: mark corrupt: {}", sys::reason(&error));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write;

    /// A queue file with nothing but content.
    pub(crate) fn queue_file(records: &[(RecordType, &[u8])]) -> File {
        let mut encoded = Vec::new();
        for (kind, data) in records {
            queue::encode_record(&mut encoded, *kind, data);
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&encoded).unwrap();
        file
    }

    /// A message without additions.
    pub(crate) fn plain(file: &File) -> Message<'_> {
        Message { file, offset: 0, flags: CopyFlags::NONE, addresses: CopyAddresses::default(), eol: b"\n" }
    }

    #[test]
    fn content_ends_where_it_should() {
        let line = vec![b'x'; 50_000];
        let whole = [
            (RecordType::Norm, &line[..]),
            (RecordType::Cont, b"ab"),
            (RecordType::Norm, &line),
            (RecordType::Extracted, b""),
            (RecordType::End, b""),
        ];
        let file = queue_file(&whole);
        let mut chunks = plain(&file).chunks().unwrap();
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            all.extend(chunk);
        }
        assert_eq!(all.len(), 100_004);
        assert!(matches!(chunks.next_chunk(), Ok(None)));

        let file = queue_file(&whole[..3]);
        let mut chunks = plain(&file).chunks().unwrap();
        let error = loop {
            match chunks.next_chunk() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no error"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ContentError::Corrupt));
    }
}
