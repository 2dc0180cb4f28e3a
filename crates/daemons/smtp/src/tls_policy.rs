//! The TLS level for a destination (`smtp_tls_security_level`, `smtp_tls_policy_maps`).

use dsn::Dsn;
use table::Maps;

use crate::Client;
use crate::addresses::dsn;

/// What to do for one destination.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) level: tls::Level,
    /// `protocols=`
    pub(crate) protocols: Option<String>,
    /// `exclude=`
    pub(crate) exclude: Option<String>,
    /// `match=`: names, or words for names.
    pub(crate) matches: Vec<String>,
    /// `servername=`
    pub(crate) servername: Option<String>,
    /// `connection_reuse=`
    pub(crate) reuse: bool,
}

impl Policy {
    fn new(client: &Client) -> Self {
        Self {
            level: client.settings.tls_level,
            protocols: None,
            exclude: None,
            matches: Vec::new(),
            servername: None,
            reuse: client.settings.params.smtp_tls_connection_reuse,
        }
    }

    /// The names that the certificate must carry.
    pub(crate) fn names(&self, nexthop: &str, host: &str) -> Vec<String> {
        let name = |word: &String| match word.to_ascii_lowercase().as_str() {
            "nexthop" => nexthop.to_owned(),
            "dot-nexthop" => format!(".{nexthop}"),
            "hostname" => host.to_owned(),
            _ => word.clone(),
        };
        self.matches.iter().map(name).collect()
    }

    /// The name to send as SNI.
    pub(crate) fn sni<'a>(&'a self, nexthop: &'a str, host: &'a str) -> Option<&'a str> {
        match self.servername.as_deref() {
            None | Some("") => None,
            Some("nexthop") => Some(nexthop),
            Some("hostname") => Some(host),
            Some(name) => Some(name),
        }
    }
}

/// Finds the policy for a next hop (as written, brackets and all); the error is the reason to defer.
pub(crate) async fn find(client: &Client, nexthop: &str, relaxed: bool) -> Result<Policy, Box<Dsn>> {
    let settings = &client.settings;
    let mut policy = Policy::new(client);
    if relaxed {
        // "TLS-Required: no": delivery matters more than the recipient's policy.
        let most = if settings.params.smtp_tls_wrappermode { tls::Level::Encrypt } else { tls::Level::May };
        policy.level = policy.level.min(most);
    } else if let Some(maps) = &client.tls_policy {
        look_up(maps, nexthop, &mut policy).await?;
    }
    let params = &settings.params;
    match policy.level {
        tls::Level::None | tls::Level::May | tls::Level::Encrypt => {}
        tls::Level::Verify if policy.matches.is_empty() => {
            policy.matches = names(&params.smtp_tls_verify_cert_match);
        }
        tls::Level::Secure if policy.matches.is_empty() => {
            policy.matches = names(&params.smtp_tls_secure_cert_match);
        }
        tls::Level::Verify | tls::Level::Secure => {}
        level => {
            log::warning!("TLS security level \"{level}\" is not supported: deferring mail for {nexthop}");
            return Err(invalid());
        }
    }
    if policy.servername.is_none() {
        policy.servername = Some(params.smtp_tls_servername.clone());
    }
    Ok(policy)
}

fn names(text: &str) -> Vec<String> {
    text.split([',', ' ', '\t', '\r', '\n', ':']).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn invalid() -> Box<Dsn> {
    Box::new(dsn("4.7.5", "client TLS configuration problem"))
}

async fn look_up(maps: &Maps, nexthop: &str, policy: &mut Policy) -> Result<(), Box<Dsn>> {
    let is_name = address::idn::valid_utf8_hostname(nexthop.as_bytes()).is_ok();
    let mut key = nexthop;
    loop {
        let place = || format!("{}, next-hop destination \"{key}\"", maps.title());
        match maps.find(key.as_bytes()).await {
            Ok(Some(found)) => return parse(&String::from_utf8_lossy(&found.value), &place(), policy),
            Ok(None) => {}
            Err(_) => {
                log::warning!("{}: policy table lookup error", place());
                return Err(invalid());
            }
        }
        // Only the domain of an address has parents; `[host]:port` is what it is.
        match key.get(1..).and_then(|rest| rest.find('.')) {
            Some(dot) if is_name => key = key.get(dot + 1..).unwrap_or_default(),
            _ => return Ok(()),
        }
    }
}

fn parse(text: &str, place: &str, policy: &mut Policy) -> Result<(), Box<Dsn>> {
    let mut words = bytes::list::split_braced(text, bytes::list::SEPARATORS);
    let Some(level) = words.next() else {
        log::warning!("{place}: invalid empty policy");
        return Err(invalid());
    };
    policy.level = tls::Level::by_name(level).ok_or_else(|| {
        log::warning!("{place}: invalid security level \"{level}\"");
        invalid()
    })?;
    for word in words {
        if policy.level < tls::Level::May {
            log::warning!("{place}: ignoring attribute \"{word}\" with TLS disabled");
            continue;
        }
        let inner = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')).unwrap_or(word);
        let Some((name, value)) = inner.split_once('=') else {
            log::warning!(
                "{place}: malformed attribute/value pair \"{word}\": missing '=' after attribute name"
            );
            return Err(invalid());
        };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if let Err(fault) = attribute(&name, value, policy) {
            log::warning!("{place}: {fault}");
            return Err(invalid());
        }
    }
    Ok(())
}

fn attribute(name: &str, value: &str, policy: &mut Policy) -> Result<(), String> {
    let once = |slot: &mut Option<String>| match slot {
        Some(_) => Err(format!("attribute \"{name}\" is specified multiple times")),
        None => {
            *slot = Some(value.to_owned());
            Ok(())
        }
    };
    if value.is_empty() && matches!(name, "ciphers" | "match") {
        return Err(format!("attribute \"{name}\" has empty value"));
    }
    match name {
        // The few ciphers there are belong to every grade.
        "ciphers" => Ok(()),
        "protocols" => once(&mut policy.protocols),
        "exclude" => once(&mut policy.exclude),
        "servername" if address::valid_hostname(value.as_bytes()).is_err() => {
            Err(format!("\"{name}={value}\" specifies an invalid hostname"))
        }
        "servername" => once(&mut policy.servername),
        "match" if matches!(policy.level, tls::Level::Verify | tls::Level::Secure) => {
            policy.matches.extend(value.split(':').filter(|name| !name.is_empty()).map(str::to_owned));
            Ok(())
        }
        "match" if policy.level == tls::Level::Fingerprint => Ok(()),
        "match" => Err(format!("attribute \"{name}\" invalid at security level \"{}\"", policy.level)),
        "connection_reuse" | "enable_rpk" => {
            let value = match value.to_ascii_lowercase().as_str() {
                "yes" => true,
                "no" => false,
                _ => return Err(format!("attribute \"{name}\" has bad value: \"{value}\"")),
            };
            if name == "connection_reuse" {
                policy.reuse = value;
            }
            Ok(())
        }
        "tafile" => Err(format!("attribute \"{name}\" is not supported")),
        "policy_ttl" | "policy_type" | "policy_domain" | "policy_string" | "mx_host_pattern" => Ok(()),
        "policy_failure" => Err(format!("attribute \"{name}\" is not supported")),
        _ => Err(format!("invalid attribute name: \"{name}\"")),
    }
}
