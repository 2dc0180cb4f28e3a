//! Next hops as text: `domain`, `[host]`, `host:port`, and lists of them.

use address::host_port::host_port;

use crate::settings::Services;

/// One next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// As it was written.
    pub(crate) text: String,
    /// Host or domain, without brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// In brackets: no MX lookup.
    pub(crate) literal: bool,
}

/// Takes a next hop apart; the error is for the log.
pub(crate) fn parse(text: &str, default_service: &str, services: &Services) -> Result<Destination, String> {
    let parts = host_port(text, None, Some(default_service))
        .map_err(|why| format!("{why} in server description: {text}"))?;
    let port = if parts.port.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = parts.port.parse::<u16>().ok().filter(|&port| port > 0);
        number.ok_or_else(|| format!("bad network port: {} for destination: {text}", parts.port))?
    } else {
        services.port(parts.port).ok_or_else(|| format!("unknown service: {}/tcp", parts.port))?
    };
    Ok(Destination {
        text: text.to_owned(),
        host: parts.host.to_owned(),
        port,
        literal: text.starts_with('['),
    })
}

/// The elements of a list of next hops.
pub(crate) fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let services = crate::testing::services();
        let parse = |text: &str| parse(text, "smtp", &services);
        let port = |text: &str| {
            parse(text).map(|destination| (destination.host, destination.port, destination.literal))
        };
        assert_eq!(port("example.com"), Ok(("example.com".into(), 25, false)));
        assert_eq!(port("[mail.example.com]:submission"), Ok(("mail.example.com".into(), 587, true)));
        assert_eq!(port("[IPv6:2001:db8::1]:2525"), Ok(("2001:db8::1".into(), 2525, true)));
        assert_eq!(port("[192.0.2.1]"), Ok(("192.0.2.1".into(), 25, true)));
        assert_eq!(parse("a:70000").unwrap_err(), "bad network port: 70000 for destination: a:70000");
        assert_eq!(parse("a:nonsense").unwrap_err(), "unknown service: nonsense/tcp");
        assert_eq!(parse("[a").unwrap_err(), "missing \"]\" in server description: [a");
        assert_eq!(split("a, b\tc").collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
