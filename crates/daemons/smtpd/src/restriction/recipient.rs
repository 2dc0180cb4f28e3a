//! Restrictions about the recipient address, and about relaying.

use super::servers::ServerKind;
use super::{Check, Cursor, Name, Subject, Verdict, class};
use crate::error_class::ErrorClass;
use crate::outside::Class;
use crate::session::Session;
use crate::text::{show, split_domain};

impl Session {
    /// `None`: not a recipient restriction.
    pub(super) async fn restrict_recipient(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        subject: Subject<'_>,
    ) -> Option<Check> {
        let recipient = self.recipient.clone();
        let named = recipient.clone().filter(|recipient| !recipient.is_empty());
        let relay_code = self.server.settings.relay_domains_reject_code;
        Some(match (name, recipient) {
            (Name::CheckRecipientAccess, recipient) => match (self.table_argument(name, cursor), recipient) {
                (Err(halt), _) => Err(halt),
                (Ok(_), None) => Ok(Verdict::Dunno),
                (Ok(table), Some(recipient)) => {
                    let shown = show(&recipient).into_owned();
                    let table_name = Some(Name::CheckRecipientAccess);
                    let about = Subject { name: &shown, class: class::RECIPIENT, table: table_name };
                    self.mail_access(&table, &recipient, about).await
                }
            },
            (Name::CheckRecipientNsAccess, _) => {
                self.recipient_servers(name, cursor, ServerKind::Ns, named).await
            }
            (Name::CheckRecipientMxAccess, _) => {
                self.recipient_servers(name, cursor, ServerKind::Mx, named).await
            }
            (Name::CheckRecipientAAccess, _) => {
                self.recipient_servers(name, cursor, ServerKind::A, named).await
            }
            (Name::RejectRhsblRecipient, recipient) => match (self.listing_argument(name, cursor), recipient)
            {
                (Some(list), Some(recipient)) => {
                    self.reject_listed_domain(&list, &recipient, class::RECIPIENT).await
                }
                _ => Ok(Verdict::Dunno),
            },
            (Name::CheckRelayDomains, recipient) => self.check_relay_domains(cursor, recipient.is_some()),
            (Name::RejectMultiRecipientBounce, _) => Ok(self.reject_multi_recipient_bounce(subject)),
            (Name::PermitMxBackup, Some(recipient)) => match self.permit_mx_backup(&recipient).await {
                Ok(Verdict::Permit) => Ok(self.permit_recipient(name, &recipient).await),
                other => other,
            },
            (Name::PermitAuthDestination, Some(recipient)) => {
                match self.permit_auth_destination(&recipient).await {
                    Ok(Verdict::Permit) => Ok(self.permit_recipient(name, &recipient).await),
                    other => other,
                }
            }
            (Name::RejectUnauthDestination, Some(recipient)) => {
                self.reject_unauth_destination(&recipient, relay_code, "5.7.1").await
            }
            (Name::DeferUnauthDestination, Some(recipient)) => {
                self.reject_unauth_destination(&recipient, relay_code - 100, "4.7.1").await
            }
            (Name::RejectUnknownRecipientDomain, Some(recipient)) => {
                self.reject_unknown_address(&recipient, class::RECIPIENT).await
            }
            (Name::RejectNonFqdnRecipient, Some(recipient)) => {
                Ok(self.reject_non_fqdn_address(&recipient, class::RECIPIENT))
            }
            (Name::RejectUnlistedRecipient, _) => match named {
                Some(recipient) => self.reject_unlisted_recipient(&recipient).await,
                None => Ok(Verdict::Dunno),
            },
            (
                Name::PermitMxBackup
                | Name::PermitAuthDestination
                | Name::RejectUnauthDestination
                | Name::DeferUnauthDestination
                | Name::RejectUnknownRecipientDomain
                | Name::RejectNonFqdnRecipient,
                None,
            ) => Ok(Verdict::Dunno),
            _ => return None,
        })
    }

    async fn permit_recipient(&mut self, name: Name, recipient: &[u8]) -> Verdict {
        let shown = show(recipient).into_owned();
        self.permit(name.text(), class::RECIPIENT, &shown, "").await
    }

    async fn recipient_servers(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        kind: ServerKind,
        recipient: Option<Vec<u8>>,
    ) -> Check {
        let table = self.table_argument(name, cursor)?;
        match recipient {
            Some(recipient) => self.address_servers(name, &table, &recipient, kind, class::RECIPIENT).await,
            None => Ok(Verdict::Dunno),
        }
    }

    /// Permits mail that is delivered here or in a domain that this host relays for.
    pub(crate) async fn permit_auth_destination(&mut self, recipient: &[u8]) -> Check {
        let resolved = self.resolve_for(recipient, class::RECIPIENT).await?;
        let Some((_, domain)) = split_domain(&resolved.recipient) else {
            return Ok(Verdict::Permit);
        };
        if !self.server.settings.allow_untrusted_routing && resolved.routed {
            return Ok(Verdict::Dunno);
        }
        if resolved.class.is_final() {
            return Ok(Verdict::Permit);
        }
        if resolved.class == Class::Relay {
            self.server.note_relay_domains_default(&format!("domain \"{}\"", show(domain)));
            return Ok(Verdict::Permit);
        }
        Ok(Verdict::Dunno)
    }

    async fn reject_unauth_destination(&mut self, recipient: &[u8], code: i64, status: &str) -> Check {
        if self.permit_auth_destination(recipient).await? == Verdict::Permit {
            return Ok(Verdict::Dunno);
        }
        let text = format!("<{}>: Relay access denied", show(recipient));
        Ok(self.reject(ErrorClass::POLICY, code, status, &text))
    }

    fn check_relay_domains(&mut self, cursor: &Cursor, has_recipient: bool) -> Check {
        if has_recipient {
            log::warning!(
                "support for restriction \"check_relay_domains\" has been removed in {} 3.9; \
                 instead, specify \"reject_unauth_destination\"",
                self.server.settings.mail_name
            );
            return Err(self.server_error());
        }
        self.warn_ignored_unless_warning(cursor, Name::CheckRelayDomains);
        Ok(Verdict::Dunno)
    }

    fn reject_multi_recipient_bounce(&mut self, subject: Subject<'_>) -> Verdict {
        let allowed = i64::from(self.stage_name != "RCPT");
        if self.sender.as_ref().is_none_or(|sender| !sender.is_empty()) || self.recipients <= allowed {
            return Verdict::Dunno;
        }
        let code = self.server.settings.multi_recipient_bounce_reject_code;
        let text = format!("<{}>: {} rejected: Multi-recipient bounce", subject.name, subject.class);
        self.reject(ErrorClass::POLICY, code, "5.5.3", &text)
    }
}
