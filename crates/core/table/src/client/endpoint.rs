//! Where a server listens: `inet:host:port` or `unix:/path`.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use crate::client::link::Stream;
use crate::env::Env;

/// The longest path of a local socket, and the NUL after it.
const LONGEST_PATH: usize = 108;
/// How long to wait before a local server that has no room for another client is asked again.
const FULL: Duration = Duration::from_millis(20);
/// Ports that have a name without a file, as `known_tcp_ports` has them.
const PORTS: [(&str, u16); 5] =
    [("smtp", 25), ("lmtp", 24), ("submission", 587), ("submissions", 465), ("smtps", 465)];

/// Where a server listens.
///
/// What the hosts file and the services file say is read once, when the table is opened, which is before the process
/// enters its jail. Names that only DNS knows are looked up for each connection.
#[derive(Debug)]
pub struct Endpoint {
    /// As the administrator wrote it, for log messages.
    text: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Local(String),
    Network { host: String, port: Option<u16>, listed: Vec<IpAddr>, families: conf::interfaces::Protocols },
}

impl Endpoint {
    /// Reads `transport:address`. The error is Postfix's text.
    pub fn parse(text: &str, env: &Env) -> Result<Self, String> {
        let parts =
            text.split_once(':').filter(|(transport, address)| !transport.is_empty() && !address.is_empty());
        let Some((transport, address)) = parts else {
            return Err(format!("need service transport:endpoint instead of \"{text}\""));
        };
        match transport {
            "inet" => Self::inet(address, env),
            "unix" | "local" if address.len() >= LONGEST_PATH => {
                Err(format!("unix-domain name too long: {address}"))
            }
            "unix" | "local" => {
                Ok(Self { text: address.to_owned(), place: Place::Local(address.to_owned()) })
            }
            _ => Err(format!("invalid transport name: {transport} in service: {text}")),
        }
    }

    /// Reads `host:port`, `[host]:port`, or a port of this host. The error is Postfix's text.
    pub fn inet(text: &str, env: &Env) -> Result<Self, String> {
        let (host, port) = host_and_port(text).map_err(|why| format!("{text}: {why}"))?;
        let families = conf::interfaces::protocols(&env.main)
            .unwrap_or(conf::interfaces::Protocols { ipv4: true, ipv6: true });
        let place = Place::Network {
            listed: listed_addresses(host),
            host: host.to_owned(),
            port: port_number(port),
            families,
        };
        Ok(Self { text: text.to_owned(), place })
    }

    /// As it was written, without the transport.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Connects, with so much time for each address that there is. What is wrong with the name is logged; the error is
    /// for the caller to log.
    pub(crate) async fn connect(&self, limit: Duration) -> io::Result<Stream> {
        match &self.place {
            Place::Local(path) => within(limit, connect_local(path)).await.map(Stream::Unix),
            Place::Network { .. } => {
                let mut failure = None;
                for address in self.addresses().await? {
                    match within(limit, TcpStream::connect(address)).await {
                        Ok(stream) => return Ok(Stream::Tcp(stream)),
                        Err(error) => failure = Some(error),
                    }
                }
                Err(failure.unwrap_or_else(not_available))
            }
        }
    }

    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let Place::Network { host, port, listed, families } = &self.place else { return Ok(Vec::new()) };
        let found = match port {
            None => Err("Servname not supported for ai_socktype".to_owned()),
            Some(port) => {
                let addresses = match host.parse::<IpAddr>() {
                    Ok(address) => Ok(vec![address]),
                    Err(_) if !listed.is_empty() => Ok(listed.clone()),
                    Err(_) => ask_system(host.clone()).await,
                };
                addresses.map(|all| {
                    let allowed = all.into_iter().filter(|&address| families.allow(address));
                    allowed.map(|address| SocketAddr::new(address, *port)).collect::<Vec<_>>()
                })
            }
        };
        let why = match found {
            Ok(addresses) if addresses.is_empty() => "No address associated with hostname".to_owned(),
            Ok(addresses) => return Ok(addresses),
            Err(why) => why,
        };
        log::warning!("host or service {} not found: {why}", self.text);
        Err(not_available())
    }
}

/// What the connection failed with, when there was nothing to connect to.
fn not_available() -> io::Error {
    io::Error::from_raw_os_error(nix::libc::EADDRNOTAVAIL)
}

async fn within<T>(limit: Duration, connect: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(limit, connect).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::from_raw_os_error(nix::libc::ETIMEDOUT)),
    }
}

async fn connect_local(path: &str) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(FULL).await,
            result => return result,
        }
    }
}

fn host_and_port(text: &str) -> Result<(&str, &str), &'static str> {
    const HERE: &str = "localhost";
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let is_tagged = rest.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("ipv6:"));
        let rest = if is_tagged { rest.get(5..).unwrap_or_default() } else { rest };
        let (host, rest) = rest.split_once(']').ok_or("missing \"]\"")?;
        let port = if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or("garbage after \"]\"")? };
        if is_tagged && host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("malformed IPv6 address");
        }
        (host, port)
    } else {
        match text.rsplit_once(':') {
            Some(("", port)) => (HERE, port),
            Some(parts) => parts,
            None => (HERE, text),
        }
    };
    if port.is_empty() {
        return Err("missing service information");
    }
    let is_valid = address::valid_hostname(host.as_bytes()).is_ok()
        || address::valid_hostaddr(host.as_bytes()).is_ok()
        || host.parse::<IpAddr>().is_ok();
    if host != HERE && !is_valid {
        return Err("valid hostname or network address required");
    }
    if port.starts_with(|first: char| first.is_ascii_digit())
        && !port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err("garbage after numerical service");
    }
    Ok((host, port))
}

fn port_number(text: &str) -> Option<u16> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return text.parse().ok();
    }
    let services = fs::read_to_string("/etc/services").unwrap_or_default();
    let mut lines = services.lines().map(|line| line.split('#').next().unwrap_or_default());
    let listed = lines.find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (name, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        (name == text || words.any(|alias| alias == text)).then(|| port.parse().ok())?
    });
    PORTS.iter().find(|(name, _)| *name == text).map(|(_, port)| *port).or(listed)
}

/// The addresses of a host that the hosts file has.
fn listed_addresses(host: &str) -> Vec<IpAddr> {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut listed = Vec::new();
    for line in lines {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().and_then(|address| address.parse().ok());
        if let Some(address) = address
            && words.any(|name| name.eq_ignore_ascii_case(host))
            && !listed.contains(&address)
        {
            listed.push(address);
        }
    }
    // As the C library orders what it finds.
    listed.sort_by_key(IpAddr::is_ipv4);
    listed
}

/// Asks the C library, in a thread, since that blocks. The error is its text.
async fn ask_system(host: String) -> Result<Vec<IpAddr>, String> {
    let found = tokio::task::spawn_blocking(move || {
        let found = (host.as_str(), 0).to_socket_addrs();
        found.map(|found| found.map(|socket| socket.ip()).collect::<Vec<_>>())
    });
    let text = match found.await {
        Ok(Ok(mut addresses)) => {
            addresses.dedup();
            return Ok(addresses);
        }
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(text.rsplit_once(": ").map_or(text.clone(), |(_, why)| why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (text, expected) in [
            ("localhost:25", Ok(("localhost", "25"))),
            (":25", Ok(("localhost", "25"))),
            ("11211", Ok(("localhost", "11211"))),
            ("mail.example.com:smtp", Ok(("mail.example.com", "smtp"))),
            ("127.0.0.1:5", Ok(("127.0.0.1", "5"))),
            ("[::1]:5", Ok(("::1", "5"))),
            ("[ipv6:::1]:5", Ok(("::1", "5"))),
            ("::1:5", Ok(("::1", "5"))),
            ("host:", Err("missing service information")),
            ("[host]", Err("missing service information")),
            ("[host:5", Err("missing \"]\"")),
            ("[host]5", Err("garbage after \"]\"")),
            ("[ipv6:host]:5", Err("malformed IPv6 address")),
            ("host:5x", Err("garbage after numerical service")),
            ("no host:5", Err("valid hostname or network address required")),
        ] {
            assert_eq!(host_and_port(text), expected, "{text}");
        }
    }

    #[test]
    fn transports() {
        let env = Env::default();
        let error = |text: &str| Endpoint::parse(text, &env).unwrap_err();
        assert_eq!(error("host"), "need service transport:endpoint instead of \"host\"");
        assert_eq!(error("inet:"), "need service transport:endpoint instead of \"inet:\"");
        assert_eq!(error("tcp:x:1"), "invalid transport name: tcp in service: tcp:x:1");
        assert_eq!(error("inet:a:5x"), "a:5x: garbage after numerical service");
        let long = format!("/{}", "x".repeat(107));
        assert_eq!(error(&format!("unix:{long}")), format!("unix-domain name too long: {long}"));
        assert_eq!(Endpoint::parse("unix:/a/b", &env).unwrap().text(), "/a/b");
        assert_eq!(Endpoint::parse("inet:[::1]:7", &env).unwrap().text(), "[::1]:7");
    }

    #[test]
    fn ports() {
        assert_eq!(port_number("25"), Some(25));
        assert_eq!(port_number("65536"), None);
        assert_eq!(port_number("smtp"), Some(25));
        assert_eq!(port_number("no-such-service"), None);
    }
}
