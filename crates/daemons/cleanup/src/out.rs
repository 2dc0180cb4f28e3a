//! Records on their way into the queue file.

use ipc::cleanup::{Status, flags};
use queue::RecordType;
use queue::envelope::{pointer_data, send_options};

use crate::state::Message;

/// Data bytes of a pointer record; a shorter record is padded to it where it may have to become one.
pub(crate) const POINTER_DATA: usize = 15;

impl Message {
    /// Writes a record, long text as several.
    pub(crate) fn out(&mut self, kind: RecordType, data: &[u8]) {
        if !self.is_ok() {
            return;
        }
        if !kind.is_text() || data.len() <= self.cx.config.line_limit {
            return self.put(kind, data);
        }
        let limit = self.cx.config.line_limit;
        let mut rest = data;
        while rest.len() > limit && self.is_ok() {
            let (head, tail) = rest.split_at(limit);
            self.put(RecordType::Cont, head);
            rest = tail;
        }
        self.put(kind, rest);
    }

    /// Writes a `name=value` record.
    pub(crate) fn out_attribute(&mut self, name: &str, value: &[u8]) {
        self.out(RecordType::Attr, &[name.as_bytes(), b"=", value].concat());
    }

    /// Leaves room for a pointer to what a milter may append here.
    pub(crate) fn out_placeholder(&mut self) {
        self.out(RecordType::Pointer, pointer_data(0).as_bytes());
    }

    /// Leaves room after a record of `length` data bytes, so that a pointer can take its place.
    pub(crate) fn out_padding(&mut self, kind: RecordType, length: usize) {
        if length < POINTER_DATA && self.is_ok() {
            let written = self.draft.padding(kind, POINTER_DATA - length);
            self.check(written);
        }
    }

    /// Writes a logical header as one record a line.
    ///
    /// Lines that came from rewriting have no white space at their beginning and get a tab. A header beyond
    /// header_size_limit is cut at a line's end, or anywhere when that would lose more than a tenth.
    pub(crate) fn out_header(&mut self, header: &[u8]) {
        if self.cx.config.params.smtputf8_enable && !header.is_ascii() {
            self.send_options |= send_options::SMTPUTF8_HEADER;
            if self.has(flags::AUTOUTF8) {
                self.send_options |= send_options::SMTPUTF8_REQUESTED;
            }
        }
        let limit = self.cx.config.limits.header_size;
        let mut start = 0;
        loop {
            let rest = header.get(start..).unwrap_or_default();
            let newline = bytes::memchr::memchr(b'\n', rest);
            let length = newline.unwrap_or(rest.len());
            let is_cut = start + length > limit;
            if is_cut && start * 10 > limit * 9 {
                break;
            }
            let shown = if is_cut { limit.saturating_sub(start) } else { length };
            let line = rest.get(..shown).unwrap_or_default();
            if start == 0 {
                self.out(RecordType::Norm, line);
                if self.placeholders {
                    self.out_padding(RecordType::Padding, length);
                }
            } else if matches!(line.first(), Some(b' ' | b'\t')) {
                self.out(RecordType::Norm, line);
            } else {
                self.out(RecordType::Norm, &[b"\t", line].concat());
            }
            match newline {
                Some(at) if !is_cut => start += at + 1,
                _ => break,
            }
        }
    }

    /// Writes a header whose addresses were rewritten, one to a line: as many to a line as fit.
    pub(crate) fn out_folded(&mut self, mut header: Vec<u8>) {
        let mut start = 0;
        let mut line = 0;
        while let Some(length) = bytes::memchr::memchr(b'\n', header.get(line..).unwrap_or_default()) {
            let next = line + length + 1;
            let rest = header.get(next..).unwrap_or_default();
            let end = next + bytes::memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            // The tab that will begin the line counts as one.
            if end - start < 70 {
                if let Some(newline) = header.get_mut(next - 1) {
                    *newline = b' ';
                }
            } else {
                start = next;
            }
            line = next;
        }
        self.out_header(&header);
    }

    fn put(&mut self, kind: RecordType, data: &[u8]) {
        let written = self.draft.record(kind, data);
        self.check(written);
    }

    fn check(&mut self, written: std::io::Result<()>) {
        let limit = self.cx.config.size_limit;
        match written {
            Ok(()) if limit == 0 || self.draft.len() <= limit => {}
            Err(fault) if fault.kind() != std::io::ErrorKind::FileTooLarge => {
                log::warning!("{}: write queue file: {}", self.queue_id, queue::reason(&fault));
                self.errors |= Status::WRITE;
            }
            _ => {
                log::warning!("{}: queue file size limit exceeded", self.queue_id);
                self.errors |= Status::SIZE;
            }
        }
    }
}
