//! Reading the envelope of a queue file: all at once for an ordinary message, by and by for one with many recipients.

use std::time::Duration;

use address::verp::VerpDelimiters;
use ipc::{Recipient, deliver};
use queue::envelope::{self, Size, leading_number, parse_time, split_attribute};
use queue::{QueueId, ReadAt, RecordReader, RecordType, View};

use crate::scheduler::Envelope;

/// Recipients and other records may be mixed: all must be looked at.
const READ_MIXED: i64 = 1 << 0;
/// Some recipient wants to know of success.
pub(crate) const READ_NOTIFY_SUCCESS: i64 = (dsn::notify::SUCCESS as i64) << 1;
/// Every flag that a size record may have.
const READ_KNOWN: i64 = READ_MIXED | (15 << 1);

/// How files are read.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// `verp_delimiter_filter`.
    pub(crate) verp_filter: &'a [u8],
    /// `confirm_delay_cleared`.
    pub(crate) confirm_delay_cleared: bool,
    /// The log line for a message whose sender was found: sender, size, recipients.
    pub(crate) opened: &'a dyn Fn(&[u8], i64, i64),
}

/// Some recipients, with what else was found.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Those to do.
    pub(crate) recipients: Vec<Recipient>,
    /// How many are left, at most.
    pub(crate) unread: i64,
    /// Where they begin; 0 if there are none.
    pub(crate) resume_at: u64,
}

/// The file cannot be used; why was logged.
#[derive(Debug)]
pub(crate) struct Damaged;

/// Reads a message, and the first `limit` of its recipients.
pub(crate) fn message<S: ReadAt>(
    source: S,
    id: &QueueId,
    limit: i64,
    now: Duration,
    rules: Rules<'_>,
) -> Result<(Envelope, Batch), Damaged> {
    let mut reading = Reading::new(id, limit, rules, now);
    reading.run(&mut RecordReader::new(source).view(View::File))?;
    reading.into_message()
}

/// Reads the next `limit` recipients of a message.
pub(crate) fn more<S: ReadAt>(
    source: S,
    known: &Envelope,
    unread: i64,
    limit: i64,
    rules: Rules<'_>,
) -> Result<(Batch, bool), Damaged> {
    let id = &known.queue_id;
    let mut reading = Reading::new(id, limit, rules, Duration::ZERO);
    let envelope = &mut reading.envelope;
    (envelope.data_offset, envelope.data_size) = (known.data_offset, known.data_size);
    envelope.seen_all = known.seen_all;
    reading.unread = unread;
    let mut reader = RecordReader::new(source).view(View::File);
    reader.seek(known.resume_at);
    reading.run(&mut reader)?;
    reading.report_pending();
    let seen_all = reading.envelope.seen_all;
    Ok((reading.into_batch(), seen_all))
}

struct Reading<'a> {
    rules: Rules<'a>,
    limit: usize,
    envelope: Envelope,
    has_sender: bool,
    has_log_client: bool,
    multiple: [bool; 5],
    recipients: Vec<Recipient>,
    unread: i64,
    resume_at: u64,
    pending: Pending,
}

/// What belongs to the next recipient.
#[derive(Default)]
struct Pending {
    original: Option<Vec<u8>>,
    dsn_original: Option<Vec<u8>>,
    dsn_notify: u32,
}

enum Next {
    Record,
    End,
    Seek(u64),
}

impl<'a> Reading<'a> {
    fn new(id: &QueueId, limit: i64, rules: Rules<'a>, now: Duration) -> Self {
        let envelope = Envelope {
            queue_id: id.clone(),
            sender: Vec::new(),
            encoding: String::new(),
            dsn_envid: Vec::new(),
            dsn_ret: 0,
            send_options: 0,
            verp: None,
            filter: None,
            inspected: false,
            redirect: None,
            client: deliver::Client::default(),
            log_ident: Vec::new(),
            rewrite_context: Vec::new(),
            arrival: Duration::ZERO,
            create_time: 0,
            activated: now,
            warn_offset: 0,
            warn_time: 0,
            data_offset: 0,
            data_size: 0,
            content_length: 0,
            trace_flags: 0,
            trace_offset: 0,
            read_flags: READ_MIXED,
            resume_at: 0,
            seen_all: false,
        };
        Self {
            rules,
            limit: usize::try_from(limit).unwrap_or(1).max(1),
            envelope,
            has_sender: false,
            has_log_client: false,
            multiple: [false; 5],
            recipients: Vec::new(),
            unread: 0,
            resume_at: 0,
            pending: Pending::default(),
        }
    }

    fn id(&self) -> &QueueId {
        &self.envelope.queue_id
    }

    fn run<S: ReadAt>(&mut self, reader: &mut RecordReader<S>) -> Result<(), Damaged> {
        loop {
            let mut allowed = RecordType::ENVELOPE;
            let mut allowed_too = RecordType::EXTRACTED;
            let content = u64::try_from(self.envelope.data_offset).unwrap_or(0);
            if content > 0 && reader.offset() == content {
                let size = u64::try_from(self.envelope.data_size).unwrap_or(0);
                reader.seek(content.saturating_add(size));
                (allowed, allowed_too) = (b"X", b"X");
            }
            let record = match reader.next() {
                Ok(Some(record)) => record,
                Ok(None) => {
                    log::warning!("{}: message rejected: missing end record", self.id());
                    return Err(Damaged);
                }
                Err(error) => {
                    log::warning!("active/{}: {error}", self.id());
                    log::warning!("{}: message rejected: missing end record", self.id());
                    return Err(Damaged);
                }
            };
            let (kind, offset) = (record.kind, record.offset);
            if kind == RecordType::Pointer {
                let target = record.data.to_vec();
                if let Err(error) = reader.follow(&target) {
                    log::warning!("active/{}: {error}", self.id());
                    return Err(Damaged);
                }
                continue;
            }
            if !kind.is_in(allowed) && !kind.is_in(allowed_too) {
                let byte = [kind.as_byte()];
                log::warning!("Unexpected record type '{}' at offset {offset}", bytes::show(&byte));
                return Err(Damaged);
            }
            if kind == RecordType::End {
                self.envelope.seen_all = true;
                return Ok(());
            }
            let text = record.text();
            let taken = match kind {
                RecordType::Attr => self.attribute(text, offset)?,
                _ => self.record(kind, text, offset)?,
            };
            match taken {
                Next::Record => {}
                Next::End => {
                    self.resume_at = reader.offset();
                    return Ok(());
                }
                // Recipients enough: where to go on is known, and the rest of the file is looked at without them.
                Next::Seek(target) => {
                    self.resume_at = reader.offset();
                    if target > 0 {
                        reader.seek(target);
                    }
                }
            }
        }
    }

    fn attribute(&mut self, text: &[u8], offset: u64) -> Result<Next, Damaged> {
        let (name, value) = match split_attribute(text) {
            Ok(found) => found,
            Err(error) => {
                let shown = bytes::show_limited(text, 200);
                log::warning!("{}: bad attribute record: {error}: {shown}", self.id());
                return Err(Damaged);
            }
        };
        // COMPAT: attributes that stand for record types which old versions of Postfix do not know.
        // Test: `attributes_in_place_of_records`.
        let kind = match name {
            b"dsn_orig_rcpt" => RecordType::DsnOrcpt,
            b"notify_flags" => RecordType::DsnNotify,
            b"envelope_id" => RecordType::DsnEnvid,
            b"ret_flags" => RecordType::DsnReturn,
            b"create_time" => RecordType::CreateTime,
            _ => {
                if !self.envelope.seen_all {
                    self.named(name, value, offset);
                }
                return Ok(Next::Record);
            }
        };
        self.record(kind, value, offset)
    }

    fn record(&mut self, kind: RecordType, text: &[u8], offset: u64) -> Result<Next, Damaged> {
        // Once there are enough recipients, the others are left for later.
        let takes_recipients = self.resume_at == 0;
        match kind {
            RecordType::Recipient if takes_recipients => return Ok(self.recipient(text, offset)),
            RecordType::Done | RecordType::Canceled if takes_recipients => {
                self.unread -= 1;
                self.pending = Pending::default();
            }
            RecordType::DsnOrcpt => {
                if let Some(before) = self.pending.dsn_original.take() {
                    self.out_of_order("DSN original recipient address", &before);
                }
                self.pending.dsn_original = takes_recipients.then(|| text.to_vec());
            }
            RecordType::OriginalRecipient => {
                if let Some(before) = self.pending.original.take() {
                    self.out_of_order("original recipient", &before);
                }
                self.pending.original = takes_recipients.then(|| text.to_vec());
            }
            RecordType::DsnNotify => self.notify(text, takes_recipients),
            RecordType::Recipient | RecordType::Done | RecordType::Canceled => {}
            _ if self.envelope.seen_all => {}
            _ => return self.other(kind, text, offset).map(|()| Next::Record),
        }
        Ok(Next::Record)
    }

    fn recipient(&mut self, text: &[u8], offset: u64) -> Next {
        let Pending { original, dsn_original, dsn_notify } = std::mem::take(&mut self.pending);
        self.unread -= 1;
        self.recipients.push(Recipient {
            address: text.to_vec(),
            original: original.unwrap_or_default(),
            offset: i64::try_from(offset).unwrap_or(0),
            dsn_original: dsn_original.unwrap_or_default(),
            dsn_notify,
        });
        if self.recipients.len() < self.limit {
            return Next::Record;
        }
        let content = u64::try_from(self.envelope.data_offset).unwrap_or(0);
        if self.envelope.seen_all {
            return Next::End;
        }
        if self.envelope.read_flags & READ_MIXED != 0 {
            return Next::Seek(0);
        }
        // Recipients stand at the end of their part, with nothing else after them.
        if offset > content {
            self.envelope.seen_all = true;
            return Next::End;
        }
        Next::Seek(content)
    }

    fn notify(&mut self, text: &[u8], takes_recipients: bool) {
        if self.pending.dsn_notify != 0 {
            let before = self.pending.dsn_notify;
            log::warning!("{}: ignoring out-of-order DSN notify flags <{before}>", self.id());
            self.pending.dsn_notify = 0;
        }
        if !takes_recipients {
            return;
        }
        match bytes::decimal(text).filter(|&mask| dsn::notify::is_valid(mask)) {
            Some(mask) => self.pending.dsn_notify = mask,
            None => {
                let shown = bytes::show_limited(text, 200);
                log::warning!("{}: ignoring malformed DSN notify flags <{shown}>", self.id());
            }
        }
    }

    fn other(&mut self, kind: RecordType, text: &[u8], offset: u64) -> Result<(), Damaged> {
        match kind {
            RecordType::Size => return self.size(text),
            RecordType::Time if self.envelope.arrival.is_zero() => {
                let (seconds, micros) = parse_time(text);
                let micros = u32::try_from(micros.clamp(0, 999_999)).unwrap_or(0);
                self.envelope.arrival = Duration::new(u64::try_from(seconds).unwrap_or(0), micros * 1000);
            }
            RecordType::CreateTime if self.envelope.create_time == 0 => {
                self.envelope.create_time = leading_number(text);
            }
            RecordType::FILTER => self.envelope.filter = Some(text.to_vec()),
            RecordType::Inspector => self.envelope.inspected = true,
            RecordType::Redirect => self.envelope.redirect = Some(text.to_vec()),
            RecordType::Sender if !self.has_sender => {
                self.has_sender = true;
                self.envelope.sender = text.to_vec();
                (self.rules.opened)(text, self.envelope.content_length, self.unread);
            }
            RecordType::DsnEnvid => self.envelope.dsn_envid = text.to_vec(),
            RecordType::DsnReturn => match bytes::decimal(text) {
                Some(mask @ (dsn::ret::FULL | dsn::ret::HDRS)) => self.envelope.dsn_ret = mask,
                _ => log::warning!(
                    "{}: ignoring malformed DSN RET flags in queue file record:{}",
                    self.id(),
                    bytes::show_limited(text, 100)
                ),
            },
            RecordType::Warn if self.envelope.warn_offset == 0 => {
                self.envelope.warn_offset = offset;
                self.envelope.warn_time = leading_number(text);
            }
            RecordType::Verp if self.envelope.verp.is_none() => self.verp(text),
            _ => {}
        }
        Ok(())
    }

    fn size(&mut self, text: &[u8]) -> Result<(), Damaged> {
        let invalid = |what: &str| {
            let shown = bytes::show_limited(text, 100);
            log::warning!("{}: invalid {what}size record: {shown}", self.envelope.queue_id);
            Err(Damaged)
        };
        if self.envelope.data_offset == 0 {
            let size = Size::parse(text);
            if size.fields < 3 {
                log::warning!("{}: message rejected: weird size record", self.id());
                return Err(Damaged);
            }
            if size.content_offset <= 0 || size.content_size <= 0 {
                return invalid("");
            }
            if size.fields > 3 && size.flags & !READ_KNOWN != 0 {
                return invalid("flags in ");
            }
            let envelope = &mut self.envelope;
            (envelope.data_size, envelope.data_offset) = (size.content_size, size.content_offset);
            if size.fields > 3 {
                envelope.read_flags = size.flags;
            }
            envelope.content_length = size.content_length;
            // Options of later versions are none of ours.
            envelope.send_options =
                u32::try_from(size.send_options & envelope::send_options::ALL).unwrap_or(0);
            self.unread = size.recipients;
        }
        if self.envelope.content_length == 0 {
            self.envelope.content_length = self.envelope.data_size;
        } else if self.envelope.content_length < 0 {
            let shown = bytes::show_limited(text, 100);
            log::warning!("{}: invalid size record: {shown}", self.id());
            return Err(Damaged);
        }
        Ok(())
    }

    fn verp(&mut self, text: &[u8]) {
        if self.envelope.sender.is_empty() {
            return log::warning!("{}: ignoring VERP request for null sender", self.id());
        }
        match VerpDelimiters::parse(text, self.rules.verp_filter) {
            Ok(delimiters) => self.envelope.verp = Some(delimiters),
            Err(_) => {
                let shown = bytes::show_limited(text, 100);
                log::warning!("{}: ignoring bad VERP request: \"{shown}\"", self.id());
            }
        }
    }

    fn named(&mut self, name: &[u8], value: &[u8], offset: u64) {
        let client = &mut self.envelope.client;
        let logged = match name {
            b"encoding" => {
                self.envelope.encoding = String::from_utf8_lossy(value).into_owned();
                return;
            }
            b"log_client_name" => &mut client.name,
            b"log_client_address" => &mut client.address,
            b"log_client_port" => &mut client.port,
            b"log_protocol_name" => &mut client.protocol,
            b"log_helo_name" => &mut client.helo,
            _ => return self.named_once(name, value, offset),
        };
        *logged = value.to_vec();
        self.has_log_client = true;
    }

    fn named_once(&mut self, name: &[u8], value: &[u8], offset: u64) {
        let envelope = &mut self.envelope;
        let client = &mut envelope.client;
        // The real client counts where no other is recorded for logging.
        let real = match name {
            b"client_name" => Some(&mut client.name),
            b"client_address" => Some(&mut client.address),
            b"client_port" => Some(&mut client.port),
            b"protocol_name" => Some(&mut client.protocol),
            b"helo_name" => Some(&mut client.helo),
            _ => None,
        };
        if let Some(field) = real {
            if !self.has_log_client && field.is_empty() {
                *field = value.to_vec();
            }
            return;
        }
        let (number, field) = match name {
            b"sasl_method" => (0, &mut client.sasl_method),
            b"sasl_username" => (1, &mut client.sasl_username),
            b"sasl_sender" => (2, &mut client.sasl_sender),
            b"log_ident" => (3, &mut envelope.log_ident),
            b"rewrite_context" => (4, &mut envelope.rewrite_context),
            b"trace_flags" => {
                if envelope.trace_flags == 0 {
                    let flags = u32::try_from(leading_number(value)).unwrap_or(0) & deliver::FLAGS_TRACE;
                    envelope.trace_flags = flags;
                    envelope.trace_offset = if flags == deliver::FLAG_RECORD { offset } else { 0 };
                }
                return;
            }
            _ => return,
        };
        if std::mem::replace(&mut self.multiple[number], true) {
            let (id, name, value) = (&envelope.queue_id, bytes::show(name), bytes::show(value));
            return log::warning!("{id}: ignoring multiple {name} attribute: {value}");
        }
        *field = value.to_vec();
    }

    fn out_of_order(&self, what: &str, text: &[u8]) {
        let shown = bytes::show_limited(text, 200);
        log::warning!("{}: ignoring out-of-order {what} <{shown}>", self.id());
    }

    fn report_pending(&self) {
        if let Some(text) = &self.pending.dsn_original {
            self.out_of_order("DSN original recipient", text);
        }
        if let Some(text) = &self.pending.original {
            self.out_of_order("original recipient", text);
        }
    }

    fn into_batch(mut self) -> Batch {
        if self.unread < 0 || (self.resume_at == 0 && self.unread != 0) {
            log::warning!("{}: rcpt count mismatch ({})", self.id(), self.unread);
            self.unread = 0;
        }
        Batch { recipients: self.recipients, unread: self.unread, resume_at: self.resume_at }
    }

    fn into_message(mut self) -> Result<(Envelope, Batch), Damaged> {
        self.report_pending();
        let missing = if self.envelope.arrival.is_zero() {
            Some("arrival time")
        } else if !self.has_sender {
            Some("sender")
        } else if self.envelope.data_offset == 0 {
            Some("size")
        } else {
            None
        };
        if let Some(record) = missing {
            log::warning!("{}: message rejected: missing {record} record", self.id());
            return Err(Damaged);
        }
        let envelope = &mut self.envelope;
        if self.rules.confirm_delay_cleared && envelope.warn_time < 0 {
            envelope.trace_flags |= deliver::FLAG_RECORD_DELAYED;
        }
        if envelope.rewrite_context.is_empty() {
            envelope.rewrite_context = b"local".to_vec();
        }
        if envelope.create_time == 0 {
            envelope.create_time = i64::try_from(envelope.arrival.as_secs()).unwrap_or(0);
        }
        envelope.resume_at = self.resume_at;
        let envelope = envelope.clone();
        Ok((envelope, self.into_batch()))
    }
}

#[cfg(test)]
mod tests;
