//! What `hosts` and `dbname` say: places, connection URIs, and `name=value` strings, as PostgreSQL's own library reads them.

use std::time::Duration;

use crate::CONNECT_LIMIT;
use database_link::{Files, Proof};

/// Where the library of Debian and others looks for the server of this machine.
const SOCKET_DIRECTORY: &str = "/var/run/postgresql";
const DEFAULT_PORT: &str = "5432";

/// Whether a text begins like a URI.
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once("://") else { return false };
    scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// A text of `hosts` for the log.
///
/// COMPAT: without the password that a URI may have, where Postfix shows it. Test: `what_the_log_shows`.
pub(crate) fn shown(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://").filter(|_| is_uri(text)) else {
        return text.to_owned();
    };
    let (place, parameters) = rest.split_once('?').map_or((rest, None), |(place, rest)| (place, Some(rest)));
    // A password with a character that should have been encoded is still a password.
    let place = match place.rsplit_once('@') {
        Some((user, rest)) => format!("{}@{rest}", user.split_once(':').map_or(user, |(name, _)| name)),
        None => place.to_owned(),
    };
    let is_secret =
        |parameter: &&str| parameter.starts_with("password=") || parameter.starts_with("sslpassword=");
    let parameters = parameters.map(|all| {
        let rest: Vec<&str> = all.split('&').filter(|parameter| !is_secret(parameter)).collect();
        format!("?{}", rest.join("&"))
    });
    format!("{scheme}://{place}{}", parameters.unwrap_or_default())
}

/// When a connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Encrypt {
    /// `disable`
    Never,
    /// `allow`: when the server does not want it otherwise.
    Reluctantly,
    /// `prefer`: when the server can.
    #[default]
    Gladly,
    /// `require` and above.
    Always,
}

/// Which servers will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Session {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// Where to connect, and how to log in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    hosts: Vec<String>,
    addresses: Vec<String>,
    ports: Vec<String>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    pub(crate) encrypt: Encrypt,
    pub(crate) proof: Option<Proof>,
    pub(crate) files: Files,
    pub(crate) session: Session,
    pub(crate) limit: Option<Duration>,
    /// What else the server is told.
    pub(crate) parameters: Vec<(&'static str, String)>,
}

/// A host as it is written, the address to use instead if there is one, and the port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) address: Option<String>,
    pub(crate) port: String,
}

impl Target {
    /// A host that is no URI, and settings for all such hosts.
    pub(crate) fn plain(
        host: &str,
        port: Option<&str>,
        database: &str,
        user: &str,
        password: &str,
    ) -> Result<Self, String> {
        let mut target = Self::default();
        // A whole connection string may hide in the name of the database.
        if is_postgres(database) || database.contains('=') {
            target.read(database)?;
        } else {
            database.clone_into(&mut target.database);
        }
        let set = |field: &mut String, value: &str| {
            if !value.is_empty() {
                value.clone_into(field);
            }
        };
        set(&mut target.user, user);
        set(&mut target.password, password);
        if !host.is_empty() {
            target.hosts = vec![host.to_owned()];
        }
        if let Some(port) = port.filter(|port| !port.is_empty()) {
            target.ports = vec![port.to_owned()];
        }
        target.checked()
    }

    /// A connection URI.
    pub(crate) fn uri(text: &str) -> Result<Self, String> {
        let mut target = Self::default();
        let result = target.read(text).and_then(|()| target.checked());
        // What was taken for a port may be part of a password.
        let is_torn = text.split_once("://").is_some_and(|(_, rest)| {
            rest.split('?')
                .next()
                .and_then(|place| place.split_once('/'))
                .is_some_and(|(_, path)| path.contains('@'))
        });
        result.map_err(|error| if is_torn { "invalid connection URI\n".to_owned() } else { error })
    }

    /// How long connecting may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limit.unwrap_or(CONNECT_LIMIT)
    }

    /// The places to try, in order.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let count = self.hosts.len().max(self.addresses.len()).max(1);
        let port = |at: usize| match self.ports.as_slice() {
            [single] => single.as_str(),
            ports => ports.get(at).map_or("", String::as_str),
        };
        (0..count)
            .map(|at| {
                let address = self.addresses.get(at).filter(|address| !address.is_empty()).cloned();
                let host = self.hosts.get(at).filter(|host| !host.is_empty()).cloned();
                let host = host.or_else(|| address.clone()).unwrap_or_else(|| SOCKET_DIRECTORY.to_owned());
                let port = if port(at).is_empty() { DEFAULT_PORT } else { port(at) };
                Endpoint { host, address, port: port.to_owned() }
            })
            .collect()
    }

    fn checked(self) -> Result<Self, String> {
        for port in self.endpoints().iter().map(|endpoint| &endpoint.port) {
            match port.parse::<u32>() {
                Ok(1..=65535) => {}
                Ok(_) => return Err(format!("invalid port number: \"{port}\"\n")),
                Err(_) => {
                    return Err(format!("invalid integer value \"{port}\" for connection option \"port\"\n"));
                }
            }
        }
        let (hosts, ports) = (self.endpoints().len(), self.ports.len());
        if ports > 1 && ports != hosts {
            return Err(format!("could not match {ports} port numbers to {hosts} hosts\n"));
        }
        Ok(self)
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        match text.split_once("://").filter(|_| is_postgres(text)) {
            Some((_, rest)) => self.read_uri(text, rest),
            None => self.read_pairs(text),
        }
    }

    fn read_uri(&mut self, whole: &str, rest: &str) -> Result<(), String> {
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let hosts = match authority.split_once('@') {
            Some((user, hosts)) => {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                self.user = decoded(user)?;
                self.password = decoded(password)?;
                hosts
            }
            None => authority,
        };
        for host in hosts.split(',') {
            let (host, port) = split_host(host, whole)?;
            self.hosts.push(decoded(host)?);
            self.ports.push(decoded(port)?);
        }
        if self.ports.iter().all(String::is_empty) {
            self.ports.clear();
        }
        self.database = decoded(path)?;
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let Some((name, value)) = parameter.split_once('=') else {
                return Err(format!(
                    "missing key/value separator \"=\" in URI query parameter: \"{parameter}\"\n"
                ));
            };
            let (name, value) = (decoded(name)?, decoded(value)?);
            if name == "ssl" && value == "true" {
                self.encrypt = Encrypt::Always;
            } else if !self.set(&name, value)? {
                return Err(format!("invalid URI query parameter: \"{name}\"\n"));
            }
        }
        Ok(())
    }

    /// `name = value 'name' = 'value with blanks'`
    fn read_pairs(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let end = rest.find(|char: char| char == '=' || char.is_whitespace()).unwrap_or(rest.len());
            let (name, tail) = rest.split_at(end);
            let Some(tail) = tail.trim_start().strip_prefix('=') else {
                return Err(format!("missing \"=\" after \"{name}\" in connection info string\n"));
            };
            let (value, tail) = pair_value(tail.trim_start())?;
            if !self.set(name, value)? {
                return Err(format!("invalid connection option \"{name}\"\n"));
            }
            rest = tail.trim_start();
        }
        Ok(())
    }

    /// Sets an option; whether there is one of that name.
    fn set(&mut self, name: &str, value: String) -> Result<bool, String> {
        let list = |value: &str| value.split(',').map(str::to_owned).collect();
        let invalid = |value: &str| Err(format!("invalid {name} value: \"{value}\"\n"));
        match name {
            "host" => self.hosts = list(&value),
            "hostaddr" => self.addresses = list(&value),
            "port" => self.ports = list(&value),
            "user" => self.user = value,
            "password" => self.password = value,
            "dbname" => self.database = value,
            "sslcert" => self.files.certificate = Some(value),
            "sslkey" => self.files.key = Some(value),
            "sslrootcert" => self.files.ca_file = Some(value),
            "application_name" => self.parameters.push(("application_name", value)),
            "options" => self.parameters.push(("options", value)),
            "sslmode" => {
                (self.encrypt, self.proof) = match value.as_str() {
                    "disable" => (Encrypt::Never, None),
                    "allow" => (Encrypt::Reluctantly, None),
                    "prefer" => (Encrypt::Gladly, None),
                    "require" => (Encrypt::Always, None),
                    "verify-ca" => (Encrypt::Always, Some(Proof::Chain)),
                    "verify-full" => (Encrypt::Always, Some(Proof::Name)),
                    other => return invalid(other),
                }
            }
            "target_session_attrs" => {
                self.session = match value.as_str() {
                    "any" => Session::Any,
                    "read-write" => Session::ReadWrite,
                    "read-only" => Session::ReadOnly,
                    "primary" => Session::Primary,
                    "standby" => Session::Standby,
                    "prefer-standby" => Session::PreferStandby,
                    other => return invalid(other),
                }
            }
            "connect_timeout" => match value.trim().parse::<i64>() {
                // Less than two seconds is too little, zero is for ever, which nothing is.
                Ok(seconds @ 1..) => {
                    self.limit = Some(Duration::from_secs(seconds.unsigned_abs().max(2)));
                }
                Ok(_) => {}
                Err(_) => {
                    return Err(format!(
                        "invalid integer value \"{value}\" for connection option \"connect_timeout\"\n"
                    ));
                }
            },
            _ => return Ok(IGNORED.contains(&name)),
        }
        Ok(true)
    }
}

/// Options that mean nothing here.
const IGNORED: &[&str] = &[
    "channel_binding",
    "client_encoding",
    "fallback_application_name",
    "gssencmode",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "passfile",
    "replication",
    "requirepeer",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslpassword",
    "sslsni",
    "tcp_user_timeout",
    "tty",
];

fn is_postgres(text: &str) -> bool {
    text.starts_with("postgresql://") || text.starts_with("postgres://")
}

/// `host:port`, where the host may be an address in brackets.
fn split_host<'a>(text: &'a str, whole: &str) -> Result<(&'a str, &'a str), String> {
    let Some(inner) = text.strip_prefix('[') else { return Ok(text.split_once(':').unwrap_or((text, ""))) };
    let Some((address, rest)) = inner.split_once(']') else {
        return Err(format!(
            "end of string reached when looking for matching \"]\" in IPv6 host address in URI: \"{}\"\n",
            shown(whole)
        ));
    };
    match rest.strip_prefix(':') {
        Some(port) => Ok((address, port)),
        None if rest.is_empty() => Ok((address, "")),
        None => Err(format!("unexpected character in URI (expected \":\" or \"/\"): \"{}\"\n", shown(whole))),
    }
}

/// A text with `%xx` for bytes.
fn decoded(text: &str) -> Result<String, String> {
    let decoded = bytes::percent_decoded(text.as_bytes()).ok_or("invalid percent-encoded token\n")?;
    if decoded.contains(&0) {
        return Err("forbidden value %00 in percent-encoded value\n".to_owned());
    }
    Ok(String::from_utf8_lossy(&decoded).into_owned())
}

/// A value in quotes or up to a blank, and what follows it. `\` takes the next character.
fn pair_value(text: &str) -> Result<(String, &str), String> {
    let (is_quoted, text) = text.strip_prefix('\'').map_or((false, text), |inner| (true, inner));
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => value.extend(chars.next().map(|(_, char)| char)),
            '\'' if is_quoted => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            char if !is_quoted && char.is_whitespace() => {
                return Ok((value, text.get(at..).unwrap_or_default()));
            }
            char => value.push(char),
        }
    }
    if is_quoted {
        return Err("unterminated quoted string in connection info string\n".to_owned());
    }
    Ok((value, ""))
}

#[cfg(test)]
mod tests;
