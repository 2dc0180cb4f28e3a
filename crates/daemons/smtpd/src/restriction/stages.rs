//! The restriction lists of each stage, and what one stage leaves for the next.

use super::{Check, Halt, Name, Subject, Verdict, Words, class};
use crate::error_class::ErrorClass;
use crate::session::Session;
use crate::text::show;

/// What a stage decides: nothing to say, or a reply.
pub(crate) type Decision = Result<Option<String>, Hangup>;

/// An access table wants the connection closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hangup;

impl Session {
    /// `smtpd_client_restrictions`
    pub(crate) async fn check_client(&mut self) -> Decision {
        self.checks.defer_if_permit.active = false;
        self.reset_checks();
        let shown = self.peer.namaddr.clone();
        let list = self.server.rules.client.clone();
        let about = Subject { name: &shown, class: class::CLIENT, table: Some(Name::CheckClientAccess) };
        let result = self.run(list, about).await;
        self.checks.after_client = self.checks.defer_if_permit.active;
        self.decide(result)
    }

    /// `smtpd_helo_restrictions`, for a name that may not be in effect yet.
    pub(crate) async fn check_helo(&mut self, helo: &str) -> Decision {
        let current = self.helo_name.replace(helo.to_owned());
        self.checks.defer_if_permit.active = self.checks.after_client;
        self.reset_checks();
        let list = self.server.rules.helo.clone();
        let about = Subject { name: helo, class: class::HELO, table: Some(Name::CheckHeloAccess) };
        let result = self.run(list, about).await;
        self.checks.after_helo = self.checks.defer_if_permit.active;
        let decision = self.decide(result);
        self.helo_name = current;
        decision
    }

    /// `smtpd_sender_restrictions` and `smtpd_reject_unlisted_sender`.
    pub(crate) async fn check_mail(&mut self, sender: &[u8]) -> Decision {
        let current = self.sender.replace(sender.to_vec());
        self.checks.defer_if_permit.active = self.checks.after_client || self.checks.after_helo;
        self.checks.sender_listed = false;
        self.reset_checks();
        let shown = show(sender).into_owned();
        let list = self.server.rules.sender.clone();
        let about = Subject { name: &shown, class: class::SENDER, table: Some(Name::CheckSenderAccess) };
        let mut result = self.run(list, about).await;
        self.checks.after_sender = self.checks.defer_if_permit.active;
        if self.server.settings.smtpd_reject_unlisted_sender
            && is_open(result)
            && !self.checks.discard
            && !sender.is_empty()
        {
            result = self.reject_unlisted_sender(sender).await;
        }
        let decision = self.decide(result);
        self.sender = current;
        decision
    }

    /// `smtpd_relay_restrictions`, `smtpd_recipient_restrictions`, `smtpd_reject_unlisted_recipient`, and before
    /// them what `smtpd_delay_reject` put off.
    pub(crate) async fn check_rcpt(&mut self, recipient: &[u8]) -> Decision {
        // RFC 5321, section 3.6: postmaster without a domain.
        if recipient.eq_ignore_ascii_case(b"postmaster") {
            return Ok(None);
        }
        let current = self.recipient.replace(recipient.to_vec());
        self.checks.recipient_listed = false;
        let decision = self.check_rcpt_lists(recipient).await;
        self.recipient = current;
        decision
    }

    async fn check_rcpt_lists(&mut self, recipient: &[u8]) -> Decision {
        if self.server.settings.smtpd_delay_reject {
            if let Some(reply) = self.check_delayed().await? {
                return Ok(Some(reply));
            }
            if let Some(sender) = self.sender.clone()
                && let Some(reply) = self.check_mail(&sender).await?
            {
                return Ok(Some(reply));
            }
        }
        self.checks.defer_if_permit.active = self.checks.after_sender;
        self.reset_checks();
        let server = self.server.clone();
        let shown = show(recipient).into_owned();
        let about =
            Subject { name: &shown, class: class::RECIPIENT, table: Some(Name::CheckRecipientAccess) };
        let relay_first =
            server.settings.smtpd_relay_before_recipient_restrictions && !server.compat.relay_restrictions;
        let (relay, rcpt) = (server.rules.relay.clone(), server.rules.recipient.clone());
        let lists = if relay_first { [relay, rcpt] } else { [rcpt, relay] };
        let mut result = Ok(Verdict::Dunno);
        for (number, list) in lists.into_iter().enumerate() {
            result = self.run(list, about).await;
            let is_relay = (number == 0) == relay_first;
            if is_relay && server.compat.relay_restrictions && result == Ok(Verdict::Dunno) {
                log::info!(
                    "using backwards-compatible default setting \"smtpd_relay_restrictions = (empty)\" to avoid \
                     \"Relay access denied\" error for recipient \"{shown}\" from client \"{}\"",
                    self.peer.namaddr
                );
            }
            if !is_open(result) {
                if number == 0 && server.compat.relay_before_recipient {
                    log::info!(
                        "using backwards-compatible default setting \
                         smtpd_relay_before_recipient_restrictions=no to reject recipient \"{shown}\" \
                         from client \"{}\"",
                        self.peer.namaddr
                    );
                }
                break;
            }
        }
        result = self.settle(result);
        if server.settings.smtpd_reject_unlisted_recipient
            && is_open(result)
            && !self.checks.recipient_listed
            && !self.checks.discard
        {
            result = self.reject_unlisted_recipient(recipient).await;
        }
        self.decide(result)
    }

    async fn check_delayed(&mut self) -> Decision {
        if let Some(reply) = self.check_client().await? {
            return Ok(Some(reply));
        }
        match self.helo_name.clone() {
            Some(helo) => self.check_helo(&helo).await,
            None => Ok(None),
        }
    }

    /// `smtpd_etrn_restrictions`
    pub(crate) async fn check_etrn(&mut self, domain: &str) -> Decision {
        let current = self.etrn_name.replace(domain.to_owned());
        let decision = self.check_etrn_lists(domain).await;
        self.etrn_name = current;
        decision
    }

    async fn check_etrn_lists(&mut self, domain: &str) -> Decision {
        if self.server.settings.smtpd_delay_reject
            && let Some(reply) = self.check_delayed().await?
        {
            return Ok(Some(reply));
        }
        self.checks.defer_if_permit.active = self.checks.after_client || self.checks.after_helo;
        self.reset_checks();
        let list = self.server.rules.etrn.clone();
        let about = Subject { name: domain, class: class::ETRN, table: Some(Name::CheckEtrnAccess) };
        let result = self.run(list, about).await;
        let result = self.settle(result);
        self.decide(result)
    }

    /// `smtpd_data_restrictions`
    pub(crate) async fn check_data(&mut self) -> Decision {
        let list = self.server.rules.data.clone();
        self.check_message(list, "DATA", class::DATA).await
    }

    /// `smtpd_end_of_data_restrictions`
    pub(crate) async fn check_end_of_data(&mut self) -> Decision {
        let list = self.server.rules.end_of_data.clone();
        self.check_message(list, "END-OF-MESSAGE", class::END_OF_DATA).await
    }

    /// Restrictions about a message as a whole. With several recipients, none of them is shown.
    async fn check_message(&mut self, list: Words, shown: &str, what: &'static str) -> Decision {
        let current = if self.recipients > 1 { self.recipient.take() } else { None };
        self.checks.defer_if_permit.active = false;
        self.reset_checks();
        let result = self.run(list, Subject { name: shown, class: what, table: None }).await;
        let result = self.settle(result);
        if current.is_some() {
            self.recipient = current;
        }
        self.decide(result)
    }

    /// SIZE= against `message_size_limit`.
    pub(crate) fn check_size(&mut self, size: i64) -> Option<String> {
        self.reset_checks();
        let limit = self.server.settings.message_size_limit;
        if limit <= 0 || size <= limit {
            return None;
        }
        self.reject(ErrorClass::POLICY, 552, "5.3.4", "Message size exceeds fixed limit");
        Some(self.checks.reply.clone())
    }

    /// Room in the queue: `queue_minfree`, and one and a half times the largest message.
    pub(crate) fn check_queue(&mut self) -> Option<String> {
        const FACTOR: f64 = 1.5;
        self.reset_checks();
        let space = match self.server.outside.free_space() {
            Ok(space) => space,
            Err(error) => {
                log::warning!("cannot determine free space in the queue file system: {error}");
                return None;
            }
        };
        let blocks = |bytes: i64| u64::try_from(bytes).unwrap_or(0) / space.block_size.max(1);
        let settings = &self.server.settings;
        let enough = blocks(settings.queue_minfree) < space.free_blocks
            && (blocks(settings.message_size_limit) as f64) < space.free_blocks as f64 / FACTOR;
        if enough {
            return None;
        }
        self.reject(ErrorClass::RESOURCE, 452, "4.3.1", "Insufficient system storage");
        log::warning!(
            "not enough free space in mail queue: {} bytes < {FACTOR}*message size limit",
            space.free_blocks.saturating_mul(space.block_size)
        );
        Some(self.checks.reply.clone())
    }

    async fn run(&mut self, list: Words, about: Subject<'_>) -> Check {
        if list.is_empty() {
            return Ok(Verdict::Dunno);
        }
        self.evaluate(list, about).await
    }

    /// A permission turns into a deferral when an earlier temporary error may have hidden a rejection.
    fn settle(&mut self, result: Check) -> Check {
        if is_open(result) && self.checks.defer_if_permit.active {
            return Ok(self.reject_deferred_permit());
        }
        result
    }

    fn decide(&self, result: Check) -> Decision {
        match result {
            Err(Halt::Hangup) => Err(Hangup),
            Err(Halt::Rejected) | Ok(Verdict::Reject) => Ok(Some(self.checks.reply.clone())),
            Ok(Verdict::Dunno | Verdict::Permit) => Ok(None),
        }
    }
}

fn is_open(result: Check) -> bool {
    matches!(result, Ok(Verdict::Dunno | Verdict::Permit))
}
