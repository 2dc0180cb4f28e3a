//! From a master.cf entry to what master will do: sockets, process limit, command line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use conf::MainCf;
use conf::interfaces::{self, Protocols};
use conf::master::{Entry, Kind};
use ipc::master::Sharing;

use crate::{Fatal, MasterParams};

/// What a service needs, apart from its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The name in master.cf.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) endpoint: Endpoint,
    /// The program, absolute.
    pub(crate) path: String,
    /// The command line, argv\[0\] included.
    pub(crate) arguments: Vec<String>,
    /// How many processes there may be; `None`: any number.
    pub(crate) process_limit: Option<usize>,
    /// What a process is told in [`ipc::master::CLIENT_LIMIT`], if it serves many.
    pub(crate) client_limit: Option<usize>,
    /// Seconds between wakeups; 0: never.
    pub(crate) wakeup: u32,
    /// Wake it up even if nobody has used it yet.
    pub(crate) wakeup_always: bool,
    /// Length of the listen queue.
    pub(crate) backlog: i32,
}

/// Where a service listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Each address is a socket of its own.
    Inet(Vec<SocketAddr>),
    /// Below the queue directory.
    Path(String),
}

impl Plan {
    pub(crate) fn new(
        entry: &Entry,
        main: &MainCf,
        params: &MasterParams,
        cores: usize,
    ) -> Result<Self, Fatal> {
        let endpoint = match entry.kind {
            Kind::Inet => Endpoint::Inet(addresses(entry, main)?),
            _ => {
                let class = if entry.private { "private" } else { "public" };
                Endpoint::Path(format!("{class}/{}", entry.name))
            }
        };
        let maxproc = match entry.maxproc {
            Some(limit) => limit as usize,
            None => params.default_process_limit.max(0) as usize,
        };
        let program = entry.command.rsplit('/').next().unwrap_or(&entry.command);
        let (process_limit, client_limit) = share(ipc::master::sharing(program), maxproc, cores);
        Ok(Self {
            name: entry.name.clone(),
            kind: entry.kind,
            arguments: arguments(entry, program, maxproc, &endpoint),
            path: format!("{}/{}", params.daemon_directory, entry.command),
            endpoint,
            process_limit,
            client_limit,
            wakeup: entry.wakeup,
            wakeup_always: entry.wakeup_always,
            // A burst must find room to wait in; the kernel cuts this down to its own maximum.
            backlog: i32::try_from(maxproc).unwrap_or(i32::MAX).clamp(1000, 65535),
        })
    }
}

/// How many processes, and how many clients each. `maxproc` 0 means no limit.
fn share(sharing: Sharing, maxproc: usize, cores: usize) -> (Option<usize>, Option<usize>) {
    let cores = cores.max(1);
    let processes = if maxproc == 0 { cores } else { cores.min(maxproc) };
    match sharing {
        Sharing::Processes if maxproc == 0 => (None, None),
        Sharing::Processes => (Some(maxproc), None),
        Sharing::Unlimited => (Some(processes), Some(0)),
        Sharing::Clients if maxproc == 0 => (Some(processes), Some(0)),
        // Rounded down where it does not divide: never more clients than maxproc.
        Sharing::Clients => {
            let processes = (1..=processes).rev().find(|count| maxproc.is_multiple_of(*count)).unwrap_or(1);
            (Some(processes), Some(maxproc / processes))
        }
    }
}

fn arguments(entry: &Entry, program: &str, maxproc: usize, endpoint: &Endpoint) -> Vec<String> {
    let mut arguments = vec![entry.command.clone()];
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
    if maxproc == 1 {
        add(&["-l"]);
    }
    if maxproc == 0 {
        add(&["-z"]);
    }
    if program != entry.name {
        add(&["-n", &entry.name]);
    }
    add(&["-t", entry.kind.name()]);
    for _ in 0..log::verbose() {
        add(&["-v"]);
    }
    if entry.unprivileged {
        add(&["-u"]);
    }
    if entry.chroot {
        add(&["-c"]);
    }
    if let Endpoint::Inet(addresses) = endpoint {
        let public = addresses.iter().any(|address| !address.ip().is_loopback());
        if public && maxproc > 1 {
            add(&["-o", "stress="]);
        }
        if addresses.len() > 1 {
            add(&["-s", &addresses.len().to_string()]);
        }
    }
    arguments.extend(entry.args.iter().cloned());
    arguments
}

fn addresses(entry: &Entry, main: &MainCf) -> Result<Vec<SocketAddr>, Fatal> {
    let refuse =
        |why: String| Fatal(format!("{}/master.cf: line {}: {why}", main.path().display(), entry.line));
    let endpoint = entry.endpoint().map_err(&refuse)?;
    let port = port(&endpoint.port).ok_or_else(|| refuse(format!("bad service name: {}", entry.name)))?;
    let protocols = interfaces::protocols(main)?;
    let mut hosts: Vec<IpAddr> = match &endpoint.host {
        Some(host) => {
            let found = interfaces::host_addresses(host, protocols);
            if found.is_empty() {
                return Err(refuse(format!("bad hostname or network address: {}", entry.name)));
            }
            found
        }
        None => own_addresses(main, protocols)?,
    };
    hosts.sort();
    hosts.dedup();
    if hosts.is_empty() {
        return Err(refuse(
            "service definition requires valid host name or address, or non-empty inet_interfaces setting"
                .to_owned(),
        ));
    }
    Ok(hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect())
}

fn own_addresses(main: &MainCf, protocols: Protocols) -> Result<Vec<IpAddr>, Fatal> {
    if !crate::MasterParams::load(main)?.inet_interfaces.eq_ignore_ascii_case("all") {
        return Ok(interfaces::own_addresses(main)?.into_iter().map(|interface| interface.address).collect());
    }
    let wildcards = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    Ok(wildcards.into_iter().filter(|address| protocols.allow(*address)).collect())
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().or_else(|| service_port(text))
}

// The names of master.cf's own examples work without /etc/services too.
fn service_port(name: &str) -> Option<u16> {
    let services = std::fs::read_to_string("/etc/services").unwrap_or_default();
    let listed = services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (service, port) = (words.next()?, words.next()?);
        let port = port.strip_suffix("/tcp")?;
        (service == name || words.any(|alias| alias == name)).then(|| port.parse().ok())?
    });
    listed.or(match name {
        "smtp" => Some(25),
        "smtps" | "submissions" => Some(465),
        "submission" => Some(587),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_never_exceed_maxproc() {
        for maxproc in 1..200 {
            for cores in 1..20 {
                let (processes, clients) = share(Sharing::Clients, maxproc, cores);
                assert_eq!(processes.unwrap() * clients.unwrap(), maxproc);
                assert!(processes.unwrap() <= cores);
            }
        }
        assert_eq!(share(Sharing::Clients, 0, 4), (Some(4), Some(0)));
        assert_eq!(share(Sharing::Unlimited, 1, 4), (Some(1), Some(0)));
        assert_eq!(share(Sharing::Processes, 0, 4), (None, None));
    }
}
