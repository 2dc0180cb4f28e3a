//! BDAT (RFC 3030): content in chunks of known size.

use super::Step;
use crate::ehlo::Keywords;
use crate::error_class::ErrorClass;
use crate::input::Input;
use crate::line;
use crate::session::{Bdat, Chunk, Handled, Last, Next, Outcome, Session, Stage};
use crate::stats::Verb;
use crate::text::{all_digits, clip, printable, show};
use crate::token::Token;
use queue::RecordType;

impl Session {
    pub(super) async fn bdat(&mut self, tokens: &[Token], command: &[u8]) -> Handled {
        if self.discard.has(Keywords::CHUNKING) {
            // What follows is content; as commands it would only make noise.
            return self.refuse(ErrorClass::PROTOCOL, "521 5.5.1 Error: command not implemented").await;
        }
        let size = tokens.get(1).filter(|size| all_digits(&size.text));
        let size = size.and_then(|size| show(&size.text).parse::<i64>().ok());
        let last = match tokens.get(2) {
            None => Some(Last::No),
            Some(word) if word.is("LAST") && tokens.len() == 3 => Some(Last::Yes),
            Some(_) => None,
        };
        let (Some(size), Some(last)) = (size, last) else {
            let shown = printable(command, '?', self.server.encoding);
            log::warning!(
                "{}: malformed BDAT command syntax from {}: {}",
                self.queue_id(),
                self.peer.namaddr,
                clip(&shown, 100)
            );
            return self.refuse(ErrorClass::PROTOCOL, "521 5.5.4 Syntax: BDAT count [LAST]").await;
        };
        if size == 0 && last == Last::No {
            log::warning!("{}: null BDAT request from {}", self.queue_id(), self.peer.namaddr);
            return Ok(self.skip(size, last, "551 5.7.1 Null BDAT request").await);
        }
        if self.bdat == Bdat::Failed {
            let text = format!("551 5.0.0 Discarded {size} bytes after earlier error");
            return Ok(self.skip(size, last, &text).await);
        }
        if self.bdat == Bdat::None {
            if self.recipients == 0 {
                if self.in_transaction() {
                    return Ok(self.skip(size, last, "554 5.5.1 Error: no valid recipients").await);
                }
                self.error_mask.add(ErrorClass::PROTOCOL);
                return Ok(self.skip(size, last, "503 5.5.1 Error: need RCPT command").await);
            }
            if let Some(reply) = self.rejects_data().await? {
                return Ok(self.skip(size, last, &reply).await);
            }
        }
        let limit = self.server.settings.message_size_limit;
        if limit > 0 && self.received() > limit - size {
            self.error_mask.add(ErrorClass::POLICY);
            log::warning!(
                "{}: BDAT request from {} exceeds message size limit",
                self.queue_id(),
                self.peer.namaddr
            );
            return Ok(self.skip(size, last, "552 5.3.4 Chunk exceeds message size limit").await);
        }
        if self.bdat == Bdat::None {
            self.begin_content();
            self.bdat_line = Vec::new();
            self.bdat_continued = false;
        }
        self.bdat = Bdat::Accepting;
        self.stage_name = "BDAT content";
        self.stage = Stage::Chunk(Box::new(Chunk {
            size: size.unsigned_abs(),
            remaining: size.unsigned_abs(),
            last,
            skip: None,
        }));
        Ok(Outcome::Continues)
    }

    fn received(&self) -> i64 {
        self.mail.as_ref().map_or(0, |mail| mail.received_size)
    }

    /// Skips a chunk and then replies, to stay in step with the client; too large a one ends the session.
    async fn skip(&mut self, size: i64, last: Last, text: &str) -> Outcome {
        let limit = self.server.settings.message_size_limit as f64;
        let is_too_much = limit > 0.0 && self.received() as f64 / 1.5 > limit - size as f64 / 1.5;
        if is_too_much {
            self.reply(text).await;
            log::warning!(
                "{}: too much BDAT content -- disabling further input from {}",
                self.queue_id(),
                self.peer.namaddr
            );
            self.input_disabled = true;
            self.after_skipping(last).await;
            return Outcome::Failed;
        }
        if let Some(mail) = &mut self.mail {
            mail.received_size = mail.received_size.saturating_add(size);
        }
        self.stage = Stage::Chunk(Box::new(Chunk {
            size: size.unsigned_abs(),
            remaining: size.unsigned_abs(),
            last,
            skip: Some(text.to_owned()),
        }));
        Outcome::Continues
    }

    async fn after_skipping(&mut self, last: Last) {
        if last == Last::Yes {
            self.flush_history().await;
            self.mail_reset();
            self.rcpt_reset();
        } else {
            self.bdat = Bdat::Failed;
        }
    }

    /// Takes or skips what has arrived of a chunk.
    pub(crate) async fn chunk_step(&mut self, input: &mut Input) -> Step {
        let Stage::Chunk(chunk) = &mut self.stage else {
            return Ok(None);
        };
        let available = usize::try_from(chunk.remaining).unwrap_or(usize::MAX).min(input.rest().len());
        chunk.remaining -= available as u64;
        let (remaining, last, size) = (chunk.remaining, chunk.last, chunk.size);
        if let Some(reply) = &chunk.skip {
            let reply = reply.clone();
            input.consume(available);
            if remaining > 0 {
                return Ok(Some(Next::Read));
            }
            self.stage = Stage::Command;
            self.reply(&reply).await;
            self.after_skipping(last).await;
            self.command_ended(Verb::Bdat, Outcome::Failed);
            return Ok(None);
        }
        let fragment = input.rest()[..available].to_vec();
        input.consume(available);
        self.take_fragment(&fragment, remaining == 0 && last == Last::Yes);
        self.send_if_much().await;
        if remaining > 0 {
            return Ok(Some(Next::Read));
        }
        self.stage = Stage::Command;
        let outcome = self.end_chunk(last, size).await?;
        self.command_ended(Verb::Bdat, outcome);
        Ok(None)
    }

    /// Makes lines of a fragment; the last one may go on in the next fragment.
    fn take_fragment(&mut self, fragment: &[u8], is_final: bool) {
        let limit = usize::try_from(self.server.settings.line_length_limit).unwrap_or(2048);
        let mut pending = std::mem::take(&mut self.bdat_line);
        pending.extend_from_slice(fragment);
        let mut used = 0;
        while let Some(piece) = line::piece(&pending[used..], limit, self.bare) {
            let text = &pending[used..][piece.text.clone()];
            used += piece.used;
            self.note_bare_newline(piece.bare);
            let kind = if piece.ended { RecordType::Norm } else { RecordType::Cont };
            self.store_line(kind, text);
            self.bdat_continued = !piece.ended;
        }
        pending.drain(..used);
        if is_final && !pending.is_empty() {
            self.store_line(RecordType::Norm, &pending);
            pending.clear();
        }
        self.bdat_line = pending;
    }

    async fn end_chunk(&mut self, last: Last, size: u64) -> Handled {
        if last == Last::Yes {
            self.stage_name = "END-OF-MESSAGE";
            return self.end_content().await;
        }
        if self.mail.as_ref().is_some_and(|mail| mail.error.is_ok()) {
            return self.accept(&format!("250 2.0.0 Ok: {size} bytes")).await;
        }
        self.end_content().await?;
        self.bdat = Bdat::Failed;
        Ok(Outcome::Failed)
    }
}
