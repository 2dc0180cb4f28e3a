//! The servers of a table: which one is asked, and for how long one that failed is left alone.
//!
//! All servers are equal but for what they say about themselves when a connection begins: in a set, questions go to the
//! primary or where the URI prefers, and members that the URI does not name are learned from those that it does. One that
//! cannot be reached is left alone for a while; and when none of them will do, such as during an election or with a wrong
//! password, that is the answer to all questions of the next moment.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use database_link::{Link, Name, Secure, link};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use crate::connection::Connection;
use crate::hello::{Fit, Hello, Role};
use crate::login;
use crate::uri::{HOSTS, Host, Uri};

/// How long a server that failed is left alone; as in MongoDB's library.
const LEFT_ALONE: Duration = Duration::from_secs(5);
/// How long it is believed that no server will do; as there, too.
const MOMENT: Duration = Duration::from_millis(500);

/// The servers of a table.
pub(crate) struct Servers {
    uri: Uri,
    secure: Option<Secure>,
    /// In the order in which they are tried.
    known: Mutex<Vec<Arc<Server>>>,
    /// Until when no server will do, and why.
    none: Mutex<Option<(Instant, String)>>,
}

struct Server {
    host: Host,
    name: OnceCell<Name>,
    /// Until when it is left alone.
    down: Mutex<Option<Instant>>,
}

impl Servers {
    /// Servers that were not asked yet. Files are read, and names are looked up for the first time.
    pub(crate) fn new(uri: Uri) -> Self {
        let secure = uri.tls.as_ref().map(|(files, proof)| Secure::new(files, *proof));
        let known = uri.hosts.iter().map(|host| Arc::new(Server::new(host.clone()))).collect();
        Self { uri, secure, known: Mutex::new(known), none: Mutex::new(None) }
    }

    /// What the connection string says.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// A connection to a server that will do. The error is for the log.
    pub(crate) async fn connect(&self) -> Result<Connection, String> {
        if let Some(why) = self.secure.as_ref().and_then(Secure::fault) {
            return Err(format!("Failed to use TLS files: {why}"));
        }
        if let Some((until, why)) = lock(&self.none).as_ref()
            && *until > Instant::now()
        {
            return Err(why.clone());
        }
        let mut problems = Vec::new();
        let found = timeout(self.uri.select_limit, self.select(&mut problems)).await;
        match found {
            Ok(Some(connection)) => return Ok(connection),
            Ok(None) => {}
            Err(_) => problems.push("[time is up]".to_owned()),
        }
        let why = format!("No suitable servers found: {}", problems.join(" "));
        *lock(&self.none) = Some((Instant::now() + MOMENT, why.clone()));
        Err(why)
    }

    /// A connection to the first server that will do.
    async fn select(&self, problems: &mut Vec<String>) -> Option<Connection> {
        let mut waiting: VecDeque<Arc<Server>> = lock(&self.known).iter().map(Arc::clone).collect();
        let mut tried: Vec<Host> = Vec::new();
        let mut fair = Vec::new();
        while let Some(server) = waiting.pop_front() {
            if tried.contains(&server.host) || tried.len() >= HOSTS {
                continue;
            }
            tried.push(server.host.clone());
            let title = server.host.title();
            if server.is_left_alone() {
                problems.push(format!("[no answer from '{title}' a moment ago]"));
                continue;
            }
            let (connection, hello) = match self.greet(&server).await {
                Ok(greeted) => greeted,
                Err(why) => {
                    server.leave_alone();
                    problems.push(format!("[{why} calling hello on '{title}']"));
                    continue;
                }
            };
            if !self.uri.is_direct {
                self.learn(&hello, &mut waiting);
            }
            match hello.fit(&self.uri) {
                Fit::Good => match self.log_in(connection, &hello, &server, problems).await {
                    Some(connection) => return Some(connection),
                    None => continue,
                },
                Fit::Fair => fair.push((connection, hello, server)),
                Fit::None(why) => problems.push(format!("[{why}: '{title}']")),
            }
        }
        for (connection, hello, server) in fair {
            if let Some(connection) = self.log_in(connection, &hello, &server, problems).await {
                return Some(connection);
            }
        }
        None
    }

    async fn greet(&self, server: &Server) -> Result<(Connection, Hello), String> {
        let limit = self.uri.connect_limit;
        let link = server.open(limit).await?;
        let link = match &self.secure {
            None => link,
            Some(secure) => {
                let encrypted = timeout(limit, secure.wrap(link, server.host_name())).await;
                encrypted
                    .unwrap_or_else(|_| Err("connection timeout".to_owned()))
                    .map_err(|why| format!("TLS handshake failed: {why}"))?
            }
        };
        login::greet(link, &self.uri).await
    }

    async fn log_in(
        &self,
        mut connection: Connection,
        hello: &Hello,
        server: &Arc<Server>,
        problems: &mut Vec<String>,
    ) -> Option<Connection> {
        match login::log_in(&mut connection, hello, &self.uri).await {
            Ok(()) => {
                self.prefer(server);
                Some(connection)
            }
            Err(why) => {
                // The server is well, and is not left alone for that.
                problems.push(format!("[{why} on '{}']", server.host.title()));
                None
            }
        }
    }

    /// The members that a server knows are tried next, its primary first. One that belongs to another set is not asked
    /// about them.
    fn learn(&self, hello: &Hello, waiting: &mut VecDeque<Arc<Server>>) {
        if self.uri.replica_set.is_some() && self.uri.replica_set != hello.set {
            return;
        }
        let mut known = lock(&self.known);
        if hello.role == Role::Primary {
            // Members come and go, and it is the primary that knows.
            let is_known = |host: &Host| self.uri.hosts.contains(host) || hello.members.contains(host);
            known.retain(|server| is_known(&server.host));
        }
        let mut members = VecDeque::new();
        for host in &hello.members {
            if let Some(server) = known.iter().find(|server| server.host == *host) {
                members.push_back(Arc::clone(server));
            } else if known.len() < HOSTS {
                let server =
                    Arc::new(Server { host: host.clone(), name: OnceCell::new(), down: Mutex::new(None) });
                known.push(Arc::clone(&server));
                members.push_back(server);
            }
        }
        members.append(waiting);
        *waiting = members;
    }

    /// The next connection begins with the server that was good for this one.
    fn prefer(&self, server: &Arc<Server>) {
        let mut known = lock(&self.known);
        if let Some(at) = known.iter().position(|other| Arc::ptr_eq(other, server)) {
            let server = known.remove(at);
            known.insert(0, server);
        }
    }
}

impl Server {
    /// One that the URI names. Its name is looked up now: in a jail there may be no way to do that.
    fn new(host: Host) -> Self {
        let name = match &host {
            Host::Socket(_) => None,
            Host::Network(name, _) => Some(Name::new(name)),
        };
        Self { host, name: OnceCell::new_with(name), down: Mutex::new(None) }
    }

    fn is_left_alone(&self) -> bool {
        lock(&self.down).is_some_and(|until| until > Instant::now())
    }

    fn leave_alone(&self) {
        *lock(&self.down) = Some(Instant::now() + LEFT_ALONE);
    }

    /// The name that its certificate should have.
    fn host_name(&self) -> &str {
        match &self.host {
            Host::Socket(_) => "",
            Host::Network(name, _) => name,
        }
    }

    async fn open(&self, limit: Duration) -> Result<Link, String> {
        let late = || "connection timeout".to_owned();
        let refused = |error: std::io::Error| sys::reason(&error).to_ascii_lowercase();
        let (text, port) = match &self.host {
            Host::Socket(path) => {
                let opened = timeout(limit, link::local(Path::new(path))).await.map_err(|_| late())?;
                return opened.map_err(refused);
            }
            Host::Network(text, port) => (text, *port),
        };
        let addresses = timeout(limit, self.addresses(text, port)).await.map_err(|_| late())?;
        let addresses = addresses.map_err(|why| format!("Failed to resolve '{text}': {why},"))?;
        let mut problem = late();
        for address in addresses {
            match timeout(limit, link::remote(address)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error)) => problem = refused(error),
                Err(_) => problem = late(),
            }
        }
        Err(problem)
    }

    async fn addresses(&self, text: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let name = self.name.get_or_try_init(|| async {
            let text = text.to_owned();
            // It waits, and others must not.
            tokio::task::spawn_blocking(move || Name::new(&text)).await.map_err(|error| error.to_string())
        });
        name.await?.addresses(port).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
