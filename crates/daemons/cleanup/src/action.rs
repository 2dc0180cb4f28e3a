//! The actions of header_checks(5) and body_checks(5).

use ipc::cleanup::{Status, flags};
use message::checks::{self, Place, Verdict};
use queue::RecordType;

use crate::envelope::until_nul;
use crate::state::Message;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Header,
    Body,
    /// Either, when only the bytes matter.
    Any,
}

impl Content {
    fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Body => "body",
            Self::Any => "content",
        }
    }

    fn place(self) -> Place {
        match self {
            Self::Header => Place::Header,
            Self::Body | Self::Any => Place::Body,
        }
    }
}

/// What becomes of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Keep,
    Drop,
    Replace(Vec<u8>),
}

impl Message {
    /// Does what the table of parameter `class` says about `line`.
    pub(crate) fn act(&mut self, content: Content, line: &[u8], answer: &[u8], class: &str) -> Action {
        let (word, text) = checks::split(answer);
        let shown = bytes::show(text);
        match word.to_ascii_uppercase().as_slice() {
            b"REJECT" => self.act_reject(content, line, text),
            b"FILTER" => {
                if text.is_empty() {
                    log::warning!("missing FILTER command argument in {class} map");
                } else if !text.contains(&b':') {
                    log::warning!("bad FILTER command {shown} in {class} -- need transport:destination");
                } else {
                    self.filter = Some(text.to_vec());
                    self.log_action("filter", content, line, text);
                }
            }
            b"PASS" => {
                self.log_action("pass", content, line, text);
                self.flags &= !flags::FILTER_ALL;
            }
            b"DISCARD" => {
                self.log_action("discard", content, line, text);
                self.flags |= flags::DISCARD;
                self.flags &= !flags::FILTER_ALL;
            }
            b"HOLD" => {
                if !self.has(flags::HOLD | flags::DISCARD) {
                    self.log_action("hold", content, line, text);
                    self.flags |= flags::HOLD;
                }
            }
            b"REDIRECT" => {
                if text.contains(&b'@') {
                    self.redirect = Some(text.to_vec());
                    self.log_action("redirect", content, line, text);
                    self.flags &= !flags::FILTER_ALL;
                } else {
                    log::warning!("bad REDIRECT target \"{shown}\" in {class} map -- need user@domain");
                }
            }
            b"BCC" => {
                if text.contains(&b'@') {
                    self.bcc.push(text.to_vec());
                    self.log_action("bcc", content, line, text);
                } else {
                    log::warning!("bad BCC address \"{shown}\" in {class} map -- need user@domain");
                }
            }
            b"WARN" | b"INFO" | b"PREPEND" | b"REPLACE" | b"STRIP" | b"IGNORE" | b"DUNNO" | b"OK" => {
                return self.act_on_line(content, line, answer, class);
            }
            _ => log::warning!("unknown command in {class} map: {}", bytes::show(answer)),
        }
        Action::Keep
    }

    /// The actions that change a line at most, which delivery agents know too.
    fn act_on_line(&mut self, content: Content, line: &[u8], answer: &[u8], class: &str) -> Action {
        let outcome = checks::apply(class, content.place(), answer);
        if let Some(warning) = outcome.warning {
            log::warning!("{warning}");
        }
        if let Some((action, text)) = outcome.log {
            self.log_action(action, content, line, text);
        }
        match outcome.verdict {
            Verdict::Keep => Action::Keep,
            Verdict::Remove => Action::Drop,
            Verdict::Replace(text) => Action::Replace(text.to_vec()),
            Verdict::Prepend(text) => {
                match content {
                    Content::Header => self.out_header(text),
                    Content::Body | Content::Any => self.out(RecordType::Norm, text),
                }
                Action::Keep
            }
        }
    }

    fn act_reject(&mut self, content: Content, line: &[u8], text: &[u8]) {
        let detail = Status::CONT.detail();
        let text = if text.is_empty() { detail.text.as_bytes() } else { text };
        let (status, words) = dsn::split_status(dsn::Status::new(detail.dsn), text);
        let mut reason = [status.as_str().as_bytes(), b" ", words].concat();
        if let Some(first @ b'2') = reason.first_mut() {
            log::warning!("bad DSN action in {} -- need 4.x.x or 5.x.x", bytes::show(text));
            *first = b'4';
        }
        self.errors |= if reason.first() == Some(&b'4') { Status::DEFER } else { Status::CONT };
        self.flags &= !flags::FILTER_ALL;
        self.log_action("reject", content, line, &reason);
        self.reason = Some(reason);
    }

    /// `QID: action: header LINE from CLIENT; from=<> to=<> proto= helo=<>: text`
    fn log_action(&self, action: &str, content: Content, line: &[u8], text: &[u8]) {
        let origin = self.attribute("log_message_origin").unwrap_or(b"unknown");
        let mut entry = format!(
            "{}: {action}: {} {} from {};",
            self.queue_id,
            content.word(),
            bytes::show_limited(until_nul(line), 200),
            bytes::show(origin)
        );
        let mut add = |label: &str, value: &dyn std::fmt::Display, end: &str| {
            entry.push_str(&format!("{label}{value}{end}"))
        };
        if let Some(sender) = &self.sender {
            add(" from=<", &self.logged(sender), ">");
        }
        if let Some(recipient) = &self.recipient {
            add(" to=<", &self.logged(recipient), ">");
        }
        if let Some(protocol) = self.attribute("log_protocol_name") {
            add(" proto=", &bytes::show(protocol), "");
        }
        if let Some(helo) = self.attribute("log_helo_name") {
            add(" helo=<", &bytes::show(helo), ">");
        }
        if !text.is_empty() {
            add(": ", &bytes::show(text), "");
        }
        log::info!("{entry}");
    }
}
