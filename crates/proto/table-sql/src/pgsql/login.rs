//! From a place to a connection that is logged in.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pgsql::connection::{Connection, GONE, SHORT};
use crate::pgsql::report::Report;
use crate::pgsql::target::{Encrypt, Session, Target};
use crate::pgsql::wire::{Wire, malformed};
use database_link::Secure;
use database_link::link::{self, Link, Name};

/// The protocol, version 3.0.
const VERSION: u32 = 3 << 16;
const SSL_REQUEST: u32 = 80_877_103;

/// A place to connect to.
pub(crate) struct Place {
    /// The host as it is written.
    pub(crate) host: String,
    /// What to look up in place of it, and the port.
    pub(crate) via: Via,
    pub(crate) port: String,
}

/// How to get there.
pub(crate) enum Via {
    Socket(PathBuf),
    Network(Name, u16),
}

/// Why there is no connection: lines for the log.
pub(crate) enum Unreachable {
    /// This.
    Because(String),
    /// The server does not know the encoding.
    Encoding,
}

/// Connects and logs in to the first place that will do.
pub(crate) async fn open(
    places: &[Place],
    target: &Target,
    secure: &Secure,
    encoding: &str,
) -> Result<Connection, Unreachable> {
    let mut problems = String::new();
    let passes: &[Session] = match target.session {
        Session::PreferStandby => &[Session::Standby, Session::Any],
        _ => std::slice::from_ref(&target.session),
    };
    for &session in passes {
        for place in places {
            let attempt = Attempt { place, target, secure, encoding, session };
            match attempt.run(&mut problems).await? {
                Outcome::Connected(connection) => return Ok(*connection),
                Outcome::Next => {}
                Outcome::Stop => return Err(Unreachable::Because(problems)),
            }
        }
    }
    Err(Unreachable::Because(problems))
}

struct Attempt<'a> {
    place: &'a Place,
    target: &'a Target,
    secure: &'a Secure,
    encoding: &'a str,
    session: Session,
}

enum Outcome {
    Connected(Box<Connection>),
    /// Other places may be better.
    Next,
    /// They will not be.
    Stop,
}

/// Whether a stream is encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Privacy {
    Encrypted,
    Plain,
}

/// How one try over one stream ended.
enum Problem {
    /// Nothing to be had with encryption; without it, perhaps.
    Encryption(String),
    /// The server says no, over a stream that may be encrypted.
    Refused(Box<Report>, Privacy),
    /// The stream ended, or the time.
    Broken(String),
}

impl Attempt<'_> {
    async fn run(&self, problems: &mut String) -> Result<Outcome, Unreachable> {
        let host = &self.place.host;
        let (name, port) = match &self.place.via {
            Via::Socket(path) => {
                let title = format!("connection to server on socket \"{}\" failed: ", path.display());
                return self.over(&Door::Socket(path), &title, problems).await;
            }
            Via::Network(name, port) => (name, *port),
        };
        let addresses = match name.addresses(port).await {
            Ok(addresses) => addresses,
            Err(why) => {
                problems.push_str(&format!("could not translate host name \"{host}\" to address: {why}\n"));
                return Ok(Outcome::Next);
            }
        };
        for address in addresses {
            let ip = address.ip().to_string();
            let ip = if ip == *host { String::new() } else { format!(" ({ip})") };
            let title = format!("connection to server at \"{host}\"{ip}, port {} failed: ", self.place.port);
            match self.over(&Door::Address(address), &title, problems).await? {
                Outcome::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Outcome::Next)
    }

    /// Tries with and without encryption, as the target wants it.
    async fn over(
        &self,
        door: &Door<'_>,
        title: &str,
        problems: &mut String,
    ) -> Result<Outcome, Unreachable> {
        use Privacy::{Encrypted, Plain};
        let tries: &[Privacy] = match (door, self.target.encrypt) {
            // Nobody listens on a local socket.
            (Door::Socket(_), _) | (_, Encrypt::Never) => &[Plain],
            (_, Encrypt::Reluctantly) => &[Plain, Encrypted],
            (_, Encrypt::Gladly) => &[Encrypted, Plain],
            (_, Encrypt::Always) => &[Encrypted],
        };
        let mut last = Outcome::Next;
        for &wanted in tries {
            let limit = self.target.limit();
            let link = match door.open(limit).await {
                Ok(link) => link,
                Err(error) => {
                    problems.push_str(&format!("{title}{}\n{}", reason(&error), door.hint(&error)));
                    return Ok(Outcome::Next);
                }
            };
            let login = tokio::time::timeout(limit, self.log_in(link, wanted)).await;
            match login.unwrap_or_else(|_| Err(Problem::Broken("timeout expired\n".to_owned()))) {
                Ok(connection) => return Ok(self.accept(connection, title, problems)),
                Err(Problem::Encryption(why)) => {
                    problems.push_str(&format!("{title}{why}\n"));
                    last = Outcome::Next;
                }
                Err(Problem::Broken(why)) => {
                    problems.push_str(&format!("{title}{why}"));
                    return Ok(Outcome::Next);
                }
                Err(Problem::Refused(report, privacy)) => {
                    let text = report.text("");
                    if report.code == "22023" && text.contains("client_encoding") {
                        return Err(Unreachable::Encoding);
                    }
                    problems.push_str(&format!("{title}{text}"));
                    // Starting up, or shutting down: another one may be well.
                    last = if report.code == "57P03" { Outcome::Next } else { Outcome::Stop };
                    if privacy != wanted {
                        // It was without encryption already.
                        return Ok(last);
                    }
                }
            }
        }
        Ok(last)
    }

    /// Whether the server is of the kind that is wanted.
    fn accept(&self, connection: Connection, title: &str, problems: &mut String) -> Outcome {
        let is_read_only = connection.is_read_only || connection.in_hot_standby;
        let problem = match self.session {
            Session::ReadWrite if is_read_only => "session is read-only\n",
            Session::ReadOnly if !is_read_only => "session is not read-only\n",
            Session::Primary if connection.in_hot_standby => "server is in hot standby mode\n",
            Session::Standby if !connection.in_hot_standby => "server is not in hot standby mode\n",
            _ => return Outcome::Connected(Box::new(connection)),
        };
        problems.push_str(title);
        problems.push_str(problem);
        Outcome::Next
    }

    async fn log_in(&self, link: Link, wanted: Privacy) -> Result<Connection, Problem> {
        let (link, privacy) = match wanted {
            Privacy::Encrypted => self.encrypt(link).await?,
            Privacy::Plain => (link, Privacy::Plain),
        };
        let user = match self.target.user.as_str() {
            "" => link::user_name().ok_or_else(|| {
                let uid = nix::unistd::geteuid();
                Problem::Broken(format!("local user with ID {uid} does not exist\n"))
            })?,
            user => user.to_owned(),
        };
        let database = Some(&self.target.database).filter(|name| !name.is_empty()).unwrap_or(&user).as_str();
        let mut start = VERSION.to_be_bytes().to_vec();
        let fixed = [("user", user.as_str()), ("database", database), ("client_encoding", self.encoding)];
        let more = self.target.parameters.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in fixed.into_iter().chain(more) {
            start.extend(name.bytes().chain([0]).chain(value.bytes()).chain([0]));
        }
        start.push(0);
        let mut wire = Wire::new(link);
        wire.send_bare(&start).await.map_err(broken)?;
        prove(&mut wire, &user, &self.target.password, privacy).await?;
        let mut connection = Connection::new(wire, self.encoding);
        match connection.settle().await {
            Ok(None) => Ok(connection),
            Ok(Some(report)) => Err(Problem::Refused(Box::new(report), privacy)),
            Err(error) => Err(broken(error)),
        }
    }

    /// Asks the server to encrypt. The stream stays as it is when the server will not, and need not.
    async fn encrypt(&self, mut link: Link) -> Result<(Link, Privacy), Problem> {
        let request = [8u32.to_be_bytes(), SSL_REQUEST.to_be_bytes()].concat();
        link.write_all(&request).await.map_err(broken)?;
        link.flush().await.map_err(broken)?;
        // One byte, and not more: whatever follows is to be encrypted.
        match link.read_u8().await.map_err(broken)? {
            b'S' => {
                let encrypted = self.secure.wrap(link, &self.place.host).await;
                let encrypted = encrypted.map_err(|why| Problem::Encryption(format!("SSL error: {why}")))?;
                Ok((encrypted, Privacy::Encrypted))
            }
            b'N' if self.target.encrypt == Encrypt::Gladly => Ok((link, Privacy::Plain)),
            b'N' => Err(Problem::Broken("server does not support SSL, but SSL was required\n".to_owned())),
            other => {
                let other = char::from(other);
                Err(Problem::Broken(format!("received invalid response to SSL negotiation: {other}\n")))
            }
        }
    }
}

/// What a stream is opened to.
enum Door<'a> {
    Socket(&'a Path),
    Address(SocketAddr),
}

impl Door<'_> {
    async fn open(&self, limit: Duration) -> io::Result<Link> {
        let link = async {
            match self {
                Self::Socket(path) => link::local(path).await,
                Self::Address(address) => link::remote(*address).await,
            }
        };
        tokio::time::timeout(limit, link).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// What the library adds when the system says why there is no stream.
    fn hint(&self, error: &io::Error) -> &'static str {
        match self {
            _ if error.raw_os_error().is_none() => "",
            Self::Socket(_) => "\tIs the server running locally and accepting connections on that socket?\n",
            Self::Address(_) => "\tIs the server running on that host and accepting TCP/IP connections?\n",
        }
    }
}

/// Proves to the server that we know the password, in the way that it asks for.
async fn prove(wire: &mut Wire, user: &str, password: &str, privacy: Privacy) -> Result<(), Problem> {
    let refused = |why: &str| Problem::Broken(format!("{why}\n"));
    let mut scram: Option<ScramSha256> = None;
    loop {
        let (tag, body) = wire.receive(SHORT).await.map_err(broken)?;
        match tag {
            b'R' => {}
            b'E' => return Err(Problem::Refused(Box::new(Report::read(&body)), privacy)),
            b'N' | b'v' => continue,
            tag => {
                let tag = char::from(tag);
                return Err(refused(&format!(
                    "expected authentication request from server, but received {tag}"
                )));
            }
        }
        let (kind, data) = body.split_first_chunk().ok_or_else(|| broken(malformed()))?;
        let kind = u32::from_be_bytes(*kind);
        if password.is_empty() && matches!(kind, 3 | 5 | 10) {
            return Err(Problem::Broken("fe_sendauth: no password supplied\n".to_owned()));
        }
        match kind {
            0 => return Ok(()),
            3 => wire.send(b'p', &[password.as_bytes(), &[0]].concat()).await.map_err(broken)?,
            5 => {
                let salt = data.try_into().map_err(|_| broken(malformed()))?;
                let hash = md5_hash(user.as_bytes(), password.as_bytes(), salt);
                wire.send(b'p', &[hash.as_bytes(), &[0]].concat()).await.map_err(broken)?;
            }
            10 => {
                if !data.split(|&byte| byte == 0).any(|name| name == SCRAM_SHA_256.as_bytes()) {
                    return Err(refused("none of the server's SASL authentication mechanisms are supported"));
                }
                let state = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
                let first = state.message();
                let length = u32::try_from(first.len()).unwrap_or_default().to_be_bytes();
                let reply = [SCRAM_SHA_256.as_bytes(), &[0], &length, first].concat();
                wire.send(b'p', &reply).await.map_err(broken)?;
                scram = Some(state);
            }
            11 => {
                let state = scram.as_mut().ok_or_else(|| broken(malformed()))?;
                state.update(data).map_err(|_| refused("malformed SCRAM message"))?;
                let reply = state.message().to_vec();
                wire.send(b'p', &reply).await.map_err(broken)?;
            }
            12 => {
                let state = scram.as_mut().ok_or_else(|| broken(malformed()))?;
                state.finish(data).map_err(|_| refused("incorrect server signature"))?;
            }
            other => return Err(refused(&format!("authentication method {other} not supported"))),
        }
    }
}

fn broken(error: io::Error) -> Problem {
    Problem::Broken(match error.kind() {
        io::ErrorKind::InvalidData => "received an invalid message from the server\n".to_owned(),
        _ => GONE.to_owned(),
    })
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => "timeout expired".to_owned(),
        _ => sys::reason(error),
    }
}
