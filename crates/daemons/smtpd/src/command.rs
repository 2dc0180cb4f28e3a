//! From the greeting to the end: reading commands and carrying them out.

mod bdat;
mod content;
mod data;
mod etrn;
mod greet;
mod helo;
mod mail;
mod rcpt;
mod starttls;
mod vrfy;
mod xclient;
mod xforward;

use crate::error_class::ErrorClass;
use crate::input::{Input, Source};
use crate::line::{self, Command};
use crate::session::{Handled, Next, Outcome, Session, Stage, Stop};
use crate::stats::Verb;
use crate::text::{clip, escape, printable, show};
use crate::token::{Token, tokenize};

/// What a stage of the session tells its driver: go on, or wait.
pub(crate) type Step = Result<Option<Next>, Stop>;

impl Session {
    /// Reads a command and carries it out.
    pub(crate) async fn command_step(&mut self, input: &mut Input, source: &mut dyn Source) -> Step {
        if self.hang_up {
            self.stage = Stage::Ended;
            return Ok(Some(Next::Close));
        }
        self.flush_history().await;
        let server = self.server.clone();
        if self.errors >= server.settings.smtpd_hard_error_limit {
            self.reason = Some("too many errors");
            self.error_mask.add(ErrorClass::PROTOCOL);
            let text = format!("421 4.7.0 {} Error: too many errors", server.settings.myhostname);
            self.reply(&text).await;
            self.stage = Stage::Ended;
            return Ok(None);
        }
        let limit = usize::try_from(server.settings.line_length_limit).unwrap_or(2048);
        let Command::Line { text, used, bare, long, flood } = line::command(input.rest(), limit, self.bare)
        else {
            return Ok(Some(Next::Read));
        };
        let command = input.rest()[text].to_vec();
        input.consume(used);
        self.request_begins = true;
        self.record_in_history("In:  ", &command);
        if long {
            let shown = printable(&command, '?', server.encoding);
            log::warning!("{}: request longer than {limit}: {}...", self.peer.namaddr, clip(&shown, 30));
        }
        if flood {
            log::warning!("disabling input from {}", self.peer.namaddr);
            self.input_disabled = true;
        }
        log::debug!("< {}: {}", self.peer.namaddr, show(&command));
        if bare && self.bare.reject {
            self.log_whatsup("reject", "bare <LF> received");
            self.error_mask.add(ErrorClass::PROTOCOL);
            let text = self.bare_newline_reply();
            self.reply(&text).await;
            self.stage = Stage::Ended;
            return Ok(None);
        }
        self.bare_noted |= bare && self.bare.note;
        if self.rejected_certificate.is_some() {
            self.reply_rejected_certificate().await;
            return Ok(None);
        }
        self.carry_out(command, input, source).await
    }

    pub(crate) fn bare_newline_reply(&self) -> String {
        let settings = &self.server.settings;
        format!(
            "{} 5.5.2 {} Error: bare <LF> received",
            settings.smtpd_forbid_bare_newline_reject_code, settings.myhostname
        )
    }

    async fn carry_out(&mut self, mut command: Vec<u8>, input: &mut Input, source: &mut dyn Source) -> Step {
        let server = self.server.clone();
        if server.settings.smtputf8_enable && !address::valid_utf8(&command) {
            return self.not_a_command("500 5.5.2 Error: bad UTF-8 syntax").await;
        }
        if let Some(maps) = &server.maps.command_filter {
            let start =
                command.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(command.len());
            match maps.find(&command[start..]).await {
                Ok(Some(found)) => {
                    log::info!(
                        "{}: replacing command \"{}\" with \"{}\"",
                        self.peer.namaddr,
                        clip(&show(&command), 100),
                        clip(&show(&found.value), 100)
                    );
                    command = found.value;
                }
                Ok(None) => {}
                Err(_) => {
                    let shown = printable(&command, '?', server.encoding);
                    log::warning!("{} lookup error for \"{shown}\"", server.settings.smtpd_command_filter);
                    return Err(Stop::LocalData);
                }
            }
        }
        let tokens = tokenize(&command);
        let Some(first) = tokens.first() else {
            return self.not_a_command("500 5.5.2 Error: bad syntax").await;
        };
        if !server.lists.noop.is_empty() && server.lists.noop.matches(&first.text).await.unwrap_or(false) {
            self.reply("250 2.0.0 Ok").await;
            self.count_junk();
            return Ok(None);
        }
        let verb = Verb::parse(&first.text);
        self.stats.came(verb);
        if verb == Verb::Unknown {
            self.stage_name = "UNKNOWN";
            if message::header::is_header(&first.text)
                || (!server.lists.forbidden.is_empty()
                    && server.lists.forbidden.matches(&first.text).await.unwrap_or(false))
            {
                log::warning!(
                    "non-SMTP command from {}: {}",
                    self.peer.namaddr,
                    clip(&escape(&command), 100)
                );
                self.reply("221 2.7.0 Error: I can break rules, too. Goodbye.").await;
                self.stage = Stage::Ended;
                return Ok(None);
            }
        }
        if verb != Verb::Quit
            && let Some(denied) = self.access_denied.clone()
        {
            if denied.get(1..3) == Some("21") {
                self.reply(&denied).await;
            } else {
                let text = format!("503 5.7.0 Error: access denied for {}", self.peer.namaddr);
                self.reply(&text).await;
                self.errors += 1;
            }
            return Ok(None);
        }
        if verb == Verb::Unknown {
            self.reply("500 5.5.2 Error: command not recognized").await;
            self.error_mask.add(ErrorClass::PROTOCOL);
            self.errors += 1;
            return Ok(None);
        }
        if server.tls.required && self.tls.is_none() && !self.stand_alone && !verb.is_allowed_before_tls() {
            self.reply("530 5.7.0 Must issue a STARTTLS command first").await;
            self.errors += 1;
            return Ok(None);
        }
        self.stage_name = verb.name();
        if !self.stand_alone && (!self.is_esmtp() || verb.ends_group()) && self.is_out_of_step(input, source)
        {
            self.reply("554 5.5.0 Error: SMTP protocol synchronization").await;
            self.stage = Stage::Ended;
            return Ok(None);
        }
        let outcome = self.handle(verb, &tokens, &command).await?;
        if verb == Verb::Quit {
            self.stats.went_well(verb);
            self.stage = Stage::Ended;
            return Ok(None);
        }
        match outcome {
            Outcome::Continues => {}
            Outcome::Restart => self.stage = Stage::Start,
            Outcome::Done | Outcome::Failed => self.command_ended(verb, outcome),
        }
        Ok(None)
    }

    /// Counts a command that is over.
    pub(crate) fn command_ended(&mut self, verb: Verb, outcome: Outcome) {
        if outcome == Outcome::Done {
            self.stats.went_well(verb);
        } else {
            self.errors += 1;
        }
        if verb.is_junk() {
            self.count_junk();
        }
    }

    fn count_junk(&mut self) {
        if self.junk > self.server.settings.smtpd_junk_command_limit {
            self.errors += 1;
        }
        self.junk += 1;
    }

    async fn not_a_command(&mut self, text: &str) -> Step {
        self.error_mask.add(ErrorClass::PROTOCOL);
        self.reply(text).await;
        self.errors += 1;
        self.stage_name = "UNKNOWN";
        self.stats.came(Verb::Unknown);
        Ok(None)
    }

    async fn handle(&mut self, verb: Verb, tokens: &[Token], command: &[u8]) -> Handled {
        match verb {
            Verb::Helo => self.helo(tokens).await,
            Verb::Ehlo => self.ehlo(tokens).await,
            Verb::Xclient => self.xclient(tokens).await,
            Verb::Xforward => self.xforward(tokens).await,
            Verb::Starttls => self.starttls(tokens).await,
            Verb::Auth => self.auth().await,
            Verb::Mail => self.mail_from(tokens).await,
            Verb::Rcpt => self.rcpt_to(tokens).await,
            Verb::Data => self.data(tokens).await,
            Verb::Bdat => self.bdat(tokens, command).await,
            Verb::Rset => self.rset(tokens).await,
            Verb::Noop => self.accept("250 2.0.0 Ok").await,
            Verb::Vrfy => self.vrfy(tokens).await,
            Verb::Etrn => self.etrn(tokens).await,
            Verb::Quit => self.accept("221 2.0.0 Bye").await,
            Verb::Help => self.help().await,
            Verb::Unknown => Ok(Outcome::Failed),
        }
    }

    async fn rset(&mut self, tokens: &[Token]) -> Handled {
        if tokens.len() != 1 {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.5.4 Syntax: RSET").await;
        }
        self.flush_history().await;
        self.mail_reset();
        self.rcpt_reset();
        self.accept("250 2.0.0 Ok").await
    }

    async fn help(&mut self) -> Handled {
        let mut names: Vec<&str> =
            Verb::ALL.into_iter().filter(|verb| *verb != Verb::Unknown).map(Verb::name).collect();
        names.sort_unstable();
        self.accept(&format!("214 2.0.0 Commands: {}", names.join(" "))).await
    }

    async fn auth(&mut self) -> Handled {
        if self.server.settings.smtpd_helo_required && self.helo_name.is_none() {
            return self.refuse(ErrorClass::POLICY, "503 5.5.1 Error: send HELO/EHLO first").await;
        }
        self.refuse(ErrorClass::PROTOCOL, "503 5.5.1 Error: authentication not enabled").await
    }

    /// Whether the client sent something that it may send only after a reply, and whether that ends the session.
    pub(crate) fn is_out_of_step(&mut self, input: &mut Input, source: &mut dyn Source) -> bool {
        if self.ill_pipelining {
            return false;
        }
        if input.is_empty() {
            source.arrived(input);
        }
        if input.is_empty() {
            return false;
        }
        log::info!(
            "improper command pipelining after {} from {}: {}",
            self.stage_name,
            self.peer.namaddr,
            crate::peer::shown_early_talk(input)
        );
        self.ill_pipelining = true;
        self.server.settings.smtpd_forbid_unauth_pipelining
    }
}
