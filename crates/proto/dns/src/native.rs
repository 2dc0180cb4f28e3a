//! Names and addresses as the system sees them: hosts file, then DNS with the search list.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use crate::config::Search;
use crate::lookup::{Lookup, Resolver};
use crate::record::{Data, Failure, Status, Type};

/// Which addresses are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    Any,
}

/// What kind of failure, as `getaddrinfo` tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeFailure {
    /// There is no such name.
    NotFound,
    /// The name exists but has no address.
    NoData,
    /// The name service does not answer now.
    Retry,
    /// The name service cannot answer.
    Fail,
}

/// A native lookup that gave nothing; displays as the C library's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeError(pub NativeFailure);

impl NativeError {
    /// Whether it is certain that there is nothing to be found.
    pub fn is_not_found(self) -> bool {
        matches!(self.0, NativeFailure::NotFound | NativeFailure::NoData)
    }

    /// Whether trying later may help.
    pub fn is_temporary(self) -> bool {
        self.0 == NativeFailure::Retry
    }
}

impl fmt::Display for NativeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            NativeFailure::NotFound => "Name or service not known",
            NativeFailure::NoData => "No address associated with hostname",
            NativeFailure::Retry => "Temporary failure in name resolution",
            NativeFailure::Fail => "Non-recoverable failure in name resolution",
        })
    }
}

impl std::error::Error for NativeError {}

impl Resolver {
    /// The addresses of `name`, IPv6 first.
    pub async fn native_addresses_of(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, NativeError> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return if wanted(address, family) {
                Ok(vec![address])
            } else {
                Err(NativeError(NativeFailure::NoData))
            };
        }
        let hosts = &self.0.hosts;
        let listed: Vec<IpAddr> =
            hosts.addresses(name).into_iter().filter(|&address| wanted(address, family)).collect();
        if !listed.is_empty() {
            return Ok(listed);
        }
        if !hosts.plain() {
            return system_addresses(name.to_owned(), family).await;
        }
        if !hosts.uses_dns() {
            return Err(NativeError(NativeFailure::NotFound));
        }
        let how = Lookup::new().search(Search::List);
        let v6 = async {
            if family == Family::V4 { None } else { Some(self.lookup(name, Type::Aaaa, &how).await) }
        };
        let v4 =
            async { if family == Family::V6 { None } else { Some(self.lookup(name, Type::A, &how).await) } };
        let (v6, v4) = tokio::join!(v6, v4);
        let mut addresses = Vec::new();
        let mut failure: Option<Failure> = None;
        for result in [v6, v4].into_iter().flatten() {
            match result {
                Ok(answer) => addresses.extend(answer.addresses()),
                Err(error) => match &failure {
                    Some(known) if known.status >= error.status => {}
                    _ => failure = Some(error),
                },
            }
        }
        if addresses.is_empty() {
            return Err(failure.map_or(NativeError(NativeFailure::NoData), |failure| native(&failure)));
        }
        Ok(addresses)
    }

    /// The name of `address`, not verified by a lookup the other way.
    pub async fn native_name_of(&self, address: IpAddr) -> Result<String, NativeError> {
        let address = address.to_canonical();
        if let Some(name) = self.0.hosts.name(address) {
            return Ok(name);
        }
        if !self.0.hosts.uses_dns() {
            return Err(NativeError(NativeFailure::NotFound));
        }
        let answer = self.ptr(&reverse_name(address)).await.map_err(|failure| native(&failure))?;
        let name = answer.records.into_iter().find_map(|record| match record.data {
            Data::Ptr(name) => Some(name),
            _ => None,
        });
        name.ok_or(NativeError(NativeFailure::NotFound))
    }
}

/// The name under which PTR records of `address` are kept.
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => v4_name(address),
        IpAddr::V6(address) => v6_name(address),
    }
}

fn v4_name(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa")
}

fn v6_name(address: Ipv6Addr) -> String {
    let nibbles = address.octets().into_iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
    nibbles.chain(["ip6.arpa".to_owned()]).collect()
}

fn wanted(address: IpAddr, family: Family) -> bool {
    match family {
        Family::Any => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    }
}

fn native(failure: &Failure) -> NativeError {
    NativeError(match failure.status {
        Status::NotFound if failure.rcode == 0 => NativeFailure::NoData,
        Status::NotFound => NativeFailure::NotFound,
        Status::Retry => NativeFailure::Retry,
        _ => NativeFailure::Fail,
    })
}

/// For hosts with name services other than files and DNS: the C library, in a thread, since it blocks.
async fn system_addresses(name: String, family: Family) -> Result<Vec<IpAddr>, NativeError> {
    let found = tokio::task::spawn_blocking(move || {
        (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|socket| socket.ip()).collect::<Vec<_>>())
    });
    let addresses = match found.await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => {
            let text = error.to_string();
            let known = [NativeFailure::NotFound, NativeFailure::NoData, NativeFailure::Fail];
            let kind = known.into_iter().find(|&kind| text.contains(&NativeError(kind).to_string()));
            return Err(NativeError(kind.unwrap_or(NativeFailure::Retry)));
        }
        Err(_) => return Err(NativeError(NativeFailure::Retry)),
    };
    let mut addresses: Vec<IpAddr> =
        addresses.into_iter().filter(|&address| wanted(address, family)).collect();
    addresses.dedup();
    if addresses.is_empty() { Err(NativeError(NativeFailure::NoData)) } else { Ok(addresses) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_names() {
        assert_eq!(reverse_name([192, 0, 2, 1].into()), "1.2.0.192.in-addr.arpa");
        let v6 = reverse_name("2001:db8::1".parse().unwrap());
        assert!(v6.starts_with("1.0.0.0.") && v6.ends_with("8.b.d.0.1.0.0.2.ip6.arpa"));
    }
}
