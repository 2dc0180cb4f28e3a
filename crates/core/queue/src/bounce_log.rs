//! The logs of failed, delayed and traced recipients: `bounce`, `defer` and `trace` queues.
//!
//! One file a message, named after it. Entries are separated by blank lines and have one `name=value` a line; the
//! first line repeats recipient and reason in the format of old versions, for who reads these files by eye. The
//! writers are `bounce` (append), the readers `bounce` (to write the notification) and `showq`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};

use bytes::printable;

use crate::envelope::{leading_number, split_attribute};
use crate::spool::{Access, Spool};
use crate::{QueueId, QueueName};

/// Stands for the null address.
pub const NULL_ADDRESS: &[u8] = b"(MAILER-DAEMON)";
/// Longest line that is read whole; the rest of a longer one is dropped. No writer makes such lines.
const LINE_LIMIT: u64 = 1 << 20;

/// One recipient's entry. Fields that were not given are empty, or 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The recipient, in printable, quoted form.
    pub recipient: Vec<u8>,
    /// The recipient before aliases and maps.
    pub original_recipient: Vec<u8>,
    /// Offset of its record in the message.
    pub offset: i64,
    /// DSN original recipient.
    pub dsn_orcpt: Vec<u8>,
    /// DSN notification flags.
    pub dsn_notify: i64,
    /// Enhanced status code.
    pub status: Vec<u8>,
    /// `failed`, `delayed`, `delivered`, `relayed`, `expanded`.
    pub action: Vec<u8>,
    /// Type of the diagnostic text, such as `smtp`.
    pub diagnostic_type: Vec<u8>,
    /// Diagnostic text: the remote server's reply.
    pub diagnostic: Vec<u8>,
    /// Type of the remote server's name.
    pub mta_type: Vec<u8>,
    /// The remote server's name.
    pub mta: Vec<u8>,
    /// Why, for people.
    pub reason: Vec<u8>,
}

impl Entry {
    /// The entry as a log holds it. Addresses and texts must be in printable, quoted form already.
    pub fn encode(&self, style: Style) -> Vec<u8> {
        let mut out = b"\n".to_vec();
        if style == Style::WithOldStyle {
            for part in [&b"<"[..], &self.recipient, b">: ", &self.reason, b"\n"] {
                out.extend_from_slice(part);
            }
        }
        let recipient = if self.recipient.is_empty() { b"<>" } else { self.recipient.as_slice() };
        put(&mut out, "recipient", recipient);
        if !self.original_recipient.eq_ignore_ascii_case(&self.recipient) {
            put(&mut out, "original_recipient", &self.original_recipient);
        }
        if self.offset > 0 {
            put(&mut out, "offset", self.offset.to_string().as_bytes());
        }
        put(&mut out, "dsn_orig_rcpt", &self.dsn_orcpt);
        if self.dsn_notify != 0 {
            put(&mut out, "notify_flags", self.dsn_notify.to_string().as_bytes());
        }
        put(&mut out, "status", &self.status);
        put(&mut out, "action", &self.action);
        if !self.diagnostic_type.is_empty() && !self.diagnostic.is_empty() {
            put(&mut out, "diag_type", &self.diagnostic_type);
            put(&mut out, "diag_text", &self.diagnostic);
        }
        if !self.mta_type.is_empty() && !self.mta.is_empty() {
            put(&mut out, "mta_type", &self.mta_type);
            put(&mut out, "mta_mname", &self.mta);
        }
        put(&mut out, "reason", &self.reason);
        out.push(b'\n');
        out
    }
}

/// How [`Entry::encode`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Attributes only.
    Attributes,
    /// With a first line in the old style (`backwards_bounce_logfile_compatibility = yes`, the default).
    WithOldStyle,
}

fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if value.is_empty() {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Reads the entries of a log.
#[derive(Debug)]
pub struct BounceLog<R = File> {
    lines: BufReader<R>,
    name: String,
    queue: QueueName,
    line: Vec<u8>,
}

impl Spool {
    /// Opens a message's log, to read its entries.
    pub fn read_bounce_log(&self, queue: QueueName, id: &QueueId) -> io::Result<BounceLog> {
        let file = self.open(queue, id, Access::Read)?;
        Ok(BounceLog::new(file, queue, self.name(queue, id)))
    }

    /// Appends an encoded entry to a message's log and makes it durable. Waits for the lock and for the disk.
    ///
    /// DURABILITY: with `Ok` the recipient may be marked done, since a notification will be sent. On an error the log
    /// is as it was, and the recipient must be tried again.
    pub fn append_bounce_log(&self, queue: QueueName, id: &QueueId, entry: &[u8]) -> io::Result<()> {
        let mut file = self.open_log(queue, id, OpenOptions::new().append(true))?;
        sys::lock::flock(&file, sys::lock::Mode::Exclusive, sys::lock::Wait::Forever)?;
        let length = file.metadata()?.len();
        if let Err(fault) = file.write_all(entry).and_then(|()| file.sync_all()) {
            file.set_len(length)?;
            return Err(fault);
        }
        Ok(())
    }
}

impl<R: Read> BounceLog<R> {
    /// Reads from an open log; `name` is for warnings.
    pub fn new(source: R, queue: QueueName, name: String) -> BounceLog<R> {
        BounceLog { lines: BufReader::with_capacity(4096, source), name, queue, line: Vec::new() }
    }

    /// What is read from.
    pub fn source(&self) -> &R {
        self.lines.get_ref()
    }

    /// Reads up to a newline. A last line without one still counts, unless it is empty.
    fn read_line(&mut self) -> bool {
        self.line.clear();
        let read = (&mut self.lines).take(LINE_LIMIT).read_until(b'\n', &mut self.line);
        if !matches!(read, Ok(count) if count > 0) {
            return false;
        }
        if self.line.pop_if(|&mut last| last == b'\n').is_none() && self.line.len() as u64 == LINE_LIMIT {
            // An overlong line: drop what is left of it.
            drop(self.lines.skip_until(b'\n'));
        }
        if let Some(end) = memchr::memchr(0, &self.line) {
            self.line.truncate(end);
        }
        true
    }

    fn take_attribute(&self, line: &[u8], entry: &mut Entry) {
        let (name, value) = match split_attribute(line) {
            Ok(parts) => parts,
            Err(fault) => {
                log::warning!("{}: malformed record: {fault}", self.name);
                return;
            }
        };
        let address = || if value.is_empty() { NULL_ADDRESS } else { value }.to_vec();
        match name {
            b"recipient" => entry.recipient = address(),
            b"original_recipient" => entry.original_recipient = address(),
            b"dsn_orig_rcpt" => entry.dsn_orcpt = value.to_vec(),
            b"notify_flags" => {
                let flags = leading_number(value);
                if flags > 0 && is_notify(flags) {
                    entry.dsn_notify = flags;
                }
            }
            b"offset" => {
                let offset = leading_number(value);
                if offset > 0 {
                    entry.offset = offset;
                }
            }
            b"status" => entry.status = value.to_vec(),
            b"action" => entry.action = value.to_vec(),
            b"diag_type" => entry.diagnostic_type = value.to_vec(),
            b"diag_text" => entry.diagnostic = value.to_vec(),
            b"mta_type" => entry.mta_type = value.to_vec(),
            b"mta_mname" => entry.mta = value.to_vec(),
            b"reason" => entry.reason = value.to_vec(),
            _ => log::warning!("{}: unknown attribute name: {}, ignored", self.name, bytes::show(name)),
        }
    }

    /// `<recipient>: reason`.
    fn take_old_style(&self, line: &[u8], entry: &mut Entry) {
        let malformed =
            || log::warning!("{}: malformed record: {}...", self.name, bytes::show_limited(line, 30));
        let Some(rest) = line.strip_prefix(b"<") else {
            malformed();
            return;
        };
        let Some(end) = memchr::memmem::find(rest, b">: ") else {
            malformed();
            return;
        };
        entry.recipient = if end == 0 { NULL_ADDRESS } else { &rest[..end] }.to_vec();
        entry.reason = rest[end + 2..].trim_ascii_start().to_vec();
    }

    fn fill_in(&self, entry: &mut Entry) {
        let (status, action) = match self.queue {
            QueueName::Defer => ("4.0.0", "delayed"),
            _ => ("5.0.0", "failed"),
        };
        for (field, text) in [
            (&mut entry.recipient, "(recipient address unavailable)"),
            (&mut entry.status, status),
            (&mut entry.action, action),
            (&mut entry.reason, "(description unavailable)"),
        ] {
            if field.is_empty() {
                *field = text.into();
            }
        }
    }
}

/// Entries in order.
///
/// Lines that make no sense are skipped with a warning. An entry that the end of the file cuts off (no blank line
/// follows) does not count: its writer was interrupted, and will be heard again.
impl<R: Read> Iterator for BounceLog<R> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let mut entry = Entry::default();
        let mut found = false;
        loop {
            if !self.read_line() {
                return None;
            }
            if self.line.is_empty() {
                if found {
                    break;
                }
                continue;
            }
            found = true;
            let line = printable(&self.line, b'?');
            if line.first().is_some_and(u8::is_ascii_alphanumeric) {
                self.take_attribute(&line, &mut entry);
            } else {
                self.take_old_style(&line, &mut entry);
            }
        }
        self.fill_in(&mut entry);
        Some(entry)
    }
}

/// Whether the DSN notification flags make sense: NEVER stands alone.
fn is_notify(flags: i64) -> bool {
    const NEVER: i64 = 1;
    const ALL: i64 = 15;
    flags == NEVER || flags & !ALL == 0 && flags & NEVER == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], queue: QueueName) -> Vec<Entry> {
        BounceLog::new(text, queue, "defer/ABC".into()).collect()
    }

    #[test]
    fn entries_return() {
        let entry = Entry {
            recipient: b"a@example.com".into(),
            original_recipient: b"b@example.com".into(),
            offset: 345,
            dsn_orcpt: b"rfc822;b@example.com".into(),
            dsn_notify: 4,
            status: b"4.4.1".into(),
            action: b"delayed".into(),
            diagnostic_type: b"smtp".into(),
            diagnostic: b"450 try later".into(),
            mta_type: b"dns".into(),
            mta: b"mx.example.com".into(),
            reason: b"host mx said: 450 try later".into(),
        };
        for style in [Style::Attributes, Style::WithOldStyle] {
            let mut text = entry.encode(style);
            text.extend(entry.encode(style));
            assert_eq!(read(&text, QueueName::Defer), [entry.clone(), entry.clone()]);
        }
    }

    #[test]
    fn old_style_and_defaults() {
        let text = b"<a@example.com>: too bad\n\n\n<>: worse\n\nrecipient=x\n\ncut=off\n";
        let entries = read(text, QueueName::Bounce);
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[0].reason, b"too bad");
        assert_eq!(entries[0].status, b"5.0.0");
        assert_eq!(entries[1].recipient, NULL_ADDRESS);
        assert_eq!(entries[2].reason, b"(description unavailable)");
        assert_eq!(read(b"reason=y\n\n", QueueName::Defer)[0].recipient, b"(recipient address unavailable)");
    }

    proptest::proptest! {
        #[test]
        fn no_log_panics(text: Vec<u8>) {
            read(&text, QueueName::Defer);
        }
    }
}
