//! tlsmgr(8) - TLS state that processes share: session ticket keys, cached sessions, random seeds.
//!
//! A client that comes back may be served by another smtpd(8) process than last time. That process can resume the
//! session when both have their ticket keys from here. Keys are made here, live in memory only and change at half the
//! session lifetime (`smtpd_tls_session_cache_timeout`).
//!
//! COMPAT: sessions themselves are kept in memory too, not in the files that `*_tls_session_cache_database` names; such a
//! parameter only turns the cache on. Nothing is lost by it, since Postfix empties those files at each start. Randomness
//! is the kernel's, so that there is no state to keep in `tls_random_exchange_name`.
//!
//! Its clients are the mail system's own programs and are trusted with keys and sessions; the socket is private. Sizes
//! are limited, and so is the memory of each cache. When it ends, keys and sessions go with it: clients do full
//! handshakes, and no mail is held up.
//!
//! [`keys`] and [`sessions`] are the logic, without clock and sockets.

pub mod keys;
pub mod random;
pub mod sessions;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use daemon::{Clients, Connection, Fatal, OnReload, Service, Startup};
use ipc::Stream;
use ipc::tlsmgr::{Cache, NAME_SIZE, PROTOCOL, Reply, Request, Status, receive};

use crate::keys::TicketKeys;
use crate::random::Random;
use crate::sessions::{Sessions, lifetime};

conf::param_set! {
    /// What tlsmgr(8) reads.
    pub struct TlsManagerParams {
        smtpd_tls_session_cache_database, smtpd_tls_session_cache_timeout,
        smtp_tls_session_cache_database, smtp_tls_session_cache_timeout,
        lmtp_tls_session_cache_database, lmtp_tls_session_cache_timeout,
        tls_random_source
    }
}

/// The TLS manager.
#[derive(Debug)]
pub struct TlsManager {
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    random: Random,
    keys: TicketKeys,
    /// In the order of [`Cache::ALL`].
    caches: [Kind; 3],
}

#[derive(Debug)]
struct Kind {
    lifetime: i64,
    sessions: Option<Sessions>,
}

impl Service for TlsManager {
    const PROGRAM: &'static str = "tlsmgr";
    const CLIENTS: Clients = Clients::Many;
    // There is one such process, and the next one waits for this one's end; clients make their request again.
    const ON_RELOAD: OnReload = OnReload::EndNow;
    // Keys and sessions would be lost.
    const PERMANENT: bool = true;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        let params = TlsManagerParams::load(&startup.main)?;
        let random = Random::open(&params.tls_random_source)?;
        Ok(Self { state: RefCell::new(State::new(&params, random)) })
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Some(stream) = connection.into_stream() else { return };
        if let Err(error) = self.converse(stream).await {
            log::warning!("client: {error}");
        }
    }
}

impl TlsManager {
    async fn converse(&self, mut stream: Stream) -> ipc::Result<()> {
        stream.greet(PROTOCOL).await?;
        while let Some(attrs) = receive(&mut stream).await? {
            let reply = match Request::from_attrs(&attrs) {
                Ok(request) => self.state.borrow_mut().answer(&request, sys::time::now()),
                Err(error) => {
                    // Without the values: they may be secret.
                    log::warning!("unrecognized request: {error}");
                    Reply::Done(Status::Fail)
                }
            };
            stream.send(&reply.to_attrs()).await?;
        }
        Ok(())
    }
}

impl State {
    fn new(params: &TlsManagerParams, random: Random) -> Self {
        let kind = |database: &str, timeout: Duration| {
            let lifetime = lifetime(i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX));
            let is_cached = lifetime > 0 && !database.is_empty();
            Kind { lifetime, sessions: is_cached.then(|| Sessions::new(lifetime)) }
        };
        let caches = [
            kind(&params.smtpd_tls_session_cache_database, params.smtpd_tls_session_cache_timeout),
            kind(&params.smtp_tls_session_cache_database, params.smtp_tls_session_cache_timeout),
            kind(&params.lmtp_tls_session_cache_database, params.lmtp_tls_session_cache_timeout),
        ];
        Self { random, keys: TicketKeys::default(), caches }
    }

    fn answer(&mut self, request: &Request, now: i64) -> Reply {
        match request {
            Request::Seed(size) => self.seed(*size),
            Request::Policy(cache) => match self.kind(cache, request) {
                Some(kind) => {
                    let (is_cached, timeout) = (kind.sessions.is_some(), kind.lifetime);
                    Reply::Policy { status: Status::Ok, is_cached, timeout }
                }
                None => Reply::Policy { status: Status::Fail, is_cached: false, timeout: 0 },
            },
            Request::Lookup { cache, id } => match self.sessions(cache, request) {
                Some(sessions) => match sessions.find(id, now) {
                    Some(session) => Reply::Session(Status::Ok, session.to_vec()),
                    None => Reply::Session(Status::NotFound, Vec::new()),
                },
                None => Reply::Session(Status::Fail, Vec::new()),
            },
            Request::Update { cache, id, session } => match self.sessions(cache, request) {
                Some(sessions) => {
                    sessions.store(id, session, now);
                    Reply::Done(Status::Ok)
                }
                None => Reply::Done(Status::Fail),
            },
            Request::Delete { cache, id } => match self.sessions(cache, request) {
                Some(sessions) => {
                    Reply::Done(if sessions.remove(id) { Status::Ok } else { Status::NotFound })
                }
                None => Reply::Done(Status::Fail),
            },
            Request::TicketKey(name) => self.ticket_key(name, now),
        }
    }

    fn seed(&mut self, size: i32) -> Reply {
        let Some(size) = u8::try_from(size).ok().filter(|size| *size > 0) else {
            log::warning!("bogus seed length \"{size}\" in \"seed\" request");
            return Reply::Seed(Status::Fail, Vec::new());
        };
        let mut seed = vec![0; size.into()];
        match self.random.fill(&mut seed) {
            Ok(()) => Reply::Seed(Status::Ok, seed),
            Err(error) => {
                log::warning!("cannot read from entropy device: {}", sys::reason(&error));
                Reply::Seed(Status::NotFound, Vec::new())
            }
        }
    }

    fn ticket_key(&mut self, name: &[u8], now: i64) -> Reply {
        if !name.is_empty() && name.len() != NAME_SIZE {
            log::warning!("invalid session ticket key name length: {}", name.len());
            return Reply::TicketKey(Status::Fail, Vec::new());
        }
        let none = Reply::TicketKey(Status::NotFound, Vec::new());
        let [Kind { lifetime, .. }, ..] = self.caches;
        if lifetime == 0 {
            return none;
        }
        if !name.is_empty() {
            let key = self.keys.find(name, now, lifetime);
            return key.map_or(none, |key| Reply::TicketKey(Status::Ok, key.to_bytes()));
        }
        match self.keys.current(now, lifetime, &mut self.random) {
            Ok(key) => Reply::TicketKey(Status::Ok, key.to_bytes()),
            Err(error) => {
                log::warning!("cannot read from entropy device: {}", sys::reason(&error));
                none
            }
        }
    }

    fn sessions(&mut self, cache: &[u8], request: &Request) -> Option<&mut Sessions> {
        self.kind(cache, request)?.sessions.as_mut()
    }

    fn kind(&mut self, cache: &[u8], request: &Request) -> Option<&mut Kind> {
        let Some(known) = Cache::from_name(cache) else {
            let (cache, request) = (bytes::show(cache), request.name());
            log::warning!("bogus cache type \"{cache}\" in \"{request}\" request");
            return None;
        };
        Cache::ALL.into_iter().zip(&mut self.caches).find(|(cache, _)| *cache == known).map(|(_, kind)| kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::tlsmgr::{Manager, TicketKey};

    fn state(settings: &[(&str, &str)]) -> State {
        let mut main = conf::MainCf::default();
        settings.iter().for_each(|(name, value)| main.set(name, value));
        State::new(&TlsManagerParams::load(&main).unwrap(), Random::open("dev:/dev/urandom").unwrap())
    }

    #[test]
    fn caches_are_off_by_default_and_keys_on() {
        let mut state = state(&[]);
        let policy = state.answer(&Request::Policy(b"smtpd".to_vec()), 0);
        assert_eq!(policy, Reply::Policy { status: Status::Ok, is_cached: false, timeout: 3600 });
        let update = Request::Update { cache: b"smtp".to_vec(), id: b"a".to_vec(), session: b"s".to_vec() };
        assert_eq!(state.answer(&update, 0), Reply::Done(Status::Fail));
        let Reply::TicketKey(Status::Ok, key) = state.answer(&Request::TicketKey(Vec::new()), 0) else {
            panic!("no key");
        };
        let name = TicketKey::from_bytes(&key).unwrap().name.to_vec();
        assert_eq!(state.answer(&Request::TicketKey(name), 1), Reply::TicketKey(Status::Ok, key));
        let unknown = state.answer(&Request::TicketKey(vec![0; 16]), 1);
        assert_eq!(unknown, Reply::TicketKey(Status::NotFound, Vec::new()));
        let bad = state.answer(&Request::TicketKey(vec![0; 3]), 1);
        assert_eq!(bad, Reply::TicketKey(Status::Fail, Vec::new()));
    }

    #[test]
    fn a_lifetime_of_zero_turns_all_off() {
        let mut state = state(&[
            ("smtpd_tls_session_cache_timeout", "0s"),
            ("smtpd_tls_session_cache_database", "btree:/x"),
        ]);
        let none = state.answer(&Request::TicketKey(Vec::new()), 0);
        assert_eq!(none, Reply::TicketKey(Status::NotFound, Vec::new()));
        let policy = state.answer(&Request::Policy(b"smtpd".to_vec()), 0);
        assert_eq!(policy, Reply::Policy { status: Status::Ok, is_cached: false, timeout: 0 });
    }

    #[test]
    fn seeds_have_a_size() {
        let mut state = state(&[]);
        assert!(
            matches!(state.answer(&Request::Seed(255), 0), Reply::Seed(Status::Ok, seed) if seed.len() == 255)
        );
        for wrong in [0, -1, 256] {
            assert_eq!(state.answer(&Request::Seed(wrong), 0), Reply::Seed(Status::Fail, Vec::new()));
        }
    }

    #[test]
    fn the_two_ends_understand_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tlsmgr");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::UnixListener::bind(&path).unwrap();
            let settings = [("smtp_tls_session_cache_database", "btree:/x")];
            let manager = TlsManager { state: RefCell::new(state(&settings)) };
            let server =
                async { manager.converse(Stream::new(listener.accept().await.unwrap().0).unwrap()).await };
            let client = async {
                let mut client = Manager::new(path.to_str().unwrap());
                let session = [0, 255, 10].repeat(1000);
                assert_eq!(client.seed(40).await.unwrap().len(), 40);
                assert_eq!(client.policy(Cache::Smtp).await.unwrap(), Some(3600));
                assert_eq!(client.policy(Cache::Lmtp).await.unwrap(), None);
                assert_eq!(client.lookup(Cache::Smtp, b"id").await.unwrap(), None);
                assert_eq!(client.update(Cache::Smtp, b"id", &session).await.unwrap(), Status::Ok);
                assert_eq!(client.lookup(Cache::Smtp, b"id").await.unwrap(), Some(session));
                assert_eq!(client.delete(Cache::Smtp, b"id").await.unwrap(), Status::Ok);
                assert_eq!(client.delete(Cache::Smtp, b"id").await.unwrap(), Status::NotFound);
                let key = client.current_key().await.unwrap().unwrap();
                assert_eq!(client.key_of(key.name).await.unwrap(), Some(key));
            };
            let (served, ()) = tokio::join!(server, client);
            served.unwrap();
        });
    }
}
