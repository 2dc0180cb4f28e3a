//! From a next hop to the addresses to try, in order.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;

use dns::{Data, Failure, Family, Lookup, Status as DnsStatus, Stop, Type};
use dsn::{Dsn, Status};

use crate::Client;
use crate::settings::{DnsSupport, Prefer, Settings};

/// An address to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The host's name, or its address if that is all there is.
    pub(crate) host: String,
    /// Its address.
    pub(crate) address: IpAddr,
    /// MX preference; 0 for hosts that no MX record names.
    pub(crate) preference: u16,
}

/// What a lookup gave.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In the order in which to try; empty if `why` says why.
    pub(crate) targets: Vec<Target>,
    /// The best reason to give if nothing comes of it.
    pub(crate) why: Option<Dsn>,
    /// This host is among the mail exchangers: less preferred ones were left out.
    pub(crate) i_am_mx: bool,
}

/// Whether finding ourselves matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoopCheck {
    Yes,
    No,
}

/// The mail exchangers of `name`, or its own addresses if it has none.
pub(crate) async fn of_domain(client: &Client, name: &str, check: LoopCheck) -> Found {
    let settings = &client.settings;
    let ascii = ascii(name);
    let how = lookup(client);
    let mx = match client.resolver.lookup(&ascii, Type::Mx, &how).await {
        Ok(answer) => answer,
        Err(failure) => {
            let code = match failure.status {
                DnsStatus::NotFound => return of_host(client, &ascii, check).await,
                DnsStatus::NullMx => "5.1.0",
                DnsStatus::Policy => "4.7.0",
                DnsStatus::Invalid => "5.4.4",
                DnsStatus::Fail => "5.4.3",
                _ => "4.4.3",
            };
            let ignorable = !matches!(failure.status, DnsStatus::NullMx | DnsStatus::Policy);
            if ignorable && settings.common.ignore_mx_lookup_error {
                return of_host(client, &ascii, check).await;
            }
            return Found { why: Some(dsn(code, failure.reason)), ..Found::default() };
        }
    };
    let mut hosts: Vec<(u16, String)> = Vec::new();
    for record in mx.records {
        if let Data::Mx { preference, host } = record.data {
            hosts.push((preference, host));
        }
    }
    hosts.sort_by_key(|(preference, _)| *preference);
    let best = hosts.first().map(|(preference, _)| *preference);
    let mut why = None;
    let mut targets = Vec::new();
    for (preference, host) in hosts {
        addresses_of(client, &host, preference, &mut targets, &mut why).await;
        if targets.len() >= dns::RECORD_LIMIT {
            break;
        }
    }
    let Some(best_found) = targets.first().map(|target| target.preference) else {
        if settings.params.smtp_defer_if_no_mx_address_found {
            why = why.map(soft);
        }
        log::warning!("no MX host for {name} has a valid address record");
        return Found { why, ..Found::default() };
    };
    let mut i_am_mx = false;
    if check == LoopCheck::Yes
        && let Some(own) =
            targets.iter().find(|target| settings.is_own(target.address)).map(|own| own.preference)
    {
        i_am_mx = true;
        targets.retain(|target| target.preference < own);
        if targets.is_empty() {
            why = Some(if best != Some(best_found) {
                dsn("4.4.4", format!("unable to find primary relay for {name}"))
            } else {
                dsn("5.4.6", format!("mail for {name} loops back to myself"))
            });
        }
    }
    arrange(&mut targets, settings, Families::Sort);
    Found { targets, why, i_am_mx }
}

/// The addresses of one host, which may be an address itself.
pub(crate) async fn of_host(client: &Client, host: &str, check: LoopCheck) -> Found {
    let settings = &client.settings;
    let (mut targets, mut why) = (Vec::new(), None);
    addresses_of(client, &ascii(host), 0, &mut targets, &mut why).await;
    if check == LoopCheck::Yes && targets.iter().any(|target| settings.is_own(target.address)) {
        let why = Some(dsn("5.4.6", format!("mail for {host} loops back to myself")));
        return Found { why, ..Found::default() };
    }
    let both = settings.families.ipv4 && settings.families.ipv6;
    arrange(&mut targets, settings, if both { Families::Sort } else { Families::Leave });
    Found { targets, why, i_am_mx: false }
}

/// Adds the addresses of `host`. A soft error dominates hard ones, before and after.
async fn addresses_of(
    client: &Client,
    host: &str,
    preference: u16,
    targets: &mut Vec<Target>,
    why: &mut Option<Dsn>,
) {
    let settings = &client.settings;
    let mut add = |address: IpAddr| targets.push(Target { host: host.to_owned(), address, preference });
    if let Ok(address) = host.parse::<IpAddr>()
        && settings.families.allow(address)
    {
        add(address);
        return;
    }
    let is_soft = why.as_ref().is_some_and(|why: &Dsn| why.status.class() == 4);
    if settings.look_up_dns {
        let mut kinds = Vec::new();
        if settings.families.ipv4 {
            kinds.push(Type::A);
        }
        if settings.families.ipv6 {
            kinds.push(Type::Aaaa);
        }
        match client.resolver.lookup_types(host, &kinds, &lookup(client), Stop::default()).await {
            Ok(answer) => {
                answer.addresses().for_each(add);
                return;
            }
            Err(failure) => {
                let not_found = failure.status == DnsStatus::NotFound;
                *why = Some(dsn(address_code(&failure, is_soft), failure.reason));
                if !not_found {
                    return;
                }
            }
        }
    }
    if settings.look_up_native {
        let family = match (settings.families.ipv4, settings.families.ipv6) {
            (true, false) => Family::V4,
            (false, true) => Family::V6,
            _ => Family::Any,
        };
        let is_soft = why.as_ref().is_some_and(|why: &Dsn| why.status.class() == 4);
        match client.resolver.native_addresses_of(host, family).await {
            Ok(addresses) => addresses.into_iter().for_each(add),
            Err(error) => {
                let code =
                    match (is_soft || error.is_temporary(), error.is_not_found() || error.is_temporary()) {
                        (true, true) => "4.4.4",
                        (true, false) => "4.3.0",
                        (false, true) => "5.4.4",
                        (false, false) => "5.3.0",
                    };
                *why = Some(dsn(code, format!("unable to look up host {host}: {error}")));
            }
        }
    }
}

fn address_code(failure: &Failure, is_soft: bool) -> &'static str {
    match (failure.status, is_soft) {
        (DnsStatus::Policy, _) => "4.7.0",
        (DnsStatus::Fail, false) => "5.4.3",
        (DnsStatus::Invalid | DnsStatus::NotFound, false) => "5.4.4",
        (DnsStatus::Invalid | DnsStatus::NotFound, true) => "4.4.4",
        _ => "4.4.3",
    }
}

fn lookup(client: &Client) -> Lookup {
    let mut how = Lookup::new().search(client.settings.search);
    if client.settings.dns == DnsSupport::Dnssec {
        how = how.dnssec();
    }
    match &client.dns_filter {
        Some((title, filter)) => how.filter(title, filter.clone()),
        None => how,
    }
}

fn ascii(name: &str) -> String {
    if name.is_ascii() {
        return name.to_owned();
    }
    address::idn::to_ascii(name.as_bytes()).unwrap_or_else(|_| name.to_owned())
}

/// A reason of our own.
pub(crate) fn dsn(code: &'static str, reason: impl Into<Vec<u8>>) -> Dsn {
    Dsn::new(Status::new(code), reason)
}

/// The same reason, to be tried again.
pub(crate) fn soft(mut why: Dsn) -> Dsn {
    if why.status.class() == 5 {
        why.status = why.status.with_class(4);
    }
    why
}

/// Whether the order of families matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Families {
    Sort,
    Leave,
}

/// Shuffles, sorts by preference and family, and sees that a limit leaves some of both families.
fn arrange(targets: &mut Vec<Target>, settings: &Settings, families: Families) {
    if targets.len() < 2 {
        return;
    }
    if settings.params.smtp_randomize_addresses {
        shuffle(targets);
    }
    if families == Families::Sort {
        let rank = |target: &Target| match settings.prefer {
            Prefer::Any => false,
            Prefer::V4 => target.address.is_ipv6(),
            Prefer::V6 => target.address.is_ipv4(),
        };
        targets.sort_by_key(|target| (target.preference, rank(target)));
    }
    let limit = usize::try_from(settings.params.smtp_mx_address_limit).unwrap_or(0);
    if limit > 0 && settings.params.smtp_balance_inet_protocols {
        balance(targets, limit.min(dns::RECORD_LIMIT));
    }
}

/// Keeps `limit` addresses so that neither family crowds out the other; the order stays.
fn balance(targets: &mut Vec<Target>, limit: usize) {
    let v4 = targets.iter().filter(|target| target.address.is_ipv4()).count();
    let v6 = targets.len() - v4;
    if v4 == 0 || v6 == 0 || v4 + v6 <= limit {
        return;
    }
    let (mut keep4, mut keep6);
    if v6 <= limit / 2 {
        keep6 = v6;
        keep4 = limit - v6;
    } else if v4 <= limit / 2 {
        keep4 = v4;
        keep6 = limit - v4;
    } else {
        let first_is_v4 = targets.first().is_some_and(|target| target.address.is_ipv4());
        keep4 = (limit + usize::from(first_is_v4)) / 2;
        keep6 = limit - keep4;
    }
    targets.retain(|target| {
        let left = if target.address.is_ipv4() { &mut keep4 } else { &mut keep6 };
        let keep = *left > 0;
        *left = left.saturating_sub(1);
        keep
    });
}

/// Equal servers share the load; the order need not be unpredictable to an adversary.
fn shuffle(targets: &mut [Target]) {
    for end in (1..targets.len()).rev() {
        let random = RandomState::new().build_hasher().finish();
        targets.swap(end, (random % (end as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str, preference: u16) -> Target {
        Target { host: "h".into(), address: address.parse().unwrap(), preference }
    }

    fn targets(v4: usize, v6: usize) -> Vec<Target> {
        let four = (0..v4).map(|n| target(&format!("192.0.2.{n}"), 0));
        let six = (0..v6).map(|n| target(&format!("2001:db8::{n}"), 0));
        six.chain(four).collect()
    }

    fn balanced(v4: usize, v6: usize) -> (usize, usize) {
        let mut list = targets(v4, v6);
        balance(&mut list, 5);
        let four = list.iter().filter(|target| target.address.is_ipv4()).count();
        (four, list.len() - four)
    }

    #[test]
    fn neither_family_crowds_out_the_other() {
        assert_eq!(balanced(2, 3), (2, 3));
        assert_eq!(balanced(9, 1), (4, 1));
        assert_eq!(balanced(1, 9), (1, 4));
        assert_eq!(balanced(9, 9), (2, 3));
        assert_eq!(balanced(9, 0), (9, 0));
    }

    #[test]
    fn shuffling_loses_nothing() {
        let mut list = targets(20, 20);
        shuffle(&mut list);
        assert_eq!(list.len(), 40);
        assert_ne!(list, targets(20, 20));
        for one in targets(20, 20) {
            assert!(list.contains(&one));
        }
    }
}
