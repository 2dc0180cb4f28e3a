//! MAIL.

use crate::ehlo::Keywords;
use crate::envelope::Reading;
use crate::error_class::ErrorClass;
use crate::restriction::Hangup;
use crate::session::{Bdat, Handled, Session, Stop};
use crate::text::{all_digits, printable, show};
use crate::token::Token;
use crate::transaction::Transaction;
use address::verp::VerpDelimiters;
use ipc::anvil::Event;
use std::time::{SystemTime, UNIX_EPOCH};

/// The parameters of a MAIL command.
#[derive(Default)]
struct Options {
    mail: Box<Transaction>,
    verp: Option<Vec<u8>>,
}

/// A parameter that is refused: the class of trouble, if any, and the reply.
struct Refused(Option<ErrorClass>, String);

impl Session {
    pub(super) async fn mail_from(&mut self, tokens: &[Token]) -> Handled {
        self.smtputf8 = false;
        let server = self.server.clone();
        let settings = &server.settings;
        if settings.smtpd_helo_required && self.helo_name.is_none() {
            return self.refuse(ErrorClass::POLICY, "503 5.5.1 Error: send HELO/EHLO first").await;
        }
        if self.in_transaction() {
            return self.refuse(ErrorClass::PROTOCOL, "503 5.5.1 Error: nested MAIL command").await;
        }
        if self.bdat != Bdat::None {
            return self.refuse(ErrorClass::PROTOCOL, "503 5.5.1 Error: MAIL after BDAT").await;
        }
        let [_, from, argument, options @ ..] = tokens else {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.5.4 Syntax: MAIL FROM:<address>").await;
        };
        if !from.is("from:") {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.5.4 Syntax: MAIL FROM:<address>").await;
        }
        if let Some(rate) = self.excess(Event::Message, settings.smtpd_client_message_rate_limit).await {
            self.warn_excess("Message delivery request rate", rate);
            let text = format!("450 4.7.1 Error: too much mail from {}", self.peer.address);
            return self.refuse(ErrorClass::POLICY, &text).await;
        }
        if self.wants_milters {
            log::warning!("smtpd_milters: mail filters are not available");
            return self.refuse(ErrorClass::SOFTWARE, "451 4.3.5 Server configuration error").await;
        }
        // Before the address, since it decides what an address may look like.
        let utf8 = settings.smtputf8_enable && !self.discard.has(Keywords::SMTPUTF8);
        self.smtputf8 = utf8 && options.iter().any(|option| option.is("SMTPUTF8"));
        let how =
            Reading { allow_empty: true, strict: settings.strict_rfc821_envelopes, utf8: self.smtputf8 };
        let address = match argument.malformed {
            true => None,
            false => self.extract_address(&argument.text, how).await,
        };
        let Some(mut sender) = address else {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.1.7 Bad sender address syntax").await;
        };
        let mut parsed = Options::default();
        // COMPAT: a size that was refused still counts in the next MAIL, until there is a RSET; tests/differential.
        parsed.mail.announced_size = self.announced_size;
        for option in options {
            if let Err(Refused(class, text)) = self.mail_option(option, &mut parsed).await {
                self.error_mask.add(class.unwrap_or_default());
                return self.fail(&text).await;
            }
        }
        self.announced_size = parsed.mail.announced_size;
        self.sender = Some(sender.clone());
        let refusal = self.check_size(parsed.mail.announced_size);
        self.sender = None;
        if let Some(reply) = refusal {
            return self.fail(&reply).await;
        }
        if parsed.verp.is_some() && sender.is_empty() {
            return self.fail("503 5.5.4 Error: XVERP requires non-null sender").await;
        }
        if !self.stand_alone {
            if let Some(probe) = server.probe_sender(&sender).await {
                sender = probe;
            }
            if let Some(reply) = self.rejects_sender(&sender).await? {
                self.mail_reset();
                return self.fail(&reply).await;
            }
        }
        if self.refuses_eight_bit(&sender, "sender") {
            return self.fail("553 5.6.7 Must declare SMTPUTF8 to send unicode address").await;
        }
        if !self.stand_alone
            && let Some(reply) = self.check_queue()
        {
            self.mail_reset();
            return self.fail(&reply).await;
        }
        self.begin_transaction(sender, parsed);
        if !settings.smtpd_delay_open_until_valid_rcpt && !self.open_message().await {
            self.mail_reset();
            return self.fail("451 4.3.0 Error: queue file write error").await;
        }
        self.accept("250 2.1.0 Ok").await
    }

    async fn rejects_sender(&mut self, sender: &[u8]) -> Result<Option<String>, Stop> {
        if !self.server.settings.smtpd_delay_reject
            && let Some(reply) = self.check_mail(sender).await.map_err(|Hangup| Stop::Quiet)?
        {
            return Ok(Some(reply));
        }
        Ok(self.choose_rewrite_context().await.err().map(str::to_owned))
    }

    fn begin_transaction(&mut self, sender: Vec<u8>, options: Options) {
        let arrival = SystemTime::now();
        let since = arrival.duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = self.transactions;
        self.transactions = self.transactions.wrapping_add(1);
        let mut mail = options.mail;
        mail.arrival = arrival;
        mail.verp = options.verp;
        mail.instance =
            format!("{:x}.{:x}.{:x}.{number:x}", std::process::id(), since.as_secs(), since.subsec_micros());
        self.mail = Some(mail);
        self.sender = Some(sender);
    }

    async fn mail_option(&self, option: &Token, parsed: &mut Options) -> Result<(), Refused> {
        let protocol = |text: &str| Refused(Some(ErrorClass::PROTOCOL), text.to_owned());
        let mail = &mut parsed.mail;
        let utf8 = self.server.settings.smtputf8_enable && !self.discard.has(Keywords::SMTPUTF8);
        if option.is("BODY=8BITMIME") {
            mail.encoding = Some("8bit");
        } else if option.is("BODY=7BIT") {
            mail.encoding = Some("7bit");
        } else if let Some(size) = option.after("SIZE=") {
            if !all_digits(size) {
                return Err(protocol("501 5.5.4 Bad message size syntax"));
            }
            mail.announced_size = show(size).parse().map_err(|_| {
                let text = "552 5.3.4 Message size exceeds file system imposed limit";
                Refused(Some(ErrorClass::POLICY), text.to_owned())
            })?;
        } else if utf8 && option.is("SMTPUTF8") {
            // Seen before.
        } else if let Some(sender) = option.after("AUTH=") {
            if mail.sasl_sender.is_some() {
                return Err(protocol("503 5.5.4 Error: multiple AUTH= options"));
            }
            if sender != b"<>" {
                mail.sasl_sender = Some(printable(sender, '?', self.server.encoding));
            }
        } else if let Some(verp) = verp_option(option)
            && self.is_in(|server| &server.lists.verp).await
        {
            let settings = &self.server.settings;
            let text = match verp {
                Some(text) => {
                    VerpDelimiters::parse(text, settings.verp_delimiter_filter.as_bytes()).map_err(|_| {
                        protocol(&format!(
                            "501 5.5.4 Error: XVERP needs two characters from {}",
                            settings.verp_delimiter_filter
                        ))
                    })?;
                    text.to_vec()
                }
                None => settings.default_verp_delimiters.as_bytes().to_vec(),
            };
            parsed.verp = Some(text);
        } else if let Some(what) = option.after("RET=") {
            if self.discard.has(Keywords::DSN) {
                return Err(protocol("501 5.7.1 DSN support is disabled"));
            }
            match dsn::ret::parse(what) {
                Some(ret) if mail.ret == 0 => mail.ret = ret,
                _ => return Err(protocol("501 5.5.4 Bad RET parameter syntax")),
            }
        } else if let Some(envid) = option.after("ENVID=") {
            if self.discard.has(Keywords::DSN) {
                return Err(protocol("501 5.7.1 DSN support is disabled"));
            }
            let envid = message::xtext::unquote(envid);
            let printable =
                |envid: &Vec<u8>| !envid.is_empty() && envid.iter().all(|byte| matches!(byte, b' '..=b'~'));
            match envid.filter(printable) {
                Some(envid) if mail.envid.is_none() => mail.envid = Some(envid),
                _ => return Err(protocol("501 5.5.4 Bad ENVID parameter syntax")),
            }
        } else {
            return Err(protocol(&format!("555 5.5.4 Unsupported option: {}", show(&option.text))));
        }
        Ok(())
    }
}

/// `XVERP` or `XVERP=delimiters`.
fn verp_option(option: &Token) -> Option<Option<&[u8]>> {
    match option.after("XVERP")? {
        b"" => Some(None),
        [b'=', delimiters @ ..] => Some(Some(delimiters)),
        _ => None,
    }
}
