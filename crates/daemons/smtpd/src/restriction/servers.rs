//! Access by the servers of a domain: `check_..._mx_access`, `_ns_access`, `_a_access`.

use super::{Check, Subject, Verdict};
use crate::session::Session;
use crate::text::{show, split_domain};
use dns::{Data, Family, Status, Type};

/// Which servers of a domain are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerKind {
    /// Its mail exchangers.
    Mx,
    /// Its name servers, or those of the nearest parent that has some.
    Ns,
    /// The domain itself, by address.
    A,
}

impl ServerKind {
    fn record_type(self) -> Type {
        match self {
            ServerKind::Mx => Type::Mx,
            ServerKind::Ns => Type::Ns,
            ServerKind::A => Type::A,
        }
    }
}

impl Session {
    /// Looks up the names and addresses of the servers of a domain, or of the domain of a mail address.
    pub(super) async fn server_access(
        &mut self,
        table: &str,
        name: &[u8],
        kind: ServerKind,
        about: Subject<'_>,
    ) -> Check {
        let domain = split_domain(name).map_or(name, |(_, domain)| domain);
        if domain.starts_with(b"[") {
            let bare = match address::valid_mailhost_literal(domain) {
                Ok(bare) if kind != ServerKind::Ns => show(bare).into_owned(),
                _ => return Ok(Verdict::Dunno),
            };
            return Ok(self.address_access(table, &bare, about).await?.verdict);
        }
        let ascii = address::idn::ascii_or_same(domain);
        let domain = show(&ascii).into_owned();
        let Some(servers) = self.servers_of(&domain, &show(name), kind).await else {
            return Ok(Verdict::Dunno);
        };
        let mut addresses = 0;
        for host in servers {
            if address::valid_hostaddr(host.as_bytes()).is_ok() {
                let access = self.address_access(table, &host, about).await?;
                if access.found || access.verdict != Verdict::Dunno {
                    return Ok(access.verdict);
                }
                continue;
            }
            if kind != ServerKind::A {
                let access = self.domain_access(table, &host, about).await?;
                if access.found || access.verdict != Verdict::Dunno {
                    return Ok(access.verdict);
                }
            }
            let server = self.server.clone();
            let found = match server.dns.native_addresses_of(&host, Family::Any).await {
                Ok(found) => found,
                Err(error) => {
                    if kind != ServerKind::A {
                        log::warning!(
                            "Unable to look up {} host {host} for {} {}: {error}",
                            kind.record_type(),
                            about.class,
                            about.name
                        );
                    }
                    continue;
                }
            };
            for ip in found {
                addresses += 1;
                if addresses > dns::RECORD_LIMIT {
                    log::warning!(
                        "check_server_access: {} server address count limit ({}) exceeded for {} {} \
                         -- ignoring the remainder",
                        kind.record_type(),
                        dns::RECORD_LIMIT,
                        about.class,
                        about.name
                    );
                    return Ok(Verdict::Dunno);
                }
                if !server.families.includes(ip) {
                    continue;
                }
                let address = address::inet::printable_address(ip);
                let access = self.address_access(table, &address, about).await?;
                if access.found || access.verdict != Verdict::Dunno {
                    return Ok(access.verdict);
                }
            }
        }
        Ok(Verdict::Dunno)
    }

    /// The servers of a domain, which is that of the name; `None` when nothing is to be checked.
    async fn servers_of(&self, domain: &str, name: &str, kind: ServerKind) -> Option<Vec<String>> {
        if kind == ServerKind::A {
            return Some(vec![domain.to_owned()]);
        }
        let record_type = kind.record_type();
        let mut asked = domain;
        let mut answer = self.server.dns.lookup(asked, record_type, &self.server.dns_how).await;
        if kind == ServerKind::Ns {
            while matches!(&answer, Err(failure) if failure.status == Status::NotFound) {
                match asked.split_once('.') {
                    Some((_, parent)) if !parent.is_empty() => asked = parent,
                    _ => {
                        asked = name;
                        break;
                    }
                }
                answer = self.server.dns.lookup(asked, record_type, &self.server.dns_how).await;
            }
        }
        match answer {
            Ok(answer) => Some(
                answer
                    .records
                    .into_iter()
                    .filter_map(|record| match record.data {
                        Data::Mx { host, .. } | Data::Ns(host) => Some(host),
                        _ => None,
                    })
                    .collect(),
            ),
            Err(failure) => match failure.status {
                Status::NullMx => None,
                // Some name servers deny a name that has addresses: the domain is its own exchanger.
                Status::NotFound if kind == ServerKind::Mx => Some(vec![domain.to_owned()]),
                status => {
                    let why = match status {
                        Status::Policy => "DNS reply filter policy",
                        _ => error_text(&failure),
                    };
                    log::warning!("Unable to look up {record_type} host for {asked}: {why}");
                    None
                }
            },
        }
    }
}

/// A failed lookup in the words of Postfix.
pub(super) fn error_text(failure: &dns::Failure) -> &'static str {
    const NO_SUCH_NAME: u16 = 3;
    match failure.status {
        Status::Retry => "Host not found, try again",
        Status::NotFound if failure.rcode == NO_SUCH_NAME => "Host not found",
        Status::NotFound | Status::NullMx | Status::NullSrv => {
            "Host found but no data record of requested type"
        }
        Status::Fail | Status::Invalid | Status::Policy => "Non-recoverable error",
    }
}
