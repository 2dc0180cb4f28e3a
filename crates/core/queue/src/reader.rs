//! Reading records by offset, from a file or from memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;

use crate::record::{self, Decoded, HEAD_LONGEST, Malformed, Record, RecordType};

/// First read; a typical message comes in one.
const FIRST_READ: usize = 16 * 1024;
/// Later reads: who got this far reads a large message.
const NEXT_READ: usize = 64 * 1024;
/// How often pointers may lead backwards. Headers and recipients that a milter adds make one such jump each at most.
const REVERSE_JUMPS: u32 = 10_000;

/// Bytes that can be read at any offset.
pub trait ReadAt {
    /// Reads some bytes at `offset`; 0 means the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match FileExt::read_at(self, buffer, offset) {
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|start| self.get(start..)).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

macro_rules! forward_read_at {
    ($([$($generics:tt)*] $type:ty;)*) => {
        $(impl<$($generics)*> ReadAt for $type {
            fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
                (**self).read_at(buffer, offset)
            }
        })*
    };
}

forward_read_at! {
    [T: ReadAt + ?Sized] &T;
    [T: ReadAt + ?Sized] Rc<T>;
    [T: ReadAt + ?Sized] Arc<T>;
    [T: ReadAt + ?Sized] Box<T>;
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(buffer, offset)
    }
}

/// Why the next record cannot be had. The texts are Postfix's warnings, without the file's name.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are no record.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A pointer record's data is not a number.
    #[error("malformed pointer record value: {0}")]
    Pointer(String),
    /// Pointers lead around in circles.
    #[error("too many reverse jump records")]
    Loop,
    /// The file cannot be read.
    #[error("read error: {0}")]
    Io(#[from] io::Error),
}

/// Which records the reader shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The message as it is: pointers are followed, padding is skipped, and `End` ends it.
    #[default]
    Message,
    /// The file as it is: every record in file order.
    File,
}

/// Reads the records of a queue file.
#[derive(Debug)]
pub struct RecordReader<S> {
    source: S,
    view: View,
    limit: usize,
    /// Bytes of the file from offset `start` on; `pos` of them are consumed.
    buffer: Vec<u8>,
    filled: usize,
    start: u64,
    pos: usize,
    next_read: usize,
    ended: bool,
    last_target: u64,
    reverse_jumps: u32,
}

impl<S: ReadAt> RecordReader<S> {
    /// A reader from offset 0, in [`View::Message`].
    pub fn new(source: S) -> RecordReader<S> {
        RecordReader {
            source,
            view: View::Message,
            limit: 0,
            buffer: Vec::new(),
            filled: 0,
            start: 0,
            pos: 0,
            next_read: FIRST_READ,
            ended: false,
            last_target: 0,
            reverse_jumps: 0,
        }
    }

    /// Shows other records.
    pub fn view(mut self, view: View) -> Self {
        self.view = view;
        self
    }

    /// Refuses records with more data than this; 0 is no limit.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Sizes the first read, for who knows the file's size or wants the envelope only.
    pub fn first_read(mut self, bytes: usize) -> Self {
        self.next_read = bytes.clamp(512, NEXT_READ);
        self
    }

    /// The offset at which the next read begins (before it follows pointers).
    pub fn offset(&self) -> u64 {
        self.start + self.pos as u64
    }

    /// Continues at this offset.
    pub fn seek(&mut self, offset: u64) {
        self.ended = false;
        match offset.checked_sub(self.start) {
            Some(ahead) if ahead <= self.filled as u64 => self.pos = ahead as usize,
            _ => {
                self.start = offset;
                self.filled = 0;
                self.pos = 0;
            }
        }
    }

    /// What is read from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Gives the source back.
    pub fn into_source(self) -> S {
        self.source
    }

    /// The next record; `None` at the end of the file, and in [`View::Message`] after an `End` record.
    #[expect(clippy::should_implement_trait, reason = "the record borrows the reader's buffer")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        loop {
            let Some((kind, data, offset)) = self.advance()? else {
                return Ok(None);
            };
            if self.view == View::Message {
                match kind {
                    RecordType::Pointer => {
                        let target = pointer_target(&self.buffer[data.clone()])?;
                        self.jump(target)?;
                        continue;
                    }
                    RecordType::Padding => continue,
                    RecordType::End => self.ended = true,
                    _ => {}
                }
            }
            return Ok(Some(Record { kind, offset, data: &self.buffer[data] }));
        }
    }

    /// Continues where a pointer record leads: `data` is its data. 0 means: just go on.
    pub fn follow(&mut self, data: &[u8]) -> Result<(), ReadError> {
        self.jump(pointer_target(data)?)
    }

    fn jump(&mut self, target: u64) -> Result<(), ReadError> {
        if target == 0 {
            return Ok(());
        }
        if target <= self.last_target {
            self.reverse_jumps += 1;
            if self.reverse_jumps > REVERSE_JUMPS {
                return Err(ReadError::Loop);
            }
        }
        self.last_target = target;
        self.seek(target);
        Ok(())
    }

    /// Steps over one record; the range is that of its data in the buffer.
    fn advance(&mut self) -> Result<Option<(RecordType, std::ops::Range<usize>, u64)>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        loop {
            let input = &self.buffer[self.pos..self.filled];
            let needed = match record::decode(input, self.limit)? {
                Decoded::Record(record, total) => {
                    let offset = self.offset();
                    let end = self.pos + total;
                    let data = end - record.data.len()..end;
                    let kind = record.kind;
                    self.pos = end;
                    return Ok(Some((kind, data, offset)));
                }
                Decoded::Partial { needed } => needed,
            };
            if !self.fill(needed)? {
                let rest = &self.buffer[self.pos..self.filled];
                return match record::truncated(rest) {
                    Some(fault) => Err(fault.into()),
                    None => Ok(None),
                };
            }
        }
    }

    /// Reads more, so that `needed` bytes from `pos` may be there; false at the end of the file.
    fn fill(&mut self, needed: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.pos..self.filled, 0);
        self.start += self.pos as u64;
        self.filled -= self.pos;
        self.pos = 0;
        // A corrupt length must not make us allocate what the file does not hold: grow with what is really there.
        let wanted = needed.max(HEAD_LONGEST).min(self.filled + NEXT_READ).max(self.filled + self.next_read);
        self.next_read = NEXT_READ;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let count = self.source.read_at(&mut self.buffer[self.filled..], self.start + self.filled as u64)?;
        self.filled += count;
        Ok(count > 0)
    }
}

/// Where a pointer record leads.
pub fn pointer_target(data: &[u8]) -> Result<u64, ReadError> {
    let text = data.split(|&c| c == 0).next().unwrap_or(&[]).trim_ascii_start();
    text.iter()
        .try_fold(0u64, |sum, &c| {
            let digit = (c as char).to_digit(10)?;
            sum.checked_mul(10)?.checked_add(u64::from(digit)).filter(|&sum| i64::try_from(sum).is_ok())
        })
        .ok_or_else(|| ReadError::Pointer(bytes::show(text).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::encode;

    fn kinds(source: &[u8], view: View) -> Result<Vec<(char, u64)>, ReadError> {
        let mut reader = RecordReader::new(source).view(view);
        let mut found = Vec::new();
        while let Some(record) = reader.next()? {
            found.push((record.kind.as_byte() as char, record.offset));
        }
        Ok(found)
    }

    #[test]
    fn pointers_padding_and_end() {
        let mut file = Vec::new();
        encode(&mut file, RecordType::Sender, b"a");
        encode(&mut file, RecordType::Padding, b"0");
        encode(&mut file, RecordType::Pointer, b"             20");
        assert_eq!(file.len(), 23);
        let mut file = Vec::new();
        encode(&mut file, RecordType::Pointer, b"             26");
        encode(&mut file, RecordType::Recipient, b"skip");
        encode(&mut file, RecordType::Padding, b"0");
        assert_eq!(file.len(), 26);
        encode(&mut file, RecordType::Recipient, b"b");
        encode(&mut file, RecordType::Pointer, b"              0");
        encode(&mut file, RecordType::End, b"");
        encode(&mut file, RecordType::Norm, b"heap");
        assert_eq!(kinds(&file, View::Message).unwrap(), [('R', 26), ('E', 46)]);
        assert_eq!(
            kinds(&file, View::File).unwrap(),
            [('p', 0), ('R', 17), ('w', 23), ('R', 26), ('p', 29), ('E', 46), ('N', 48)]
        );
    }

    #[test]
    fn loops_end() {
        let mut file = Vec::new();
        encode(&mut file, RecordType::Sender, b"");
        encode(&mut file, RecordType::Pointer, b"              2");
        assert!(matches!(kinds(&file, View::Message), Err(ReadError::Loop)));
    }

    #[test]
    fn bad_pointer() {
        let fault = pointer_target(b"   -1").unwrap_err();
        assert_eq!(fault.to_string(), "malformed pointer record value: -1");
        assert_eq!(pointer_target(b"").unwrap(), 0);
    }

    #[test]
    fn records_larger_than_the_buffer() {
        let mut file = Vec::new();
        for size in [10, 200_000, 5, 70_000] {
            encode(&mut file, RecordType::Norm, &vec![b'x'; size]);
        }
        let mut reader = RecordReader::new(file.as_slice());
        let mut sizes = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            sizes.push(record.data.len());
        }
        assert_eq!(sizes, [10, 200_000, 5, 70_000]);
        file.truncate(file.len() - 1);
        reader = RecordReader::new(&file);
        let fault = loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no fault"),
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault.to_string(), "unexpected EOF in data, record type 78 length 70000");
    }

    proptest::proptest! {
        #[test]
        fn no_file_panics(file: Vec<u8>) {
            let _ignored = kinds(&file, View::Message);
            let _ignored = kinds(&file, View::File);
        }
    }
}
