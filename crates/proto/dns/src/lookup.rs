//! The resolver: search list, aliases, merged lookups, texts.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name;

use crate::RECORD_LIMIT;
use crate::answer::{Reading, authority, read, warn_truncated};
use crate::config::{ResolvConf, Search};
use crate::exchange::{Dnssec, Said, Servers};
use crate::hostname;
use crate::hosts::Hosts;
use crate::record::{Answer, Failure, Record, Status, Type};

const ALIAS_LIMIT: usize = 10;

/// A DNS reply filter (`smtp_dns_reply_filter` and kin): given the text of a record, the action found for it; `Err` if that
/// lookup failed.
pub type Filter = Rc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Result<Option<String>, ()>>>>>;

/// How to look up; the default asks for the name as it is, once, without DNSSEC.
#[derive(Clone, Default)]
pub struct Lookup {
    search: Search,
    dnssec: Dnssec,
    filter: Option<(Rc<str>, Filter)>,
}

impl Lookup {
    /// As the default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses the search list of resolv.conf.
    #[must_use]
    pub fn search(mut self, search: Search) -> Self {
        self.search = search;
        self
    }

    /// Asks the server for its DNSSEC verdict: [`Record::secure`].
    #[must_use]
    pub fn dnssec(mut self) -> Self {
        self.dnssec = Dnssec::Request;
        self
    }

    /// Puts every answer through a filter; `title` names it in warnings.
    #[must_use]
    pub fn filter(mut self, title: &str, filter: Filter) -> Self {
        self.filter = Some((title.into(), filter));
        self
    }
}

/// When a lookup of several types ends before the last of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// At the first success.
    pub ok: bool,
    /// At an answer without a valid host name.
    pub invalid: bool,
    /// At a null MX.
    pub null_mx: bool,
    /// If a filter drops every MX record.
    pub mx_policy: bool,
}

/// The name service client. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Resolver(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    pub(crate) conf: ResolvConf,
    pub(crate) servers: Servers,
    pub(crate) hosts: Hosts,
}

impl Resolver {
    /// Reads the system's resolv.conf, hosts and nsswitch.conf: to be called before a chroot.
    pub fn system() -> Self {
        Self::new(ResolvConf::system(), Hosts::system())
    }

    /// With settings of one's own and no hosts file.
    pub fn with(conf: ResolvConf) -> Self {
        Self::new(conf, Hosts::default())
    }

    fn new(conf: ResolvConf, hosts: Hosts) -> Self {
        Self(Rc::new(Inner { servers: Servers::new(&conf), conf, hosts }))
    }

    /// MX records of `name`.
    pub async fn mx(&self, name: &str) -> Result<Answer, Failure> {
        self.lookup(name, Type::Mx, &Lookup::new()).await
    }

    /// IPv4 addresses of `name`.
    pub async fn a(&self, name: &str) -> Result<Answer, Failure> {
        self.lookup(name, Type::A, &Lookup::new()).await
    }

    /// IPv6 addresses of `name`.
    pub async fn aaaa(&self, name: &str) -> Result<Answer, Failure> {
        self.lookup(name, Type::Aaaa, &Lookup::new()).await
    }

    /// TXT records of `name`.
    pub async fn txt(&self, name: &str) -> Result<Answer, Failure> {
        self.lookup(name, Type::Txt, &Lookup::new()).await
    }

    /// PTR records of `name` (an `in-addr.arpa` or `ip6.arpa` name).
    pub async fn ptr(&self, name: &str) -> Result<Answer, Failure> {
        self.lookup(name, Type::Ptr, &Lookup::new()).await
    }

    /// Records of type `kind` for `name`, after up to ten aliases.
    pub async fn lookup(&self, name: &str, kind: Type, how: &Lookup) -> Result<Answer, Failure> {
        // Some servers invent records for numeric names; and what is no host name has no records.
        if hostname::is_address(name) || (name != "." && !hostname::is_name(name)) {
            return Err(Failure {
                status: Status::NotFound,
                rcode: u16::from(ResponseCode::NXDomain),
                reason: format!("Name service error for {name}: invalid host or domain name"),
                authority: None,
            });
        }
        let mut asked = name.to_owned();
        let mut trusted = true;
        for _ in 0..ALIAS_LIMIT {
            let dnssec = if trusted { how.dnssec } else { Dnssec::Ignore };
            let reply = match self.search(&asked, kind, how.search, dnssec).await {
                Said::Reply(reply) => reply,
                said => return Err(negative(name, &asked, kind, said)),
            };
            log::debug!("dns_query: {asked} ({kind}): OK");
            match read(name, &asked, kind, &reply, trusted) {
                Reading::Found { records, fqdn } => {
                    return filtered(Answer { records, fqdn }, name, kind, how).await;
                }
                Reading::Alias { target, secure } => {
                    log::debug!("dns_lookup: {asked} aliased to {target}");
                    trusted = secure;
                    asked = target;
                }
                Reading::Bad(status) => return Err(unusable(&asked, kind, status)),
            }
        }
        log::warning!("dns_lookup: Name server loop for {asked}");
        Err(Failure {
            status: Status::NotFound,
            rcode: 0,
            reason: format!("Name server loop for {asked}"),
            authority: None,
        })
    }

    /// Records of several types, one question each, merged. It succeeds if one of them does; else the greatest status is reported.
    pub async fn lookup_types(
        &self,
        name: &str,
        kinds: &[Type],
        how: &Lookup,
        stop: Stop,
    ) -> Result<Answer, Failure> {
        let mut answer = Answer::default();
        let mut found = false;
        let mut worst: Option<Failure> = None;
        for &kind in kinds {
            let failure = match self.lookup(name, kind, how).await {
                Ok(more) => {
                    found = true;
                    answer.fqdn = more.fqdn;
                    answer.records.extend(more.records);
                    if answer.records.len() > RECORD_LIMIT {
                        warn_truncated(name, kind);
                        answer.records.truncate(RECORD_LIMIT);
                        break;
                    }
                    if stop.ok {
                        break;
                    }
                    continue;
                }
                Err(failure) => failure,
            };
            let last = match failure.status {
                Status::Invalid => stop.invalid,
                Status::Policy => stop.mx_policy && kind == Type::Mx,
                Status::NullMx => stop.null_mx,
                _ => false,
            };
            if worst.as_ref().is_none_or(|worst| failure.status >= worst.status) {
                worst = Some(failure);
            }
            if last {
                break;
            }
        }
        match worst {
            Some(failure) if !found => Err(failure),
            _ => Ok(answer),
        }
    }

    /// Asks for `name` and, as `search` says, for `name` in each search domain.
    pub(crate) async fn search(&self, name: &str, kind: Type, search: Search, dnssec: Dnssec) -> Said {
        let dots = name.bytes().filter(|&byte| byte == b'.').count();
        let (one, all) = match search {
            Search::Off => (false, false),
            Search::DefaultDomain => (true, false),
            Search::DottedNames => (false, true),
            Search::List => (true, true),
        };
        let wanted = if dots == 0 { one } else { all };
        if !wanted || name.ends_with('.') {
            return self.ask(name, kind, dnssec).await;
        }
        let mut first = None;
        if dots >= self.0.conf.ndots {
            match self.ask(name, kind, dnssec).await {
                said @ (Said::Reply(_) | Said::TryAgain { .. }) => return said,
                said => first = Some(said),
            }
        }
        let tried = first.is_some();
        let domains = if all { self.0.conf.search.len() } else { 1 };
        let mut again = None;
        for domain in self.0.conf.search.iter().take(domains) {
            match self.ask(&format!("{name}.{domain}"), kind, dnssec).await {
                said @ Said::Reply(_) => return said,
                said @ Said::TryAgain { .. } => again = Some(said),
                said @ Said::Nothing { .. } => first = first.or(Some(said)),
                Said::Refused { .. } => break,
            }
        }
        if !tried {
            match self.ask(name, kind, dnssec).await {
                said @ Said::Reply(_) => return said,
                said @ Said::TryAgain { .. } => again = Some(said),
                said => first = first.or(Some(said)),
            }
        }
        again.or(first).unwrap_or(Said::Nothing { nxdomain: true, authority: None })
    }

    async fn ask(&self, name: &str, kind: Type, dnssec: Dnssec) -> Said {
        let Ok(mut wire) = Name::from_ascii(name) else {
            return Said::Nothing { nxdomain: true, authority: None };
        };
        wire.set_fqdn(true);
        self.0.servers.ask(&wire, kind.code(), dnssec).await
    }
}

fn negative(query: &str, asked: &str, kind: Type, said: Said) -> Failure {
    let (status, rcode, text, soa) = match said {
        Said::Nothing { nxdomain: true, authority } => (Status::NotFound, 3, "Host not found", authority),
        Said::Nothing { nxdomain: false, authority } => {
            (Status::NotFound, 0, "Host found but no data record of requested type", authority)
        }
        Said::TryAgain { rcode } => (Status::Retry, rcode, "Host not found, try again", None),
        Said::Refused { rcode } => (Status::Fail, rcode, "Non-recoverable error", None),
        Said::Reply(_) => (Status::Retry, 0, "Unknown error 0", None),
    };
    log::debug!("dns_query: {asked} ({kind}): {text}");
    Failure {
        status,
        rcode,
        reason: format!(
            "Host or domain name not found. Name service error for name={asked} type={kind}: {text}"
        ),
        authority: soa.map(|soa| Box::new(authority(query, &soa))),
    }
}

fn unusable(asked: &str, kind: Type, status: Status) -> Failure {
    let reason = match status {
        Status::NullMx => format!("Domain {asked} does not accept mail (nullMX)"),
        Status::NullSrv => format!("Domain {asked} does not support SRV requests"),
        _ => format!(
            "Name service error for name={asked} type={kind}: Malformed or unexpected name server reply"
        ),
    };
    Failure { status, rcode: 0, reason, authority: None }
}

async fn filtered(mut answer: Answer, name: &str, kind: Type, how: &Lookup) -> Result<Answer, Failure> {
    let Some((title, filter)) = &how.filter else {
        return Ok(answer);
    };
    let failure = |status, text: &str| Failure {
        status,
        rcode: 0,
        reason: format!("Error looking up name={name} type={kind}: {text}"),
        authority: None,
    };
    let mut kept: Vec<Record> = Vec::with_capacity(answer.records.len());
    for record in answer.records {
        let text = record.to_string();
        match filter(text.clone()).await {
            Ok(None) => kept.push(record),
            Ok(Some(action)) => {
                let command = action.split([' ', '\t']).next().unwrap_or_default();
                if !command.eq_ignore_ascii_case("IGNORE") {
                    log::warning!("{title}: unknown DNS filter action: \"{action}\"");
                    return Err(failure(Status::Retry, "Invalid DNS reply filter syntax"));
                }
                log::info!("ignoring DNS RR: {text}");
            }
            Err(()) => return Err(failure(Status::Retry, "Invalid DNS reply filter syntax")),
        }
    }
    if kept.is_empty() {
        return Err(failure(Status::Policy, "DNS reply filter drops all results"));
    }
    answer.records = kept;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolver_is_made_before_there_is_a_runtime() {
        let resolver = Resolver::system();
        assert!(!resolver.0.conf.servers.is_empty());
    }
}
