//! What the right-hand side of an access table entry means.

use super::reject::{TempfailAction, fix_status, split_status};
use super::{Check, Halt, Subject, Verdict, Words};
use crate::error_class::ErrorClass;
use crate::outside::Answer;
use crate::session::Session;
use crate::text::all_digits;
use ipc::cleanup::flags;

const RECURSION_LIMIT: u32 = 100;

impl Session {
    /// Does what a table entry says.
    pub(crate) fn table_result<'a>(
        &'a mut self,
        table: &'a str,
        value: &'a str,
        datum: &'a str,
        about: Subject<'a>,
    ) -> Answer<'a, Check> {
        Box::pin(async move {
            let (word, rest) = match value.find([' ', '\t']) {
                Some(at) => value.split_at(at),
                None => (value, ""),
            };
            let text = rest.trim_ascii_start();
            match word.to_ascii_uppercase().as_str() {
                "DUNNO" => Ok(Verdict::Dunno),
                "REJECT" => {
                    let code = self.server.settings.access_map_reject_code;
                    Ok(self.reject_by_table(code, "5.7.1", text, about))
                }
                "DEFER" => {
                    let code = self.server.settings.access_map_defer_code;
                    Ok(self.reject_by_table(code, "4.7.1", text, about))
                }
                "HANGUP" => {
                    self.log_whatsup("hangup", text);
                    Err(Halt::Hangup)
                }
                "INFO" => {
                    self.log_whatsup("info", text);
                    Ok(Verdict::Dunno)
                }
                "WARN" => {
                    self.log_whatsup("warn", text);
                    Ok(Verdict::Dunno)
                }
                "FILTER" => Ok(self.filter_action(table, datum, text, about)),
                "HOLD" => Ok(self.hold_action(table, text, about)),
                "DISCARD" => Ok(self.discard_action(table, word, text, about).await),
                "REDIRECT" => Ok(self.redirect_action(table, datum, text, about)),
                "BCC" => Ok(self.bcc_action(table, datum, text, about)),
                "PREPEND" => Ok(self.prepend_action(table, datum, text)),
                "DEFER_IF_PERMIT" => {
                    let (code, status, text) = self.deferral(text, about);
                    Ok(self.defer_or_defer_if_permit(TempfailAction::DeferIfPermit, code, &status, &text))
                }
                "DEFER_IF_REJECT" => {
                    let (code, status, text) = self.deferral(text, about);
                    self.defer_if_reject(ErrorClass::POLICY, code, &status, &text);
                    Ok(Verdict::Dunno)
                }
                _ if all_digits(value.as_bytes()) => Ok(self.permit_by_table(word, table, about).await),
                _ if is_reply_code(word) && !text.is_empty() => {
                    let default = if word.starts_with('4') { "4.7.1" } else { "5.7.1" };
                    Ok(self.reject_by_table(word.parse().unwrap_or(450), default, text, about))
                }
                "OK" | "RELAY" => Ok(self.permit_by_table(word, table, about).await),
                _ => self.list_action(table, value, about).await,
            }
        })
    }

    async fn permit_by_table(&mut self, action: &str, table: &str, about: Subject<'_>) -> Verdict {
        self.permit(action, about.class, about.name, &format!("from {table}")).await
    }

    fn reject_by_table(&mut self, code: i64, default: &str, text: &str, about: Subject<'_>) -> Verdict {
        let (status, text) = split_status(default, text);
        let status = fix_status(&status, about.class);
        let text = if text.is_empty() { "Access denied" } else { text };
        let reply = format!("<{}>: {} rejected: {text}", about.name, about.class);
        self.reject(ErrorClass::POLICY, code, &status, &reply)
    }

    fn deferral(&self, text: &str, about: Subject<'_>) -> (i64, String, String) {
        let (status, text) = split_status("4.7.1", text);
        let text = if text.is_empty() { "Service unavailable" } else { text };
        (
            self.server.settings.access_map_defer_code,
            fix_status(&status, about.class),
            format!("<{}>: {} rejected: {text}", about.name, about.class),
        )
    }

    fn filter_action(&mut self, table: &str, datum: &str, text: &str, about: Subject<'_>) -> Verdict {
        if !self.can_delegate(table, "FILTER") {
            return Verdict::Dunno;
        }
        if text.is_empty() {
            log::warning!("access table {table} entry \"{datum}\" has FILTER entry without value");
        } else if !text.contains(':') {
            log::warning!("access table {table} entry \"{datum}\" requires transport:destination");
        } else {
            self.log_whatsup("filter", &format!("<{}>: {} triggers FILTER {text}", about.name, about.class));
            self.actions().filter = Some(text.to_owned());
        }
        Verdict::Dunno
    }

    fn hold_action(&mut self, table: &str, text: &str, about: Subject<'_>) -> Verdict {
        let is_held = self.actions.as_ref().is_some_and(|actions| actions.flags & flags::HOLD != 0);
        if !self.can_delegate(table, "HOLD") || is_held {
            return Verdict::Dunno;
        }
        let text = if text.is_empty() { "triggers HOLD action" } else { text };
        self.log_whatsup("hold", &format!("<{}>: {} {text}", about.name, about.class));
        self.actions().flags |= flags::HOLD;
        Verdict::Dunno
    }

    async fn discard_action(&mut self, table: &str, word: &str, text: &str, about: Subject<'_>) -> Verdict {
        if !self.can_delegate(table, "DISCARD") {
            return Verdict::Dunno;
        }
        let text = if text.is_empty() { "triggers DISCARD action" } else { text };
        self.log_whatsup("discard", &format!("<{}>: {} {text}", about.name, about.class));
        self.actions().flags |= flags::DISCARD;
        self.checks.discard = true;
        self.permit_by_table(word, table, about).await
    }

    fn redirect_action(&mut self, table: &str, datum: &str, text: &str, about: Subject<'_>) -> Verdict {
        if !self.can_delegate(table, "REDIRECT") {
            return Verdict::Dunno;
        }
        if !text.contains('@') {
            log::warning!("access table {table} entry \"{datum}\" requires user@domain target");
            return Verdict::Dunno;
        }
        self.log_whatsup("redirect", &format!("<{}>: {} triggers REDIRECT {text}", about.name, about.class));
        self.actions().redirect = Some(text.to_owned());
        Verdict::Dunno
    }

    fn bcc_action(&mut self, table: &str, datum: &str, text: &str, about: Subject<'_>) -> Verdict {
        if !self.can_delegate(table, "BCC") {
            return Verdict::Dunno;
        }
        if !text.contains('@') {
            log::warning!("access table {table} entry \"{datum}\" requires user@domain target");
            return Verdict::Dunno;
        }
        self.log_whatsup("bcc", &format!("<{}>: {} triggers BCC {text}", about.name, about.class));
        self.actions().bcc.push(text.to_owned());
        Verdict::Dunno
    }

    fn prepend_action(&mut self, table: &str, datum: &str, text: &str) -> Verdict {
        if !self.is_about_mail(table, "PREPEND") {
            return Verdict::Dunno;
        }
        if self.stage_name == "END-OF-MESSAGE" {
            log::warning!(
                "access table {table}: action PREPEND must be used before smtpd_end_of_data_restrictions"
            );
        } else if text.is_empty() || !message::header::is_header(text.as_bytes()) {
            log::warning!("access table {table} entry \"{datum}\" requires header: text");
        } else {
            self.actions().prepend.push(text.to_owned());
        }
        Verdict::Dunno
    }

    async fn list_action(&mut self, table: &str, value: &str, about: Subject<'_>) -> Check {
        if value.contains(':') {
            log::warning!("access table {table} has entry with lookup table: {value}");
            log::warning!("do not specify lookup tables inside SMTPD access maps");
            log::warning!("define a restriction class and specify its name instead.");
            return Err(self.server_error());
        }
        if self.checks.depth > RECURSION_LIMIT {
            log::warning!("access table {table} entry {value} causes unreasonable recursion");
            return Err(self.server_error());
        }
        let list = Words::parse(value);
        if list.is_empty() {
            log::warning!("access table {table} entry {value} has empty value");
            return Ok(Verdict::Permit);
        }
        self.evaluate(list, about).await
    }

    /// Whether an action can be left to cleanup(8).
    fn can_delegate(&self, table: &str, action: &str) -> bool {
        if self.stage_name == "ETRN" {
            log::warning!("access table {table}: action {action} is unavailable in smtpd_etrn_restrictions");
            return false;
        }
        self.is_about_mail(table, action)
    }

    /// Whether there is a message for an action to act on: not while a client or HELO is rejected at once.
    fn is_about_mail(&self, table: &str, action: &str) -> bool {
        if self.sender.is_none() {
            log::warning!(
                "access table {table}: with smtpd_delay_reject=no, \
                 action {action} is always skipped in Client host or Helo command restrictions"
            );
            return false;
        }
        true
    }
}

fn is_reply_code(word: &str) -> bool {
    matches!(word.as_bytes(), [b'4' | b'5', a, b] if a.is_ascii_digit() && b.is_ascii_digit())
}
