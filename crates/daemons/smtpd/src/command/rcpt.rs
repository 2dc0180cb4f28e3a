//! RCPT.

use crate::ehlo::Keywords;
use crate::envelope::Reading;
use crate::error_class::ErrorClass;
use crate::restriction::Hangup;
use crate::session::{Bdat, Handled, Outcome, Session, Stop};
use crate::text::show;
use crate::token::Token;
use ipc::anvil::Event;
use queue::{RecordType, encode_record};

/// The parameters of a RCPT command.
#[derive(Default)]
struct Options {
    notify: u32,
    /// Address type and decoded address.
    orcpt: Option<(Vec<u8>, Vec<u8>)>,
}

impl Session {
    pub(super) async fn rcpt_to(&mut self, tokens: &[Token]) -> Handled {
        let server = self.server.clone();
        let settings = &server.settings;
        if !self.in_transaction() {
            return self.refuse(ErrorClass::PROTOCOL, "503 5.5.1 Error: need MAIL command").await;
        }
        if self.bdat != Bdat::None {
            return self.refuse(ErrorClass::PROTOCOL, "503 5.5.1 Error: RCPT after BDAT").await;
        }
        let [_, to, argument, options @ ..] = tokens else {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.5.4 Syntax: RCPT TO:<address>").await;
        };
        if !to.is("to:") {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.5.4 Syntax: RCPT TO:<address>").await;
        }
        if let Some(rate) = self.excess(Event::Recipient, settings.smtpd_client_recipient_rate_limit).await {
            return self.too_many_recipients(rate).await;
        }
        let how =
            Reading { allow_empty: false, strict: settings.strict_rfc821_envelopes, utf8: self.smtputf8 };
        let address = match argument.malformed {
            true => None,
            false => self.extract_address(&argument.text, how).await,
        };
        let Some(mut recipient) = address else {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.1.3 Bad recipient address syntax").await;
        };
        let mut parsed = Options::default();
        for option in options {
            if let Err(text) = self.rcpt_option(option, &mut parsed) {
                return self.refuse(ErrorClass::PROTOCOL, &text).await;
            }
        }
        if self.recipients >= settings.smtpd_recipient_limit {
            self.reply("452 4.5.3 Error: too many recipients").await;
            self.overshoot += 1;
            if self.overshoot <= settings.smtpd_recipient_overshoot_limit {
                return Ok(Outcome::Done);
            }
            self.error_mask.add(ErrorClass::POLICY);
            return Ok(Outcome::Failed);
        }
        if self.refuses_eight_bit(&recipient, "recipient") {
            return self.fail("553 5.6.7 Must declare SMTPUTF8 to send unicode address").await;
        }
        if !self.stand_alone {
            match server.probe_sender(&recipient).await {
                Some(probe) => recipient = probe,
                None => {
                    if let Some(reply) = self.check_rcpt(&recipient).await.map_err(|Hangup| Stop::Quiet)? {
                        return self.fail(&reply).await;
                    }
                }
            }
        }
        // Nothing is opened before there is somebody to deliver to.
        if self.mail.as_ref().is_some_and(|mail| mail.intake.is_none()) && !self.open_message().await {
            return self.fail("451 4.3.0 Error: queue file write error").await;
        }
        self.add_recipient(recipient, &argument.text, parsed);
        self.accept("250 2.1.5 Ok").await
    }

    /// Refuses a client that named too many recipients of late.
    pub(super) async fn too_many_recipients(&mut self, rate: i64) -> Handled {
        self.warn_excess("Recipient address rate", rate);
        let text = format!("450 4.7.1 Error: too many recipients from {}", self.peer.address);
        self.refuse(ErrorClass::POLICY, &text).await
    }

    fn add_recipient(&mut self, recipient: Vec<u8>, argument: &[u8], options: Options) {
        self.recipients += 1;
        if let Some(intake) = self.mail.as_mut().and_then(|mail| mail.intake.as_mut()) {
            // In external form, as RFC 3461 wants it.
            let (kind, original) = options.orcpt.unwrap_or_else(|| {
                let inside = argument.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">"));
                (b"rfc822".to_vec(), inside.unwrap_or(argument).to_vec())
            });
            let out = intake.buffer();
            if options.notify != 0 {
                encode_record(out, RecordType::Attr, format!("notify_flags={}", options.notify).as_bytes());
            }
            let original = [b"dsn_orig_rcpt=", kind.as_slice(), b";", &original].concat();
            encode_record(out, RecordType::Attr, &original);
            encode_record(out, RecordType::Recipient, &recipient);
        }
        self.recipient.get_or_insert(recipient);
    }

    fn rcpt_option(&self, option: &Token, parsed: &mut Options) -> Result<(), String> {
        let disabled = || "501 5.7.1 DSN support is disabled".to_owned();
        if let Some(words) = option.after("NOTIFY=") {
            if self.discard.has(Keywords::DSN) {
                return Err(disabled());
            }
            warn_unknown_notices(words);
            match dsn::notify::parse(&words.to_ascii_uppercase()) {
                Some(mask) if parsed.notify == 0 => parsed.notify = mask,
                _ => return Err("501 5.5.4 Error: Bad NOTIFY parameter syntax".to_owned()),
            }
        } else if let Some(original) = option.after("ORCPT=") {
            if self.discard.has(Keywords::DSN) {
                return Err(disabled());
            }
            let decoded = bytes::split_once(original, b';').and_then(|(kind, coded)| {
                let text = match kind.eq_ignore_ascii_case(b"utf-8") {
                    true => message::xtext::uxtext_unquote(coded)?,
                    false => message::xtext::unquote(coded)?,
                };
                (!kind.is_empty()).then(|| (kind.to_vec(), text))
            });
            match decoded {
                Some(decoded) if parsed.orcpt.is_none() => parsed.orcpt = Some(decoded),
                _ => return Err("501 5.5.4 Error: Bad ORCPT parameter syntax".to_owned()),
            }
        } else {
            return Err(format!("555 5.5.4 Unsupported option: {}", show(&option.text)));
        }
        Ok(())
    }
}

fn warn_unknown_notices(words: &[u8]) {
    let text = show(words);
    let is_known = |word: &&str| {
        ["never", "success", "failure", "delay"].iter().any(|name| word.eq_ignore_ascii_case(name))
    };
    if let Some(word) = bytes::list::split(&text, bytes::list::SEPARATORS).find(|word| !is_known(word)) {
        log::warning!("unknown DSN NOTIFY command value \"{word}\" in \"{text}\"");
    }
}
