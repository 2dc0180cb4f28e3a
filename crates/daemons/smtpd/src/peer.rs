//! The client: its address, and its name if name and address confirm each other.

use crate::input::Input;
use crate::server::Server;
use address::inet::{parse_address, printable_address, printable_network, unmap};
use dns::{Family, NativeError};
use std::net::{IpAddr, SocketAddr};

/// A name, address or port that is not known.
pub(crate) const UNKNOWN: &str = "unknown";

/// What is known about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameStatus {
    /// It is known.
    Ok,
    /// The lookup failed; it may work later.
    Temporary,
    /// There is no name.
    Permanent,
    /// There is a name, but it does not list the address.
    Forged,
}

/// The address family of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFamily {
    /// Not an internet client.
    Unspecified,
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl AddressFamily {
    /// The system's number for it, as queue files have it.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            AddressFamily::Unspecified => nix::libc::AF_UNSPEC,
            AddressFamily::Inet => nix::libc::AF_INET,
            AddressFamily::Inet6 => nix::libc::AF_INET6,
        }
    }
}

/// Both ends of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The confirmed name, or `unknown`.
    pub name: String,
    /// The name that the address has, confirmed or not.
    pub reverse_name: String,
    /// The address as text.
    pub address: String,
    /// The address as in mail headers: with `IPv6:` where that applies.
    pub rfc_address: String,
    /// The port as text.
    pub port: String,
    /// `name[address]`, with `:port` if `smtpd_client_port_logging` is set.
    pub namaddr: String,
    /// The address, or the network it is counted under by anvil(8); empty when there is none.
    pub anvil_range: String,
    /// The address family.
    pub family: AddressFamily,
    /// The binary address.
    pub ip: Option<IpAddr>,
    /// State of `name`.
    pub name_status: NameStatus,
    /// State of `reverse_name`.
    pub reverse_name_status: NameStatus,
    /// The server's address.
    pub server_address: String,
    /// The server's port.
    pub server_port: String,
    /// The session must end at once: it is not known who the client is.
    pub hang_up: bool,
}

/// What postscreen(8) says about a connection that it hands over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// `client_address`.
    pub client_address: Option<String>,
    /// `client_port`.
    pub client_port: Option<String>,
    /// `server_address`.
    pub server_address: Option<String>,
    /// `server_port`.
    pub server_port: Option<String>,
}

impl Peer {
    /// The client of a connected socket; `None` when the connection is gone already.
    pub async fn connected(server: &Server, ends: Option<(SocketAddr, SocketAddr)>) -> Peer {
        match ends {
            None => Peer::gone(server),
            Some((client, own)) => {
                let client_ip = unmap(client.ip(), server.families);
                let mut peer = Peer::nameless(client_ip, client.port().to_string());
                peer.server_address = printable_address(unmap(own.ip(), server.families));
                peer.server_port = own.port().to_string();
                peer.find_name(server, client_ip).await;
                peer.complete(server);
                peer
            }
        }
    }

    /// A client that is not on the internet.
    #[must_use]
    pub fn local(server: &Server) -> Peer {
        let ip = if server.families.ipv4 {
            IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)
        } else {
            IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
        };
        let mut peer = Peer::nameless(ip, "0".to_owned());
        peer.name = "localhost".to_owned();
        peer.reverse_name = "localhost".to_owned();
        peer.name_status = NameStatus::Ok;
        peer.reverse_name_status = NameStatus::Ok;
        peer.family = AddressFamily::Unspecified;
        peer.ip = None;
        peer.server_address.clone_from(&peer.address);
        peer.server_port = "0".to_owned();
        peer.complete(server);
        peer
    }

    /// A client about which nothing can be found out.
    #[must_use]
    pub fn gone(server: &Server) -> Peer {
        let mut peer = Peer {
            name: UNKNOWN.to_owned(),
            reverse_name: UNKNOWN.to_owned(),
            address: UNKNOWN.to_owned(),
            rfc_address: UNKNOWN.to_owned(),
            port: UNKNOWN.to_owned(),
            namaddr: String::new(),
            anvil_range: String::new(),
            family: AddressFamily::Unspecified,
            ip: None,
            name_status: NameStatus::Permanent,
            reverse_name_status: NameStatus::Permanent,
            server_address: UNKNOWN.to_owned(),
            server_port: UNKNOWN.to_owned(),
            hang_up: false,
        };
        peer.complete(server);
        peer
    }

    /// The client of a connection that postscreen(8) hands over. What it says is not believed blindly.
    pub async fn passed(server: &Server, said: &Passed) -> Peer {
        match Peer::checked(said) {
            Ok((mut peer, ip)) => {
                peer.find_name(server, ip).await;
                peer.complete(server);
                peer
            }
            Err(fault) => {
                log::warning!("{fault}");
                let mut peer = Peer::gone(server);
                peer.hang_up = true;
                peer
            }
        }
    }

    fn checked(said: &Passed) -> Result<(Peer, IpAddr), String> {
        let client = said.client_address.as_deref().ok_or("missing client address from proxy")?;
        let version = if client.contains(':') { 6 } else { 4 };
        let ip = parse_address(client.as_bytes())
            .ok_or_else(|| format!("bad IPv{version} client address syntax from proxy: {client}"))?;
        let port = said.client_port.as_deref().ok_or("missing client port from proxy")?;
        port.parse::<u16>().map_err(|_| format!("bad TCP client port number syntax from proxy: {port}"))?;
        let server = said.server_address.as_deref().ok_or("missing server address from proxy")?;
        parse_address(server.as_bytes())
            .ok_or_else(|| format!("bad IPv6 server address syntax from proxy: {server}"))?;
        let server_port = said.server_port.as_deref().ok_or("missing server port from proxy")?;
        server_port
            .parse::<u16>()
            .map_err(|_| format!("bad TCP server port number syntax from proxy: {server_port}"))?;
        let mut peer = Peer::nameless(ip, port.to_owned());
        peer.address = client.to_owned();
        peer.server_address = server.to_owned();
        peer.server_port = server_port.to_owned();
        Ok((peer, ip))
    }

    fn nameless(ip: IpAddr, port: String) -> Peer {
        let address = printable_address(ip);
        let (family, rfc_address) = match ip {
            IpAddr::V4(_) => (AddressFamily::Inet, address.clone()),
            IpAddr::V6(_) => (AddressFamily::Inet6, format!("IPv6:{address}")),
        };
        Peer {
            name: UNKNOWN.to_owned(),
            reverse_name: UNKNOWN.to_owned(),
            address,
            rfc_address,
            port,
            namaddr: String::new(),
            anvil_range: String::new(),
            family,
            ip: Some(ip),
            name_status: NameStatus::Permanent,
            reverse_name_status: NameStatus::Permanent,
            server_address: UNKNOWN.to_owned(),
            server_port: UNKNOWN.to_owned(),
            hang_up: false,
        }
    }

    /// Looks up the name of the address, and the addresses of that name: a name that does not list the address may
    /// not be used for anything.
    async fn find_name(&mut self, server: &Server, ip: IpAddr) {
        if !server.settings.smtpd_peername_lookup {
            return;
        }
        let name = match server.dns.native_name_of(ip).await {
            Ok(name) => name,
            Err(error) => {
                self.name_status = status_of(error);
                self.reverse_name_status = self.name_status;
                return;
            }
        };
        if name.parse::<IpAddr>().is_ok() {
            log::warning!("numeric hostname: {name}");
            return;
        }
        if let Err(fault) = address::valid_hostname(name.as_bytes()) {
            log::warning!("{fault}");
            return;
        }
        self.reverse_name.clone_from(&name);
        self.reverse_name_status = NameStatus::Ok;
        let family = match ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        };
        match server.dns.native_addresses_of(&name, family).await {
            Err(error) => {
                log::warning!("hostname {name} does not resolve to address {}: {error}", self.address);
                self.name_status = match status_of(error) {
                    NameStatus::Temporary => NameStatus::Temporary,
                    _ => NameStatus::Forged,
                };
            }
            Ok(addresses) if addresses.iter().any(|address| unmap(*address, server.families) == ip) => {
                self.name = name;
                self.name_status = NameStatus::Ok;
            }
            Ok(_) => {
                log::warning!("hostname {name} does not resolve to address {}", self.address);
                self.name_status = NameStatus::Forged;
            }
        }
    }

    fn complete(&mut self, server: &Server) {
        self.update_namaddr(server);
        let settings = &server.settings;
        self.anvil_range = match self.ip {
            None => String::new(),
            Some(ip) => {
                let length = match ip {
                    IpAddr::V4(_) => settings.smtpd_client_ipv4_prefix_length,
                    IpAddr::V6(_) => settings.smtpd_client_ipv6_prefix_length,
                };
                printable_network(ip, u32::try_from(length).unwrap_or(u32::MAX))
            }
        };
    }

    /// Puts `name[address]` together anew.
    pub(crate) fn update_namaddr(&mut self, server: &Server) {
        self.namaddr = name_and_address(server, &self.name, &self.address, &self.port);
    }
}

/// `name[address]` or `name[address]:port`.
pub(crate) fn name_and_address(server: &Server, name: &str, address: &str, port: &str) -> String {
    if server.settings.smtpd_client_port_logging {
        format!("{name}[{address}]:{port}")
    } else {
        format!("{name}[{address}]")
    }
}

fn status_of(error: NativeError) -> NameStatus {
    if error.is_temporary() { NameStatus::Temporary } else { NameStatus::Permanent }
}

/// A peer that sent something before it was its turn.
pub(crate) fn shown_early_talk(input: &Input) -> String {
    let rest = input.rest();
    crate::text::escape(&rest[..rest.len().min(100)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postscreen_says_is_checked() {
        let mut said = Passed {
            client_address: Some("1.2.3.4".to_owned()),
            client_port: Some("123".to_owned()),
            server_address: Some("4.3.2.1".to_owned()),
            server_port: Some("321".to_owned()),
        };
        let (peer, _) = Peer::checked(&said).unwrap();
        assert_eq!((peer.address.as_str(), peer.server_port.as_str()), ("1.2.3.4", "321"));
        said.client_port = Some("x".to_owned());
        assert_eq!(Peer::checked(&said).unwrap_err(), "bad TCP client port number syntax from proxy: x");
        said.client_address = None;
        assert_eq!(Peer::checked(&said).unwrap_err(), "missing client address from proxy");
    }
}
