//! `mysql:`, tables in MySQL or MariaDB.

mod auth;
mod connection;
mod login;
mod options;
mod packet;
mod quote;

use std::rc::Rc;
use std::time::Duration;

use table::client::{Failure, Key, Reach, Server, Servers, Settings};
use table::{Backend, Error, Flags, LocalFuture, Opened, Opening, RemoteTable};

use crate::mysql::connection::{Connection, Rows, Trouble};
use crate::mysql::login::{Login, Place};
use crate::mysql::options::Options;
use crate::statement::{self, Statement};
use crate::{CONNECT_LIMIT, INTERVAL, QUERY_LIMIT};
use database_link::link::{self, Name};
use database_link::{Files, Proof, Secure};

/// Where the library of Debian and others looks for the server of this machine.
const DEFAULT_SOCKET: &str = "/run/mysqld/mysqld.sock";
const DEFAULT_PORT: u16 = 3306;

/// A table.
struct Mysql {
    statement: Statement,
    servers: Servers<Host>,
    result_sets: ResultSets,
}

/// How many result sets a query must have; more than one are always wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ResultSets {
    /// `require_result_set = yes`
    One,
    /// None is the same as an empty one.
    OneOrNone,
}

/// One of the `hosts`.
#[derive(Clone)]
struct Host {
    title: Rc<str>,
    place: Rc<Place>,
    login: Rc<Login>,
}

/// Opens a table.
pub fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let settings = Settings::read(opening)?;
    let mut login = Login {
        user: settings.text("user", "", ..)?,
        password: settings.text("password", "", ..)?,
        database: settings.text("dbname", "", 1..)?,
        charset: settings.text("charset", "utf8mb4", 1..)?,
        secure: None,
        limit: CONNECT_LIMIT,
    };
    let retry = settings.seconds("retry_interval", INTERVAL, 1..)?;
    let idle = settings.seconds("idle_interval", INTERVAL, 1..)?;
    let option_file = settings.optional_text("option_file", ..)?;
    let option_group = settings.text("option_group", "client", ..)?;
    let options = Options::read(option_file.as_deref(), &option_group);
    login.secure = secure(opening, &settings, &options)?;
    let result_sets = match settings.flag("require_result_set")? {
        Some(false) => ResultSets::OneOrNone,
        Some(true) | None => ResultSets::One,
    };
    let statement = Statement::read(opening, &settings, &statement::query(&settings)?)?;
    let hosts = settings.text("hosts", "", ..)?;
    complete(&mut login, &options);
    let servers = servers(&hosts, login, &options)?;
    let table = Mysql { statement, servers: Servers::new(servers, retry, idle), result_sets };
    Ok(Opened {
        backend: Backend::Remote(Box::new(table)),
        flags: Flags::FIXED,
        owner: settings.owner(),
        folds: true,
    })
}

/// Whether and how connections are encrypted: when any of the files is set, or proof is asked for.
fn secure(opening: &Opening<'_>, settings: &Settings, options: &Options) -> Result<Option<Secure>, String> {
    let file = |setting: &str, option: &str| -> Result<Option<String>, String> {
        let set = settings.optional_text(setting, ..)?;
        Ok(set.or_else(|| options.value(option).map(str::to_owned)))
    };
    let files = Files {
        key: file("tls_key_file", "ssl-key")?,
        certificate: file("tls_cert_file", "ssl-cert")?,
        ca_file: file("tls_CAfile", "ssl-ca")?,
        ca_path: file("tls_CApath", "ssl-capath")?,
    };
    let ciphers = file("tls_ciphers", "ssl-cipher")?;
    let verify = settings.flag("tls_verify_cert")?.or(options.flag("ssl-verify-server-cert"));
    if ciphers.is_some() {
        log::warning!("{}: tls_ciphers is ignored: there are no weak ciphers", opening.title());
    }
    let has_anchors = files.ca_file.is_some() || files.ca_path.is_some();
    let proof = match verify {
        Some(true) => Proof::Name,
        _ if has_anchors => Proof::Chain,
        _ => Proof::Nothing,
    };
    let is_wanted = has_anchors
        || files.key.is_some()
        || files.certificate.is_some()
        || ciphers.is_some()
        || verify == Some(true)
        || options.flag("ssl") == Some(true);
    Ok(is_wanted.then(|| Secure::new(&files, proof)))
}

/// Adds what the settings leave to option files. A password is not among it, as in Postfix.
fn complete(login: &mut Login, options: &Options) {
    if login.user.is_empty() {
        let user = options.value("user").map(str::to_owned);
        login.user = user.or_else(link::user_name).unwrap_or_else(|| "UNKNOWN_USER".to_owned());
    }
    let seconds = options.value("connect-timeout").and_then(|seconds| seconds.parse().ok());
    if let Some(seconds @ 1..) = seconds {
        login.limit = Duration::from_secs(seconds);
    }
}

fn servers(hosts: &str, login: Login, options: &Options) -> Result<Vec<Host>, String> {
    let login = Rc::new(login);
    let host = |text: &str| -> Result<Host, String> {
        let place = Rc::new(place(text, options)?);
        Ok(Host { title: text.into(), place, login: Rc::clone(&login) })
    };
    let mut names = bytes::list::split(hosts, bytes::list::SEPARATORS).peekable();
    if names.peek().is_none() {
        return Ok(vec![host("localhost")?]);
    }
    names.map(host).collect()
}

/// `unix:/path`, `inet:host:port`, `host`.
fn place(text: &str, options: &Options) -> Result<Place, String> {
    let (is_path, name) = match text.strip_prefix("unix:") {
        Some(path) => (true, path),
        None => (false, text.strip_prefix("inet:").unwrap_or(text)),
    };
    let (name, port) = match name.rsplit_once(':') {
        Some((name, service)) => {
            let port = link::port(service).ok_or_else(|| format!("unknown service: {service}/tcp"))?;
            (name, Some(port))
        }
        None => (name, None),
    };
    if name.eq_ignore_ascii_case("localhost") {
        return Ok(Place::Local(options.value("socket").unwrap_or(DEFAULT_SOCKET).into()));
    }
    if is_path {
        return Ok(Place::Local(name.into()));
    }
    let usual = || options.value("port").and_then(link::port).unwrap_or(DEFAULT_PORT);
    Ok(Place::Remote(Name::new(name), port.filter(|&port| port != 0).unwrap_or_else(usual)))
}

impl Server for Host {
    type Connection = Connection;

    fn reach(&self) -> Reach {
        match *self.place {
            Place::Local(_) => Reach::Unix,
            Place::Remote(..) => Reach::Inet,
        }
    }

    async fn connect(&self) -> Option<Connection> {
        let opened = login::open(&self.place, &self.login).await;
        let mut connection = opened
            .inspect_err(|trouble| log::warning!("connect to mysql server {}: {}", self.title, trouble.text))
            .ok()?;
        match within(self.login.limit, connection.use_charset()).await {
            Ok(()) => Some(connection),
            Err(trouble) => {
                let (charset, why) = (&self.login.charset, trouble.text);
                log::warning!("dict_mysql: mysql_set_character_set '{charset}' failed: {why}");
                None
            }
        }
    }
}

async fn within<T>(limit: Duration, answer: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(Trouble::slow()))
}

impl Mysql {
    async fn ask(&self, key: &Key<'_>) -> Option<Option<Rows>> {
        self.servers
            .ask(async |_, connection| {
                let quoting = connection.quoting();
                let query = self.statement.query(key, |text, query| quoting.append(text, query));
                let results = within(QUERY_LIMIT, connection.query(&query)).await;
                self.judge(results)
            })
            .await
    }

    /// The one result set; what is wrong is logged.
    fn judge(&self, results: Result<Vec<Rows>, Trouble>) -> Result<Option<Rows>, Failure> {
        let title = &self.statement.title;
        let mut results = results.map_err(|trouble| {
            log::warning!("{title}: query failed{}: {}", trouble.stage, trouble.text);
            if trouble.is_lost { Failure::Connection } else { Failure::Question }
        })?;
        match (results.len(), self.result_sets) {
            (1, _) | (0, ResultSets::OneOrNone) => Ok(results.pop()),
            (0, ResultSets::One) => {
                log::warning!(
                    "{title}: query failed: query returned no result set(require_result_set = yes)"
                );
                Err(Failure::Question)
            }
            _ => {
                log::warning!("{title}: query failed: multiple result sets returning data are not supported");
                Err(Failure::Question)
            }
        }
    }

    async fn find(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let accepted = self.statement.key(key).await.inspect_err(|_| {
            let (title, key) = (&self.statement.title, bytes::show(key));
            log::warning!("{title} 'domain' pattern match failed for '{key}'");
        });
        let Some(key) = accepted? else { return Ok(None) };
        let rows = self.ask(&key).await.ok_or_else(|| self.statement.retry())?.unwrap_or_default();
        let columns = rows.iter().flatten().map(Option::as_deref);
        let exceeded =
            format!("dict_mysql_lookup: {}: Expansion limit exceeded for key:", self.statement.name);
        self.statement.value(&key, columns, &exceeded)
    }
}

impl RemoteTable for Mysql {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(self.find(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let options = Options::default();
        let shown = |text: &str| match place(text, &options)? {
            Place::Local(path) => Ok::<_, String>(path.display().to_string()),
            Place::Remote(name, port) => Ok(format!("{}:{port}", name.text())),
        };
        assert_eq!(shown("unix:/a/b"), Ok("/a/b".to_owned()));
        assert_eq!(shown("127.0.0.1"), Ok("127.0.0.1:3306".to_owned()));
        assert_eq!(shown("inet:127.0.0.1:3307"), Ok("127.0.0.1:3307".to_owned()));
        assert_eq!(shown("inet:LocalHost"), Ok(DEFAULT_SOCKET.to_owned()));
        assert_eq!(shown("127.0.0.1:nonsense"), Err("unknown service: nonsense/tcp".to_owned()));
    }
}
