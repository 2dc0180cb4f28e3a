//! Access tables: what is looked up for a name, an address, a mail address.

use super::{Check, Cursor, Halt, Name, Subject, Verdict, class};
use crate::outside::Answer;
use crate::session::Session;
use crate::text::{printable, show, split_domain};
use std::rc::Rc;
use table::{FindFlags, Maps};

/// What an access table said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) verdict: Verdict,
    /// There was an entry, whatever it said.
    pub(super) found: bool,
}

impl Access {
    const MISSED: Access = Access { verdict: Verdict::Dunno, found: false };

    fn decides(self) -> bool {
        self.found || self.verdict != Verdict::Dunno
    }
}

const CONFIGURATION_ERROR: &str = "451 4.3.5 Server configuration error";

impl Session {
    /// The table of a restriction; one that was not opened at the start is a configuration error.
    fn access_table(&self, table: &str, asking: &str) -> Option<Rc<Maps>> {
        let maps = self.server.rules.tables.get(table).cloned();
        if maps.is_none() {
            log::warning!("{asking}: unexpected dictionary: {table}");
        }
        maps
    }

    /// Looks up one key. An error counts as an entry with a temporary rejection.
    fn key_access<'a>(
        &'a mut self,
        table: &'a str,
        maps: &'a Maps,
        key: &'a [u8],
        flags: FindFlags,
        datum: &'a str,
        about: Subject<'a>,
    ) -> Answer<'a, Result<Access, Halt>> {
        Box::pin(async move {
            let value = match maps.find_with(key, flags).await {
                Ok(None) => return Ok(Access::MISSED),
                Ok(Some(found)) => show(&found.value).into_owned(),
                Err(_) => CONFIGURATION_ERROR.to_owned(),
            };
            let verdict = self.table_result(table, &value, datum, about).await?;
            Ok(Access { verdict, found: true })
        })
    }

    async fn broken_table(&mut self, table: &str, datum: &str, about: Subject<'_>) -> Result<Access, Halt> {
        let verdict = self.table_result(table, CONFIGURATION_ERROR, datum, about).await?;
        Ok(Access { verdict, found: true })
    }

    /// Looks up a key as it is.
    pub(super) async fn plain_access(
        &mut self,
        table: &str,
        key: &[u8],
        about: Subject<'_>,
    ) -> Result<Access, Halt> {
        let datum = show(key).into_owned();
        match self.access_table(table, "check_access") {
            Some(maps) => self.key_access(table, &maps, key, FindFlags::Any, &datum, about).await,
            None => self.broken_table(table, &datum, about).await,
        }
    }

    /// Looks up a name and its parent domains.
    pub(super) async fn domain_access(
        &mut self,
        table: &str,
        domain: &str,
        about: Subject<'_>,
    ) -> Result<Access, Halt> {
        let Some(maps) = self.access_table(table, "check_domain_access") else {
            return self.broken_table(table, domain, about).await;
        };
        // No parent domains for what is a number.
        let is_numeric = address::valid_hostaddr(domain.as_bytes()).is_ok();
        let mut flags = FindFlags::Any;
        let mut name = domain;
        while !name.is_empty() {
            let access = self.key_access(table, &maps, name.as_bytes(), flags, domain, about).await?;
            if access.decides() {
                return Ok(access);
            }
            let dot = name.char_indices().skip(1).find(|(_, c)| *c == '.');
            let (false, Some((dot, _))) = (is_numeric, dot) else {
                break;
            };
            name = if self.server.rules.parent_domains { &name[dot + 1..] } else { &name[dot..] };
            flags = FindFlags::Fixed;
        }
        Ok(Access::MISSED)
    }

    /// Looks up a network address and the networks it is in, by octets.
    pub(super) async fn address_access(
        &mut self,
        table: &str,
        address: &str,
        about: Subject<'_>,
    ) -> Result<Access, Halt> {
        let Some(maps) = self.access_table(table, "check_addr_access") else {
            return self.broken_table(table, address, about).await;
        };
        let separator = if address.contains(':') { ':' } else { '.' };
        let mut flags = FindFlags::Any;
        let mut net = address;
        loop {
            let access = self.key_access(table, &maps, net.as_bytes(), flags, address, about).await?;
            if access.decides() {
                return Ok(access);
            }
            match net.rsplit_once(separator) {
                Some((shorter, _)) => net = shorter,
                None => return Ok(Access::MISSED),
            }
            flags = FindFlags::Fixed;
        }
    }

    /// Looks up a host by name, then the client's address.
    pub(super) async fn host_access(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        host: &str,
        shown: &str,
        what: &'static str,
        subject: Subject<'_>,
    ) -> Check {
        let table = self.table_argument(name, cursor)?;
        let about = Subject { name: shown, class: what, table: subject.table };
        let access = self.domain_access(&table, host, about).await?;
        if access.decides() {
            return Ok(access.verdict);
        }
        let address = self.peer.address.clone();
        Ok(self.address_access(&table, &address, about).await?.verdict)
    }

    /// Looks up a mail address: whole, without extension, its domain and parent domains, its local part.
    pub(super) async fn mail_access(&mut self, table: &str, address: &[u8], about: Subject<'_>) -> Check {
        let resolved = self.resolve_for(address, about.class).await?;
        let shown = show(&resolved.recipient).into_owned();
        if split_domain(&resolved.recipient).is_none() {
            log::warning!("check_mail_access: no @domain in address: {shown}");
            return Ok(Verdict::Dunno);
        }
        let Some(maps) = self.access_table(table, "check_mail_access") else {
            return Ok(self.broken_table(table, &shown, about).await?.verdict);
        };
        let server = self.server.clone();
        let value = match server.find_access_address(&maps, &resolved.recipient).await {
            Ok(Some(value)) => show(&value).into_owned(),
            Ok(None) => return Ok(Verdict::Dunno),
            Err(_) => return Ok(self.broken_table(table, &shown, about).await?.verdict),
        };
        let verdict = self.table_result(table, &value, &shown, about).await?;
        // A source-routed recipient may hide where the mail really goes.
        let is_suspicious =
            !server.settings.allow_untrusted_routing && resolved.routed && about.class == class::RECIPIENT;
        Ok(match verdict {
            Verdict::Permit if is_suspicious => Verdict::Dunno,
            verdict => verdict,
        })
    }

    /// Looks up the fingerprints of the client certificate.
    pub(super) async fn certificate_access(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        subject: Subject<'_>,
    ) -> Check {
        let argument = self.table_argument(name, cursor)?;
        let Some(search) = self.server.rules.searches.get(&argument).cloned() else {
            log::warning!("See earlier parsing error messages for '{argument}");
            return Err(self.server_error());
        };
        let Some(certificate) = self.tls.as_ref().and_then(|tls| tls.peer.clone()) else {
            if !self.server.settings.smtpd_tls_ask_ccert {
                log::warning!("check_ccert_access is requested, but \"smtpd_tls_ask_ccert = no\"");
            }
            return Ok(Verdict::Dunno);
        };
        for step in search.order.iter() {
            let key = match step.as_str() {
                "cert_fingerprint" => &certificate.certificate_digest,
                "pubkey_fingerprint" => &certificate.key_digest,
                other => {
                    log::warning!("check_ccert_access: unexpected action '{other}' in '{argument}'");
                    return Err(self.server_error());
                }
            };
            if key.is_empty() {
                continue;
            }
            if self.server.compat.fingerprint_digest {
                let what = if step == "cert_fingerprint" { "certificate" } else { "public key" };
                log::info!(
                    "using backwards-compatible default setting smtpd_tls_fingerprint_digest=md5 \
                     to compute {what} fingerprints"
                );
            }
            let about =
                Subject { name: &certificate.subject, class: class::CERTIFICATE, table: subject.table };
            let access = self.plain_access(&search.table, key.as_bytes(), about).await?;
            if access.verdict != Verdict::Dunno {
                return Ok(access.verdict);
            }
        }
        Ok(Verdict::Dunno)
    }

    /// Looks up the login name.
    pub(super) async fn login_access(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        subject: Subject<'_>,
    ) -> Check {
        let table = self.table_argument(name, cursor)?;
        if !self.server.settings.smtpd_sasl_auth_enable {
            log::warning!("restriction `{}' ignored: no SASL support", name.text());
            return Ok(Verdict::Dunno);
        }
        let Some(login) = self.login.clone().filter(|login| !login.username.is_empty()) else {
            return Ok(Verdict::Dunno);
        };
        let shown = printable(login.username.as_bytes(), '_', self.server.encoding);
        let about = Subject { name: &shown, class: class::LOGIN, table: subject.table };
        Ok(self.plain_access(&table, login.username.as_bytes(), about).await?.verdict)
    }
}
