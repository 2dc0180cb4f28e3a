//! Names that follow from database clients: `ldap:NAME` has settings `NAME_server_host` and so on in main.cf, while
//! `ldap:/file` has them in the file, where those that nothing reads are reported.

use crate::mode::Mode;
use crate::registry::Registry;
use crate::user::Mention;
use command::{Fatal, fatal};
use conf::lines::{LogicalLines, split_name_value};
use conf::reason;
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read};

impl Registry {
    /// Looks for database clients in a value.
    pub(crate) fn scan_for_clients(&mut self, value: &str, service: Option<usize>) -> Result<(), Fatal> {
        if !value.contains(':') && !value.contains('#') && !value.contains('$') && !value.contains('{') {
            return Ok(());
        }
        let mut mode = Mode::default();
        mode |= Mode::EXPAND;
        let entry = service.and_then(|at| self.entries.get(at));
        let text = self.expand_as(mode, value, entry)?;
        self.scan_tables(&text, service, Nested::Tables)
    }

    fn scan_tables(&mut self, text: &str, service: Option<usize>, nested: Nested) -> Result<(), Fatal> {
        for word in bytes::list::split_braced(text, bytes::list::SEPARATORS) {
            if word.starts_with('#') {
                let after = text.split_once(word).map_or("", |(_, after)| after.get(1..).unwrap_or_default());
                let after: String = after.chars().take(20).collect();
                let file = self.file_of(service);
                log::warning!("{file}: #comment after other text is not allowed: {word} {after}...");
                return Ok(());
            }
            if word.starts_with('{') {
                let inner = self.inside(word, service);
                if nested == Nested::Tables {
                    self.scan_tables(&inner, service, nested)?;
                }
                continue;
            }
            let mut word = word;
            while let Some(rest) = word.strip_prefix("proxy:").or_else(|| word.strip_prefix("debug:")) {
                word = rest;
            }
            let Some((kind, name)) = word.split_once(':') else { continue };
            let client = CLIENTS.iter().find(|(client, _)| *client == kind);
            match (name.bytes().next(), client) {
                (Some(b'/'), Some((kind, known))) => self.check_client(kind, name, known)?,
                (Some(b'/' | b'.'), _) => {}
                (Some(b'{'), _) => {
                    let inner = self.inside(name, service);
                    let is_pattern = matches!(kind, "regexp" | "pcre");
                    let nested = if is_pattern { Nested::Patterns } else { nested };
                    self.scan_tables(&inner, service, nested)?;
                }
                (_, Some((_, known))) => {
                    for setting in *known {
                        self.mention(&format!("{name}_{setting}"), Mention::Client, service);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn file_of(&self, service: Option<usize>) -> String {
        let file = if service.is_some() { &self.files.master } else { &self.files.main };
        file.display().to_string()
    }

    /// The inside of braces; what is wrong with them is reported.
    fn inside(&self, text: &str, service: Option<usize>) -> String {
        let (inner, problem) = conf::lines::in_braces(text);
        if let Some(problem) = problem {
            let place = match service.and_then(|at| self.entries.get(at)) {
                Some(entry) => format!("{}:{}", self.file_of(service), entry.name),
                None => self.file_of(service),
            };
            log::warning!("{place}: {problem}");
        }
        inner.to_owned()
    }

    /// Reports settings in a client's file that the client does not read; each file once.
    fn check_client(&mut self, kind: &str, path: &str, known: &[&str]) -> Result<(), Fatal> {
        let name = format!("{kind}:{path}");
        if !self.clients.insert(name.clone()) {
            return Ok(());
        }
        let text = match fs::metadata(path).and_then(|meta| Ok((meta.is_file(), fs::File::open(path)?))) {
            Err(error) => {
                // Files with passwords may be closed to us, which is as it should be.
                if error.kind() != ErrorKind::PermissionDenied {
                    log::warning!("open \"{kind}\" configuration \"{path}\": {}", reason(&error));
                }
                return Ok(());
            }
            Ok((false, _)) => {
                log::warning!("open \"{kind}\" configuration \"{path}\": not a regular file");
                return Ok(());
            }
            Ok((true, mut file)) => {
                let mut text = Vec::new();
                file.read_to_end(&mut text).map(|_| text)
            }
        };
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                log::warning!("read \"{kind}\" configuration \"{path}\": {}", reason(&error));
                return Ok(());
            }
        };
        let mut settings: BTreeMap<String, String> = BTreeMap::new();
        for line in LogicalLines::new(path, &text) {
            let text = bytes::escape::to_text(&line.text);
            let (name, value) = split_name_value(&text)
                .map_err(|problem| fatal!("{path}, line {}: {problem}: \"{text}\"", line.first))?;
            if let Some(earlier) = settings.get(name).filter(|earlier| *earlier != value) {
                log::warning!("{path}, line {}: overriding earlier entry: {name}={earlier}", line.first);
            }
            settings.insert(name.to_owned(), value.to_owned());
        }
        if self.is_quiet {
            return Ok(());
        }
        for (setting, value) in settings.iter().filter(|(setting, _)| !known.contains(&setting.as_str())) {
            log::warning!("{name}: unused parameter: {setting}={value}");
        }
        Ok(())
    }
}

/// What text in braces may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nested {
    /// More tables.
    Tables,
    /// Patterns, in which `#` and `:` mean something else.
    Patterns,
}

/// Database clients and what they read.
pub(crate) const CLIENTS: &[(&str, &[&str])] = &[
    ("ldap", LDAP),
    ("mysql", MYSQL),
    ("pgsql", PGSQL),
    ("sqlite", SQLITE),
    ("memcache", MEMCACHE),
    ("redis", REDIS),
    ("mongodb", MONGODB),
];

const LDAP: &[&str] = &[
    "bind",
    "bind_dn",
    "bind_pw",
    "cache",
    "cache_expiry",
    "cache_size",
    "chase_referrals",
    "debuglevel",
    "dereference",
    "domain",
    "expansion_limit",
    "leaf_result_attribute",
    "query_filter",
    "recursion_limit",
    "result_attribute",
    "result_filter",
    "result_format",
    "sasl_authz_id",
    "sasl_mechs",
    "sasl_minssf",
    "sasl_realm",
    "scope",
    "search_base",
    "server_host",
    "server_port",
    "size_limit",
    "special_result_attribute",
    "start_tls",
    "terminal_result_attribute",
    "timeout",
    "tls_ca_cert_dir",
    "tls_ca_cert_file",
    "tls_cert",
    "tls_cipher_suite",
    "tls_key",
    "tls_random_file",
    "tls_require_cert",
    "version",
];

const MYSQL: &[&str] = &[
    "additional_conditions",
    "charset",
    "dbname",
    "domain",
    "expansion_limit",
    "hosts",
    "idle_interval",
    "option_file",
    "option_group",
    "password",
    "query",
    "require_result_set",
    "result_format",
    "retry_interval",
    "select_field",
    "table",
    "tls_CAfile",
    "tls_CApath",
    "tls_cert_file",
    "tls_ciphers",
    "tls_key_file",
    "tls_verify_cert",
    "user",
    "where_field",
];

const PGSQL: &[&str] = &[
    "additional_conditions",
    "dbname",
    "domain",
    "encoding",
    "expansion_limit",
    "hosts",
    "idle_interval",
    "password",
    "query",
    "result_format",
    "retry_interval",
    "select_field",
    "select_function",
    "table",
    "user",
    "where_field",
];

const SQLITE: &[&str] = &[
    "additional_conditions",
    "dbpath",
    "domain",
    "expansion_limit",
    "query",
    "result_format",
    "select_field",
    "table",
    "where_field",
];

const MEMCACHE: &[&str] = &[
    "backup",
    "data_size_limit",
    "domain",
    "flags",
    "key_digest",
    "key_format",
    "line_size_limit",
    "max_try",
    "memcache",
    "retry_pause",
    "timeout",
    "ttl",
];

const REDIS: &[&str] = &[
    "data_size_limit",
    "database",
    "domain",
    "key_digest",
    "key_format",
    "max_try",
    "password",
    "redis",
    "retry_pause",
    "timeout",
    "ttl",
    "user",
];

const MONGODB: &[&str] = &[
    "collection",
    "dbname",
    "domain",
    "expansion_limit",
    "projection",
    "query_filter",
    "result_attribute",
    "result_format",
    "uri",
];
