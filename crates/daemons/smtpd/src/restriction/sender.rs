//! Restrictions about the sender address.

use super::helo::without_final_dot;
use super::servers::ServerKind;
use super::{Check, Cursor, Name, Subject, Verdict, class};
use crate::error_class::ErrorClass;
use crate::session::Session;
use crate::text::{show, split_domain};

impl Session {
    /// `None`: not a sender restriction.
    pub(super) async fn restrict_sender(&mut self, name: Name, cursor: &mut Cursor) -> Option<Check> {
        Some(match name {
            Name::CheckSenderAccess => self.sender_access(name, cursor).await,
            Name::RejectUnknownSenderDomain => match self.real_sender() {
                Some(sender) => self.reject_unknown_address(&sender, class::SENDER).await,
                None => Ok(Verdict::Dunno),
            },
            Name::RejectNonFqdnSender => match self.real_sender() {
                Some(sender) => Ok(self.reject_non_fqdn_address(&sender, class::SENDER)),
                None => Ok(Verdict::Dunno),
            },
            Name::RejectSenderLoginMismatch
            | Name::RejectAuthenticatedSenderLoginMismatch
            | Name::RejectKnownSenderLoginMismatch
            | Name::RejectUnauthenticatedSenderLoginMismatch => self.login_restriction(name),
            Name::CheckSenderNsAccess => self.sender_servers(name, cursor, ServerKind::Ns).await,
            Name::CheckSenderMxAccess => self.sender_servers(name, cursor, ServerKind::Mx).await,
            Name::CheckSenderAAccess => self.sender_servers(name, cursor, ServerKind::A).await,
            Name::RejectRhsblSender => match (self.listing_argument(name, cursor), self.real_sender()) {
                (Some(list), Some(sender)) => self.reject_listed_domain(&list, &sender, class::SENDER).await,
                _ => Ok(Verdict::Dunno),
            },
            Name::RejectUnlistedSender => match self.real_sender() {
                Some(sender) => self.reject_unlisted_sender(&sender).await,
                None => Ok(Verdict::Dunno),
            },
            _ => return None,
        })
    }

    /// The sender, unless it is unknown or the null sender.
    fn real_sender(&self) -> Option<Vec<u8>> {
        self.sender.clone().filter(|sender| !sender.is_empty())
    }

    async fn sender_access(&mut self, name: Name, cursor: &mut Cursor) -> Check {
        let table = self.table_argument(name, cursor)?;
        let Some(sender) = self.sender.clone() else {
            return Ok(Verdict::Dunno);
        };
        let shown = show(&sender).into_owned();
        let about = Subject { name: &shown, class: class::SENDER, table: Some(Name::CheckSenderAccess) };
        if sender.is_empty() {
            let key = self.server.settings.smtpd_null_access_lookup_key.clone();
            return self.plain_access(&table, key.as_bytes(), about).await.map(|found| found.verdict);
        }
        self.mail_access(&table, &sender, about).await
    }

    async fn sender_servers(&mut self, name: Name, cursor: &mut Cursor, kind: ServerKind) -> Check {
        let table = self.table_argument(name, cursor)?;
        let Some(sender) = self.real_sender() else {
            return Ok(Verdict::Dunno);
        };
        self.address_servers(name, &table, &sender, kind, class::SENDER).await
    }

    pub(super) async fn address_servers(
        &mut self,
        name: Name,
        table: &str,
        address: &[u8],
        kind: ServerKind,
        what: &'static str,
    ) -> Check {
        let shown = show(address).into_owned();
        let default =
            if what == class::SENDER { Name::CheckSenderAccess } else { Name::CheckRecipientAccess };
        let about = Subject { name: &shown, class: what, table: Some(default) };
        let result = self.server_access(table, address, kind, about).await;
        self.forbid_permit(name, result, &shown)
    }

    pub(super) fn reject_non_fqdn_address(&mut self, address: &[u8], what: &'static str) -> Verdict {
        let domain = split_domain(address).map_or(&b""[..], |(_, domain)| domain);
        if domain.starts_with(b"[") && domain.ends_with(b"]") {
            return Verdict::Dunno;
        }
        let name = without_final_dot(domain);
        if !name.is_empty() && self.is_valid_domain(name) && name.contains(&b'.') {
            return Verdict::Dunno;
        }
        let code = self.server.settings.non_fqdn_reject_code;
        let text = format!("<{}>: {what} rejected: need fully-qualified address", show(address));
        self.reject(ErrorClass::POLICY, code, "4.5.2", &text)
    }

    pub(super) async fn reject_unknown_address(&mut self, address: &[u8], what: &'static str) -> Check {
        let resolved = self.resolve_for(address, what).await?;
        let Some((_, domain)) = split_domain(&resolved.recipient) else {
            return Ok(Verdict::Dunno);
        };
        if resolved.class.is_final() || (domain.starts_with(b"[") && domain.ends_with(b"]")) {
            return Ok(Verdict::Dunno);
        }
        let shown = show(address).into_owned();
        Ok(self.reject_unknown_mailhost(domain, &shown, what).await)
    }
}
