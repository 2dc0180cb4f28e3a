//! Restrictions about the client's name and address.

use super::servers::ServerKind;
use super::{Check, Cursor, Name, Subject, Verdict, class};
use crate::error_class::ErrorClass;
use crate::peer::{NameStatus, UNKNOWN};
use crate::session::Session;
use std::net::IpAddr;

impl Session {
    /// `None`: not a client restriction.
    pub(super) async fn restrict_client(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        subject: Subject<'_>,
    ) -> Option<Check> {
        Some(match name {
            Name::RejectUnknownClientHostname => Ok(self.reject_unknown_client()),
            Name::RejectUnknownReverseClientHostname => Ok(self.reject_unknown_reverse_client()),
            Name::PermitInetInterfaces => match self.is_own_address() {
                true => Ok(self.permit_client(name).await),
                false => Ok(Verdict::Dunno),
            },
            Name::PermitMynetworks => match self.in_mynetworks().await {
                Ok(true) => Ok(self.permit_client(name).await),
                Ok(false) => Ok(Verdict::Dunno),
                Err(error) => Err(self.table_error(&error, subject.name)),
            },
            Name::CheckClientAccess => {
                let (host, shown) = (self.peer.name.clone(), self.peer.namaddr.clone());
                self.host_access(name, cursor, &host, &shown, class::CLIENT, subject).await
            }
            Name::CheckReverseClientAccess => {
                let host = self.peer.reverse_name.clone();
                let result =
                    self.host_access(name, cursor, &host, &host, class::REVERSE_CLIENT, subject).await;
                self.forbid_permit(name, result, &host)
            }
            Name::RejectMapsRbl => {
                log::warning!(
                    "support for restriction \"reject_maps_rbl\" has been removed in {} 3.9; \
                     instead, specify \"reject_rbl_client domain-name\"",
                    self.server.settings.mail_name
                );
                Err(self.server_error())
            }
            Name::RejectRblClient
            | Name::PermitDnswlClient
            | Name::RejectRhsblClient
            | Name::PermitRhswlClient
            | Name::RejectRhsblReverseClient => self.client_listing(name, cursor).await,
            Name::CheckCcertAccess => self.certificate_access(name, cursor, subject).await,
            Name::CheckSaslAccess => self.login_access(name, cursor, subject).await,
            Name::CheckClientNsAccess => self.client_servers(name, cursor, ServerKind::Ns, subject).await,
            Name::CheckClientMxAccess => self.client_servers(name, cursor, ServerKind::Mx, subject).await,
            Name::CheckClientAAccess => self.client_servers(name, cursor, ServerKind::A, subject).await,
            Name::CheckReverseClientNsAccess => {
                self.reverse_servers(name, cursor, ServerKind::Ns, subject).await
            }
            Name::CheckReverseClientMxAccess => {
                self.reverse_servers(name, cursor, ServerKind::Mx, subject).await
            }
            Name::CheckReverseClientAAccess => {
                self.reverse_servers(name, cursor, ServerKind::A, subject).await
            }
            Name::PermitSaslAuthenticated => match &self.login {
                Some(login) if !login.method.eq_ignore_ascii_case("anonymous") => {
                    Ok(self.permit_client(name).await)
                }
                _ => Ok(Verdict::Dunno),
            },
            Name::PermitTlsAllClientcerts | Name::PermitTlsClientcerts => {
                match self.trusts_certificate(name).await {
                    Ok(true) => Ok(self.permit_client(name).await),
                    Ok(false) => Ok(Verdict::Dunno),
                    Err(error) => Err(self.table_error(&error, subject.name)),
                }
            }
            _ => return None,
        })
    }

    async fn permit_client(&mut self, name: Name) -> Verdict {
        let namaddr = self.peer.namaddr.clone();
        self.permit(name.text(), class::CLIENT, &namaddr, "").await
    }

    fn reject_unknown_client(&mut self) -> Verdict {
        let code = match self.peer.name_status {
            NameStatus::Ok => return Verdict::Dunno,
            NameStatus::Temporary => 450,
            NameStatus::Permanent | NameStatus::Forged => self.server.settings.unknown_client_reject_code,
        };
        let text = format!("Client host rejected: cannot find your hostname, [{}]", self.peer.address);
        self.reject(ErrorClass::POLICY, code, "4.7.25", &text)
    }

    fn reject_unknown_reverse_client(&mut self) -> Verdict {
        let code = match self.peer.reverse_name_status {
            NameStatus::Ok => return Verdict::Dunno,
            NameStatus::Permanent => self.server.settings.unknown_client_reject_code,
            NameStatus::Temporary | NameStatus::Forged => 450,
        };
        let text =
            format!("Client host rejected: cannot find your reverse hostname, [{}]", self.peer.address);
        self.reject(ErrorClass::POLICY, code, "4.7.1", &text)
    }

    pub(crate) fn is_own_address(&self) -> bool {
        self.peer.ip.is_some_and(|ip: IpAddr| self.server.site.is_own(ip))
    }

    /// Whether the client is in `$mynetworks`.
    pub(crate) async fn in_mynetworks(&self) -> Result<bool, table::Error> {
        let (name, address) = (self.peer.name.as_bytes(), self.peer.address.as_bytes());
        if !self.server.lists.mynetworks.matches(name, address).await? {
            return Ok(false);
        }
        if let Some(strict) = &self.server.lists.mynetworks_of_host
            && !strict.matches(name, address).await.unwrap_or(false)
        {
            log::info!(
                "using backwards-compatible default setting mynetworks_style={} to permit request from client \"{}\"",
                self.server.settings.mynetworks_style,
                self.peer.namaddr
            );
        }
        Ok(true)
    }

    /// Whether the client certificate is one that may relay.
    pub(crate) async fn trusts_certificate(&self, name: Name) -> Result<bool, table::Error> {
        let Some(tls) = &self.tls else {
            return Ok(false);
        };
        let Some(certificate) = &tls.peer else {
            if !self.server.settings.smtpd_tls_ask_ccert {
                log::warning!("{} is requested, but \"smtpd_tls_ask_ccert = no\"", name.text());
            }
            return Ok(false);
        };
        if is_trusted(tls) && name == Name::PermitTlsAllClientcerts {
            return Ok(true);
        }
        if self.server.compat.fingerprint_digest {
            log::info!(
                "using backwards-compatible default setting smtpd_tls_fingerprint_digest=md5 \
                 to compute certificate fingerprints"
            );
        }
        for fingerprint in [&certificate.key_digest, &certificate.certificate_digest] {
            if fingerprint.is_empty() {
                continue;
            }
            match self.server.maps.relay_clientcerts.find(fingerprint.as_bytes()).await {
                Ok(Some(_)) => return Ok(true),
                Ok(None) => {}
                Err(error) => {
                    log::warning!(
                        "relay_clientcerts: lookup error for fingerprint '{}', pkey fingerprint {}",
                        certificate.key_digest,
                        certificate.certificate_digest
                    );
                    return Err(error);
                }
            }
        }
        Ok(false)
    }

    async fn client_servers(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        kind: ServerKind,
        subject: Subject<'_>,
    ) -> Check {
        let table = self.table_argument(name, cursor)?;
        let host = self.peer.name.clone();
        if host.eq_ignore_ascii_case(UNKNOWN) {
            return Ok(Verdict::Dunno);
        }
        let shown = self.peer.namaddr.clone();
        let about = Subject { name: &shown, class: class::CLIENT, table: subject.table };
        let result = self.server_access(&table, host.as_bytes(), kind, about).await;
        self.forbid_permit(name, result, &host)
    }

    async fn reverse_servers(
        &mut self,
        name: Name,
        cursor: &mut Cursor,
        kind: ServerKind,
        subject: Subject<'_>,
    ) -> Check {
        let table = self.table_argument(name, cursor)?;
        let host = self.peer.reverse_name.clone();
        if host.eq_ignore_ascii_case(UNKNOWN) {
            return Ok(Verdict::Dunno);
        }
        let about = Subject { name: &host, class: class::REVERSE_CLIENT, table: subject.table };
        let result = self.server_access(&table, host.as_bytes(), kind, about).await;
        self.forbid_permit(name, result, &host)
    }
}

fn is_trusted(tls: &tls::Summary) -> bool {
    matches!(tls.standing, tls::Standing::Trusted | tls::Standing::Verified)
}
