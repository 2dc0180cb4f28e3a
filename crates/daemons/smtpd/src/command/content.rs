//! Message content on its way to cleanup(8), and what becomes of it.

use crate::error_class::ErrorClass;
use crate::restriction::Hangup;
use crate::session::{Bdat, Handled, Outcome, Session, Stop};
use crate::text::show;
use ipc::cleanup::{Reply, Status};
use queue::{RecordType, encode_record};

/// So much is collected before it is sent.
const CHUNK: usize = 32 * 1024;

impl Session {
    /// Adds a record to the message.
    pub(crate) fn put_record(&mut self, kind: RecordType, data: &[u8]) {
        if let Some(intake) = self.mail.as_mut().and_then(|mail| mail.intake.as_mut()) {
            encode_record(intake.buffer(), kind, data);
        }
    }

    /// Stores a line, as long as nothing is wrong and the message is not too large.
    pub(super) fn store_line(&mut self, kind: RecordType, text: &[u8]) {
        let limit = self.server.settings.message_size_limit;
        let Some(mail) = &mut self.mail else {
            return;
        };
        if !mail.error.is_ok() {
            return;
        }
        let size = text.len() as i64 + 2;
        if limit > 0 && limit - mail.received_size < size {
            mail.error |= Status::SIZE;
            log::warning!("{}: queue file size limit exceeded", self.queue_id());
            return;
        }
        mail.received_size += size;
        if let Some(intake) = &mut mail.intake {
            encode_record(intake.buffer(), kind, text);
        }
    }

    pub(super) fn has_much_to_send(&mut self) -> bool {
        let intake = self.mail.as_mut().and_then(|mail| mail.intake.as_mut());
        intake.is_some_and(|intake| intake.buffer().len() >= CHUNK)
    }

    pub(super) async fn send_if_much(&mut self) {
        if !self.has_much_to_send() {
            return;
        }
        let Some(mail) = &mut self.mail else {
            return;
        };
        if let Some(intake) = &mut mail.intake
            && intake.flush().await.is_err()
        {
            mail.error |= Status::WRITE;
        }
    }

    /// Hands the message over and tells the client.
    pub(super) async fn end_content(&mut self) -> Handled {
        let error = self.mail.as_ref().map_or(Status::BAD, |mail| mail.error);
        if error.is_ok()
            && !self.stand_alone
            && let Some(reply) = self.check_end_of_data().await.map_err(|Hangup| Stop::Quiet)?
        {
            self.reply(&reply).await;
            self.end_transaction().await;
            return Ok(Outcome::Failed);
        }
        let reply = self.commit(error).await;
        let outcome = self.report(&reply).await;
        self.end_transaction().await;
        Ok(outcome)
    }

    async fn end_transaction(&mut self) {
        self.flush_history().await;
        self.mail_reset();
        self.rcpt_reset();
    }

    /// Sends the rest of the message and waits until it is safe.
    async fn commit(&mut self, error: Status) -> Reply {
        let intake = self.mail.as_mut().and_then(|mail| mail.intake.take());
        let failed = |status| Reply { status, reason: Vec::new() };
        let mut intake = match intake {
            Some(intake) if error.is_ok() => intake,
            // Closing the connection without an end makes cleanup(8) forget the message.
            _ if !error.is_ok() => return failed(error),
            _ => return failed(Status::WRITE),
        };
        self.put_actions(intake.buffer());
        match intake.finish().await {
            Ok(reply) => reply,
            Err(failure) => {
                log::warning!("{}: problem talking to cleanup: {failure}", self.queue_id());
                failed(Status::WRITE)
            }
        }
    }

    /// The extracted part: what access tables asked for.
    fn put_actions(&self, out: &mut Vec<u8>) {
        encode_record(out, RecordType::Extracted, b"");
        if let Some(actions) = &self.actions {
            if let Some(filter) = &actions.filter {
                encode_record(out, RecordType::FILTER, filter.as_bytes());
            }
            if let Some(redirect) = &actions.redirect {
                encode_record(out, RecordType::Redirect, redirect.as_bytes());
            }
            for bcc in &actions.bcc {
                encode_record(out, RecordType::Recipient, bcc.as_bytes());
                let never = format!("notify_flags={}", dsn::notify::NEVER);
                encode_record(out, RecordType::Attr, never.as_bytes());
            }
            if actions.flags != 0 {
                encode_record(out, RecordType::Flags, actions.flags.to_string().as_bytes());
            }
        }
        encode_record(out, RecordType::End, b"");
    }

    async fn report(&mut self, result: &Reply) -> Outcome {
        let status = result.status;
        if status.is_ok() {
            self.errors = 0;
            self.error_mask = ErrorClass::default();
            self.junk = 0;
            let id = self.queue_id();
            let text = match (self.bdat, &self.mail) {
                (Bdat::None, _) | (_, None) => format!("250 2.0.0 Ok: queued as {id}"),
                (_, Some(mail)) => format!("250 2.0.0 Ok: {} bytes queued as {id}", mail.received_size),
            };
            self.reply(&text).await;
            return Outcome::Done;
        }
        let reason = show(&result.reason).into_owned();
        let is_reply = is_rejection(&result.reason);
        let reason = sanitized(&reason, is_reply);
        if status.intersects(Status::BARE_LF) {
            self.log_whatsup("reject", "bare <LF> received");
            self.error_mask.add(ErrorClass::PROTOCOL);
            let text = self.bare_newline_reply();
            self.reply(&text).await;
            return Outcome::Failed;
        }
        if is_reply {
            self.error_mask.add(ErrorClass::POLICY);
            self.reply(&reason).await;
            return Outcome::Failed;
        }
        let ranking = [
            (Status::DEFER, ErrorClass::POLICY),
            (Status::BAD, ErrorClass::SOFTWARE),
            (Status::SIZE, ErrorClass::BOUNCE),
            (Status::HOPS, ErrorClass::BOUNCE),
            (Status::CONT, ErrorClass::POLICY),
            (Status::WRITE, ErrorClass::RESOURCE),
        ];
        let worst = ranking.into_iter().find(|(bit, _)| status.intersects(*bit));
        let (bit, class) = worst.unwrap_or((Status::BAD, ErrorClass::SOFTWARE));
        self.error_mask.add(class);
        let detail = bit.detail();
        let has_own_text = matches!(bit, Status::DEFER | Status::CONT) && !reason.is_empty();
        let text = if bit == Status::BAD {
            format!("{} {} Error: internal error {}", detail.smtp, detail.dsn, status.0)
        } else if has_own_text {
            format!("{} {reason}", detail.smtp)
        } else {
            format!("{} {} Error: {}", detail.smtp, detail.dsn, detail.text)
        };
        self.reply(&text).await;
        Outcome::Failed
    }
}

fn is_rejection(text: &[u8]) -> bool {
    match text {
        [b'4' | b'5', a, b, rest @ ..] => {
            a.is_ascii_digit() && b.is_ascii_digit() && matches!(rest.first(), None | Some(b' ' | b'-'))
        }
        _ => false,
    }
}

fn sanitized(text: &str, keep_lines: bool) -> String {
    let is_kept = |c: char| !c.is_ascii_control() || (keep_lines && matches!(c, '\r' | '\n'));
    text.chars().map(|c| if is_kept(c) { c } else { ' ' }).collect()
}
