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
                let byte = char::from(kind.as_byte());
                log::warning!("Unexpected record type '{byte}' at offset {offset}");
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
mod tests {
    use super::*;
    use queue::encode_record;

    const RULES: Rules<'static> =
        Rules { verp_filter: b"-=+", confirm_delay_cleared: true, opened: &|_, _, _| {} };

    /// A file: records before the content, and extracted ones.
    fn file(
        flags: i64,
        count: i64,
        envelope: &[(RecordType, &str)],
        extracted: &[(RecordType, &str)],
    ) -> Vec<u8> {
        let render = |offset: usize| {
            let size = Size {
                content_size: 9,
                content_offset: offset as i64,
                recipients: count,
                flags,
                content_length: 8,
                send_options: 1 | 1 << 20,
                fields: 6,
            };
            let mut file = Vec::new();
            encode_record(&mut file, RecordType::Size, size.to_string().as_bytes());
            for (kind, data) in envelope {
                encode_record(&mut file, *kind, data.as_bytes());
            }
            encode_record(&mut file, RecordType::Content, b"");
            file
        };
        let mut file = render(render(0).len());
        encode_record(&mut file, RecordType::Norm, b"content");
        encode_record(&mut file, RecordType::Extracted, b"");
        for (kind, data) in extracted {
            encode_record(&mut file, *kind, data.as_bytes());
        }
        encode_record(&mut file, RecordType::End, b"");
        file
    }

    fn read(file: &[u8], limit: i64) -> Option<(Envelope, Batch)> {
        message(file, &QueueId::parse("A1").unwrap(), limit, Duration::ZERO, RULES).ok()
    }

    fn names(batch: &Batch) -> String {
        let names = batch.recipients.iter().map(|found| String::from_utf8_lossy(&found.address).into_owned());
        names.collect::<Vec<_>>().join(" ")
    }

    use RecordType as R;
    const START: [(R, &str); 2] = [(R::Time, "1700000000 5000"), (R::Sender, "s@x")];

    #[test]
    fn attributes_in_place_of_records() {
        let mut records = START.to_vec();
        records.extend([
            (R::Attr, "envelope_id=E"),
            (R::Attr, "ret_flags=2"),
            (R::Attr, "create_time=1600000000"),
            (R::Attr, "trace_flags=1024"),
            (R::Attr, "client_name=real"),
            (R::Attr, "log_client_name=logged"),
            (R::Attr, "client_address=1.2.3.4"),
            (R::Attr, "sasl_method=PLAIN"),
            (R::Attr, "sasl_method=LOGIN"),
            (R::Verp, "+="),
            (R::Attr, "dsn_orig_rcpt=rfc822;o"),
            (R::Attr, "notify_flags=3"),
            (R::OriginalRecipient, "o@x"),
            (R::Recipient, "a@x"),
            (R::DsnNotify, "2"),
            (R::Recipient, "b@x"),
            (R::DsnOrcpt, "rfc822;c"),
            (R::Done, "c@x"),
            (R::Recipient, "d@x"),
        ]);
        let (envelope, batch) = read(&file(1, 4, &records, &[(R::FILTER, "f:")]), 100).unwrap();
        assert_eq!((envelope.dsn_envid.as_slice(), envelope.dsn_ret), (&b"E"[..], 2));
        assert_eq!(
            (envelope.create_time, envelope.arrival),
            (1_600_000_000, Duration::new(1_700_000_000, 5_000_000))
        );
        assert_eq!(envelope.trace_flags, deliver::FLAG_RECORD);
        assert!(envelope.trace_offset > 0);
        assert_eq!(
            (envelope.client.name.as_slice(), envelope.client.address.as_slice()),
            (&b"logged"[..], &b""[..])
        );
        assert_eq!(envelope.client.sasl_method, b"PLAIN");
        assert!(envelope.verp.is_some());
        assert_eq!(envelope.filter.as_deref(), Some(&b"f:"[..]));
        assert_eq!(envelope.send_options, 1);
        assert_eq!((names(&batch).as_str(), batch.unread, batch.resume_at), ("a@x b@x d@x", 0, 0));
        let [first, second, third] = &batch.recipients[..] else { panic!() };
        assert_eq!((first.dsn_original.as_slice(), first.dsn_notify), (&b"rfc822;o"[..], 0), "3 is no mask");
        assert_eq!(first.original, b"o@x");
        assert_eq!((second.dsn_notify, second.original.as_slice()), (2, &b""[..]));
        assert!(third.dsn_original.is_empty(), "that was another's");
    }

    #[test]
    fn recipients_by_and_by() {
        let list = [(R::Recipient, "a@x"), (R::Recipient, "b@x"), (R::Done, "c@x"), (R::Recipient, "d@x")];
        let more_records =
            [(R::Attr, "rewrite_context=remote"), (R::Recipient, "e@x"), (R::Recipient, "f@x")];
        // Pure lists before the content, pure after it, and mixed ones.
        let before: Vec<_> = START.iter().chain(&list).copied().collect();
        let mixed: Vec<_> = before.iter().chain(&more_records).copied().collect();
        let cases = [
            (file(0, 4, &before, &[(R::FILTER, "f:")]), 4, true),
            (file(0, 4, &START, &list), 4, false),
            (file(1, 6, &mixed, &[(R::FILTER, "f:")]), 6, true),
        ];
        for (bytes, count, has_filter) in cases {
            for limit in 1..8 {
                let (mut envelope, mut batch) = read(&bytes, limit).unwrap();
                assert_eq!(envelope.filter.is_some(), has_filter, "all else is read at once");
                let mut found = names(&batch);
                let mut rounds = 0;
                while batch.resume_at != 0 {
                    assert!(batch.recipients.len() as i64 <= limit);
                    envelope.resume_at = batch.resume_at;
                    let unread = batch.unread;
                    (batch, envelope.seen_all) = more(&*bytes, &envelope, unread, limit, RULES).unwrap();
                    if !batch.recipients.is_empty() {
                        found = format!("{found} {}", names(&batch));
                    }
                    rounds += 1;
                    assert!(rounds < 10);
                }
                assert_eq!(batch.unread, 0);
                let all = if count == 4 { "a@x b@x d@x" } else { "a@x b@x d@x e@x f@x" };
                assert_eq!(found, all, "limit {limit}");
            }
        }
    }

    #[test]
    fn damage_is_noticed() {
        let good: Vec<_> = START.iter().copied().chain([(R::Recipient, "a@x")]).collect();
        assert!(read(&file(1, 1, &good, &[]), 9).is_some());
        assert!(read(&file(1, 1, &good[1..], &[]), 9).is_none(), "no time");
        assert!(read(&file(1, 1, &[good[0], good[2]], &[]), 9).is_none(), "no sender");
        assert!(read(&file(64, 1, &good, &[]), 9).is_none(), "unknown flag");
        let (_, batch) = read(&file(1, 5, &good, &[]), 9).unwrap();
        assert_eq!(batch.unread, 0, "a wrong count only deserves a warning");
        let bytes = file(1, 1, &good, &[]);
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end], 9).is_none(), "{end}");
        }
        let wrong: Vec<_> = good.iter().copied().chain([(R::Norm, "text")]).collect();
        assert!(read(&file(1, 1, &wrong, &[]), 9).is_none(), "misplaced");
    }

    proptest::proptest! {
        #[test]
        fn no_file_panics(mut bytes: Vec<u8>, at in 0usize..200, byte: u8) {
            let _damaged = read(&bytes, 3);
            bytes = file(0, 3, &[START[0], START[1], (R::Recipient, "a"), (R::Recipient, "b")], &[(R::Recipient, "c")]);
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Some((mut envelope, batch)) = read(&bytes, 1) && batch.resume_at != 0 {
                envelope.resume_at = batch.resume_at;
                let _damaged = more(&*bytes, &envelope, batch.unread, 1, RULES);
            }
        }
    }
}
