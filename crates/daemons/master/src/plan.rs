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
    /// The name in a form of its own: below the queue directory, or with the number of the port.
    pub(crate) identity: String,
    pub(crate) kind: Kind,
    pub(crate) endpoint: Endpoint,
    /// The program, absolute.
    pub(crate) path: String,
    /// The command line, argv\[0\] included.
    pub(crate) arguments: Vec<String>,
    pub(crate) sharing: Sharing,
    /// How many processes there may be; `None`: any number.
    pub(crate) process_limit: Option<usize>,
    /// How many clients all processes may have together, if they share that out.
    pub(crate) client_limit: Option<usize>,
    /// Whether strangers can keep it busy.
    pub(crate) is_stressable: bool,
    /// Seconds between wakeups; 0: never.
    pub(crate) wakeup: u32,
    /// Wake it up even if nobody has used it yet.
    pub(crate) wakeup_always: bool,
    /// Length of the listen queue.
    pub(crate) backlog: i32,
}

/// What plans depend on beside the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub(crate) cores: usize,
    /// The option for processes that stay at the terminal.
    pub(crate) debug: Option<&'static str>,
}

/// Where a service listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Each address is a socket of its own.
    Inet(Vec<SocketAddr>),
    /// Below the queue directory.
    Path(String),
}

/// Two names of a service that mean the same, such as `smtp` and `25`, have one identity.
pub(crate) fn identity(entry: &Entry) -> String {
    match entry.kind {
        Kind::Inet => {}
        _ if entry.private => return format!("private/{}", entry.name),
        _ => return format!("public/{}", entry.name),
    }
    let Ok(endpoint) = entry.endpoint() else { return entry.name.clone() };
    let Some(port) = port(&endpoint.port) else { return entry.name.clone() };
    match endpoint.host {
        Some(host) => format!("[{host}]:{port}"),
        None => port.to_string(),
    }
}

impl Plan {
    /// `known` is where the service listens already, which cannot be changed while it runs.
    pub(crate) fn new(
        entry: &Entry,
        main: &MainCf,
        params: &MasterParams,
        surroundings: &Surroundings,
        known: Option<&Endpoint>,
    ) -> Result<Self, Fatal> {
        let identity = identity(entry);
        let endpoint = match (known, entry.kind) {
            (Some(known), _) => known.clone(),
            (None, Kind::Inet) => Endpoint::Inet(addresses(entry, main)?),
            (None, _) => Endpoint::Path(identity.clone()),
        };
        let maxproc = entry.maxproc.map_or(0, |limit| limit as usize);
        let program = entry.command.rsplit('/').next().unwrap_or(&entry.command);
        let sharing = ipc::master::sharing(program);
        let is_stressable = maxproc > 1
            && match &endpoint {
                Endpoint::Inet(addresses) => addresses.iter().any(|address| !address.ip().is_loopback()),
                // Behind it may be one that screens strangers.
                Endpoint::Path(_) => entry.kind == Kind::Pass,
            };
        let default_limit = params.default_process_limit.max(0) as usize;
        let mut plan = Self {
            name: entry.name.clone(),
            identity,
            kind: entry.kind,
            arguments: Vec::new(),
            path: format!("{}/{}", params.daemon_directory, entry.command),
            endpoint,
            sharing,
            process_limit: process_limit(sharing, maxproc, surroundings.cores),
            client_limit: Some(maxproc).filter(|limit| *limit > 0 && sharing == Sharing::Clients),
            is_stressable,
            wakeup: entry.wakeup,
            wakeup_always: entry.wakeup_always,
            // A burst must find room to wait in; the kernel cuts this down to its own maximum.
            backlog: i32::try_from(maxproc.max(default_limit)).unwrap_or(i32::MAX).clamp(1000, 65535),
        };
        plan.arguments = plan.command_line(entry, maxproc, surroundings.debug);
        Ok(plan)
    }

    fn command_line(&self, entry: &Entry, maxproc: usize, debug: Option<&str>) -> Vec<String> {
        let mut words = vec![entry.command.clone()];
        let mut add = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
        match maxproc {
            0 => add(&["-z"]),
            1 => add(&["-l"]),
            _ => {}
        }
        if entry.command.rsplit('/').next() != Some(&entry.name) {
            add(&["-n", &entry.name]);
        }
        add(&["-t", entry.kind.name()]);
        add(debug.as_slice());
        if log::verbose() > 0 {
            add(&["-v"]);
        }
        if entry.unprivileged {
            add(&["-u"]);
        }
        if entry.chroot {
            add(&["-c"]);
        }
        if self.is_stressable {
            add(&["-o", ipc::master::CALM]);
        }
        if let Endpoint::Inet(addresses) = &self.endpoint
            && addresses.len() > 1
        {
            add(&["-s", &addresses.len().to_string()]);
        }
        words.extend(entry.args.iter().cloned());
        words
    }
}

/// How many processes there may be. `maxproc` 0 means no limit.
fn process_limit(sharing: Sharing, maxproc: usize, cores: usize) -> Option<usize> {
    match sharing {
        Sharing::Processes => Some(maxproc).filter(|limit| *limit > 0),
        Sharing::Clients | Sharing::Unlimited if maxproc == 0 => Some(cores.max(1)),
        Sharing::Clients | Sharing::Unlimited => Some(cores.clamp(1, maxproc)),
    }
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
    fn processes_follow_maxproc_and_cores() {
        assert_eq!(process_limit(Sharing::Clients, 100, 4), Some(4));
        assert_eq!(process_limit(Sharing::Clients, 2, 4), Some(2));
        assert_eq!(process_limit(Sharing::Clients, 0, 4), Some(4));
        assert_eq!(process_limit(Sharing::Unlimited, 1, 4), Some(1));
        assert_eq!(process_limit(Sharing::Processes, 100, 4), Some(100));
        assert_eq!(process_limit(Sharing::Processes, 0, 4), None);
    }

    #[test]
    fn a_service_is_known_by_its_port() {
        let identity = |line: &str| {
            let main = MainCf::empty(std::path::Path::new("/etc/postfix"));
            let table = conf::master::MasterCf::parse(&main, "master.cf", line.as_bytes()).unwrap();
            identity(&table.entries[0])
        };
        assert_eq!(identity("smtp inet n - n - - smtpd"), "25");
        assert_eq!(identity("127.0.0.1:smtp inet n - n - - smtpd"), "[127.0.0.1]:25");
        assert_eq!(identity("smtp unix - - n - - smtp"), "private/smtp");
        assert_eq!(identity("showq unix n - n - - showq"), "public/showq");
    }
}
