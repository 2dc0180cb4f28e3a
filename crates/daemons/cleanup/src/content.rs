//! The second part of a message: headers and body.

use std::borrow::Cow;
use std::rc::Rc;

use ipc::cleanup::{Status, flags};
use message::Ending;
use message::mime::{BodyLine, Event, Input, Machine, MimeError};
use queue::RecordType;

use crate::action::{Action, Content};
use crate::config::NonEmptyEnd;
use crate::envelope::until_nul;
use crate::state::{Message, Phase};

impl Message {
    /// Writes the mark between envelope and content.
    pub(crate) fn begin_content(&mut self) {
        self.out(RecordType::Content, b"");
        self.offsets.content = self.draft.len();
        let config = &self.cx.config;
        let mut options = config.mime_options;
        if self.has(flags::FILTER) {
            options |= config.filter_options;
        }
        let machine = Machine::new(options, config.limits, Rc::clone(&config.headers));
        self.machine = Some(Box::new(machine));
        self.phase = Phase::Content;
    }

    pub(crate) async fn content_record(&mut self, kind: RecordType, data: &[u8]) {
        let ending = match kind {
            RecordType::Norm => Ending::Line,
            RecordType::Cont => Ending::Part,
            RecordType::Extracted => return self.end_content().await,
            other => {
                // COMPAT: Postfix names its function here, not the message.
                log::warning!(
                    "cleanup_message_headerbody: message rejected: unexpected record type {} in message content",
                    other.as_byte()
                );
                self.errors |= Status::BAD;
                return;
            }
        };
        // A stray CR or LF could be used to smuggle a second message to a receiver that takes it for a line's end.
        let mut text = Cow::Borrowed(data);
        if self.cx.config.params.cleanup_replace_stray_cr_lf
            && bytes::memchr::memchr2(b'\r', b'\n', data).is_some()
        {
            let is_stray = |byte| matches!(byte, b'\r' | b'\n');
            text =
                data.iter().map(|&byte| if is_stray(byte) { b' ' } else { byte }).collect::<Vec<u8>>().into();
        }
        if !self.has(flags::FILTER) {
            return self.text(Input::Text(ending, &text)).await;
        }
        let cx = Rc::clone(&self.cx);
        if let Some(rejected) = &cx.config.reject_bytes
            && text.iter().any(|&byte| rejected.contains(byte))
        {
            self.act(Content::Any, &text, b"REJECT disallowed character", "character reject");
            return;
        }
        if let Some(stripped) = &cx.config.strip_bytes {
            let mut clean = std::mem::take(&mut self.stripped);
            clean.clear();
            clean.extend(text.iter().filter(|&&byte| !stripped.contains(byte)));
            self.text(Input::Text(ending, &clean)).await;
            self.stripped = clean;
            return;
        }
        self.text(Input::Text(ending, &text)).await;
    }

    async fn text(&mut self, input: Input<'_>) {
        // The parser is lent out while its events are dealt with.
        let Some(mut machine) = self.machine.take() else { return };
        let events = machine.update(input);
        self.mime_errors = events.errors();
        for event in events {
            match event {
                Event::Body(line) => self.body_line(line).await,
                Event::Header(header) => self.header(header).await,
                Event::HeadersEnd => self.headers_end(),
                Event::Error(error, text) => self.mime_error(error, &text),
                Event::BodyEnd => {}
            }
        }
        self.machine = Some(machine);
    }

    async fn end_content(&mut self) {
        self.text(Input::End).await;
        if self.placeholders {
            self.out_placeholder();
        }
        let is_fatal = |error| match error {
            MimeError::TruncatedHeader => false,
            MimeError::NonEmptyEndOfHeader => self.cx.config.non_empty_end == NonEmptyEnd::Reject,
            _ => true,
        };
        let worst = self.mime_errors.iter().find(|&error| is_fatal(error));
        if let Some(error) = worst
            && self.reason.is_none()
        {
            self.errors |= Status::CONT;
            self.reason = Some(format!("{} {}", error.dsn(), error.text()).into_bytes());
        }
        self.machine = None;
        self.offsets.extracted = self.draft.len();
        self.content_length = self.offsets.extracted - self.offsets.content;
        self.phase = Phase::ExtractedStart;
    }

    async fn body_line(&mut self, line: BodyLine<'_>) {
        if !self.is_ok() {
            return;
        }
        let kind = match line.ending {
            Ending::Line => RecordType::Norm,
            Ending::Part => RecordType::Cont,
        };
        if self.cx.tables.body_checks.is_none() || !self.has(flags::FILTER) {
            return self.out(kind, &line.text);
        }
        let cx = Rc::clone(&self.cx);
        let limit = u64::try_from(cx.config.params.body_checks_size_limit).unwrap_or(0);
        if let Some(checks) = &cx.tables.body_checks
            && (limit == 0 || line.offset < limit)
        {
            match checks.find(until_nul(&line.text)).await {
                Ok(Some(found)) => match self.act(Content::Body, &line.text, &found.value, checks.title()) {
                    Action::Keep => {}
                    Action::Drop => return,
                    Action::Replace(text) => return self.out(kind, &text),
                },
                Ok(None) => {}
                Err(_) => self.lookup_problem(checks.title()),
            }
        }
        self.out(kind, &line.text);
    }

    fn mime_error(&mut self, error: MimeError, text: &[u8]) {
        match error {
            // Found harmless, or not, when the headers have ended.
            MimeError::TruncatedHeader => return,
            MimeError::NonEmptyEndOfHeader if self.cx.config.non_empty_end != NonEmptyEnd::Reject => return,
            _ => {}
        }
        let origin = self.attribute("log_message_origin").unwrap_or(b"unknown");
        log::info!(
            "{}: reject: mime-error {}: {} from {}; from=<{}> to=<{}>",
            self.queue_id,
            error.text(),
            bytes::show_limited(text, 100),
            bytes::show(origin),
            self.logged(self.sender.as_deref().unwrap_or_default()),
            self.logged(self.recipient.as_deref().unwrap_or(b"unknown"))
        );
    }
}
