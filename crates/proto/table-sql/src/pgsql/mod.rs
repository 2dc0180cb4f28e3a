//! `pgsql:`, tables in PostgreSQL.

mod connection;
mod login;
mod quote;
mod report;
mod target;
mod wire;

use std::path::Path;
use std::rc::Rc;

use table::client::{Failure, Key, Reach, Server, Servers, Settings};
use table::{Backend, Error, Flags, LocalFuture, Opened, Opening, RemoteTable};

use crate::pgsql::connection::{Answer, Connection, Trouble};
use crate::pgsql::login::{Place, Unreachable, Via};
use crate::pgsql::target::{Encrypt, Endpoint, Target};
use crate::statement::{self, Statement};
use crate::{INTERVAL, QUERY_LIMIT};
use database_link::link::Name;
use database_link::{Proof, Secure};

/// A table.
struct Pgsql {
    statement: Statement,
    servers: Servers<Host>,
}

/// One of the `hosts`.
#[derive(Clone)]
struct Host {
    title: Rc<str>,
    reach: Reach,
    /// What is wrong with a URI is told with every connection.
    way: Rc<Result<Way, String>>,
    encoding: Rc<str>,
}

/// How to connect.
struct Way {
    target: Target,
    places: Vec<Place>,
    secure: Secure,
}

/// Opens a table.
pub fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    let settings = Settings::read(opening)?;
    let user = settings.text("user", "", ..)?;
    let password = settings.text("password", "", ..)?;
    let database = settings.text("dbname", "", ..)?;
    let encoding: Rc<str> = settings.text("encoding", "UTF8", 1..)?.into();
    let retry = settings.seconds("retry_interval", INTERVAL, 1..)?;
    let idle = settings.seconds("idle_interval", INTERVAL, 1..)?;
    let statement = Statement::read(opening, &settings, &query(&settings)?)?;
    let hosts = settings.text("hosts", "", ..)?;
    let mut names: Vec<&str> = bytes::list::split(&hosts, bytes::list::SEPARATORS).collect();
    if names.is_empty() {
        names.push("localhost");
    }
    let plain: Vec<&str> = names.iter().copied().filter(|name| !target::is_uri(name)).collect();
    match plain.last() {
        Some(last) if database.is_empty() => {
            let (host, _) = split(last);
            let title = opening.title();
            return Err(format!("{title} host target '{host}' requires dbname setting"));
        }
        _ => {}
    }
    let host = |name: &str| -> Host {
        let (reach, target) = match split(name) {
            _ if target::is_uri(name) => (Reach::Uri, Target::uri(name)),
            (host, port) => {
                let is_path = host.is_empty() || host.starts_with('/');
                let reach = if is_path { Reach::Unix } else { Reach::Inet };
                (reach, Target::plain(host, port, &database, &user, &password))
            }
        };
        let (title, encoding) = (target::shown(name).into(), Rc::clone(&encoding));
        Host { title, reach, way: Rc::new(target.map(Way::new)), encoding }
    };
    let servers = Servers::new(names.into_iter().map(host).collect(), retry, idle);
    Ok(Opened {
        backend: Backend::Remote(Box::new(Pgsql { statement, servers })),
        flags: Flags::FIXED,
        owner: settings.owner(),
        folds: true,
    })
}

fn query(settings: &Settings) -> Result<String, String> {
    if let Some(query) = settings.optional_text("query", ..)? {
        return Ok(query);
    }
    match settings.optional_text("select_function", ..)? {
        Some(function) => Ok(format!("SELECT {function}('%s')")),
        None => statement::query(settings),
    }
}

/// `unix:/directory`, `inet:host:port`, `host`.
fn split(name: &str) -> (&str, Option<&str>) {
    let name = name.strip_prefix("unix:").or_else(|| name.strip_prefix("inet:")).unwrap_or(name);
    match name.rsplit_once(':') {
        Some((host, port)) if !name.starts_with('/') => (host, Some(port)),
        _ => (name, None),
    }
}

impl Way {
    fn new(target: Target) -> Self {
        let places = target.endpoints().into_iter().map(place).collect();
        // As in the library: who names an authority for nothing means it.
        let has_anchors = target.files.ca_file.is_some() && target.encrypt == Encrypt::Always;
        let proof = target.proof.unwrap_or(if has_anchors { Proof::Chain } else { Proof::Nothing });
        let secure = Secure::new(&target.files, proof);
        Self { target, places, secure }
    }
}

fn place(endpoint: Endpoint) -> Place {
    let Endpoint { host, address, port } = endpoint;
    let via = match address.as_ref().unwrap_or(&host) {
        directory if directory.starts_with('/') => {
            Via::Socket(Path::new(directory).join(format!(".s.PGSQL.{port}")))
        }
        name => Via::Network(Name::new(name), port.parse().unwrap_or_default()),
    };
    Place { host, via, port }
}

impl Server for Host {
    type Connection = Connection;

    fn reach(&self) -> Reach {
        self.reach
    }

    async fn connect(&self) -> Option<Connection> {
        let opened = match &*self.way {
            Ok(way) => login::open(&way.places, &way.target, &way.secure, &self.encoding).await,
            Err(why) => Err(Unreachable::Because(why.clone())),
        };
        let (title, encoding) = (&self.title, &self.encoding);
        opened
            .inspect_err(|problem| match problem {
                Unreachable::Because(why) => log::warning!("connect to pgsql server {title}: {why}"),
                Unreachable::Encoding => {
                    log::warning!("dict_pgsql: cannot set the encoding to {encoding}, skipping {title}");
                }
            })
            .ok()
    }
}

impl Pgsql {
    async fn ask(&self, key: &Key<'_>) -> Option<Vec<Vec<Option<Vec<u8>>>>> {
        self.servers
            .ask(async |host, connection| {
                let title = &host.title;
                let quoting = connection.quoting();
                if let Err(why) = quoting.check(key.text()) {
                    log::warning!("dict pgsql: (host {title}) cannot escape input string: {why}\n");
                    return Err(Failure::Question);
                }
                let query = self.statement.query(key, |text, query| quoting.append(text, query));
                let answer = tokio::time::timeout(QUERY_LIMIT, connection.query(&query)).await;
                match answer.unwrap_or_else(|_| Err(Trouble::Lost("timeout expired\n".to_owned()))) {
                    Ok(Answer::Rows(rows)) => Ok(rows),
                    Ok(Answer::Other(code)) => {
                        log::warning!("pgsql query failed: unknown code 0x{code:x} from host {title}");
                        Err(Failure::Connection)
                    }
                    Err(Trouble::Refused(text)) => {
                        log::warning!("pgsql query failed: fatal error from host {title}: {text}");
                        Err(Failure::Question)
                    }
                    Err(Trouble::Lost(text)) => {
                        log::warning!("pgsql query failed: fatal error from host {title}: {text}");
                        Err(Failure::Connection)
                    }
                    Err(Trouble::Nonsense) => {
                        log::warning!("pgsql query failed: protocol error, host {title}");
                        Err(Failure::Connection)
                    }
                }
            })
            .await
    }

    async fn find(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let Some(key) = self.statement.key(key).await? else { return Ok(None) };
        let rows = self.ask(&key).await.ok_or_else(|| self.statement.retry())?;
        let columns = rows.iter().flatten();
        // COMPAT: the library shows NULL as an empty text, for which there is a warning. Test: `null_and_empty`.
        let columns = columns.map(|column| Some(column.as_deref().unwrap_or_default()));
        let exceeded =
            format!("dict_pgsql_lookup: {}: Expansion limit exceeded for key:", self.statement.name);
        self.statement.value(&key, columns, &exceeded)
    }
}

impl RemoteTable for Pgsql {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(self.find(key))
    }
}
