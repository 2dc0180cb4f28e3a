//! DATA: from the command to the end of the content.

use super::Step;
use crate::error_class::ErrorClass;
use crate::input::Input;
use crate::line;
use crate::restriction::Hangup;
use crate::session::{Bdat, DataState, Handled, Next, Outcome, Session, Stage, Stop};
use crate::stats::Verb;
use crate::token::Token;
use ipc::cleanup::Status;
use queue::RecordType;

impl Session {
    pub(super) async fn data(&mut self, tokens: &[Token]) -> Handled {
        if self.bdat != Bdat::None {
            return self.refuse(ErrorClass::PROTOCOL, "503 5.5.1 Error: DATA after BDAT").await;
        }
        if self.recipients == 0 {
            // With pipelining, DATA may come before the client knows that no recipient is left.
            if self.in_transaction() {
                return self.fail("554 5.5.1 Error: no valid recipients").await;
            }
            return self.refuse(ErrorClass::PROTOCOL, "503 5.5.1 Error: need RCPT command").await;
        }
        if tokens.len() != 1 {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.5.4 Syntax: DATA").await;
        }
        if let Some(reply) = self.rejects_data().await? {
            return self.fail(&reply).await;
        }
        self.begin_content();
        self.reply("354 End data with <CR><LF>.<CR><LF>").await;
        self.stage_name = "DATA content";
        self.stage = Stage::Data(DataState::default());
        Ok(Outcome::Continues)
    }

    /// Evaluates the restrictions for DATA, and for the first BDAT.
    pub(super) async fn rejects_data(&mut self) -> Result<Option<String>, Stop> {
        if self.stand_alone {
            return Ok(None);
        }
        self.check_data().await.map_err(|Hangup| Stop::Quiet)
    }

    /// Takes content up to the line with the dot.
    pub(crate) async fn data_step(&mut self, input: &mut Input) -> Step {
        let limit = usize::try_from(self.server.settings.line_length_limit).unwrap_or(2048);
        let Stage::Data(state) = &mut self.stage else {
            return Ok(None);
        };
        let mut state = std::mem::take(state);
        let mut used = 0;
        let mut ended = false;
        while let Some(piece) = line::piece(&input.rest()[used..], limit, self.bare) {
            let text = &input.rest()[used..][piece.text.clone()];
            used += piece.used;
            let is_end = self.take_line(text, &piece, &mut state);
            if is_end {
                ended = true;
                break;
            }
            if self.has_much_to_send() {
                break;
            }
        }
        let is_exhausted = !ended && line::piece(&input.rest()[used..], limit, self.bare).is_none();
        input.consume(used);
        if ended {
            self.stage_name = "END-OF-MESSAGE";
            self.stage = Stage::Command;
            let outcome = self.end_content().await?;
            self.command_ended(Verb::Data, outcome);
            return Ok(None);
        }
        self.stage = Stage::Data(state);
        self.send_if_much().await;
        Ok(is_exhausted.then_some(Next::Read))
    }

    /// Takes a line of content; true: it was the end.
    fn take_line(&mut self, text: &[u8], piece: &line::Piece, state: &mut DataState) -> bool {
        let kind = if piece.ended { RecordType::Norm } else { RecordType::Cont };
        self.note_bare_newline(piece.bare);
        let previous_bare = std::mem::replace(&mut state.previous_bare, piece.bare);
        let continued = std::mem::replace(&mut state.continued, !piece.ended);
        if !std::mem::replace(&mut state.started, true) {
            self.fix_first_line(text);
        }
        let mut text = text;
        if !continued && text.first() == Some(&b'.') {
            if text.len() == 1 && self.bare.standard_end && (piece.bare || previous_bare) {
                return false;
            }
            text = &text[1..];
            if text.is_empty() {
                return true;
            }
        }
        self.store_line(kind, text);
        false
    }

    /// Content that does not begin like a header must not become part of ours.
    fn fix_first_line(&mut self, text: &[u8]) {
        let quotes = text.iter().take_while(|&&byte| byte == b'>').count();
        if text[quotes..].starts_with(b"From ") {
            const NAME: &[u8] = b"X-Mailbox-Line: ";
            self.put_record(RecordType::Cont, NAME);
            if let Some(mail) = &mut self.mail {
                mail.received_size += NAME.len() as i64;
            }
        }
        if matches!(text.first(), Some(b' ' | b'\t')) {
            self.put_record(RecordType::Norm, b"");
        }
    }

    pub(super) fn note_bare_newline(&mut self, bare: bool) {
        if !bare {
            return;
        }
        if self.bare.reject {
            if let Some(mail) = &mut self.mail {
                mail.error |= Status::BARE_LF;
            }
        } else if self.bare.note {
            self.bare_noted = true;
        }
    }
}
