//! From a place to a connection that is logged in.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::mysql::auth::{self, Method};
use crate::mysql::connection::{Connection, Trouble, lost, refused, status_of_ok};
use crate::mysql::packet::{Packets, Reader, malformed};
use database_link::Secure;
use database_link::link::{self, Link, Name};

/// What client and server can do, as bits of the protocol.
mod capability {
    pub(super) const LONG_PASSWORD: u32 = 1;
    pub(super) const LONG_FLAG: u32 = 1 << 2;
    pub(super) const CONNECT_WITH_DB: u32 = 1 << 3;
    pub(super) const PROTOCOL_41: u32 = 1 << 9;
    pub(super) const SSL: u32 = 1 << 11;
    pub(super) const TRANSACTIONS: u32 = 1 << 13;
    pub(super) const SECURE_CONNECTION: u32 = 1 << 15;
    /// A procedure may have results. Several statements in one query are another bit, which is not asked for.
    pub(super) const MULTI_RESULTS: u32 = 1 << 17;
    pub(super) const PLUGIN_AUTH: u32 = 1 << 19;
    pub(super) const LENGTH_OF_PROOF: u32 = 1 << 21;
}

/// The collation `utf8mb4_general_ci`, for the names in the login.
const UTF8MB4: u8 = 45;
const LARGEST_PACKET: u32 = 1 << 30;

/// Who logs in, and how.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    pub(crate) charset: String,
    pub(crate) secure: Option<Secure>,
    /// How long it may take.
    pub(crate) limit: Duration,
}

/// Where a server is.
pub(crate) enum Place {
    Local(PathBuf),
    Remote(Name, u16),
}

/// Connects and logs in.
pub(crate) async fn open(place: &Place, login: &Login) -> Result<Connection, Trouble> {
    let (link, host) = reach(place, login.limit).await?;
    match tokio::time::timeout(login.limit, log_in(link, host, login)).await {
        Ok(result) => result,
        Err(_) => Err(lost_at("reading authorization packet", &timed_out())),
    }
}

async fn log_in(link: Link, host: &str, login: &Login) -> Result<Connection, Trouble> {
    let packets = Packets::new(link);
    let mut session = Session { packets, is_private: host.is_empty(), nonce: Vec::new(), capabilities: 0 };
    let method = session.hear_greeting().await?;
    if let Some(secure) = &login.secure {
        session = session.encrypt(secure, host).await?;
    }
    let status = session.prove(login, method).await?;
    Ok(Connection::new(session.packets, status, &login.charset))
}

/// A connection on the way to be logged in.
struct Session {
    packets: Packets,
    /// Whether nobody but the server can read what is sent.
    is_private: bool,
    nonce: Vec<u8>,
    capabilities: u32,
}

impl Session {
    /// What the server says first.
    async fn hear_greeting(&mut self) -> Result<Method, Trouble> {
        let stage = "reading initial communication packet";
        let packet = self.packets.receive().await.map_err(|error| lost_at(stage, &error))?;
        if packet.first() == Some(&0xff) {
            return Err(refused(&packet));
        }
        self.read_greeting(&packet).map_err(|error| lost_at(stage, &error))
    }

    fn read_greeting(&mut self, packet: &[u8]) -> io::Result<Method> {
        let mut greeting = Reader(packet);
        if greeting.number(1)? != 10 {
            return Err(malformed());
        }
        greeting.text();
        greeting.bytes(4)?;
        self.nonce = greeting.bytes(8)?.to_vec();
        greeting.bytes(1)?;
        let low = greeting.number(2)?;
        greeting.bytes(3)?;
        let high = greeting.number(2)?;
        self.capabilities = u32::try_from(high << 16 | low).unwrap_or_default();
        if self.capabilities & capability::PROTOCOL_41 == 0 {
            return Err(malformed());
        }
        let length = usize::try_from(greeting.number(1)?).unwrap_or_default();
        greeting.bytes(10)?;
        self.nonce.extend_from_slice(greeting.bytes(length.saturating_sub(8).max(13).min(greeting.0.len()))?);
        self.nonce.truncate(20);
        // One that is not known is settled when the server insists.
        Ok(Method::by_name(greeting.text()).unwrap_or(Method::Native))
    }

    async fn encrypt(mut self, secure: &Secure, host: &str) -> Result<Self, Trouble> {
        let problem = |text: String| Trouble::lost(format!("TLS/SSL error: {text}"));
        if self.capabilities & capability::SSL == 0 {
            // COMPAT: as with MariaDB's library, only a demand for proof is a demand for encryption as well.
            return match secure.must_prove() {
                true => Err(problem("SSL is required, but the server does not support it".to_owned())),
                false => Ok(self),
            };
        }
        let mut request = self.client_capabilities(capability::SSL).to_le_bytes().to_vec();
        request.extend(LARGEST_PACKET.to_le_bytes());
        request.push(UTF8MB4);
        request.extend([0; 23]);
        self.packets.send(&request).await.map_err(lost)?;
        let packets = self.packets.transfer(async |link| secure.wrap(link, host).await).await;
        Ok(Self { packets: packets.map_err(problem)?, is_private: true, ..self })
    }

    fn client_capabilities(&self, more: u32) -> u32 {
        let wanted = capability::LONG_PASSWORD
            | capability::LONG_FLAG
            | capability::PROTOCOL_41
            | capability::TRANSACTIONS
            | capability::SECURE_CONNECTION
            | capability::MULTI_RESULTS
            | capability::PLUGIN_AUTH
            | capability::LENGTH_OF_PROOF;
        (wanted | more) & self.capabilities
    }

    /// Logs in; the status of the session.
    async fn prove(&mut self, login: &Login, mut method: Method) -> Result<u16, Trouble> {
        let stage = "reading authorization packet";
        let mut more = if login.database.is_empty() { 0 } else { capability::CONNECT_WITH_DB };
        if login.secure.is_some() {
            more |= capability::SSL;
        }
        let capabilities = self.client_capabilities(more);
        let proof = self.proof(method, &login.password)?;
        let mut response = capabilities.to_le_bytes().to_vec();
        response.extend(LARGEST_PACKET.to_le_bytes());
        response.push(UTF8MB4);
        response.extend([0; 23]);
        response.extend(login.user.bytes().chain([0]));
        match u8::try_from(proof.len()) {
            // Lengths below 251 are the same in both forms.
            Ok(length @ ..=250) => response.push(length),
            _ => return Err(Trouble::lost("The password is too long")),
        }
        response.extend_from_slice(&proof);
        if capabilities & capability::CONNECT_WITH_DB != 0 {
            response.extend(login.database.bytes().chain([0]));
        }
        if capabilities & capability::PLUGIN_AUTH != 0 {
            response.extend(method.name().bytes().chain([0]));
        }
        self.packets.send(&response).await.map_err(|error| lost_at(stage, &error))?;
        loop {
            let packet = self.packets.receive().await.map_err(|error| lost_at(stage, &error))?;
            match packet.split_first() {
                Some((0, _)) => return status_of_ok(&packet).map_err(lost),
                Some((0xff, _)) => return Err(refused(&packet)),
                Some((0xfe, [])) => return Err(unknown_method(b"mysql_old_password")),
                Some((0xfe, rest)) => {
                    let mut request = Reader(rest);
                    let name = request.text();
                    method = Method::by_name(name).ok_or_else(|| unknown_method(name))?;
                    self.nonce = request.0.get(..20).unwrap_or(request.0).to_vec();
                    let proof = self.proof(method, &login.password)?;
                    self.packets.send(&proof).await.map_err(|error| lost_at(stage, &error))?;
                }
                Some((1, data)) => self.continue_proof(method, data, &login.password).await?,
                _ => return Err(lost(malformed())),
            }
        }
    }

    /// What proves that we know the password, to begin with.
    fn proof(&self, method: Method, password: &str) -> Result<Vec<u8>, Trouble> {
        let clear = || password.bytes().chain([0]).collect();
        Ok(match method {
            Method::Clear if self.is_private => clear(),
            Method::Clear => return Err(unknown_method(method.name().as_bytes())),
            _ if password.is_empty() => Vec::new(),
            Method::Native => auth::native(password.as_bytes(), &self.nonce),
            Method::CachingSha2 => auth::caching_sha2(password.as_bytes(), &self.nonce),
            Method::Sha256 if self.is_private => clear(),
            // Asks for the server's key.
            Method::Sha256 => vec![1],
        })
    }

    async fn continue_proof(&mut self, method: Method, data: &[u8], password: &str) -> Result<(), Trouble> {
        const KNOWN: &[u8] = &[3];
        const UNKNOWN: &[u8] = &[4];
        const ASK_FOR_KEY: &[u8] = &[2];
        let answer = match (method, data) {
            (Method::CachingSha2, KNOWN) => return Ok(()),
            (Method::CachingSha2, UNKNOWN) if self.is_private => password.bytes().chain([0]).collect(),
            (Method::CachingSha2, UNKNOWN) => ASK_FOR_KEY.to_vec(),
            (Method::CachingSha2 | Method::Sha256, key) => {
                let sealed = auth::encrypted(password.as_bytes(), &self.nonce, key);
                sealed.ok_or_else(|| Trouble::lost("Authentication needs a key that the server lacks"))?
            }
            _ => return Err(lost(malformed())),
        };
        self.packets.send(&answer).await.map_err(lost)
    }
}

/// A stream to the server, and the name that its certificate should have: none where nobody can listen.
async fn reach(place: &Place, limit: Duration) -> Result<(Link, &str), Trouble> {
    match place {
        Place::Local(path) => {
            let stream = tokio::time::timeout(limit, link::local(path)).await;
            let stream = stream.unwrap_or_else(|_| Err(timed_out()));
            let failed = |error: io::Error| {
                let (path, code) = (path.display(), code(&error));
                Trouble::lost(format!("Can't connect to local server through socket '{path}' ({code})"))
            };
            Ok((stream.map_err(failed)?, ""))
        }
        Place::Remote(name, port) => {
            let host = name.text();
            let addresses = name.addresses(*port).await;
            let addresses =
                addresses.map_err(|_| Trouble::lost(format!("Unknown server host '{host}' (-2)")))?;
            let mut last = 0;
            for address in addresses {
                match connect(address, limit).await {
                    Ok(link) => return Ok((link, host)),
                    Err(error) => last = code(&error),
                }
            }
            Err(Trouble::lost(format!("Can't connect to server on '{host}' ({last})")))
        }
    }
}

async fn connect(address: SocketAddr, limit: Duration) -> io::Result<Link> {
    tokio::time::timeout(limit, link::remote(address)).await.unwrap_or_else(|_| Err(timed_out()))
}

fn timed_out() -> io::Error {
    io::Error::from_raw_os_error(nix::errno::Errno::ETIMEDOUT as i32)
}

fn code(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or_default()
}

fn lost_at(stage: &str, error: &io::Error) -> Trouble {
    Trouble::lost(format!(
        "Lost connection to server at '{stage}', system error: {}",
        error.raw_os_error().unwrap_or_default()
    ))
}

fn unknown_method(name: &[u8]) -> Trouble {
    Trouble::lost(format!("Authentication plugin '{}' cannot be loaded", bytes::show(name)))
}

#[cfg(test)]
mod tests;
