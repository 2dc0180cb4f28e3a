//! The end of the message's own headers: what is missing is added.

use message::header::{self, HeaderKind};
use message::mime::MimeError;
use message::{date, rfc2047, text};
use queue::RecordType;
use queue::envelope::send_options;
use sys::time::LocalTime;

use crate::config::{FromForm, NonEmptyEnd};
use crate::state::Message;

impl Message {
    pub(crate) fn headers_end(&mut self) {
        if !self.is_ok() {
            return;
        }
        // Every program that submits mail puts its own header first; loop detection relies on that.
        if self.hop_count < 1 {
            self.reject(format_args!("no Received: header"));
            return;
        }
        let adds = self.rewrite_context.is_some() || self.cx.config.params.always_add_missing_headers;
        if adds {
            self.add_message_id();
        }
        if !self.headers_seen.contains(HeaderKind::MessageId) {
            log::info!("{}: message-id=<>", self.queue_id);
        }
        if adds {
            self.add_date();
            self.add_from();
            self.add_recipients();
        }
        let params = &self.cx.config.params;
        if params.requiretls_enable
            && params.requiretls_esmtp_header
            && self.send_options & send_options::REQUIRETLS_ESMTP != 0
            && !self.requiretls_header_seen
        {
            self.out(RecordType::Norm, b"Require-TLS-ESMTP: yes");
        }
        if self.placeholders {
            self.out_placeholder();
        }
        if self.mime_errors.contains(MimeError::NonEmptyEndOfHeader)
            && self.cx.config.non_empty_end == NonEmptyEnd::AddHeader
        {
            self.out(RecordType::Norm, b"MIME-Error: message header was not terminated by empty line");
        }
    }

    /// `Resent-` for a message that has such headers.
    fn prefix(&self) -> &'static str {
        if self.resent { "Resent-" } else { "" }
    }

    fn lacks(&self, plain: HeaderKind, resent: HeaderKind) -> bool {
        !self.headers_seen.contains(if self.resent { resent } else { plain })
    }

    fn add_message_id(&mut self) {
        if !self.lacks(HeaderKind::MessageId, HeaderKind::ResentMessageId) {
            return;
        }
        let hostname = &self.cx.config.params.myhostname;
        // A short queue id is unique within a second only, and that second is the one of the file's creation.
        let id = if self.cx.config.params.enable_long_queue_ids {
            format!("{}@{hostname}", self.queue_id)
        } else {
            let created = self.draft.created().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let time = LocalTime::utc(i64::try_from(created.as_secs()).unwrap_or(0));
            format!(
                "{:04}{:02}{:02}{:02}{:02}{:02}.{}@{hostname}",
                time.year, time.month, time.day, time.hour, time.minute, time.second, self.queue_id
            )
        };
        let prefix = self.prefix();
        self.out_header(format!("{prefix}Message-Id: <{id}>").as_bytes());
        let logged = if self.resent { "resent-" } else { "" };
        log::info!("{}: {logged}message-id=<{id}>", self.queue_id);
        let kind = if self.resent { HeaderKind::ResentMessageId } else { HeaderKind::MessageId };
        self.headers_seen.insert(kind);
        if !self.resent && self.message_id.is_none() {
            self.message_id = Some(format!("<{id}>").into_bytes());
        }
    }

    fn add_date(&mut self) {
        if self.lacks(HeaderKind::Date, HeaderKind::ResentDate) {
            let (seconds, _) = self.arrival;
            self.out_header(format!("{}Date: {}", self.prefix(), date::mail_date(seconds)).as_bytes());
        }
    }

    fn add_from(&mut self) {
        if !self.lacks(HeaderKind::From, HeaderKind::ResentFrom) {
            return;
        }
        let sender = self.sender.as_deref().unwrap_or_default();
        let prefix = self.prefix().as_bytes();
        let name = if sender.is_empty() { None } else { self.full_name_text() };
        let address =
            address::quote_822_local(if sender.is_empty() { address::MAILER_DAEMON } else { sender });
        let header = match (name, self.cx.config.from_form) {
            (None, _) => [prefix, b"From: ", &address].concat(),
            (Some(name), FromForm::Standard) => [prefix, b"From: ", &name, b"\n<", &address, b">"].concat(),
            (Some(name), FromForm::Obsolete) => [prefix, b"From: ", &address, b"\n(", &name, b")"].concat(),
        };
        self.out_folded(header);
    }

    /// The sender's full name as it may stand in a header.
    fn full_name_text(&self) -> Option<Vec<u8>> {
        let name = text::clean_control_and_space(self.full_name.as_deref()?)?;
        let form = self.cx.config.from_form;
        if name.is_ascii() {
            return match form {
                FromForm::Standard => text::ascii_phrase(&name),
                FromForm::Obsolete => text::ascii_comment(&name),
            };
        }
        let context = match form {
            FromForm::Standard => rfc2047::Context::Phrase,
            FromForm::Obsolete => rfc2047::Context::Comment,
        };
        let charset = &self.cx.config.params.full_name_encoding_charset;
        match rfc2047::encode(context, charset, &name, "\n") {
            Ok(words) => Some(words),
            Err(fault) => {
                log::warning!("{fault}");
                None
            }
        }
    }

    fn add_recipients(&mut self) {
        let visible = [HeaderKind::To, HeaderKind::ResentTo, HeaderKind::Cc, HeaderKind::ResentCc];
        if visible.into_iter().any(|kind| self.headers_seen.contains(kind)) {
            return;
        }
        let text = self.cx.config.params.undisclosed_recipients_header.clone();
        if text.is_empty() {
            return;
        }
        if header::is_header(text.as_bytes()) {
            self.out(RecordType::Norm, text.as_bytes());
        } else {
            log::warning!(
                "bad undisclosed_recipients_header header text \"{text}\" -- need \"headername: headervalue\""
            );
        }
    }
}
