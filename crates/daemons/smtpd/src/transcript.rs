//! The dialogue as it was, kept for a notice to the postmaster when something goes wrong.

use crate::error_class::ErrorClass;
use crate::session::Session;
use crate::text::printable;
use ipc::cleanup::flags;
use queue::{RecordType, encode_record};

/// The lines of a dialogue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript {
    text: Vec<u8>,
    lines: i64,
}

const WIDTH: usize = 78;
const INDENT: usize = 4;

impl Session {
    /// Adds a line. Nothing is kept when nothing would be reported.
    pub(crate) fn record_in_history(&mut self, direction: &str, line: &[u8]) {
        if self.server.notify.is_empty() {
            return;
        }
        let text = &mut self.transcript.text;
        text.extend_from_slice(direction.as_bytes());
        line.split(|&byte| byte == b'\n').for_each(|part| text.extend_from_slice(part));
        text.push(b'\n');
        self.transcript.lines += 1;
    }

    /// Reports and forgets a dialogue that has become long.
    pub(crate) async fn flush_history(&mut self) {
        self.reset_history(self.server.settings.smtpd_history_flush_threshold).await;
    }

    /// Reports and forgets the dialogue.
    pub(crate) async fn end_history(&mut self) {
        self.reset_history(0).await;
    }

    async fn reset_history(&mut self, threshold: i64) {
        if self.transcript.lines <= threshold {
            return;
        }
        let transcript = std::mem::take(&mut self.transcript);
        let trouble = std::mem::take(&mut self.error_mask);
        if !self.stand_alone && trouble.meets(self.server.notify) {
            // A boxed future: this is rare, and large.
            Box::pin(self.notify_postmaster(&transcript, trouble)).await;
        }
    }

    async fn notify_postmaster(&self, transcript: &Transcript, trouble: ErrorClass) {
        let server = &self.server;
        let settings = &server.settings;
        let recipient = match trouble.meets(ErrorClass::BOUNCE) {
            true => &settings.bounce_notice_recipient,
            false => &settings.error_notice_recipient,
        };
        let mut notice = match server.outside.open_mail(flags::MASK_INTERNAL).await {
            Ok(notice) => notice,
            Err(error) => {
                log::warning!("postmaster notify: {error}");
                return;
            }
        };
        let id = notice.queue_id().to_owned();
        let out = notice.buffer();
        let mut put = |kind, text: &str| encode_record(out, kind, text.as_bytes());
        let now = sys::time::unix_duration();
        let sender = format!("{}@{}", settings.double_bounce_sender, settings.myhostname);
        let daemon = format!("MAILER-DAEMON@{}", settings.myhostname);
        put(RecordType::Time, &format!("{} {}", now.as_secs(), now.subsec_micros()));
        put(RecordType::Attr, "log_message_origin=local");
        put(RecordType::Attr, "trace_flags=0");
        put(RecordType::Sender, &sender);
        put(RecordType::Recipient, recipient);
        put(RecordType::Content, "");
        let mut line = |text: &str| put(RecordType::Norm, text);
        line(&format!("Received: by {} ({})", settings.myhostname, settings.mail_name));
        let date = message::date::mail_date(now.as_secs() as i64);
        line(&format!("\tid {id}; {date}"));
        line(&format!("Date: {date}"));
        let to = &settings.error_notice_recipient;
        if settings.header_from_format.eq_ignore_ascii_case("standard") {
            line(&format!("From: Mail Delivery System <{daemon}>"));
            line(&format!("To: Postmaster <{to}>"));
        } else {
            line(&format!("From: {daemon} (Mail Delivery System)"));
            line(&format!("To: {to} (Postmaster)"));
        }
        line(&format!("Subject: {} SMTP server: errors from {}", settings.mail_name, self.peer.namaddr));
        line("");
        line("Transcript of session follows.");
        line("");
        for text in transcript.text.split(|&byte| byte == b'\n').filter(|text| !text.is_empty()) {
            for (number, part) in wrapped(&printable(text, '?', server.encoding)).into_iter().enumerate() {
                let indent = if number == 0 { 0 } else { INDENT };
                line(&format!(" {:indent$}{part}", ""));
            }
        }
        line("");
        if let Some(reason) = self.reason {
            line(&format!("Session aborted, reason: {reason}"));
        }
        line("");
        line("For other details, see the local mail logfile");
        put(RecordType::Extracted, "");
        put(RecordType::End, "");
        match notice.finish().await {
            Ok(reply) if reply.status.is_ok() => {}
            Ok(reply) => log::warning!("postmaster notify: {}", reply.status.detail().text),
            Err(error) => log::warning!("postmaster notify: {error}"),
        }
    }
}

/// A text in lines of limited length, broken between words: a word that is longer than a line stays whole, and one that would
/// end exactly at the limit still fits.
fn wrapped(text: &str) -> Vec<&str> {
    let is_blank = |c: char| c == ' ' || c.is_ascii_whitespace();
    let mut lines = Vec::new();
    let (mut start, mut word) = (0, 0);
    loop {
        let width = if lines.is_empty() { WIDTH } else { WIDTH - INDENT };
        let end = text[word..].find([' ', '\t']).map_or(text.len(), |at| word + at);
        if word > start && end - start > width {
            lines.push(text[start..word].trim_end_matches(is_blank));
            start = text.len() - text[word..].trim_start_matches(is_blank).len();
        }
        if end >= text.len() {
            lines.push(text[start.min(end)..].trim_end_matches(is_blank));
            return lines;
        }
        word = (end + 1).max(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_at_blanks() {
        let text = "word ".repeat(30);
        let lines = wrapped(text.trim_end());
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= WIDTH));
        assert_eq!(wrapped("short"), ["short"]);
        assert_eq!(wrapped(&"x".repeat(200)).len(), 1);
    }
}
