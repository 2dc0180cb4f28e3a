//! Defaults that are found out at run time.

use crate::declaration::Compute;
use crate::interfaces::{self, Interface};
use crate::{Error, MainCf, params};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

thread_local! {
    /// Names whose defaults are being found out.
    static OPEN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Finds a default out. A name on which its own default depends, as with `myhostname = $mydomain` alone, has no value
/// meanwhile.
pub(crate) fn find(main: &MainCf, name: &'static str, compute: Compute) -> Result<Option<String>, Error> {
    if OPEN.with_borrow(|open| open.contains(&name)) {
        return Ok(None);
    }
    OPEN.with_borrow_mut(|open| open.push(name));
    let value = compute(main);
    OPEN.with_borrow_mut(Vec::pop);
    value.map(Some)
}

/// `myhostname`: the system's name, made fully qualified with `mydomain` as written.
///
/// There is no look-up in the DNS, which would make every program hang when the DNS is down.
pub fn hostname(main: &MainCf) -> Result<String, Error> {
    let name =
        nix::unistd::gethostname().map_err(|error| Error::Value(format!("gethostname: {}", error.desc())))?;
    let name = name.to_string_lossy().into_owned();
    if let Err(problem) = valid_hostname(&name) {
        log::warning!("valid_hostname: {problem}");
        return Err(Error::Value("unable to use my own hostname".to_owned()));
    }
    if name.contains('.') {
        return Ok(name);
    }
    let domain = match main.written("mydomain") {
        Some(domain) => main.expand(domain)?,
        None => "localdomain".to_owned(),
    };
    Ok(format!("{name}.{domain}"))
}

/// `mydomain`: what follows the first dot of `$myhostname`.
pub fn domain(main: &MainCf) -> Result<String, Error> {
    let name = match main.written("myhostname") {
        Some(name) => main.expand(name)?,
        None => hostname(main)?,
    };
    Ok(match name.split_once('.') {
        Some((_, domain)) => domain.to_owned(),
        None => "localdomain".to_owned(),
    })
}

/// `mynetworks`: the networks of the local interfaces, by `$mynetworks_style`.
pub fn networks(main: &MainCf) -> Result<String, Error> {
    networks_in_style(main, &crate::load::<params::mynetworks_style>(main)?)
}

/// The addresses of the local interfaces, as a list of networks of one address each.
pub fn networks_of_host(main: &MainCf) -> Result<String, Error> {
    networks_in_style(main, "host")
}

fn networks_in_style(main: &MainCf, style: &str) -> Result<String, Error> {
    if interfaces::protocols(main)?.is_none() {
        return Ok(String::new());
    }
    let style = Style::parse(style)?;
    let mut networks: Vec<String> = Vec::new();
    for interface in interfaces::own_addresses(main)? {
        let network = style.network(&interface);
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    // COMPAT: Postfix ends the list with a blank, and postconf shows it.
    Ok(networks.iter().map(|network| format!("{network} ")).collect())
}

#[derive(Clone, Copy)]
enum Style {
    Class,
    Subnet,
    Host,
}

impl Style {
    fn parse(text: &str) -> Result<Style, Error> {
        let mut styles = Vec::new();
        for word in text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
            styles.push(match word {
                "class" => Style::Class,
                "subnet" => Style::Subnet,
                "host" => Style::Host,
                _ => {
                    let problem = format!("unknown mynetworks mask style value \"{word}\" in \"{text}\"");
                    return Err(Error::Value(problem));
                }
            });
        }
        match styles[..] {
            [style] => Ok(style),
            _ => Err(Error::Value(format!("bad mynetworks_style value: {text}; specify exactly one value"))),
        }
    }

    fn network(self, interface: &Interface) -> String {
        match interface.address {
            IpAddr::V4(address) => {
                let length = match self {
                    Style::Class => class_length(address),
                    Style::Subnet => interface.prefix,
                    Style::Host => 32,
                };
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                format!("{}/{length}", Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let length = if matches!(self, Style::Host) { 128 } else { interface.prefix };
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                format!("[{}]/{length}", Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        }
    }
}

fn class_length(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        192..224 => 24,
        _ => 4,
    }
}

/// Whether a text has the form of a host name; the error is the text of a warning.
pub(crate) fn valid_hostname(name: &str) -> Result<(), String> {
    let shown: String = name.chars().take(100).collect();
    if name.is_empty() {
        return Err("empty hostname".to_owned());
    }
    let bytes = name.as_bytes();
    let (mut length, mut is_numeric) = (0, true);
    for (at, &byte) in bytes.iter().enumerate() {
        let next = bytes.get(at + 1);
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                length += 1;
                if length > 63 {
                    return Err(format!("hostname label too long: {shown}"));
                }
                is_numeric &= byte.is_ascii_digit();
            }
            b'.' if length == 0 || next.is_none() => return Err(format!("misplaced delimiter: {shown}")),
            b'.' => length = 0,
            b'-' if length == 0 || matches!(next, None | Some(b'.')) => {
                return Err(format!("misplaced hyphen: {shown}"));
            }
            b'-' => {
                length += 1;
                is_numeric = false;
            }
            _ => return Err(format!("invalid character {byte}(decimal): {shown}")),
        }
    }
    if is_numeric {
        return Err(format!("numeric hostname: {shown}"));
    }
    if name.len() > 255 {
        return Err(format!("bad length {} for {shown}...", name.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles() {
        let interface = Interface { address: "192.168.5.77".parse().unwrap(), prefix: 20 };
        let network = |style: &str| Style::parse(style).unwrap().network(&interface);
        assert_eq!(network("class"), "192.168.5.0/24");
        assert_eq!(network("subnet"), "192.168.0.0/20");
        assert_eq!(network("host"), "192.168.5.77/32");
        let interface = Interface { address: "fe80::1:2".parse().unwrap(), prefix: 64 };
        assert_eq!(Style::Class.network(&interface), "[fe80::]/64");
        assert_eq!(Style::Host.network(&interface), "[fe80::1:2]/128");
        assert!(Style::parse("host, class").is_err() && Style::parse("hosts").is_err());
    }

    #[test]
    fn host_names() {
        assert_eq!(valid_hostname("a-b.example_1.com"), Ok(()));
        for (name, problem) in [
            ("", "empty hostname"),
            ("a..b", "misplaced delimiter: a..b"),
            ("-a", "misplaced hyphen: -a"),
            ("1.2.3.4", "numeric hostname: 1.2.3.4"),
            ("a b", "invalid character 32(decimal): a b"),
        ] {
            assert_eq!(valid_hostname(name), Err(problem.to_owned()));
        }
    }

    #[test]
    fn names_of_this_host() {
        let mut main = MainCf::empty(std::path::Path::new("/etc/postfix"));
        main.set("myhostname", "mail.example.com");
        assert_eq!(main.expand("$mydomain").unwrap(), "example.com");
        main.set("inet_protocols", "ipv4");
        main.set("inet_interfaces", "loopback-only");
        main.set("mynetworks_style", "class");
        assert!(main.expand("$mynetworks").unwrap().contains("127.0.0.0/8 "));
    }

    #[test]
    fn names_of_one_another() {
        let mut main = MainCf::empty(std::path::Path::new("/etc/postfix"));
        main.set("myhostname", "$mydomain");
        assert_eq!(main.expand("$myhostname $mydomain").unwrap(), "localdomain localdomain");
        main.set("myhostname", "host.$mydomain");
        assert_eq!(main.expand("$myhostname").unwrap(), "host.");
        main.set("inet_protocols", "ipv4");
        main.set("inet_interfaces", "loopback-only, $mynetworks");
        assert!(main.expand("$mynetworks").is_err());
    }
}
