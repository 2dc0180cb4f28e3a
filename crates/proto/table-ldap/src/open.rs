//! Settings.

use std::time::Duration;

use database_link::{Files, Pool, Proof, Secure};
use table::client::{Formats, Settings};
use table::{Backend, Flags, Opened, Opening};

use crate::code::Code;
use crate::login::{Bind, Login, Place};
use crate::lookup::Ldap;
use crate::results::Wanted;
use crate::search::{Limits, Scope};
use crate::url::{self, Scheme, Url};

/// What separates the words of a list.
const SEPARATORS: &str = ", \t\r\n";

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);

/// Opens a table.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let settings = Settings::read(opening)?;
    let name = opening.name;
    let mut servers = Servers::read(&settings, name)?;
    let scope = settings.text("scope", "sub", 1..)?;
    let scope = Scope::of_setting(&scope).unwrap_or_else(|| {
        log::warning!("dict_ldap_open: {name}: Unrecognized value {scope} specified for scope; using sub");
        Scope::Subtree
    });
    let base = settings.text("search_base", "", ..)?;
    let timeout = settings.seconds("timeout", 10, ..)?;
    let query = settings.text("query_filter", "(mailacceptinggeneralid=%s)", ..)?;
    let result = match settings.optional_text("result_format", ..)? {
        Some(format) => format,
        None => settings.text("result_filter", "%s", 1..)?,
    };
    let mut formats = Formats::new(opening);
    let base = formats.query(&base)?;
    let query_template = formats.query(&query)?;
    if !query_template.is_dynamic() {
        log::warning!("dict_ldap_open: {name}: Fixed query_filter {query} is probably useless");
    }
    let result = formats.result(&result)?;
    formats.read_domains(&settings, opening.env)?;
    let wanted = wanted(&settings)?;
    let bind = bind(&settings)?;
    warn_of_the_past(&settings, name)?;
    let count = |setting, default| -> Result<u32, String> {
        Ok(u32::try_from(settings.number(setting, default, ..)?).unwrap_or_default())
    };
    let recursion_limit = settings.number("recursion_limit", 1000, 1..)?;
    let expansion_limit = count("expansion_limit", 0)?;
    let size = count("size_limit", i32::try_from(expansion_limit).unwrap_or_default())?;
    let dereference = settings.number("dereference", 0, ..)?;
    let dereference = u32::try_from(dereference).ok().filter(|&when| when <= 3).unwrap_or_else(|| {
        log::warning!(
            "dict_ldap_open: {name} Unrecognized value {dereference} specified for dereference; using 0"
        );
        0
    });
    let chases = settings.flag("chase_referrals")?.unwrap_or_default();
    let bind = match bind {
        How::None => Bind::None,
        How::Simple => Bind::Simple {
            name: settings.text("bind_dn", "", ..)?,
            password: settings.text("bind_pw", "", ..)?,
        },
        How::Sasl => sasl(&settings)?,
    };
    let start_tls = settings.flag("start_tls")?.unwrap_or_default();
    if start_tls && servers.version < 3 {
        log::warning!("dict_ldap_open: {name} start_tls requires protocol version 3");
        servers.version = 3;
    }
    let secure = secure(&settings, name, start_tls || servers.is_encrypted)?;
    settings.number("debuglevel", 0, ..)?;
    let seconds = u32::try_from(timeout.as_secs()).unwrap_or_default();
    let login = Login {
        servers: servers.text,
        places: servers.places,
        version: servers.version,
        start_tls,
        secure,
        bind,
        limit: timeout,
    };
    let ldap = Ldap {
        title: opening.title(),
        name: name.to_owned(),
        formats,
        base,
        scope,
        query: query_template,
        result,
        wanted,
        limits: Limits { dereference, size, seconds },
        expansion_limit: usize::try_from(expansion_limit).unwrap_or(usize::MAX),
        recursion_limit: usize::try_from(recursion_limit).unwrap_or(1),
        chases,
        login,
        pool: Pool::new(IDLE),
    };
    Ok(Opened {
        backend: Backend::Remote(Box::new(ldap)),
        flags: Flags::FIXED,
        owner: settings.owner(),
        folds: true,
    })
}

/// What `server_host`, `server_port` and `version` say.
struct Servers {
    text: String,
    places: Option<Vec<Place>>,
    version: u32,
    is_encrypted: bool,
}

impl Servers {
    fn read(settings: &Settings, name: &str) -> Result<Self, String> {
        let hosts = settings.text("server_host", "localhost", 1..)?;
        let port = settings.number("server_port", 389, ..)?;
        // COMPAT: Debian's default, not Postfix's, which is 2. Test: `ldap_as_the_reference`.
        let number = settings.number("version", 3, 2..)?;
        let mut version =
            u32::try_from(number).ok().filter(|version| matches!(version, 2 | 3)).unwrap_or_else(|| {
                log::warning!("dict_ldap_open: {name} Unknown version {number}, using 3.");
                3
            });
        let mut is_encrypted = false;
        let mut urls: Vec<String> = Vec::new();
        for host in bytes::list::split(&hosts, SEPARATORS) {
            if !url::is_url(host.as_bytes()) {
                let port = if host.contains(':') { String::new() } else { format!(":{port}") };
                urls.push(format!("ldap://{host}{port}"));
                continue;
            }
            match Url::parse(host.as_bytes()) {
                Ok(url) => {
                    if url.scheme != Scheme::Ldap && version != 3 {
                        let scheme = url.scheme.name();
                        log::warning!("dict_ldap_open: URL scheme {scheme} requires protocol version 3");
                        version = 3;
                    }
                    is_encrypted |= url.scheme == Scheme::Ldaps;
                    urls.push(host.to_owned());
                }
                Err(fault) => {
                    let number = fault as i32;
                    log::error!(
                        "dict_ldap_open: error parsing URL {host}: {number}: {}; skipping",
                        Code(number)
                    );
                }
            }
        }
        let text = urls.join(" ");
        if urls.is_empty() {
            urls.push("ldap://localhost".to_owned());
        }
        let places =
            urls.iter().map(|url| Url::parse(url.as_bytes()).ok().map(|url| Place::new(&url))).collect();
        Ok(Self { text, places, version, is_encrypted })
    }
}

/// Kinds of attributes in the order that decides.
fn wanted(settings: &Settings) -> Result<Wanted, String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |setting, default| -> Result<usize, String> {
        let text = settings.text(setting, default, ..)?;
        names.extend(bytes::list::split(&text, SEPARATORS).map(str::to_owned));
        Ok(names.len())
    };
    let terminal = add("terminal_result_attribute", "")?;
    let leaf = add("leaf_result_attribute", "")?;
    let ordinary = add("result_attribute", "maildrop")?;
    add("special_result_attribute", "")?;
    Ok(Wanted { names, terminal, leaf, ordinary })
}

/// What the `bind` setting may say.
#[derive(Clone, Copy)]
enum How {
    None,
    Simple,
    Sasl,
}

fn bind(settings: &Settings) -> Result<How, String> {
    let text = settings.text("bind", "yes", 1..)?;
    match text.to_ascii_lowercase().as_str() {
        "no" | "none" => Ok(How::None),
        "yes" | "simple" => Ok(How::Simple),
        "sasl" => Ok(How::Sasl),
        _ => Err(format!("{}: unsupported parameter value: bind = {text}", settings.name())),
    }
}

fn sasl(settings: &Settings) -> Result<Bind, String> {
    settings.text("bind_pw", "", ..)?;
    settings.text("sasl_realm", "", ..)?;
    Ok(Bind::Sasl {
        name: settings.text("bind_dn", "", ..)?,
        mechanisms: settings.text("sasl_mechs", "", ..)?,
        authorization: settings.text("sasl_authz_id", "", ..)?,
        least: settings.number("sasl_minssf", 0, ..=4096)?,
    })
}

/// Settings that once meant something.
fn warn_of_the_past(settings: &Settings, name: &str) -> Result<(), String> {
    if settings.flag("cache")?.unwrap_or_default() {
        log::warning!("dict_ldap_open: {name} ignoring cache");
    }
    for setting in ["cache_expiry", "cache_size"] {
        if settings.number(setting, -1, ..)? >= 0 {
            log::warning!("dict_ldap_open: {name} ignoring {setting}");
        }
    }
    Ok(())
}

fn secure(settings: &Settings, name: &str, is_used: bool) -> Result<Secure, String> {
    let must_prove = settings.flag("tls_require_cert")?.unwrap_or_default();
    let ca_file = settings.optional_text("tls_ca_cert_file", ..)?;
    let ca_path = settings.optional_text("tls_ca_cert_dir", ..)?;
    let certificate = settings.optional_text("tls_cert", ..)?;
    let key = settings.optional_text("tls_key", ..)?;
    settings.text("tls_random_file", "", ..)?;
    if settings.optional_text("tls_cipher_suite", ..)?.is_some() && is_used {
        log::warning!(
            "dict_ldap_open: {name} ignoring tls_cipher_suite: all suites of TLS 1.2 and 1.3 here are strong"
        );
    }
    if !is_used {
        return Ok(Secure::new(&Files::default(), Proof::Nothing));
    }
    let proof = if must_prove { Proof::Name } else { Proof::Nothing };
    Ok(Secure::new(&Files { certificate, key, ca_file, ca_path }, proof))
}
