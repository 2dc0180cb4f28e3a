//! resolv.conf(5), read as the C library reads it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const SERVER_LIMIT: usize = 3;
const SEARCH_LIMIT: usize = 6;

/// Which domains are tried after a name that is not found, or before a name without dots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Search {
    /// None: the name is complete.
    #[default]
    Off,
    /// The default domain, for a name without dots (`res_defnames`).
    DefaultDomain,
    /// Every domain of the search list, for names with dots (`res_dnsrch`).
    DottedNames,
    /// Both of the above, as system programs do.
    List,
}

/// The settings of the name service client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// Name servers in order, at most three.
    pub servers: Vec<IpAddr>,
    /// Port of every server; 53 outside tests.
    pub port: u16,
    /// Search domains in order.
    pub search: Vec<String>,
    /// A name with this many dots is tried as it is first.
    pub ndots: usize,
    /// Time for one server once.
    pub timeout: Duration,
    /// Rounds over all servers.
    pub attempts: u32,
    /// Start each query with another server.
    pub rotate: bool,
    /// Use EDNS (RFC 6891) without being asked to.
    pub edns: bool,
}

impl Default for ResolvConf {
    fn default() -> Self {
        Self {
            servers: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            port: 53,
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            edns: false,
        }
    }
}

impl ResolvConf {
    /// Reads the system's file. A file that is not there gives the defaults: the server of this machine.
    pub fn system() -> Self {
        let text = std::fs::read("/etc/resolv.conf").unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// Reads the text of a resolv.conf. Lines that make no sense are skipped.
    pub fn parse(text: &str) -> Self {
        let mut conf = Self { servers: Vec::new(), ..Self::default() };
        let mut searched = false;
        for line in text.lines() {
            if line.starts_with(['#', ';']) {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") if conf.servers.len() < SERVER_LIMIT => {
                    conf.servers.extend(words.next().and_then(server_address));
                }
                Some("domain") => {
                    conf.search = words.take(1).map(domain).collect();
                    searched = true;
                }
                Some("search") => {
                    conf.search =
                        words.map(domain).filter(|name| !name.is_empty()).take(SEARCH_LIMIT).collect();
                    searched = true;
                }
                Some("options") => words.for_each(|word| conf.set_option(word)),
                _ => {}
            }
        }
        if conf.servers.is_empty() {
            conf.servers.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        if !searched {
            conf.search = domain_of_this_host().into_iter().collect();
        }
        conf
    }

    fn set_option(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let number = value.parse::<u32>().ok();
        match (name, number) {
            ("ndots", Some(n)) => self.ndots = n.min(15) as usize,
            ("timeout", Some(n)) => self.timeout = Duration::from_secs(u64::from(n.clamp(1, 30))),
            ("attempts", Some(n)) => self.attempts = n.clamp(1, 5),
            ("rotate", _) => self.rotate = true,
            ("edns0", _) => self.edns = true,
            _ => {}
        }
    }
}

fn server_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    // A zone (fe80::1%eth0) cannot be kept in an IpAddr; the address alone is right on a host with one link.
    let (address, _zone) = text.split_once('%')?;
    address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

fn domain(text: &str) -> String {
    text.trim_end_matches('.').to_owned()
}

fn domain_of_this_host() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    let (_, domain) = name.split_once('.')?;
    (!domain.is_empty()).then(|| domain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_servers_search_and_options() {
        let conf = ResolvConf::parse(
            "; c\nnameserver 192.0.2.1\nnameserver ::1\nnameserver x\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n\
             domain a.example\nsearch b.example. c.example\noptions ndots:20 timeout:0 attempts:9 rotate edns0 trust-ad\n",
        );
        assert_eq!(conf.servers.len(), 3);
        assert_eq!(conf.search, ["b.example", "c.example"]);
        assert_eq!((conf.ndots, conf.timeout.as_secs(), conf.attempts), (15, 1, 5));
        assert!(conf.rotate && conf.edns);
    }

    #[test]
    fn nothing_means_this_machine() {
        let conf = ResolvConf::parse("");
        assert_eq!(conf.servers, [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        assert_eq!(conf.attempts, 2);
    }
}
