//! Restrictions about the HELO name, and about the ETRN domain.

use super::servers::ServerKind;
use super::{Check, Cursor, Name, Subject, Verdict, class};
use crate::error_class::ErrorClass;
use crate::session::Session;
use dns::{Status, Stop, Type};

impl Session {
    /// `None`: not a HELO restriction.
    pub(super) async fn restrict_helo(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        subject: Subject<'_>,
    ) -> Option<Check> {
        let helo = self.helo_name.clone();
        let is_literal = helo.as_deref().is_some_and(|helo| helo.starts_with('['));
        Some(match name {
            Name::CheckHeloAccess => match self.table_argument(name, cursor) {
                Err(halt) => Err(halt),
                Ok(table) => match helo {
                    None => Ok(Verdict::Dunno),
                    Some(helo) => {
                        let about = Subject { name: &helo, class: class::HELO, table: subject.table };
                        self.domain_access(&table, &helo, about).await.map(|found| found.verdict)
                    }
                },
            },
            Name::CheckEtrnAccess => match self.table_argument(name, cursor) {
                Err(halt) => Err(halt),
                Ok(table) => match self.etrn_name.clone() {
                    None => Ok(Verdict::Dunno),
                    Some(domain) => {
                        let about = Subject { name: &domain, class: class::ETRN, table: subject.table };
                        self.domain_access(&table, &domain, about).await.map(|found| found.verdict)
                    }
                },
            },
            Name::RejectInvalidHeloHostname
            | Name::RejectUnknownHeloHostname
            | Name::RejectNonFqdnHeloHostname => match helo {
                None => Ok(Verdict::Dunno),
                Some(helo) if is_literal => Ok(self.reject_invalid_address(&helo)),
                Some(helo) => Ok(match name {
                    Name::RejectInvalidHeloHostname => self.reject_invalid_name(&helo),
                    Name::RejectNonFqdnHeloHostname => self.reject_non_fqdn_name(&helo),
                    _ => self.reject_unknown_name(&helo).await,
                }),
            },
            Name::PermitNakedIpAddress => {
                log::warning!(
                    "support for restriction \"permit_naked_ip_address\" has been removed in {} 3.9; \
                     instead, specify \"permit_mynetworks\" or \"permit_sasl_authenticated\"",
                    self.server.settings.mail_name
                );
                Err(self.server_error())
            }
            Name::CheckHeloNsAccess => self.helo_servers(name, cursor, ServerKind::Ns, subject).await,
            Name::CheckHeloMxAccess => self.helo_servers(name, cursor, ServerKind::Mx, subject).await,
            Name::CheckHeloAAccess => self.helo_servers(name, cursor, ServerKind::A, subject).await,
            Name::RejectRhsblHelo => match self.listing_argument(name, cursor) {
                Some(list) => match helo {
                    Some(helo) => self.reject_listed_domain(&list, helo.as_bytes(), class::HELO).await,
                    None => Ok(Verdict::Dunno),
                },
                None => Ok(Verdict::Dunno),
            },
            _ => return None,
        })
    }

    async fn helo_servers(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        kind: ServerKind,
        subject: Subject<'_>,
    ) -> Check {
        let table = self.table_argument(name, cursor)?;
        let Some(helo) = self.helo_name.clone() else {
            return Ok(Verdict::Dunno);
        };
        let about = Subject { name: &helo, class: class::HELO, table: subject.table };
        let result = self.server_access(&table, helo.as_bytes(), kind, about).await;
        self.forbid_permit(name, result, &helo)
    }

    fn reject_invalid_address(&mut self, helo: &str) -> Verdict {
        let bare = helo
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .filter(|bare| !bare.is_empty())
            .unwrap_or(helo);
        if address::valid_mailhost_addr(bare.as_bytes()).is_ok() {
            return Verdict::Dunno;
        }
        let code = self.server.settings.invalid_hostname_reject_code;
        let text = format!("<{helo}>: {} rejected: invalid ip address", class::HELO);
        self.reject(ErrorClass::POLICY, code, "5.5.2", &text)
    }

    fn reject_invalid_name(&mut self, helo: &str) -> Verdict {
        let name = without_final_dot(helo.as_bytes());
        // COMPAT: a bare address is let through, as it always was.
        if address::valid_hostname(name).is_ok() || address::valid_hostaddr(name).is_ok() {
            return Verdict::Dunno;
        }
        let code = self.server.settings.invalid_hostname_reject_code;
        let text = format!("<{helo}>: {} rejected: Invalid name", class::HELO);
        self.reject(ErrorClass::POLICY, code, "5.5.2", &text)
    }

    fn reject_non_fqdn_name(&mut self, helo: &str) -> Verdict {
        let name = without_final_dot(helo.as_bytes());
        if self.is_valid_domain(name) && name.contains(&b'.') {
            return Verdict::Dunno;
        }
        let code = self.server.settings.non_fqdn_reject_code;
        let text = format!("<{helo}>: {} rejected: need fully-qualified hostname", class::HELO);
        self.reject(ErrorClass::POLICY, code, "5.5.2", &text)
    }

    async fn reject_unknown_name(&mut self, helo: &str) -> Verdict {
        let server = self.server.clone();
        let stop = Stop { ok: true, ..Stop::default() };
        let answer =
            server.dns.lookup_types(helo, &[Type::A, Type::Aaaa, Type::Mx], &server.dns_how, stop).await;
        let failure = match answer {
            Ok(_) => return Verdict::Dunno,
            Err(failure) => failure,
        };
        let why = match failure.status {
            // An MTA's name may well say that it takes no mail.
            Status::NullMx => return Verdict::Dunno,
            Status::Policy => {
                log::warning!("{helo}: address or MX lookup error: DNS reply filter drops all results");
                return Verdict::Dunno;
            }
            Status::Retry => {
                let text = format!("<{helo}>: {} rejected: Host not found", class::HELO);
                return self.defer_or_defer_if_permit(server.tempfail.helo, 450, "4.7.1", &text);
            }
            Status::Invalid => "Malformed DNS server reply",
            _ => "Host not found",
        };
        let text = format!("<{helo}>: {} rejected: {why}", class::HELO);
        self.reject(ErrorClass::POLICY, server.settings.unknown_hostname_reject_code, "4.7.1", &text)
    }

    /// A host name; one in UTF-8 only where the client asked for SMTPUTF8.
    pub(crate) fn is_valid_domain(&self, name: &[u8]) -> bool {
        if self.smtputf8 {
            address::idn::valid_utf8_hostname(name).is_ok()
        } else {
            address::valid_hostname(name).is_ok()
        }
    }

    /// The domain has neither MX nor address.
    pub(crate) async fn reject_unknown_mailhost(
        &mut self,
        domain: &[u8],
        shown: &str,
        what: &'static str,
    ) -> Verdict {
        let server = self.server.clone();
        let ascii = address::idn::ascii_or_same(domain);
        let domain = crate::text::show(&ascii).into_owned();
        let stop = Stop { ok: true, invalid: true, null_mx: true, mx_policy: true };
        let answer =
            server.dns.lookup_types(&domain, &[Type::Mx, Type::A, Type::Aaaa], &server.dns_how, stop).await;
        let failure = match answer {
            Ok(_) => return Verdict::Dunno,
            Err(failure) => failure,
        };
        let is_sender = what == class::SENDER;
        let status = if is_sender { "4.1.8" } else { "4.1.2" };
        let why = match failure.status {
            Status::Policy => {
                log::warning!("{domain}: MX or address lookup error: DNS reply filter drops all results");
                return Verdict::Dunno;
            }
            Status::NullMx => {
                let text =
                    format!("<{shown}>: {what} rejected: Domain {domain} does not accept mail (nullMX)");
                let (code, status) = if is_sender { (550, "4.7.27") } else { (556, "4.1.10") };
                return self.reject(ErrorClass::POLICY, code, status, &text);
            }
            Status::Retry => {
                let text = format!("<{shown}>: {what} rejected: Domain not found");
                return self.defer_or_defer_if_permit(server.tempfail.address, 450, status, &text);
            }
            Status::Invalid => "Malformed DNS server reply",
            _ => "Domain not found",
        };
        let text = format!("<{shown}>: {what} rejected: {why}");
        self.reject(ErrorClass::POLICY, server.settings.unknown_address_reject_code, status, &text)
    }
}

/// A name without its final dot, unless it ends in two.
pub(crate) fn without_final_dot(name: &[u8]) -> &[u8] {
    match name {
        [rest @ .., b'.'] if !rest.is_empty() && rest.last() != Some(&b'.') => rest,
        _ => name,
    }
}
