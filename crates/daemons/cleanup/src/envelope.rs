//! The first part of a message: envelope records.

use dsn::{notify, ret};
use ipc::cleanup::{Status, flags};
use ipc::rewrite::Rule;
use queue::envelope::{leading_number, parse_time, send_options, split_attribute, warn_data};
use queue::{RecordType, Size};

use crate::state::{Message, Phase, QMGR_MIXED, qmgr_notify};

/// Trace flags that a client may set; see [`ipc::deliver`].
const TRACE_MASK: i64 = 1 << 8 | 1 << 9 | 1 << 10 | 1 << 13;
/// This is a probe by verify(8).
pub(crate) const TRACE_VERIFY: i64 = 1 << 8;

/// An attribute record taken apart, and the record type that it stands for.
pub(crate) struct Mapped<'a> {
    pub(crate) kind: RecordType,
    pub(crate) value: &'a [u8],
    pub(crate) name: &'a [u8],
}

impl Message {
    /// Processes one record of the client's. After the `End` record comes [`finish`](Self::finish).
    pub async fn record(&mut self, kind: RecordType, data: &[u8]) {
        if matches!(kind, RecordType::Pointer | RecordType::Padding) {
            log::warning!(
                "{}: record type {} not allowed - discarding this message",
                self.queue_id,
                kind.as_byte()
            );
            self.errors |= Status::BAD;
            return;
        }
        match self.phase {
            Phase::Start => {
                // The true values are written when they are known; here is room for them.
                self.out(RecordType::Size, Size::default().to_string().as_bytes());
                self.phase = Phase::Envelope;
                self.envelope_record(kind, data).await;
            }
            Phase::Envelope => self.envelope_record(kind, data).await,
            Phase::ContentStart => {
                self.begin_content();
                self.content_record(kind, data).await;
            }
            Phase::Content => self.content_record(kind, data).await,
            Phase::ExtractedStart => {
                self.out(RecordType::Extracted, b"");
                self.phase = Phase::Extracted;
                self.extracted_record(kind, data).await;
            }
            Phase::Extracted => self.extracted_record(kind, data).await,
        }
    }

    async fn envelope_record(&mut self, kind: RecordType, data: &[u8]) {
        let text = until_nul(data);
        match kind {
            RecordType::Flags => return self.extra_flags(text),
            RecordType::MilterCount => return self.receive_milters(text),
            _ => {}
        }
        let Some(mapped) = self.map_attribute(kind, text) else { return };
        if !kind.is_in(RecordType::ENVELOPE) {
            self.reject(format_args!("unexpected record type {} in envelope", kind.as_byte()));
            return;
        }
        if !self.in_recipients && kind.is_in(RecordType::ENVELOPE_RECIPIENTS) && !self.begin_recipients() {
            return;
        }
        if self.recipient_record(kind, text, &mapped).await {
            return;
        }
        if kind == RecordType::Content {
            self.phase = Phase::ContentStart;
            if self.in_recipients && self.placeholders {
                self.out_placeholder();
                self.has_recipient_placeholder = true;
            }
            self.in_recipients = false;
            return;
        }
        if self.in_recipients {
            self.qmgr_options |= QMGR_MIXED;
        }
        match (kind, mapped.kind) {
            // The client's sizes are not to be trusted, but a message that postsuper(1) requeued keeps its options.
            (RecordType::Size, _) => {
                self.send_options =
                    Size::parse(text).send_options & send_options::ALL & !send_options::DERIVED;
            }
            // We write our own, below.
            (_, RecordType::CreateTime) => {}
            (RecordType::Time, _) => self.arrival_time(data),
            (RecordType::FullName, _) => {
                if self.full_name.is_none() {
                    self.full_name = Some(text.to_vec());
                    self.out(kind, data);
                }
            }
            (RecordType::Sender, _) => {
                if self.sender.is_some() {
                    self.reject(format_args!("multiple envelope sender records"));
                    return;
                }
                self.envelope_sender(text).await;
            }
            (_, RecordType::DsnEnvid) => {
                if !mapped.value.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic()) {
                    self.reject(format_args!("bad DSN envelope ID record"));
                    return;
                }
                self.dsn_envid = Some(mapped.value.to_vec());
                self.out(kind, data);
            }
            (_, RecordType::DsnReturn) => match bytes::decimal::<u32>(mapped.value) {
                Some(value @ (ret::FULL | ret::HDRS)) => {
                    self.dsn_ret = value;
                    self.out(kind, data);
                }
                _ => {
                    let shown = bytes::show_limited(text, 200);
                    self.reject(format_args!("bad DSN RET record <{shown}>"));
                }
            },
            (RecordType::Warn, _) => {
                if !self.warn_seen {
                    self.warn_seen = true;
                    self.out(kind, data);
                }
            }
            (RecordType::Verp, _) => self.verp_record(data, text),
            (RecordType::Attr, _) => self.plain_attribute(data, &mapped),
            _ => self.out(kind, data),
        }
    }

    /// The records about recipients, which stand in the envelope or in the extracted part; whether this was one.
    pub(crate) async fn recipient_record(
        &mut self,
        kind: RecordType,
        text: &[u8],
        mapped: &Mapped<'_>,
    ) -> bool {
        match (kind, mapped.kind) {
            (RecordType::Recipient, _) => {
                if self.sender.is_none() {
                    self.reject(format_args!("envelope recipient precedes sender"));
                    return true;
                }
                if self.original_recipient.is_none() {
                    self.original_recipient = Some(text.to_vec());
                }
                self.envelope_recipient(text).await;
                self.forget_recipient();
            }
            (RecordType::Done | RecordType::Canceled, _) => self.forget_recipient(),
            (_, RecordType::DsnOrcpt) => {
                if let Some(old) = &self.dsn_orcpt {
                    log::warning!(
                        "{}: ignoring out-of-order DSN original recipient record <{}>",
                        self.queue_id,
                        bytes::show_limited(old, 200)
                    );
                }
                self.dsn_orcpt = Some(mapped.value.to_vec());
            }
            (_, RecordType::DsnNotify) => {
                if self.dsn_notify != 0 {
                    log::warning!(
                        "{}: ignoring out-of-order DSN notify record <{}>",
                        self.queue_id,
                        self.dsn_notify
                    );
                    self.dsn_notify = 0;
                }
                match bytes::decimal::<u32>(mapped.value).filter(|&mask| mask != 0 && notify::is_valid(mask))
                {
                    Some(mask) => {
                        self.dsn_notify = mask;
                        self.qmgr_options |= qmgr_notify(mask);
                    }
                    None => log::warning!(
                        "{}: ignoring malformed DSN notify record <{}>",
                        self.queue_id,
                        bytes::show_limited(text, 200)
                    ),
                }
            }
            (RecordType::OriginalRecipient, _) => {
                if let Some(old) = &self.original_recipient {
                    log::warning!(
                        "{}: ignoring out-of-order original recipient record <{}>",
                        self.queue_id,
                        bytes::show_limited(old, 200)
                    );
                }
                self.original_recipient = Some(text.to_vec());
            }
            _ => return false,
        }
        true
    }

    /// A `Flags` record, which is not part of the queue file.
    pub(crate) fn extra_flags(&mut self, text: &[u8]) {
        let extra = leading_number(text);
        match u32::try_from(extra) {
            Ok(extra) if extra & !flags::MASK_EXTRA == 0 => self.flags |= extra,
            _ => log::warning!("{}: ignoring bad extra flags: {extra:#x}", self.queue_id),
        }
    }

    /// Some attributes stand for record types that older versions would not understand. `None`: the record is bad, or
    /// says nothing, and that was logged.
    pub(crate) fn map_attribute<'a>(&mut self, kind: RecordType, text: &'a [u8]) -> Option<Mapped<'a>> {
        if kind != RecordType::Attr {
            return Some(Mapped { kind, value: text, name: b"" });
        }
        let (name, value) = match split_attribute(text) {
            Ok(parts) => parts,
            Err(fault) => {
                let shown = bytes::show_limited(text, 100);
                self.reject(format_args!("malformed attribute: {fault}: {shown}"));
                return None;
            }
        };
        if value.is_empty() {
            log::warning!(
                "{}: spurious null attribute value for \"{}\" -- ignored",
                self.queue_id,
                bytes::show(name)
            );
            return None;
        }
        Some(Mapped { kind: map_name(name), value, name })
    }

    /// Logs a client's fault and gives up on the message.
    pub(crate) fn reject(&mut self, why: std::fmt::Arguments<'_>) {
        log::warning!("{}: message rejected: {why}", self.queue_id);
        self.errors |= Status::BAD;
    }

    fn forget_recipient(&mut self) {
        self.original_recipient = None;
        self.dsn_orcpt = None;
        self.dsn_notify = 0;
    }

    /// What must be there before the first recipient, and what is written at that point.
    fn begin_recipients(&mut self) -> bool {
        let Some(sender) = &self.sender else {
            self.reject(format_args!("missing sender envelope record"));
            return false;
        };
        let has_sender = !sender.is_empty();
        let (seconds, _) = self.arrival;
        if seconds == 0 {
            self.reject(format_args!("missing time envelope record"));
            return false;
        }
        if let Some(delay) = self.cx.config.delay_warning()
            && has_sender
            && !self.warn_seen
        {
            let when = seconds.saturating_add(i64::try_from(delay.as_secs()).unwrap_or(i64::MAX));
            self.out(RecordType::Warn, warn_data(when).as_bytes());
        }
        self.in_recipients = true;
        true
    }

    fn arrival_time(&mut self, data: &[u8]) {
        if self.arrival.0 == 0 {
            self.arrival = parse_time(until_nul(data));
            self.out(RecordType::Time, data);
        }
        self.out_attribute("create_time", sys::time::now().to_string().as_bytes());
    }

    fn verp_record(&mut self, data: &[u8], text: &[u8]) {
        if self.verp_delimiters.is_some() {
            return;
        }
        if self.sender.as_ref().is_none_or(Vec::is_empty) {
            log::warning!("{}: ignoring VERP request for null sender", self.queue_id);
            return;
        }
        let filter = self.cx.config.params.verp_delimiter_filter.as_bytes();
        if address::verp::VerpDelimiters::parse(text, filter).is_err() {
            log::warning!(
                "{}: ignoring bad VERP request: \"{}\"",
                self.queue_id,
                bytes::show_limited(text, 100)
            );
            return;
        }
        self.verp_delimiters = Some(text.to_vec());
        self.out(RecordType::Verp, data);
    }

    fn plain_attribute(&mut self, data: &[u8], mapped: &Mapped<'_>) {
        let limit = self.cx.config.params.queue_file_attribute_count_limit;
        if self.attributes.len() >= crate::config::count(limit) {
            self.reject(format_args!("attribute count exceeds limit {limit}"));
            return;
        }
        match mapped.name {
            b"rewrite_context" => match mapped.value {
                b"local" => self.rewrite_context = Some(Rule::Local),
                b"remote" => {
                    let is_rewritten = !self.cx.config.params.remote_header_rewrite_domain.is_empty();
                    self.rewrite_context = is_rewritten.then_some(Rule::Remote);
                }
                other => {
                    let shown = bytes::show_limited(other, 100);
                    self.reject(format_args!("bad rewriting context: {shown}"));
                    return;
                }
            },
            b"trace_flags" => {
                let Some(value) = bytes::decimal::<i64>(mapped.value) else {
                    let shown = bytes::show_limited(data, 200);
                    self.reject(format_args!("bad TFLAG record <{shown}>"));
                    return;
                };
                if self.trace_flags == 0 {
                    self.trace_flags = value & TRACE_MASK;
                }
            }
            _ => {}
        }
        self.set_attribute(mapped.name, mapped.value);
        self.out(RecordType::Attr, data);
    }

    /// An SMTP server hands over its milters. Their state would follow the record, so a message with any is refused.
    fn receive_milters(&mut self, text: &[u8]) {
        let count = leading_number(text);
        if count < 0 {
            return;
        }
        self.milters_received = true;
        self.placeholders = true;
        if count > 0 {
            self.out_of_step = true;
            self.refuse_milters();
        }
    }

    /// Milters must never be skipped silently: without support for them the message has to wait.
    pub(crate) fn refuse_milters(&mut self) {
        log::error!("{}: milter applications are not supported by this program version", self.queue_id);
        self.errors |= Status::DEFER;
        self.reason = Some(b"4.7.1 Service unavailable - try again later".to_vec());
    }
}

/// Envelope data is text: a NUL ends it for every reader.
pub(crate) fn until_nul(data: &[u8]) -> &[u8] {
    match bytes::memchr::memchr(0, data) {
        Some(end) => data.get(..end).unwrap_or_default(),
        None => data,
    }
}

/// The record type that an attribute stands for.
pub(crate) fn map_name(name: &[u8]) -> RecordType {
    match name {
        b"dsn_orig_rcpt" => RecordType::DsnOrcpt,
        b"notify_flags" => RecordType::DsnNotify,
        b"envelope_id" => RecordType::DsnEnvid,
        b"ret_flags" => RecordType::DsnReturn,
        b"create_time" => RecordType::CreateTime,
        _ => RecordType::Attr,
    }
}
