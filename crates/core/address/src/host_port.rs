//! Endpoints as configuration writes them: `host`, `host:port`, `[host]:port`, `[IPv6:addr]:port`.

use crate::hostname::{valid_hostaddr, valid_ipv6_hostaddr};
use crate::idn::valid_utf8_hostname;
use crate::mailhost::strip_ipv6_prefix;

/// The two parts of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort<'a> {
    /// Host name or address, without brackets and `IPv6:`.
    pub host: &'a str,
    /// Number or service name.
    pub port: &'a str,
}

/// Takes an endpoint apart. Without brackets and colon the text is the port when only the host has
/// a default, else the host. The error is the reason as Postfix words it; the caller adds
/// ` in TEXT`.
pub fn host_port<'a>(
    text: &'a str,
    default_host: Option<&'a str>,
    default_port: Option<&'a str>,
) -> Result<HostPort<'a>, &'static str> {
    let some = |part: &'a str| Some(part).filter(|part| !part.is_empty());
    // A default is not looked at again.
    let mut given_host = None;
    let mut given_port = None;
    if let Some(inner) = text.strip_prefix('[') {
        let (bare, ipv6) = match strip_ipv6_prefix(inner.as_bytes()) {
            Some(bare) => (&inner[inner.len() - bare.len()..], true),
            None => (inner, false),
        };
        let (host, rest) = bare.split_once(']').ok_or("missing \"]\"")?;
        if !rest.is_empty() && !rest.starts_with(':') {
            return Err("garbage after \"]\"");
        }
        if ipv6 && valid_ipv6_hostaddr(host.as_bytes()).is_err() {
            return Err("malformed IPv6 address");
        }
        given_host = Some(host);
        given_port = rest.strip_prefix(':').and_then(some);
    } else if let Some((host, port)) = text.rsplit_once(':') {
        given_host = some(host);
        given_port = some(port);
    } else {
        if default_host.is_none() {
            given_host = some(text);
        }
        if default_port.is_none() {
            given_port = some(text);
        }
    }
    let host = given_host.or(default_host).ok_or("missing host information")?;
    let port = given_port.or(default_port).ok_or("missing service information")?;
    if given_host.is_some()
        && valid_utf8_hostname(host.as_bytes()).is_err()
        && valid_hostaddr(host.as_bytes()).is_err()
    {
        return Err("valid hostname or network address required");
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if given_port.is_some_and(|port| port.starts_with(|first: char| first.is_ascii_digit()) && !digits(port))
    {
        return Err("garbage after numerical service");
    }
    Ok(HostPort { host, port })
}
