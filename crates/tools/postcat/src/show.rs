//! One queue file, record by record.

use std::io::Write;

use bytes::show_limited;
use command::{Fatal, fatal};
use message::date::asctime;
use message::header::is_header;
use queue::envelope::{leading_number, parse_time, split_attribute};
use queue::{ReadAt, RecordReader, RecordType, View, reason};

/// What to print.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-e`
    pub envelope: bool,
    /// `-h`
    pub header: bool,
    /// `-b`
    pub body: bool,
    /// `-d`
    pub decimal_types: bool,
    /// `-o`
    pub offsets: bool,
    /// `-f`
    pub file_names: bool,
    /// `-r`: do not follow pointers. COMPAT: as in Postfix, heeded only together with `every_record`.
    pub file_order: bool,
    /// `-v`: also pointers and padding, and the types of text records.
    pub every_record: bool,
    /// `-s`
    pub start: u64,
}

/// Which part of the message is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Initial or extracted.
    Envelope,
    Header,
    Body,
}

/// Output is kept back to this size; and until a warning, so that the order is right where both go to one place.
const FLUSH_AT: usize = 64 * 1024;

struct Printer<'a, W: Write> {
    options: &'a Options,
    path: &'a str,
    buffer: Vec<u8>,
    out: &'a mut W,
}

/// Prints a file, which `path` names in the output.
pub fn show<S: ReadAt, W: Write>(source: S, path: &str, options: &Options, out: &mut W) -> Result<(), Fatal> {
    let mut printer = Printer { options, path, buffer: Vec::new(), out };
    let shown = printer.show(source);
    let flushed = printer.flush();
    shown.and(flushed)
}

impl<W: Write> Printer<'_, W> {
    fn show<S: ReadAt>(&mut self, source: S) -> Result<(), Fatal> {
        let (options, path) = (self.options, self.path);
        if options.start == 0 {
            let mut first = [0];
            let read = source.read_at(&mut first, 0).unwrap_or(0);
            if read > 0 && !RecordType::ENVELOPE.contains(&first[0]) {
                log::warning!("{path}: input is not a valid queue file");
                return Ok(());
            }
            if options.envelope {
                self.put(format_args!("*** ENVELOPE RECORDS {path} ***\n"))?;
            }
        }
        let view = if options.every_record { View::File } else { View::Message };
        let mut reader = RecordReader::new(source).view(view);
        reader.seek(options.start);

        let mut part = Part::Envelope;
        let mut printing = options.envelope;
        let mut after_unterminated = false;
        // Offset and size of the content, to skip what is not printed.
        let mut content: Option<(i64, i64)> = None;
        let wants_text = options.header || options.body;
        loop {
            let offset = reader.offset();
            let record = match reader.next() {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(()),
                Err(fault) => {
                    self.flush()?;
                    log::warning!("{path}: {fault}");
                    return Err(fatal!("record read error"));
                }
            };
            let kind = record.kind;
            match kind {
                RecordType::Norm | RecordType::Cont => {
                    // Text that begins with white space is taken for a continued header line even if it is not.
                    let text = record.text();
                    let in_header =
                        is_header(text) || text.first().is_some_and(|c| matches!(c, b' ' | b'\t'));
                    if part == Part::Header && wants_text && !after_unterminated && !in_header {
                        part = Part::Body;
                        printing = options.body;
                        if !printing {
                            if !options.envelope {
                                return Ok(());
                            }
                            if let Some(end) = content_end(content) {
                                reader.seek(end);
                            }
                            after_unterminated = false;
                            continue;
                        }
                    }
                }
                RecordType::Content => {
                    if part != Part::Envelope {
                        self.warn(format_args!("out-of-order message content marker"))?;
                    }
                    if options.envelope {
                        self.marker(offset, kind, "MESSAGE CONTENTS")?;
                    }
                    if let Some(end) = content_end(content).filter(|_| !wants_text) {
                        reader.seek(end);
                    }
                    part = Part::Header;
                    printing = options.header;
                    continue;
                }
                RecordType::Extracted => {
                    if part == Part::Envelope {
                        self.warn(format_args!("out-of-order extracted segment marker"))?;
                    }
                    if printing && after_unterminated {
                        self.put(format_args!("\n"))?;
                    }
                    if options.envelope {
                        self.marker(offset, kind, "HEADER EXTRACTED")?;
                    }
                    part = Part::Envelope;
                    printing = options.envelope;
                    if !printing {
                        return Ok(());
                    }
                    continue;
                }
                RecordType::End => {
                    if part != Part::Envelope {
                        self.warn(format_args!("out-of-order message end marker"))?;
                    }
                    if options.envelope {
                        self.marker(offset, kind, "MESSAGE FILE END")?;
                    }
                    if options.file_order {
                        continue;
                    }
                    return Ok(());
                }
                RecordType::Pointer => {
                    if printing {
                        self.line(offset, kind, kind.name(), record.text())?;
                    }
                    let target = record.data.to_vec();
                    if !options.file_order
                        && let Err(fault) = reader.follow(&target)
                    {
                        self.flush()?;
                        log::warning!("{path}: {fault}");
                        return Err(fatal!("bad pointer record, or input is not seekable"));
                    }
                    continue;
                }
                RecordType::Size => {
                    if printing {
                        self.line(offset, kind, kind.name(), record.text())?;
                    }
                    // In maildrop it is a preliminary one.
                    if path.starts_with("maildrop/") {
                        continue;
                    }
                    if content.is_some() {
                        self.flush()?;
                        log::warning!("file contains multiple size records");
                        continue;
                    }
                    let (size, start) = self.content_of(record.text())?;
                    content = Some((start, size));
                    if !options.envelope {
                        let start =
                            u64::try_from(start).map_err(|_| fatal!("seek error: Invalid argument"))?;
                        reader.seek(start);
                        part = Part::Header;
                        printing = options.header;
                    }
                    continue;
                }
                _ => {}
            }
            if printing {
                let ended = self.record(offset, kind, record.data, record.text(), part)?;
                after_unterminated = kind == RecordType::Cont && !ended;
            }
        }
    }

    /// Prints a record without side effects; true if it ended its line.
    fn record(
        &mut self,
        offset: u64,
        kind: RecordType,
        data: &[u8],
        text: &[u8],
        part: Part,
    ) -> Result<bool, Fatal> {
        let verbose = self.options.every_record;
        self.prefix(offset, kind)?;
        match kind {
            RecordType::Time => self.put(format_args!("{kind}: {}\n", asctime(parse_time(text).0)))?,
            RecordType::Warn => self.put(format_args!("{kind}: {}\n", asctime(leading_number(text))))?,
            RecordType::Cont => {
                if part == Part::Envelope || verbose {
                    self.put(format_args!("{kind}: "))?;
                }
                self.put_bytes(data)?;
                if part != Part::Envelope && !verbose && !self.options.offsets {
                    return Ok(false);
                }
                self.put(format_args!("\n"))?;
            }
            RecordType::Norm | RecordType::Padding => {
                if verbose {
                    self.put(format_args!("{kind}: "))?;
                }
                self.put_bytes(data)?;
                self.put(format_args!("\n"))?;
            }
            RecordType::Attr => match split_attribute(text) {
                Ok((b"create_time", value)) => {
                    self.put(format_args!("create_time: {}\n", asctime(leading_number(value))))?;
                }
                Ok((name, value)) => {
                    self.put(format_args!("{kind}: "))?;
                    self.put_bytes(&[name, b"=", value, b"\n"].concat())?;
                }
                Err(fault) => {
                    self.warn(format_args!("malformed attribute: {fault}: {}", show_limited(text, 100)))?;
                }
            },
            _ => {
                self.put(format_args!("{kind}: "))?;
                self.put_bytes(&[text, b"\n"].concat())?;
            }
        }
        Ok(true)
    }

    fn content_of(&mut self, text: &[u8]) -> Result<(i64, i64), Fatal> {
        let size = queue::Size::parse(text);
        let parsed = match size.fields {
            0 => (-1, -1),
            1 => (size.content_size, -1),
            _ => (size.content_size, size.content_offset),
        };
        if parsed.0 <= 0 || parsed.1 <= 0 {
            self.flush()?;
            log::warning!("invalid size record: {}", show_limited(text, 100));
        }
        Ok(parsed)
    }

    fn prefix(&mut self, offset: u64, kind: RecordType) -> Result<(), Fatal> {
        if self.options.file_names {
            let path = self.path;
            self.put(format_args!("{path}: "))?;
        }
        if self.options.offsets {
            self.put(format_args!("{offset:9} "))?;
        }
        if self.options.decimal_types {
            self.put(format_args!("{:3} ", kind.as_byte()))?;
        }
        Ok(())
    }

    fn marker(&mut self, offset: u64, kind: RecordType, text: &str) -> Result<(), Fatal> {
        self.prefix(offset, kind)?;
        let path = self.path;
        self.put(format_args!("*** {text} {path} ***\n"))
    }

    fn line(&mut self, offset: u64, kind: RecordType, name: &str, value: &[u8]) -> Result<(), Fatal> {
        self.prefix(offset, kind)?;
        self.put_bytes(&[name.as_bytes(), b": ", value, b"\n"].concat())
    }

    fn warn(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), Fatal> {
        self.flush()?;
        log::warning!("{}: {text}", self.path);
        Ok(())
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), Fatal> {
        write!(self.buffer, "{text}").map_err(|why| write_error(&why))?;
        self.flush_if_large()
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), Fatal> {
        self.buffer.extend_from_slice(bytes);
        self.flush_if_large()
    }

    fn flush_if_large(&mut self) -> Result<(), Fatal> {
        if self.buffer.len() < FLUSH_AT {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Fatal> {
        let written = self.out.write_all(&self.buffer).and_then(|()| self.out.flush());
        self.buffer.clear();
        written.map_err(|why| write_error(&why))
    }
}

/// Where the content ends, if a size record says so.
fn content_end(content: Option<(i64, i64)>) -> Option<u64> {
    let (start, size) = content.filter(|&(start, size)| start > 0 && size >= 0)?;
    u64::try_from(start.checked_add(size)?).ok()
}

fn write_error(why: &std::io::Error) -> Fatal {
    fatal!("write error: {}", reason(why))
}
