//! From next hops to sessions: which servers are tried, in which order, and when to stop.

use std::net::{IpAddr, SocketAddr};

use dsn::Dsn;
use smtp::Protocol;
use smtp::client::RequireTls;
use tokio::net::{TcpSocket, UnixStream};
use tokio::time::{Instant, timeout};

use crate::Client;
use crate::addresses::{self, Found, LoopCheck, Target, dsn as simple, soft};
use crate::cache::{Endpoint, Needs};
use crate::delivery::{Delivery, Effect};
use crate::destination::{self, Destination};
use crate::envelope::{REQUIRETLS_ESMTP, REQUIRETLS_HEADER, SMTPUTF8_DERIVED, SMTPUTF8_REQUESTED};
use crate::handshake::Opened;
use crate::session::{Reuse, Session};
use crate::tls_policy;
use crate::wire::{Transport, Wire};

const SMTP_PORT: u16 = 25;

impl Delivery<'_> {
    /// Delivers, and reports everybody's outcome.
    pub(crate) async fn run(&mut self) {
        let nexthop = String::from_utf8_lossy(&self.job.request.nexthop).into_owned();
        let is_lmtp = self.client.settings.protocol == Protocol::Lmtp;
        match nexthop.strip_prefix("unix:").filter(|_| is_lmtp) {
            Some(path) => self.to_local_socket(path).await,
            None => {
                let list = nexthop.strip_prefix("inet:").filter(|_| is_lmtp).unwrap_or(&nexthop);
                self.to_hosts(list).await;
            }
        }
        self.finish().await;
    }

    async fn to_local_socket(&mut self, path: &str) {
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
        let cached = if self.conn_load { self.reuse_hop().await } else { None };
        let session = match cached {
            Some(session) => Some(session),
            None => self.connect_local(path, &myhostname).await,
        };
        if let Some(mut session) = session {
            session.dest = path.to_owned();
            self.use_session(session, &myhostname).await;
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

    async fn to_hosts(&mut self, list: &str) {
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
                Ok(destination) => self.to_destination(&destination, index == 0).await,
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
            self.judge(list, &primary, last >= primary.len()).await;
        }
    }

    async fn to_destination(&mut self, destination: &Destination, is_first: bool) {
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

    /// Uses idle connections, by next hop and then to the best servers; counts them.
    async fn reuse_sessions(
        &mut self,
        destination: &Destination,
        targets: &mut Vec<Target>,
        best: u16,
    ) -> i64 {
        let mut count = 0;
        if !targets.is_empty()
            && !self.todo.is_empty()
            && self.cache_hop.is_some()
            && self.tls_level(&destination.text, "").await
            && let Some(session) = self.reuse_hop().await
        {
            count = 1;
            self.leave_out(targets, &session.addr, count);
            self.final_server |= self.final_nexthop && targets.is_empty();
            self.use_session(session, &destination.host).await;
        }
        let mut index = 0;
        while let Some(target) = targets.get(index).filter(|target| target.preference == best).cloned() {
            if self.todo.is_empty() {
                break;
            }
            index += 1;
            if !self.tls_level(&destination.text, &target.host).await {
                continue;
            }
            let Some(mut session) = self.reuse_address(destination, &target).await else { continue };
            session.best_mx = true;
            count += 1;
            index -= 1;
            self.leave_out(targets, &session.addr, count);
            self.final_server |= self.final_nexthop && targets.get(index).is_none();
            self.use_session(session, &destination.host).await;
        }
        count
    }

    fn leave_out(&self, targets: &mut Vec<Target>, addr: &str, count: i64) {
        let params = &self.client.settings.params;
        if count == params.smtp_mx_session_limit || count == params.smtp_mx_address_limit {
            targets.clear();
            return;
        }
        if let Some(at) = targets.iter().position(|target| target.address.to_string() == addr) {
            targets.remove(at);
        }
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
                self.transfer(&mut session).await;
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

    /// Opens a session if it is new, delivers, and puts it away.
    async fn use_session(&mut self, mut session: Session, nexthop: &str) {
        if session.from_cache || self.open(&mut session, nexthop).await == Opened::Yes {
            self.transfer(&mut session).await;
        } else {
            session.quit(self.client, &self.job.request.queue_id).await;
        }
        self.put_away(session).await;
    }

    /// Notifies, keeps or closes a session that is done with.
    async fn put_away(&mut self, mut session: Session) {
        crate::notify::postmaster(self.client, &session, &self.job.request.sender).await;
        session.protocol_error = false;
        session.data_error = false;
        if let Some(history) = &mut session.history {
            history.clear();
        }
        let is_throttled = session.reuse == Reuse::Throttled;
        if session.is_expired(self.client) {
            session.quit(self.client, &self.job.request.queue_id).await;
        }
        if session.is_reusable() && session.can_speak() {
            let time = self.client.settings.params.smtp_connection_cache_time_limit;
            let needs = self.needs(session.level);
            let hop = self.cache_hop.clone().map(|hop| (hop, self.needs(tls::Level::None)));
            let endpoint = endpoint(&session.addr, session.port, needs, &session.dest);
            self.client.cache.save(endpoint, hop, session, time);
        }
        if !is_throttled {
            self.cache_hop = None;
        }
        self.clean_up();
    }

    async fn cache_rules(&mut self, destination: &str) {
        let always = match &self.client.cache_destinations {
            Some(list) => list.matches(destination.as_bytes()).await.unwrap_or(false),
            None => false,
        };
        let flags = self.job.request.flags;
        let on_demand = self.client.settings.params.smtp_connection_cache_on_demand;
        self.conn_load = always || (on_demand && flags & ipc::deliver::FLAG_CONN_LOAD != 0);
        self.conn_store = always || (on_demand && flags & ipc::deliver::FLAG_CONN_STORE != 0);
    }

    fn needs(&self, level: tls::Level) -> Needs {
        let sendopts = self.job.request.sendopts;
        Needs {
            level,
            smtputf8: sendopts & SMTPUTF8_REQUESTED != 0 && sendopts & SMTPUTF8_DERIVED != 0,
            requiretls: self.requiretls > RequireTls::No,
        }
    }

    async fn reuse_hop(&mut self) -> Option<Session> {
        let hop = (self.cache_hop.clone()?, self.needs(tls::Level::None));
        let session = self.client.cache.take_hop(&hop)?;
        self.revive(session).await
    }

    async fn reuse_address(&mut self, destination: &Destination, target: &Target) -> Option<Session> {
        let level = self.policy.as_ref().map_or(tls::Level::None, |policy| policy.level);
        let mut levels = vec![level];
        // Where TLS is optional, a session may have ended up without.
        if level == tls::Level::May {
            levels.push(tls::Level::None);
        }
        for level in levels {
            let needs = self.needs(level);
            let wanted = endpoint(&target.address.to_string(), destination.port, needs, &destination.text);
            while let Some(session) = self.client.cache.take(&wanted) {
                if let Some(session) = self.revive(session).await {
                    return Some(session);
                }
            }
        }
        None
    }

    async fn revive(&mut self, mut session: Session) -> Option<Session> {
        session.from_cache = true;
        session.best_mx = false;
        session.reuse_count += 1;
        if !session.is_alive(self.client, &self.job.request.queue_id).await {
            return None;
        }
        self.used.push(session.addr.clone());
        // What held for the session when it was made holds still.
        let level = if session.tls.is_some() { session.level.name() } else { "none" };
        self.status.decide_level(level, crate::feature_status::Verdict::Compliant);
        if let Some(summary) = session.tls.as_ref().filter(|_| self.client.settings.tls_log >= 1) {
            log::info!("{}", summary.reuse_line(&session.namaddrport));
        }
        Some(session)
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

    async fn requiretls_level(&mut self, nexthop: &str) -> bool {
        self.requiretls = RequireTls::No;
        let settings = &self.client.settings;
        if !settings.common.requiretls_enable || self.job.request.sendopts & REQUIRETLS_ESMTP == 0 {
            return true;
        }
        let Some(policy) = &self.client.requiretls else { return true };
        match policy.level(nexthop).await {
            Ok(level) => {
                self.requiretls = level;
                true
            }
            Err(_) => {
                let text =
                    format!("REQUIRETLS policy configuration error. The last attempted server was {nexthop}");
                self.why = Some(simple("4.7.10", text));
                false
            }
        }
    }

    /// Finds the TLS policy for a server; false if it must be left out.
    async fn tls_level(&mut self, nexthop: &str, host: &str) -> bool {
        self.status.reset();
        let common = &self.client.settings.common;
        let sendopts = self.job.request.sendopts;
        let requested = common.requiretls_enable && sendopts & REQUIRETLS_ESMTP != 0;
        let relaxed = common.tls_required_enable && !requested && sendopts & REQUIRETLS_HEADER != 0;
        match tls_policy::find(self.client, nexthop, relaxed).await {
            Ok(policy) => {
                self.status.want_level(policy.level.name());
                let level = policy.level;
                self.policy = Some(policy);
                self.suits_requiretls(level, host)
            }
            Err(why) => {
                self.status.want_level("unknown");
                log::warning!("TLS policy lookup for {nexthop}/{host}: {}", bytes::show(&why.reason));
                self.why = Some(*why);
                false
            }
        }
    }

    fn suits_requiretls(&mut self, level: tls::Level, host: &str) -> bool {
        use crate::feature_status::Verdict::Violation;
        if self.requiretls > RequireTls::No {
            self.status.want_requiretls();
        }
        let problem = match self.requiretls {
            RequireTls::Enforce if !level.must_match() => ("nocertmatch", "certificate matching"),
            RequireTls::OpportunisticTls if level == tls::Level::None => ("noencryption", "encryption"),
            _ => return true,
        };
        self.status.decide_requiretls(problem.0, Violation);
        let text = format!(
            "Sender requested REQUIRETLS, but my configured TLS security level '{level}' disables {}. \
             The last attempted server was {host}",
            problem.1
        );
        self.why = Some(simple("5.7.10", text));
        false
    }

    /// What to make of errors that may be our own configuration's fault.
    async fn judge(&mut self, list: &str, primary: &[&str], in_fallback: bool) {
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
            self.pass_to(transport, list).await;
        } else {
            self.why = Some(why);
        }
    }

    /// Hands the request to another transport: this host is where the mail belongs.
    async fn pass_to(&mut self, transport: &str, list: &str) {
        let mut request = self.job.request.clone();
        request.recipients = self.todo.iter().map(|(recipient, _)| recipient.clone()).collect();
        match pass(transport, list, request).await {
            Ok(outcome) => {
                if let Some((recipient, _)) = self.todo.first().filter(|_| !outcome.is_final) {
                    // The other agent says which; the queue manager looks into the file.
                    self.job.settle(recipient, ::delivery::Verdict::Keep);
                }
                if self.job.hop_status.is_none() {
                    self.job.hop_status = outcome.hop_status;
                }
                self.todo.clear();
            }
            Err(error) => {
                log::warning!("{}: best_mx_transport {transport}: {error}", self.queue_id());
                let why = simple("4.3.0", "mail transport unavailable");
                self.final_server = true;
                self.bulk_fail(why, Effect::NONE, None).await;
                self.clean_up();
            }
        }
    }
}

/// A delivery request by another agent: `transport` or `transport:nexthop`.
async fn pass(
    transport: &str,
    nexthop: &str,
    mut request: ipc::deliver::Request,
) -> ipc::Result<ipc::deliver::Outcome> {
    let (service, own) = transport.split_once(':').unwrap_or((transport, ""));
    request.nexthop = if own.is_empty() { nexthop.as_bytes().to_vec() } else { own.as_bytes().to_vec() };
    let mut stream = ipc::Stream::connect(format!("private/{service}")).await?;
    stream.expect_greeting(ipc::deliver::PROTOCOL).await?;
    request.write(&mut stream);
    stream.flush().await?;
    stream.set_timeout(std::time::Duration::from_secs(24 * 3600));
    let outcome = stream.receive().await?;
    ipc::deliver::Outcome::from_attrs(&outcome)
}

fn is_loop(why: &Dsn) -> bool {
    matches!(why.status.as_str(), "5.4.6")
}

fn endpoint(addr: &str, port: u16, needs: Needs, dest: &str) -> Endpoint {
    let nexthop = needs.level.must_match().then(|| dest.to_owned());
    Endpoint { addr: addr.to_owned(), port, needs, nexthop }
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
