//! HELO and EHLO.

use crate::ehlo::Keywords;
use crate::error_class::ErrorClass;
use crate::restriction::Hangup;
use crate::session::{Handled, Session, Stop};
use crate::text::{neuter, printable, show};
use crate::token::Token;

impl Session {
    pub(super) async fn helo(&mut self, tokens: &[Token]) -> Handled {
        let Some(name) = joined(tokens) else {
            return self.refuse(ErrorClass::PROTOCOL, "501 Syntax: HELO hostname").await;
        };
        if let Some(reply) = self.rejects_helo(&name).await? {
            return self.fail(&reply).await;
        }
        self.introduce(&name).await;
        if !self.is_esmtp() && self.protocol != "SMTP" {
            self.protocol = "SMTP".to_owned();
        }
        let text = format!("250 {}", self.server.settings.myhostname);
        self.accept(&text).await
    }

    pub(super) async fn ehlo(&mut self, tokens: &[Token]) -> Handled {
        let Some(name) = joined(tokens) else {
            return self.refuse(ErrorClass::PROTOCOL, "501 Syntax: EHLO hostname").await;
        };
        if let Some(reply) = self.rejects_helo(&name).await? {
            return self.fail(&reply).await;
        }
        self.introduce(&name).await;
        if !self.is_esmtp() {
            self.protocol = "ESMTP".to_owned();
        }
        let discard = self.discard;
        if !discard.is_empty()
            && !discard.has(Keywords::ENHANCEDSTATUSCODES)
            && !discard.has(Keywords::SILENT)
        {
            log::info!("discarding EHLO keywords: {discard}");
        }
        if self.unknown_keywords {
            log::warning!("don't know what EHLO features to announce to {}", self.peer.namaddr);
            return Err(Stop::LocalData);
        }
        let features = self.features().await?;
        let text: Vec<String> = features.into_iter().map(|feature| format!("250 {feature}")).collect();
        self.accept(&text.join("\r\n")).await
    }

    /// The lines of the EHLO reply.
    async fn features(&self) -> Result<Vec<String>, Stop> {
        let server = &self.server;
        let settings = &server.settings;
        let mut lines = vec![settings.myhostname.clone()];
        let mut offer = |keyword, is_available: bool, text: &str| {
            if is_available && !self.discard.has(keyword) {
                lines.push(text.to_owned());
            }
        };
        offer(Keywords::PIPELINING, true, "PIPELINING");
        let size = match settings.message_size_limit {
            limit if limit > 0 => format!("SIZE {limit}"),
            _ => "SIZE".to_owned(),
        };
        offer(Keywords::SIZE, true, &size);
        offer(Keywords::VRFY, !settings.disable_vrfy_command, "VRFY");
        offer(Keywords::ETRN, true, "ETRN");
        let has_tls = server.tls.offered && self.tls.is_none() && !self.stand_alone;
        offer(Keywords::STARTTLS, has_tls, "STARTTLS");
        let lists = &server.lists;
        let verp = self.may(Keywords::VERP, "XVERP", &lists.verp).await?;
        offer(Keywords::VERP, verp, "XVERP");
        offer(
            Keywords::XCLIENT,
            self.xclient_allowed,
            "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT",
        );
        offer(Keywords::XFORWARD, self.xforward_allowed, "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT");
        offer(Keywords::ENHANCEDSTATUSCODES, true, "ENHANCEDSTATUSCODES");
        offer(Keywords::EIGHTBITMIME, true, "8BITMIME");
        offer(Keywords::DSN, true, "DSN");
        offer(Keywords::SMTPUTF8, settings.smtputf8_enable, "SMTPUTF8");
        offer(Keywords::CHUNKING, true, "CHUNKING");
        Ok(lines)
    }

    /// Whether a client is in a list. A list that cannot be evaluated ends the session.
    async fn may(&self, keyword: Keywords, feature: &str, list: &table::HostList) -> Result<bool, Stop> {
        if self.discard.has(keyword) {
            return Ok(false);
        }
        let (name, address) = (self.peer.name.as_bytes(), self.peer.address.as_bytes());
        list.matches(name, address).await.map_err(|_| {
            log::warning!(
                "don't know if EHLO feature {feature} should be announced to {}",
                self.peer.namaddr
            );
            Stop::LocalData
        })
    }

    async fn rejects_helo(&mut self, name: &str) -> Result<Option<String>, Stop> {
        if self.stand_alone || self.server.settings.smtpd_delay_reject {
            return Ok(None);
        }
        self.check_helo(name).await.map_err(|Hangup| Stop::Quiet)
    }

    async fn introduce(&mut self, name: &str) {
        self.helo_name = None;
        self.flush_history().await;
        self.mail_reset();
        self.rcpt_reset();
        self.helo_name = Some(neuter(&printable(name.as_bytes(), '?', self.server.encoding)));
    }

    /// Forgets HELO.
    pub(super) fn helo_reset(&mut self) {
        self.helo_name = None;
    }
}

/// The arguments as one text.
fn joined(tokens: &[Token]) -> Option<String> {
    let arguments = tokens.get(1..).filter(|arguments| !arguments.is_empty())?;
    let words: Vec<_> = arguments.iter().map(|token| show(&token.text)).collect();
    Some(words.join(" "))
}
