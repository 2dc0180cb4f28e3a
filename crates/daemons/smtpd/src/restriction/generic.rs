//! The evaluation of a list, and restrictions that fit every stage.

use super::reject::TempfailAction;
use super::{Check, Cursor, Halt, Name, Subject, Verdict, Words};
use crate::error_class::ErrorClass;
use crate::outside::Answer;
use crate::session::Session;
use crate::text::all_digits;
use std::time::Duration;

impl Session {
    /// Evaluates a list, up to the first restriction that permits or rejects.
    pub(crate) fn evaluate<'a>(&'a mut self, list: Words, subject: Subject<'a>) -> Answer<'a, Check> {
        Box::pin(async move {
            let outer = self.checks.depth;
            self.checks.depth += 1;
            let verdict = self.evaluate_words(&mut list.cursor(), subject).await?;
            self.checks.depth = outer;
            self.end_warning();
            Ok(verdict)
        })
    }

    async fn evaluate_words(&mut self, cursor: &mut Cursor, subject: Subject<'_>) -> Check {
        while let Some(word) = cursor.take() {
            if self.checks.discard {
                break;
            }
            if word.name == Some(Name::WarnIfReject) {
                if self.checks.warn_if_reject == 0 {
                    self.checks.warn_if_reject = self.checks.depth;
                }
                continue;
            }
            let name = if word.text.contains(':') {
                let Some(name) = subject.table else {
                    return Err(self.nameless_table(&word.text, subject.class));
                };
                cursor.put_back();
                Some(name)
            } else {
                word.name
            };
            let verdict = match name {
                Some(name) => self.restrict(name, cursor, subject).await?,
                None => match self.server.rules.classes.get(&word.text).cloned() {
                    Some(list) => self.evaluate(list, subject).await?,
                    None => {
                        log::warning!("unknown smtpd restriction: \"{}\"", word.text);
                        return Err(self.server_error());
                    }
                },
            };
            self.end_warning();
            if verdict != Verdict::Dunno {
                return Ok(verdict);
            }
            if self.checks.defer_if_permit.active && self.checks.defer_if_reject.active {
                break;
            }
        }
        Ok(Verdict::Dunno)
    }

    fn end_warning(&mut self) {
        if self.checks.warn_if_reject >= self.checks.depth {
            self.checks.warn_if_reject = 0;
        }
    }

    fn nameless_table(&mut self, text: &str, class: &str) -> Halt {
        log::warning!(
            "specify one of ({}, {}, {}, {}, {}, {}) before {class} restriction \"{text}\"",
            Name::CheckClientAccess.text(),
            Name::CheckReverseClientAccess.text(),
            Name::CheckHeloAccess.text(),
            Name::CheckSenderAccess.text(),
            Name::CheckRecipientAccess.text(),
            Name::CheckEtrnAccess.text(),
        );
        self.server_error()
    }

    async fn restrict(&mut self, name: Name, cursor: &mut Cursor, subject: Subject<'_>) -> Check {
        match name {
            Name::Permit => {
                let verdict = self.permit(name.text(), subject.class, subject.name, "").await;
                self.warn_ignored(cursor, name);
                Ok(verdict)
            }
            Name::Defer => {
                let text = format!("<{}>: {} rejected: Try again later", subject.name, subject.class);
                let code = self.server.settings.defer_code;
                let verdict = self.reject(ErrorClass::POLICY, code, "4.3.2", &text);
                self.warn_ignored_unless_warning(cursor, name);
                Ok(verdict)
            }
            Name::Reject => {
                let text = format!("<{}>: {} rejected: Access denied", subject.name, subject.class);
                let code = self.server.settings.reject_code;
                let verdict = self.reject(ErrorClass::POLICY, code, "5.7.1", &text);
                self.warn_ignored_unless_warning(cursor, name);
                Ok(verdict)
            }
            Name::RejectUnauthPipelining => Ok(self.reject_unauth_pipelining(subject)),
            Name::RejectPlaintextSession => Ok(self.reject_plaintext_session()),
            Name::DeferIfPermit => {
                let text =
                    format!("<{}>: {} rejected: defer_if_permit requested", subject.name, subject.class);
                Ok(self.defer_or_defer_if_permit(TempfailAction::DeferIfPermit, 450, "4.7.0", &text))
            }
            Name::DeferIfReject => {
                let text =
                    format!("<{}>: {} rejected: defer_if_reject requested", subject.name, subject.class);
                self.defer_if_reject(ErrorClass::POLICY, 450, "4.7.0", &text);
                Ok(Verdict::Dunno)
            }
            Name::Sleep => self.sleep(cursor).await,
            Name::WarnIfReject => Ok(Verdict::Dunno),
            Name::CheckPolicyService => match cursor.take() {
                Some(server) if server.text.contains(':') => self.check_policy(&server.text, subject).await,
                _ => {
                    log::warning!("restriction check_policy_service must be followed by transport:server");
                    Err(self.server_error())
                }
            },
            Name::RejectUnverifiedSender | Name::RejectUnverifiedRecipient => {
                self.reject_unverified(name).await
            }
            _ => {
                if let Some(result) = self.restrict_client(name, cursor, subject).await {
                    return result;
                }
                if let Some(result) = self.restrict_helo(name, cursor, subject).await {
                    return result;
                }
                if let Some(result) = self.restrict_sender(name, cursor).await {
                    return result;
                }
                if let Some(result) = self.restrict_recipient(name, cursor, subject).await {
                    return result;
                }
                log::warning!("unknown smtpd restriction: \"{}\"", name.text());
                Err(self.server_error())
            }
        }
    }

    /// Permits, and logs it if `smtpd_log_access_permit_actions` says so.
    pub(crate) async fn permit(&mut self, action: &str, class: &str, name: &str, source: &str) -> Verdict {
        let list = &self.server.lists.log_permit;
        if !self.checks.defer_if_permit.active
            && !list.is_empty()
            && list.matches(action.as_bytes()).await.unwrap_or(false)
        {
            // COMPAT: Postfix leaves a blank after the name even when nothing follows.
            self.log_whatsup("permit", &format!("action={action} for {class}={name} {source}"));
        }
        Verdict::Permit
    }

    fn warn_ignored(&self, cursor: &Cursor, name: Name) {
        if let Some(ignored) = cursor.peek() {
            log::warning!("restriction `{ignored}' after `{}' is ignored", name.text());
        }
    }

    pub(crate) fn warn_ignored_unless_warning(&self, cursor: &Cursor, name: Name) {
        if self.checks.warn_if_reject == 0 {
            self.warn_ignored(cursor, name);
        }
    }

    fn reject_unauth_pipelining(&mut self, subject: Subject<'_>) -> Verdict {
        if !self.ill_pipelining {
            return Verdict::Dunno;
        }
        let text = format!(
            "<{}>: {} rejected: Improper use of SMTP command pipelining",
            subject.name, subject.class
        );
        self.reject(ErrorClass::PROTOCOL, 503, "5.5.0", &text)
    }

    fn reject_plaintext_session(&mut self) -> Verdict {
        if self.tls.is_some() {
            return Verdict::Dunno;
        }
        let code = self.server.settings.plaintext_reject_code;
        self.reject(ErrorClass::POLICY, code, "4.7.1", "Session encryption is required")
    }

    async fn sleep(&mut self, cursor: &mut Cursor) -> Check {
        let seconds = cursor.peek().filter(|text| all_digits(text.as_bytes()));
        let Some(seconds) = seconds.and_then(|text| text.parse().ok()) else {
            log::warning!("restriction sleep must be followed by number");
            return Err(self.server_error());
        };
        cursor.take();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(Verdict::Dunno)
    }
}
