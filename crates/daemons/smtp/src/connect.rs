//! From next hops to sessions: which servers are tried, in which order, and when to stop.

use std::net::{IpAddr, SocketAddr};

use dsn::Dsn;
use smtp::Protocol;
use tokio::net::{TcpSocket, UnixStream};
use tokio::time::{Instant, timeout};

use crate::Client;
use crate::addresses::{self, Found, LoopCheck, Target, dsn as simple, soft};
use crate::delivery::Delivery;
use crate::destination::{self, Destination};
use crate::handshake::Opened;
use crate::session::{Reuse, Session};
use crate::transfer::Proof;
use crate::wire::{Transport, Wire};

const SMTP_PORT: u16 = 25;

impl Delivery<'_> {
    /// Delivers, and reports everybody's outcome.
    pub(crate) async fn run(&mut self) {
        let nexthop = String::from_utf8_lossy(&self.job.request.nexthop).into_owned();
        let is_lmtp = self.client.settings.protocol == Protocol::Lmtp;
        match nexthop.strip_prefix("unix:").filter(|_| is_lmtp) {
            Some(path) => self.try_local_socket(path).await,
            None => {
                let list = nexthop.strip_prefix("inet:").filter(|_| is_lmtp).unwrap_or(&nexthop);
                self.try_hosts(list).await;
            }
        }
        self.finish().await;
    }

    async fn try_local_socket(&mut self, path: &str) {
        let settings = &self.client.settings;
        let myhostname = settings.common.myhostname.clone();
        if !settings.params.smtp_fallback_relay.is_empty() {
            log::warning!(
                "ignoring \"{} = {}\" setting for non-TCP connections",
                settings.name("fallback_relay"),
                settings.params.smtp_fallback_relay
            );
        }
        self.cache_rules(path).await;
        if self.conn_load || self.conn_store {
            self.cache_hop = Some(path.to_owned());
        }
        if !self.requiretls_level(&myhostname).await || !self.tls_level(path, &myhostname).await {
            return;
        }
        // Encryption without authentication is wasted on a socket of this host.
        if let Some(policy) = &mut self.policy
            && policy.level == tls::Level::May
        {
            policy.level = tls::Level::None;
        }
        self.final_server = true;
        loop {
            let cached = if self.conn_load { self.reuse_hop().await } else { None };
            let session = match cached {
                Some(session) => Some(session),
                None => self.connect_local(path, &myhostname).await,
            };
            let Some(mut session) = session else { return };
            session.dest = path.to_owned();
            if self.use_session(session, &myhostname).await == Proof::Alive {
                return;
            }
        }
    }

    async fn connect_local(&mut self, path: &str, myhostname: &str) -> Option<Session> {
        let time = self.client.settings.params.smtp_connect_timeout;
        let connected = timed(time, UnixStream::connect(path)).await;
        match connected {
            Ok(stream) => Some(self.new_session(Transport::Unix(stream), myhostname, path, 0)),
            Err(error) => {
                self.why = Some(simple("4.4.1", format!("connect to {myhostname}[{path}]: {error}")));
                None
            }
        }
    }

    async fn try_hosts(&mut self, list: &str) {
        let client = self.client;
        let settings = &client.settings;
        if settings.families.is_none() {
            self.why = Some(simple("4.4.4", "all network protocols are disabled"));
            return;
        }
        let primary: Vec<&str> = destination::split(list).collect();
        let fallback: Vec<&str> = destination::split(&settings.params.smtp_fallback_relay).collect();
        let sites: Vec<&str> = primary.iter().chain(&fallback).copied().collect();
        let mut last = 0;
        for (index, text) in sites.iter().enumerate() {
            if self.todo.is_empty() {
                break;
            }
            last = index;
            self.final_nexthop |= index + 1 == sites.len();
            match destination::parse(text, &settings.params.smtp_tcp_port, &settings.services) {
                Ok(destination) => self.try_destination(&destination, index == 0).await,
                Err(why) => {
                    log::warning!("{why}");
                    self.why = Some(simple("4.3.5", "mail system configuration error"));
                }
            }
            if self.final_nexthop {
                break;
            }
        }
        if !self.todo.is_empty() {
            self.judge(&primary, last >= primary.len()).await;
        }
    }

    async fn try_destination(&mut self, destination: &Destination, is_first: bool) {
        let settings = &self.client.settings;
        if settings.common.helpful_warnings
            && !settings.params.smtp_tls_wrappermode
            && destination.port == 465
        {
            log::info!(
                "SMTPS wrappermode (TCP port 465) requires setting \"{} = yes\", and \"{} = encrypt\" (or stronger)",
                settings.name("tls_wrappermode"),
                settings.name("tls_security_level")
            );
        }
        if !self.requiretls_level(&destination.host).await {
            return;
        }
        let is_smtp = settings.protocol == Protocol::Smtp;
        let watch = is_smtp && destination.port == SMTP_PORT;
        self.loop_check = if watch { LoopCheck::Yes } else { LoopCheck::No };
        let is_host =
            !is_smtp || destination.literal || settings.dns == crate::settings::DnsSupport::Disabled;
        let found = if is_host {
            addresses::of_host(self.client, &destination.host, self.loop_check).await
        } else {
            addresses::of_domain(self.client, &destination.host, self.loop_check).await
        };
        let Found { mut targets, why, i_am_mx } = found;
        self.final_nexthop |= i_am_mx || (targets.is_empty() && why.as_ref().is_some_and(is_loop));
        self.why = why;
        let Some(best) = targets.first().map(|target| target.preference) else { return };
        if is_first {
            self.cache_rules(&destination.host).await;
            if self.conn_load || self.conn_store {
                self.cache_hop = Some(destination.text.clone());
            }
        }
        let mut sessions = 0;
        if self.conn_load {
            targets.retain(|target| !self.used.contains(&target.address.to_string()));
            sessions = self.reuse_sessions(destination, &mut targets, best).await;
        }
        self.try_targets(destination, targets, best, sessions).await;
    }

    async fn try_targets(&mut self, destination: &Destination, targets: Vec<Target>, best: u16, reused: i64) {
        let params = &self.client.settings.params;
        let (mut addresses, mut sessions) = (reused, reused);
        let mut is_last = false;
        let mut index = 0;
        let mut plain = false;
        while let Some(target) = targets.get(index) {
            if self.todo.is_empty() || is_last {
                return;
            }
            let was_final = self.final_server;
            index += 1;
            addresses += 1;
            is_last = index == targets.len() || addresses == params.smtp_mx_address_limit;
            if !self.tls_level(&destination.text, &target.host).await {
                continue;
            }
            if let Some(policy) = &mut self.policy {
                if params.smtp_tls_wrappermode && policy.level < tls::Level::Encrypt {
                    log::warning!(
                        "{} requires \"{} = encrypt\" (or stronger)",
                        self.client.settings.name("tls_wrappermode"),
                        self.client.settings.name("tls_security_level")
                    );
                    continue;
                }
                if std::mem::take(&mut plain) {
                    policy.level = tls::Level::None;
                }
            }
            let mut session = None;
            if self.conn_load && target.preference != best {
                session = self.reuse_address(destination, target).await;
            }
            if session.is_none() {
                session = self.connect(target, destination.port).await;
            }
            let Some(mut session) = session else {
                if let Some(why) = &self.why {
                    log::info!("{}", bytes::show(&why.reason));
                }
                continue;
            };
            session.dest = destination.text.clone();
            session.best_mx |= target.preference == best;
            self.final_server |= self.final_nexthop && is_last;
            let is_open =
                session.from_cache || self.open(&mut session, &destination.host).await == Opened::Yes;
            if is_open {
                sessions += 1;
                is_last |= sessions == params.smtp_mx_session_limit;
                self.final_server |= self.final_nexthop && is_last;
                if self.transfer(&mut session).await == Proof::Dead {
                    session.wire.close().await;
                    (index, addresses, sessions) = (index - 1, addresses - 1, sessions - 1);
                    (is_last, self.final_server) = (false, was_final);
                    continue;
                }
            }
            if session.retry_plain {
                plain = true;
                is_last = false;
                index -= 1;
                addresses -= 1;
                sessions -= i64::from(is_open);
            }
            if !is_open {
                session.quit(self.client, &self.job.request.queue_id).await;
            }
            self.put_away(session).await;
        }
    }

    /// Opens a session if it is new, delivers, and puts it away. One that proves dead is gone, and nothing has happened.
    pub(crate) async fn use_session(&mut self, mut session: Session, nexthop: &str) -> Proof {
        if session.from_cache || self.open(&mut session, nexthop).await == Opened::Yes {
            if self.transfer(&mut session).await == Proof::Dead {
                session.wire.close().await;
                return Proof::Dead;
            }
        } else {
            session.quit(self.client, &self.job.request.queue_id).await;
        }
        self.put_away(session).await;
        Proof::Alive
    }

    async fn connect(&mut self, target: &Target, port: u16) -> Option<Session> {
        let (host, address) = (&target.host, target.address);
        let connected = match open_socket(self.client, address) {
            Ok(socket) => {
                let time = self.client.settings.params.smtp_connect_timeout;
                timed(time, socket.connect(SocketAddr::new(address, port))).await
            }
            Err(Unusable::Bind) => {
                self.why = Some(simple("4.4.0", "server configuration error"));
                return None;
            }
            Err(Unusable::Socket(error)) => Err(error),
        };
        match connected {
            Ok(stream) => {
                // Commands and content are put together here; the system need not wait for more.
                let _quick = stream.set_nodelay(true);
                Some(self.new_session(Transport::Tcp(stream), host, &address.to_string(), port))
            }
            Err(error) => {
                self.why = Some(simple("4.4.1", format!("connect to {host}[{address}]:{port}: {error}")));
                None
            }
        }
    }

    fn new_session(&self, transport: Transport, host: &str, addr: &str, port: u16) -> Session {
        let mut session = Session::new(self.client, Wire::new(transport), host, addr, port);
        if self.conn_store {
            let time = self.client.settings.params.smtp_connection_reuse_time_limit;
            session.reuse = Reuse::Until(Instant::now() + time);
        }
        session
    }

    /// What to make of errors that may be our own configuration's fault.
    async fn judge(&mut self, primary: &[&str], in_fallback: bool) {
        let settings = &self.client.settings;
        let Some(why) = self.why.take() else { return };
        if why.status.class() == 4 {
            self.why = Some(why);
            return;
        }
        let is_smtp = settings.protocol == Protocol::Smtp;
        let is_relayhost =
            is_smtp && primary.first().is_some_and(|first| *first == settings.common.relayhost);
        let transport = &settings.common.best_mx_transport;
        if in_fallback || is_relayhost {
            let name = if in_fallback { settings.name("fallback_relay") } else { "relayhost".to_owned() };
            log::warning!("{name} configuration problem");
            self.why = Some(Dsn { status: dsn::Status::new("4.3.5"), ..soft(why) });
        } else if is_smtp && is_loop(&why) && !transport.is_empty() {
            self.pass_to(transport).await;
        } else {
            self.why = Some(why);
        }
    }

    /// Hands everybody to another transport: this host is where the mail belongs.
    async fn pass_to(&mut self, transport: &str) {
        for (recipient, _) in std::mem::take(&mut self.todo) {
            let verdict = self.job.pass(&self.client.reporter, transport, &recipient).await;
            self.job.settle(&recipient, verdict);
        }
    }
}

fn is_loop(why: &Dsn) -> bool {
    matches!(why.status.as_str(), "5.4.6")
}

enum Unusable {
    Bind,
    Socket(String),
}

fn open_socket(client: &Client, address: IpAddr) -> Result<TcpSocket, Unusable> {
    let opened = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = opened.map_err(|error| Unusable::Socket(conf::reason(&error)))?;
    let bind = &client.settings.bind;
    if let Some(local) = if address.is_ipv4() { bind.v4 } else { bind.v6 }
        && let Err(error) = socket.bind(local)
    {
        log::warning!("smtp_connect_addr: bind {}: {}", local.ip(), conf::reason(&error));
        if bind.enforce {
            return Err(Unusable::Bind);
        }
    }
    Ok(socket)
}

async fn timed<S>(
    time: std::time::Duration,
    connect: impl Future<Output = std::io::Result<S>>,
) -> Result<S, String> {
    let result = if time.is_zero() { Ok(connect.await) } else { timeout(time, connect).await };
    match result {
        Ok(result) => result.map_err(|error| conf::reason(&error)),
        Err(_) => Err("Connection timed out".to_owned()),
    }
}
