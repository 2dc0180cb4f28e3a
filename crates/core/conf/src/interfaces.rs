//! The network addresses that this mail system has: `inet_protocols`, `inet_interfaces`, `proxy_interfaces`.

use crate::error::reason;
use crate::{Error, MainCf, params};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, socket};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// The address families in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    /// IPv4.
    pub ipv4: bool,
    /// IPv6.
    pub ipv6: bool,
}

impl Protocols {
    /// No network at all.
    pub fn is_none(self) -> bool {
        !self.ipv4 && !self.ipv6
    }

    /// Whether addresses of this kind are in use.
    pub fn allow(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.ipv4,
            IpAddr::V6(_) => self.ipv6,
        }
    }
}

/// An address of this host, and how long the prefix of its network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// The address.
    pub address: IpAddr,
    /// Bits in the network part.
    pub prefix: u8,
}

/// `inet_protocols`, less what the kernel does not have.
pub fn protocols(main: &MainCf) -> Result<Protocols, Error> {
    let text = crate::load::<params::inet_protocols>(main)?;
    let mut wanted = Protocols { ipv4: false, ipv6: false };
    for word in text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        match word {
            "all" => wanted = Protocols { ipv4: true, ipv6: true },
            "ipv4" => wanted.ipv4 = true,
            "ipv6" => wanted.ipv6 = true,
            _ => {
                return Err(Error::Value(format!("unknown inet_protocols value \"{word}\" in \"{text}\"")));
            }
        }
    }
    Ok(Protocols {
        ipv6: wanted.ipv6 && has_family(AddressFamily::Inet6, "IPv6")?,
        ipv4: wanted.ipv4 && has_family(AddressFamily::Inet, "IPv4")?,
    })
}

fn has_family(family: AddressFamily, name: &str) -> Result<bool, Error> {
    match socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None) {
        Ok(_) => Ok(true),
        Err(error @ (nix::Error::EAFNOSUPPORT | nix::Error::EPROTONOSUPPORT)) => {
            let why = reason(&io::Error::from(error));
            log::warning!("inet_protocols: disabling {name} name/address support: {why}");
            Ok(false)
        }
        Err(error) => Err(Error::Value(format!("socket: {}", reason(&io::Error::from(error))))),
    }
}

/// The addresses that this mail system receives mail on, by `inet_interfaces`.
pub fn own_addresses(main: &MainCf) -> Result<Vec<Interface>, Error> {
    let protocols = protocols(main)?;
    if protocols.is_none() {
        return Ok(Vec::new());
    }
    let wanted = crate::load::<params::inet_interfaces>(main)?;
    let all = local_addresses(protocols)?;
    if all.is_empty() {
        return Err(Error::Value("could not find any active network interfaces".to_owned()));
    }
    match wanted.as_str() {
        "all" => return Ok(all),
        "loopback-only" => {
            return Ok(all.into_iter().filter(|interface| interface.address.is_loopback()).collect());
        }
        _ => {}
    }
    let addresses = addresses_of_hosts("inet_interfaces", &wanted, protocols)?;
    let find = |address: IpAddr| {
        all.iter().copied().find(|interface| interface.address == address).ok_or_else(|| {
            Error::Value(format!("parameter inet_interfaces: no local interface found for {address}"))
        })
    };
    addresses.into_iter().map(find).collect()
}

/// The addresses at which a proxy or address translator receives mail for this system, by `proxy_interfaces`.
pub fn proxy_addresses(main: &MainCf) -> Result<Vec<IpAddr>, Error> {
    let hosts = crate::load::<params::proxy_interfaces>(main)?;
    if hosts.is_empty() {
        return Ok(Vec::new());
    }
    addresses_of_hosts("proxy_interfaces", &hosts, protocols(main)?)
}

/// The addresses of one host name or address, `[]` around it or not.
pub fn host_addresses(host: &str, protocols: Protocols) -> Vec<IpAddr> {
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let Ok(found) = (name, 0).to_socket_addrs() else { return Vec::new() };
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|address| address.ip()) {
        if protocols.allow(address) && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

fn addresses_of_hosts(parameter: &str, hosts: &str, protocols: Protocols) -> Result<Vec<IpAddr>, Error> {
    let mut all = Vec::new();
    for host in hosts.split([' ', '\t', ',']).filter(|host| !host.is_empty()) {
        let addresses = host_addresses(host, protocols);
        if addresses.is_empty() {
            return Err(Error::Value(format!("config variable {parameter}: host not found: {host}")));
        }
        all.extend(addresses);
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// Every address of an interface that is up, IPv4 first.
fn local_addresses(protocols: Protocols) -> Result<Vec<Interface>, Error> {
    let failed = |error: nix::Error| {
        let why = reason(&io::Error::from(error));
        Error::Value(format!("inet_addr_local[getifaddrs]: getifaddrs: {why}"))
    };
    let mut found = Vec::new();
    for interface in getifaddrs().map_err(failed)? {
        let Some(address) = interface.address.as_ref().and_then(ip_address) else { continue };
        if !interface.flags.contains(InterfaceFlags::IFF_UP)
            || !protocols.allow(address)
            || address.is_unspecified()
        {
            continue;
        }
        let Some(mask) = interface.netmask.as_ref().and_then(ip_address) else {
            let family = if address.is_ipv4() { 2 } else { 10 };
            log::warning!("ignoring interface with null netmask, address family {family}");
            continue;
        };
        let prefix = match mask {
            IpAddr::V4(mask) => mask.to_bits().leading_ones(),
            IpAddr::V6(mask) => mask.to_bits().leading_ones(),
        };
        found.push(Interface { address, prefix: u8::try_from(prefix).unwrap_or(u8::MAX) });
    }
    found.sort_by_key(|interface| interface.address.is_ipv6());
    Ok(found)
}

fn ip_address(address: &SockaddrStorage) -> Option<IpAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(v4.ip().into()),
        (None, Some(v6)) => Some(v6.ip().into()),
        _ => None,
    }
}
