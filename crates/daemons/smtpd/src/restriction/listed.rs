//! Whether an address exists: the recipient tables of its address class.

use super::reject::{fix_status, split_status};
use super::{Check, Verdict, class};
use crate::error_class::ErrorClass;
use crate::outside::Class;
use crate::session::Session;
use crate::text::{show, split_domain};

impl Session {
    /// Rejects a sender that cannot exist.
    pub(super) async fn reject_unlisted_sender(&mut self, sender: &[u8]) -> Check {
        if self.server.overrides.no_unknown_recipient_checks || self.checks.sender_listed {
            return Ok(Verdict::Dunno);
        }
        if self.checks.warn_if_reject == 0 {
            self.checks.sender_listed = true;
        }
        self.reject_unlisted(sender, class::SENDER).await
    }

    /// Rejects a recipient that cannot exist.
    pub(super) async fn reject_unlisted_recipient(&mut self, recipient: &[u8]) -> Check {
        if self.server.overrides.no_unknown_recipient_checks || self.checks.recipient_listed {
            return Ok(Verdict::Dunno);
        }
        if self.checks.warn_if_reject == 0 {
            self.checks.recipient_listed = true;
        }
        self.reject_unlisted(recipient, class::RECIPIENT).await
    }

    async fn reject_unlisted(&mut self, address: &[u8], what: &'static str) -> Check {
        let resolved = self.resolve_for(address, what).await?;
        let server = self.server.clone();
        let maps = &server.maps;
        let target = resolved.recipient.as_slice();
        let shown = show(address).into_owned();
        let rewriting = [
            Some(&maps.recipient_canonical),
            (what == class::SENDER).then_some(&maps.sender_canonical),
            Some(&maps.canonical),
            Some(&maps.virtual_alias),
        ];
        for maps in rewriting.into_iter().flatten() {
            match server.find_address(maps, target).await {
                Ok(Some(_)) => return Ok(Verdict::Dunno),
                Ok(None) => {}
                Err(error) => return Err(self.table_error(&error, &shown)),
            }
        }
        let is_sender = what == class::SENDER;
        if resolved.transport == b"error" || resolved.transport == b"retry" {
            let is_permanent = resolved.transport == b"error";
            let nexthop = show(&resolved.nexthop).into_owned();
            let default = match (is_permanent, is_sender) {
                (true, true) => "5.1.0",
                (true, false) => "5.1.1",
                (false, true) => "4.1.0",
                (false, false) => "4.1.1",
            };
            let (status, why) = split_status(default, &nexthop);
            let code = match (is_permanent, resolved.class) {
                (true, Class::Alias) => server.settings.unknown_virtual_alias_reject_code,
                (true, _) => 550,
                (false, _) => 450,
            };
            let text = format!("<{shown}>: {what} rejected: {why}");
            return Ok(self.reject(ErrorClass::BOUNCE, code, &fix_status(&status, what), &text));
        }
        let (maps, code, table) = match resolved.class {
            Class::Local if !self.is_always_local(target) => (
                &maps.local_recipient,
                server.settings.unknown_local_recipient_reject_code,
                "local recipient",
            ),
            Class::Virtual => (
                &maps.virtual_mailbox,
                server.settings.unknown_virtual_mailbox_reject_code,
                "virtual mailbox",
            ),
            Class::Relay => (
                &maps.relay_recipient,
                server.settings.unknown_relay_recipient_reject_code,
                "relay recipient",
            ),
            _ => return Ok(Verdict::Dunno),
        };
        if !maps.is_empty() {
            match server.find_address(maps, target).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    let table = match server.settings.show_user_unknown_table_name {
                        true => format!(" in {table} table"),
                        false => String::new(),
                    };
                    let text = format!("<{shown}>: {what} rejected: User unknown{table}");
                    let status = if is_sender { "5.1.0" } else { "5.1.1" };
                    return Ok(self.reject(ErrorClass::BOUNCE, code, status, &text));
                }
                Err(error) => return Err(self.table_error(&error, &shown)),
            }
        }
        if resolved.class == Class::Relay {
            server.note_relay_domains_default(&format!("address \"{shown}\""));
        }
        Ok(Verdict::Dunno)
    }

    /// Names that every Postfix has, whatever `$local_recipient_maps` says.
    fn is_always_local(&self, address: &[u8]) -> bool {
        let Some((local, _)) = split_domain(address) else {
            return false;
        };
        [self.server.settings.double_bounce_sender.as_bytes(), address::POSTMASTER, address::MAILER_DAEMON]
            .iter()
            .any(|name| address::eq_fold(local, name))
    }
}
