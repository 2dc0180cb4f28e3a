//! Connection strings: `mongodb://user:password@host:port,host/database?option=value`.

use std::time::Duration;

use database_link::{Files, Proof};

/// Where servers listen when nothing else is said.
const USUAL_PORT: u16 = 27017;
/// How long it may take to connect to a server, to agree on keys, and to log in.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to find a server that will do.
const SELECT_LIMIT: Duration = Duration::from_secs(30);
/// How long a server may take to answer. SMTP clients wait for 5 minutes.
const ANSWER_LIMIT: Duration = Duration::from_secs(100);
/// How many hosts a set can have.
pub(crate) const HOSTS: usize = 50;

/// What a connection string says.
#[derive(Clone, Debug)]
pub(crate) struct Uri {
    pub(crate) hosts: Vec<Host>,
    pub(crate) account: Option<Account>,
    pub(crate) tls: Option<(Files, Proof)>,
    /// Servers of another set are not asked.
    pub(crate) replica_set: Option<String>,
    /// Whether there is one server, which is asked whatever it is.
    pub(crate) is_direct: bool,
    pub(crate) preference: Preference,
    pub(crate) read_concern: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) connect_limit: Duration,
    pub(crate) select_limit: Duration,
    pub(crate) answer_limit: Duration,
}

/// What is wrong with a connection string.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// This, for people, without secrets.
    Text(String),
    /// It is one of those whose hosts are in DNS.
    Srv,
}

impl<T: Into<String>> From<T> for Fault {
    fn from(why: T) -> Self {
        Self::Text(why.into())
    }
}

/// A server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Host {
    Socket(String),
    Network(String, u16),
}

/// Who we are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) password: String,
    /// The database that knows the account.
    pub(crate) source: String,
    pub(crate) mechanism: Mechanism,
}

/// How to prove it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mechanism {
    /// The best that the server knows for the account.
    Best,
    ScramSha1,
    ScramSha256,
    /// The password, as it is.
    Plain,
    /// Our certificate is the proof.
    X509,
}

/// Which members of a set are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Preference {
    Primary,
    PrimaryPreferred,
    Secondary,
    SecondaryPreferred,
    Nearest,
}

impl Preference {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::PrimaryPreferred => "primaryPreferred",
            Self::Secondary => "secondary",
            Self::SecondaryPreferred => "secondaryPreferred",
            Self::Nearest => "nearest",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        let all =
            [Self::Primary, Self::PrimaryPreferred, Self::Secondary, Self::SecondaryPreferred, Self::Nearest];
        all.into_iter().find(|preference| preference.name().eq_ignore_ascii_case(name))
    }
}

impl Host {
    /// `host`, `host:port`, `[address]:port`, or `%2Fpath.sock`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let decoded = decoded(text)?;
        if decoded.starts_with('/') || decoded.ends_with(".sock") {
            return Some(Self::Socket(decoded));
        }
        let (host, port) = match decoded.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
            }
            None => {
                decoded.split_once(':').map_or((decoded.as_str(), None), |(host, port)| (host, Some(port)))
            }
        };
        let port = match port {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().ok().filter(|&port| port != 0)?
            }
            Some(_) => return None,
            None => USUAL_PORT,
        };
        let is_name = !host.is_empty() && host.len() < 256 && !host.contains(['/', '@', '[', ']', '%', '\0']);
        is_name.then(|| Self::Network(host.to_ascii_lowercase(), port))
    }

    /// As the log shows it.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Socket(path) => path.clone(),
            Self::Network(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Self::Network(host, port) => format!("{host}:{port}"),
        }
    }
}

/// A connection string without secrets, for the log.
pub(crate) fn shown(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // A password with a character that should have been encoded is still a password.
    let (account, rest) = match rest.rsplit_once('@') {
        Some((account, rest)) => (Some(account.split_once(':').map_or(account, |(user, _)| user)), rest),
        None => (None, rest),
    };
    let account = account.map(|user| format!("{user}@")).unwrap_or_default();
    let Some((place, options)) = rest.split_once('?') else { return format!("{scheme}://{account}{rest}") };
    let is_plain =
        |option: &&str| !bytes::starts_with_ignore_case(option.as_bytes(), b"tlsCertificateKeyFilePassword=");
    let options: Vec<&str> = options.split('&').filter(is_plain).collect();
    format!("{scheme}://{account}{place}?{}", options.join("&"))
}

/// What is written, before it is known what it means together.
#[derive(Default)]
struct Options {
    source: Option<String>,
    mechanism: Option<Mechanism>,
    tls: Option<bool>,
    files: Files,
    allows_any_certificate: bool,
    allows_any_name: bool,
    replica_set: Option<String>,
    is_direct: Option<bool>,
    preference: Option<Preference>,
    read_concern: Option<String>,
    application: Option<String>,
    connect_limit: Option<Duration>,
    select_limit: Option<Duration>,
    answer_limit: Option<Duration>,
}

impl Uri {
    /// Reads a connection string.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if text.starts_with("mongodb+srv://") {
            return Err(Fault::Srv);
        }
        let Some(rest) = text.strip_prefix("mongodb://") else {
            return Err("Invalid URI Schema, expecting 'mongodb://' or 'mongodb+srv://'".into());
        };
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = match place.split_once('/') {
            Some((authority, database)) => (authority, database),
            None if rest.contains('?') => {
                return Err("A '/' is required between the host list and any options.".into());
            }
            None => (place, ""),
        };
        let (account, hosts) = match authority.rsplit_once('@') {
            Some((account, hosts)) => (Some(account), hosts),
            None => (None, authority),
        };
        let account = account.map(user_and_password).transpose()?;
        let hosts: Option<Vec<Host>> = hosts.split(',').map(Host::parse).collect();
        let hosts = hosts.filter(|hosts| hosts.len() <= HOSTS).ok_or("Invalid host string in URI")?;
        let database = decoded(database).filter(|name| !name.contains(['/', '\\', ' ', '"', '$', '@', '\0']));
        let database = database.ok_or("Invalid database name in URI")?;
        Ok(Options::read(options)?.finish(hosts, account, &database)?)
    }
}

fn user_and_password(text: &str) -> Result<(String, String), String> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let part = |text: &str, what: &str| {
        decoded(text).filter(|_| !text.contains(['@', ':', '/'])).ok_or_else(|| {
            format!(
                "Incorrect URI escapes in {what}. Percent-encode username and password according to RFC 3986."
            )
        })
    };
    let (user, password) = (part(user, "username")?, part(password, "password")?);
    if user.is_empty() {
        return Err("Username must not be empty".to_owned());
    }
    Ok((user, password))
}

impl Options {
    fn read(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for option in text.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option
                .split_once('=')
                .ok_or_else(|| format!("URI option \"{option}\" contains no \"=\" sign"))?;
            let name = decoded(name).unwrap_or_default();
            let value = decoded(value);
            let value =
                value.ok_or_else(|| format!("Value for URI option \"{name}\" contains invalid escapes"))?;
            options.set(&name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        let known = name.to_ascii_lowercase();
        let wrong = || Err(format!("Unsupported value for \"{known}\": \"{value}\""));
        let flag = match value.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        let limit = value.parse().ok().map(Duration::from_millis);
        match known.as_str() {
            "authsource" => self.source = Some(value),
            "authmechanism" => {
                self.mechanism = Some(match value.to_ascii_uppercase().as_str() {
                    "DEFAULT" => Mechanism::Best,
                    "SCRAM-SHA-1" => Mechanism::ScramSha1,
                    "SCRAM-SHA-256" => Mechanism::ScramSha256,
                    "PLAIN" => Mechanism::Plain,
                    "MONGODB-X509" => Mechanism::X509,
                    _ => return wrong(),
                });
            }
            "tls" | "ssl" => match (flag, self.tls) {
                (Some(now), Some(before)) if now != before => {
                    return Err("All instances of 'tls' and 'ssl' must have the same value".to_owned());
                }
                (Some(now), _) => self.tls = Some(now),
                (None, _) => return wrong(),
            },
            "tlscafile" | "sslcertificateauthorityfile" => self.files.ca_file = Some(value),
            "tlscertificatekeyfile" | "sslclientcertificatekeyfile" => self.files.certificate = Some(value),
            "tlscertificatekeyfilepassword" | "sslclientcertificatekeypassword" => {
                return Err(format!("{name}: encrypted keys are not supported"));
            }
            "tlsallowinvalidcertificates" | "tlsinsecure" | "sslallowinvalidcertificates" => match flag {
                Some(flag) => self.allows_any_certificate |= flag,
                None => return wrong(),
            },
            "tlsallowinvalidhostnames" | "sslallowinvalidhostnames" => match flag {
                Some(flag) => self.allows_any_name |= flag,
                None => return wrong(),
            },
            "replicaset" if !value.is_empty() => self.replica_set = Some(value),
            "directconnection" => match flag {
                Some(flag) => self.is_direct = Some(flag),
                None => return wrong(),
            },
            "loadbalanced" if flag == Some(false) => {}
            "readpreference" => match Preference::by_name(&value) {
                Some(preference) => self.preference = Some(preference),
                None => return Err(format!("Unsupported readPreference value [readPreference={value}]")),
            },
            "readconcernlevel" => self.read_concern = Some(value),
            "appname" if value.len() <= 128 => self.application = Some(value),
            "connecttimeoutms" => match limit {
                Some(limit) => self.connect_limit = Some(limit),
                None => return wrong(),
            },
            "serverselectiontimeoutms" => match limit {
                Some(limit) => self.select_limit = Some(limit),
                None => return wrong(),
            },
            "sockettimeoutms" => match limit {
                Some(limit) => self.answer_limit = Some(limit),
                None => return wrong(),
            },
            // Servers would understand a question otherwise than it is meant.
            "replicaset" | "loadbalanced" | "appname" => return wrong(),
            known if IGNORED.contains(&known) => {}
            _ => log::warning!("Unsupported URI option \"{name}\""),
        }
        Ok(())
    }

    fn finish(
        self,
        hosts: Vec<Host>,
        account: Option<(String, String)>,
        database: &str,
    ) -> Result<Uri, String> {
        let is_single = hosts.len() == 1;
        if self.is_direct == Some(true) && !is_single {
            return Err("URI with \"directConnection=true\" must not contain multiple hosts".to_owned());
        }
        let has_files = self.files.ca_file.is_some() || self.files.certificate.is_some();
        let proof = match (self.allows_any_certificate, self.allows_any_name) {
            (true, _) => Proof::Nothing,
            (false, true) => Proof::Chain,
            (false, false) => Proof::Name,
        };
        let is_encrypted =
            self.tls.unwrap_or(has_files || self.allows_any_certificate || self.allows_any_name);
        let mechanism = self.mechanism.unwrap_or(Mechanism::Best);
        let (user, password) = match account {
            Some(account) => account,
            None if mechanism == Mechanism::X509 => Default::default(),
            None if self.mechanism.is_some() => {
                return Err("authMechanism requires a username".to_owned());
            }
            None => Default::default(),
        };
        let source = match (mechanism, self.source) {
            // A password in the clear is for the network of nobody else.
            (Mechanism::Plain, _) if !is_encrypted => {
                return Err("authMechanism=PLAIN is not supported without tls=true".to_owned());
            }
            (Mechanism::X509, _) if !is_encrypted || self.files.certificate.is_none() => {
                return Err(
                    "authMechanism=MONGODB-X509 requires tls=true and tlsCertificateKeyFile".to_owned()
                );
            }
            (Mechanism::X509, _) => "$external".to_owned(),
            (_, Some(source)) => source,
            (Mechanism::Plain, None) => "$external".to_owned(),
            (_, None) if database.is_empty() => "admin".to_owned(),
            (_, None) => database.to_owned(),
        };
        let is_anybody = !user.is_empty() || mechanism == Mechanism::X509;
        Ok(Uri {
            is_direct: self.is_direct.unwrap_or(is_single && self.replica_set.is_none()),
            hosts,
            account: is_anybody.then_some(Account { user, password, source, mechanism }),
            tls: is_encrypted.then_some((self.files, proof)),
            replica_set: self.replica_set,
            preference: self.preference.unwrap_or(Preference::Primary),
            read_concern: self.read_concern,
            application: self.application,
            connect_limit: limited(self.connect_limit, CONNECT_LIMIT),
            select_limit: limited(self.select_limit, SELECT_LIMIT),
            answer_limit: limited(self.answer_limit, ANSWER_LIMIT),
        })
    }
}

/// What is asked for; nothing, and 0, which is for ever elsewhere, is what is usual.
fn limited(asked: Option<Duration>, usual: Duration) -> Duration {
    asked.filter(|limit| !limit.is_zero()).unwrap_or(usual)
}

/// Options that mean nothing to a client of this kind.
const IGNORED: &[&str] = &[
    "authmechanismproperties",
    "compressors",
    "heartbeatfrequencyms",
    "journal",
    "localthresholdms",
    "maxidletimems",
    "maxpoolsize",
    "minpoolsize",
    "retryreads",
    "retrywrites",
    "safe",
    "serverselectiontryonce",
    "socketcheckintervalms",
    "tlsdisablecertificaterevocationcheck",
    "tlsdisableocspendpointcheck",
    "uuidrepresentation",
    "w",
    "waitqueuemultiple",
    "waitqueuetimeoutms",
    "wtimeoutms",
    "zlibcompressionlevel",
];

/// A text with `%xx` for bytes.
fn decoded(text: &str) -> Option<String> {
    let bytes = bytes::percent_decoded(text.as_bytes()).filter(|bytes| !bytes.contains(&0))?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
