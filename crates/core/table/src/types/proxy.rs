//! `proxy:`, tables that proxymap(8) has open for all.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use ipc::{Attrs, Client};
use tokio::runtime::{self, Handle};
use tokio::sync::Semaphore;

use crate::env::Env;
use crate::error::Error;
use crate::flags::{Flags, Mode};
use crate::local::{Entry, LocalFuture, Owner, RemoteTable, Seek, Update};
use crate::open::{Backend, Opened, Opening, reason};
use crate::table::Table;

/// What the service says first.
const PROTOCOL: &str = "proxymap_protocol";
/// How many requests of this process the service sees at once.
const CONNECTIONS: usize = 20;
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_secs(1);

const STATUS_OK: i64 = 0;
const STATUS_NO_KEY: i64 = 1;
const STATUS_RETRY: i64 = 2;
const STATUS_BAD: i64 = 3;
const STATUS_DENY: i64 = 4;
const STATUS_CONFIG: i64 = 5;

/// Connections to one of the two services.
pub(crate) struct Pool {
    service: String,
    path: String,
    /// With the runtime through which each hears from the service: a program may have two, one of them for questions
    /// before its event loop begins.
    idle: RefCell<Vec<(runtime::Id, Client)>>,
    turns: Semaphore,
}

/// A table behind the service.
struct Proxied {
    pool: Rc<Pool>,
    /// `type:name` of the table itself.
    name: String,
    flags: Flags,
    /// The flags that the service last told.
    current: Cell<u32>,
}

/// `proxy:type:name`.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    let (env, name) = (opening.env, opening.name);
    if opening.flags.contains(Flags::NO_PROXY) {
        let table = Table::open_or(name, env, opening.mode, opening.flags, opening.on_failure)?;
        let (flags, owner) = (table.flags(), table.owner());
        return Ok(Opened { backend: Backend::Direct(table), flags, owner, folds: false });
    }
    let service = match opening.mode {
        Mode::Read => &env.proxymap_service,
        Mode::Write | Mode::Create | Mode::Truncate => &env.proxywrite_service,
    };
    let pool = Pool::of(env, service);
    let flags = loop {
        match ask_for_flags(&pool, name, opening.flags) {
            Ok((STATUS_OK, flags)) => break Flags::from_bits(flags),
            Ok((STATUS_BAD, _)) => {
                return Err(format!("{service} open failed for table \"{name}\": invalid request"));
            }
            Ok((STATUS_DENY, _)) => {
                return Err(format!("{service} service is not configured for table \"{name}\""));
            }
            Ok((status, _)) => {
                log::warning!("{service} open failed for table \"{name}\": unexpected status {status}");
            }
            Err(error) => {
                let is_usual = error.raw_os_error().is_some_and(is_quiet);
                if log::verbose() > 0 || !is_usual {
                    log::warning!("dict_proxy_open: service {service}: {}", reason(&error));
                }
            }
        }
        std::thread::sleep(PAUSE);
    };
    let current = Cell::new(flags.bits());
    let table = Proxied { pool, name: name.to_owned(), flags: opening.flags, current };
    Ok(Opened { backend: Backend::Remote(Box::new(table)), flags, owner: Owner::UNKNOWN, folds: false })
}

/// Whether an error happens when the service has just ended or not yet begun.
fn is_quiet(error: i32) -> bool {
    use nix::errno::Errno;
    matches!(Errno::from_raw(error), Errno::EPIPE | Errno::ENOENT)
}

/// The first request about a table. It blocks: tables are opened before there is anything else to do.
fn ask_for_flags(pool: &Pool, table: &str, flags: Flags) -> std::io::Result<(i64, u32)> {
    let malformed = |error: ipc::Error| std::io::Error::other(error.to_string());
    let mut stream = UnixStream::connect(&pool.path)?;
    let mut input = Vec::new();
    let greeting = receive(&mut stream, &mut input)?;
    if greeting.text("protocol").map_err(malformed)? != PROTOCOL.as_bytes() {
        return Err(std::io::Error::other("unexpected protocol greeting"));
    }
    let mut output = Vec::new();
    let request = Attrs::new().str("request", "open").str("table", table).int("instance_flags", flags.bits());
    request.write_to(&mut output);
    stream.write_all(&output)?;
    let reply = receive(&mut stream, &mut input)?;
    Ok((reply.number("status").map_err(malformed)?, reply.flags("flags").map_err(malformed)?))
}

fn receive(stream: &mut UnixStream, input: &mut Vec<u8>) -> std::io::Result<Attrs> {
    loop {
        let parsed = Attrs::parse(input, 65_536).map_err(|error| std::io::Error::other(error.to_string()))?;
        if let Some((attrs, used)) = parsed {
            input.drain(..used);
            return Ok(attrs);
        }
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        input.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
}

impl Pool {
    /// The connections of this process to a service.
    fn of(env: &Env, service: &str) -> Rc<Self> {
        let make = || {
            // Daemons run in the queue directory, tools do not.
            let mut path = format!("private/{service}");
            if !std::path::Path::new(&path).exists() {
                path = format!("{}/{path}", env.queue_directory.display());
            }
            let turns = Semaphore::new(CONNECTIONS);
            Rc::new(Self { service: service.to_owned(), path, idle: RefCell::default(), turns })
        };
        Rc::clone(env.registry.proxies.borrow_mut().entry(service.to_owned()).or_insert_with(make))
    }

    fn idle_client(&self) -> Option<Client> {
        let here = Handle::current().id();
        let mut idle = self.idle.borrow_mut();
        let at = idle.iter().rposition(|(runtime, _)| *runtime == here)?;
        Some(idle.remove(at).1)
    }

    /// Asks until there is an answer.
    async fn ask(&self, what: &str, request: &Attrs) -> (i64, Attrs) {
        let mut count = 0;
        loop {
            let turn = self.turns.acquire().await;
            let mut client =
                self.idle_client().unwrap_or_else(|| Client::new(self.path.clone(), Some(PROTOCOL)));
            let reply = client.request(request).await.and_then(|reply| Ok((reply.number("status")?, reply)));
            drop(turn);
            count += 1;
            match reply {
                Ok((status, reply)) if (STATUS_OK..=STATUS_CONFIG).contains(&status) => {
                    self.idle.borrow_mut().push((Handle::current().id(), client));
                    return (status, reply);
                }
                Ok((status, _)) => {
                    log::warning!("{} {what}: unexpected reply status {status}", self.service);
                }
                Err(error) => {
                    let is_usual =
                        matches!(&error, ipc::Error::Io(error) if error.raw_os_error().is_some_and(is_quiet));
                    if count > 1 || !is_usual || log::verbose() > 0 {
                        let why = match &error {
                            ipc::Error::Io(error) => reason(error),
                            other => other.to_string(),
                        };
                        log::warning!("dict_proxy_{}: service {}: {why}", operation(what), self.service);
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn operation(what: &str) -> &str {
    what.split(' ').next().unwrap_or(what)
}

impl Proxied {
    fn request(&self, operation: &str) -> Attrs {
        Attrs::new()
            .str("request", operation)
            .str("table", &self.name)
            .int("instance_flags", self.flags.bits())
            .int("flags", self.current.get())
    }

    /// What a reply without value means.
    async fn ask(&self, operation: &'static str, key: &[u8], request: Attrs) -> Result<(bool, Attrs), Error> {
        let (service, name, key) = (&self.pool.service, &self.name, bytes::show(key));
        let what = format!("{operation} failed for table \"{name}\" key \"{key}\"");
        let (status, reply) = self.pool.ask(&what, &request).await;
        if let Ok(flags) = reply.flags("flags") {
            self.current.set(flags);
        }
        let title = format!("proxy:{name}");
        match status {
            STATUS_OK => Ok((true, reply)),
            STATUS_NO_KEY => Ok((false, reply)),
            STATUS_RETRY => Err(Error::retry(title)),
            STATUS_CONFIG => Err(Error::config(title)),
            STATUS_DENY if operation == "update" || operation == "delete" => {
                Err(Error::Fault(format!("{service} update access is not configured for table \"{name}\"")))
            }
            STATUS_DENY => {
                Err(Error::Fault(format!("{service} service is not configured for table \"{name}\"")))
            }
            _ => Err(Error::Fault(format!("{service} {what}: invalid request"))),
        }
    }
}

fn missing(error: ipc::Error) -> Error {
    Error::Fault(format!("proxymap reply: {error}"))
}

impl RemoteTable for Proxied {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> LocalFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let request = self.request("lookup").str("key", key);
            let (found, reply) = self.ask("lookup", key, request).await?;
            if !found {
                return Ok(None);
            }
            Ok(Some(reply.text("value").map_err(missing)?.to_vec()))
        })
    }

    fn update<'a>(
        &'a self,
        key: &'a [u8],
        value: &'a [u8],
    ) -> Option<LocalFuture<'a, Result<Update, Error>>> {
        Some(Box::pin(async move {
            let request = self.request("update").str("key", key).str("value", value);
            let (stored, _) = self.ask("update", key, request).await?;
            Ok(if stored { Update::Stored } else { Update::Kept })
        }))
    }

    fn delete<'a>(&'a self, key: &'a [u8]) -> Option<LocalFuture<'a, Result<bool, Error>>> {
        Some(Box::pin(async move {
            let request = self.request("delete").str("key", key);
            Ok(self.ask("delete", key, request).await?.0)
        }))
    }

    fn sequence(&self, seek: Seek) -> Option<LocalFuture<'_, Result<Option<Entry>, Error>>> {
        Some(Box::pin(async move {
            let function: i64 = if seek == Seek::First { 0 } else { 1 };
            let request = self.request("sequence").int("function", function);
            let (found, reply) = self.ask("sequence", b"", request).await?;
            if !found {
                return Ok(None);
            }
            let key = reply.text("key").map_err(missing)?.to_vec();
            Ok(Some((key, reply.text("value").map_err(missing)?.to_vec())))
        }))
    }
}
