//! VRFY.

use crate::ehlo::Keywords;
use crate::envelope::Reading;
use crate::error_class::ErrorClass;
use crate::restriction::Hangup;
use crate::session::{Handled, Session, Stop};
use crate::text::show;
use crate::token::Token;
use ipc::anvil::Event;

impl Session {
    pub(super) async fn vrfy(&mut self, tokens: &[Token]) -> Handled {
        let server = self.server.clone();
        let settings = &server.settings;
        if settings.disable_vrfy_command {
            return self.refuse(ErrorClass::POLICY, "502 5.5.1 VRFY command is disabled").await;
        }
        let mut arguments = tokens.get(1..).unwrap_or_default();
        let may_utf8 = settings.smtputf8_enable && !self.discard.has(Keywords::SMTPUTF8);
        let mut utf8 = false;
        if let [rest @ .., last] = arguments
            && may_utf8
            && last.is("SMTPUTF8")
        {
            (arguments, utf8) = (rest, true);
        }
        if arguments.is_empty() {
            let option = if settings.smtputf8_enable { " [SMTPUTF8]" } else { "" };
            let text = format!("501 5.5.4 Syntax: VRFY address{option}");
            return self.refuse(ErrorClass::PROTOCOL, &text).await;
        }
        if let Some(rate) = self.excess(Event::Recipient, settings.smtpd_client_recipient_rate_limit).await {
            return self.too_many_recipients(rate).await;
        }
        let words: Vec<&[u8]> = arguments.iter().map(|token| token.text.as_slice()).collect();
        let argument = words.join(&b' ');
        let how = Reading { allow_empty: false, strict: false, utf8 };
        let Some(address) = self.extract_address(&argument, how).await else {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.1.3 Bad recipient address syntax").await;
        };
        if !utf8 && settings.strict_smtputf8 && !address.is_ascii() {
            self.mail_reset();
            return self.fail("553 5.6.7 Must declare SMTPUTF8 to send unicode address").await;
        }
        if !self.stand_alone {
            let saved = self.smtputf8;
            self.smtputf8 |= utf8;
            let decision = self.check_rcpt(&address).await;
            self.smtputf8 = saved;
            if let Some(reply) = decision.map_err(|Hangup| Stop::Quiet)? {
                return self.fail(&reply).await;
            }
        }
        self.accept(&format!("252 2.0.0 {}", show(&argument))).await
    }
}
