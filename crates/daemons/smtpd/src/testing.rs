//! A server without the outside world: scripted services, name server and log.

use crate::input::{Input, Nothing};
use crate::outgoing::Outgoing;
use crate::outside::{Answer, Class, Outside, Resolved, Space};
use crate::peer::Peer;
use crate::server::Server;
use crate::session::{Next, Session};
use conf::MainCf;
use ipc::anvil::{Counts, Event};
use ipc::cleanup::{Intake, Reply, Status, Submission};
use ipc::verify::AddressStatus;
use log::tracing::field::{Field, Visit};
use log::tracing::span::{Attributes, Id, Record};
use log::tracing::{Event as LogEvent, Level, Metadata, Subscriber};
use queue::RecordType;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::{Arc, Mutex, Once};
use table::{DomainList, Env, ListFlags, StringList};

/// Log lines of the current thread.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// Starts to listen, until the guard is dropped.
    pub(crate) fn listen() -> (Lines, log::tracing::subscriber::DefaultGuard) {
        // A place in the code that logs is asked once who listens. With somebody there from the beginning the answer does
        // not depend on which of the tests that run side by side came there first.
        static FIRST: Once = Once::new();
        FIRST.call_once(|| drop(log::tracing::subscriber::set_global_default(Lines::default())));
        let lines = Lines::default();
        let guard = log::tracing::subscriber::set_default(lines.clone());
        (lines, guard)
    }

    /// What was logged since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("mail")
    }
    fn event(&self, event: &LogEvent<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let prefix = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        };
        self.0.lock().unwrap().push(format!("{prefix}{}", text.0));
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A message that cleanup received: record types and data.
pub(crate) type Message = Vec<(RecordType, String)>;

/// Services that answer from a script.
pub(crate) struct Script {
    destinations: StringList,
    alias_domains: StringList,
    mailbox_domains: StringList,
    relay_domains: DomainList,
    pub(crate) messages: Rc<RefCell<Vec<Message>>>,
    pub(crate) verdict: RefCell<Reply>,
    pub(crate) counts: Cell<Counts>,
    pub(crate) events: RefCell<Vec<Event>>,
    pub(crate) flushed: Cell<ipc::flush::Status>,
    pub(crate) space: Cell<Space>,
    pub(crate) verified: RefCell<Option<(AddressStatus, Vec<u8>)>>,
}

conf::param_set! {
    struct Domains { mydestination, virtual_alias_domains, virtual_mailbox_domains, relay_domains }
}

impl Script {
    pub(crate) fn new(main: &MainCf, env: &Rc<Env>) -> Script {
        let domains = Domains::load(main).unwrap();
        let strings = |title: &str, list: &str| StringList::open(title, list, env, ListFlags::Exact);
        Script {
            destinations: strings("mydestination", &domains.mydestination),
            alias_domains: strings("virtual_alias_domains", &domains.virtual_alias_domains),
            mailbox_domains: strings("virtual_mailbox_domains", &domains.virtual_mailbox_domains),
            relay_domains: DomainList::open("relay_domains", &domains.relay_domains, env, ListFlags::Parent),
            messages: Rc::default(),
            verdict: RefCell::new(Reply { status: Status::OK, reason: Vec::new() }),
            counts: Cell::default(),
            events: RefCell::default(),
            flushed: Cell::new(ipc::flush::Status::Ok),
            verified: RefCell::default(),
            space: Cell::new(Space { block_size: 4096, free_blocks: 1 << 30 }),
        }
    }

    async fn class(&self, domain: &[u8]) -> Result<(Class, &'static str), table::Error> {
        if self.destinations.matches(domain).await? {
            return Ok((Class::Local, "local"));
        }
        if self.alias_domains.matches(domain).await? {
            return Ok((Class::Alias, "error"));
        }
        if self.mailbox_domains.matches(domain).await? {
            return Ok((Class::Virtual, "virtual"));
        }
        if self.relay_domains.matches(domain).await? {
            return Ok((Class::Relay, "relay"));
        }
        Ok((Class::Default, "smtp"))
    }
}

impl Outside for Script {
    fn resolve<'a>(&'a self, _sender: Option<&'a [u8]>, address: &'a [u8]) -> Answer<'a, Resolved> {
        Box::pin(async move {
            let domain = address::domain(address).unwrap_or_default();
            let mut resolved = Resolved {
                recipient: address.to_ascii_lowercase(),
                nexthop: domain.to_vec(),
                ..Resolved::default()
            };
            match self.class(domain).await {
                Ok((class, transport)) => {
                    resolved.class = class;
                    resolved.transport = transport.as_bytes().to_vec();
                    if class == Class::Alias {
                        resolved.nexthop = b"user unknown".to_vec();
                    }
                }
                Err(_) => resolved.failed = true,
            }
            resolved
        })
    }

    fn rewrite<'a>(&'a self, address: &'a [u8]) -> Answer<'a, Vec<u8>> {
        Box::pin(async move { [address, b"@example.com"].concat() })
    }

    fn event<'a>(&'a self, event: Event, _: &'a str, _: &'a str) -> Answer<'a, Option<Counts>> {
        self.events.borrow_mut().push(event);
        Box::pin(async move { Some(self.counts.get()) })
    }

    fn flush_site<'a>(&'a self, _: &'a str) -> Answer<'a, ipc::flush::Status> {
        Box::pin(async move { self.flushed.get() })
    }

    fn open_mail(&self, _flags: u32) -> Answer<'_, ipc::Result<Outgoing>> {
        let (messages, verdict) = (self.messages.clone(), self.verdict.borrow().clone());
        Box::pin(async move {
            let (ours, theirs) = tokio::net::UnixStream::pair()?;
            tokio::task::spawn_local(async move {
                let mut intake =
                    Intake::greet(ipc::Stream::new(theirs).unwrap(), "3Q2B7z0xyzz").await.unwrap();
                let wanted = intake.flags().await.unwrap();
                let mut message = vec![(RecordType::Flags, wanted.to_string())];
                while let Ok((kind, data)) = intake.next().await {
                    message.push((kind, String::from_utf8_lossy(data).into_owned()));
                    if kind == RecordType::End {
                        messages.borrow_mut().push(message);
                        intake.reply(&verdict).await.unwrap();
                        return;
                    }
                }
            });
            Ok(Outgoing::Cleanup(Submission::start(ipc::Stream::new(ours).unwrap(), 0).await?))
        })
    }

    fn verify<'a>(&'a self, _: &'a [u8]) -> Answer<'a, Option<(AddressStatus, Vec<u8>)>> {
        Box::pin(async move { self.verified.borrow().clone() })
    }

    fn free_space(&self) -> Result<Space, std::io::Error> {
        Ok(self.space.get())
    }
}

/// A session and what surrounds it.
pub(crate) struct Rig {
    pub(crate) session: Session,
    pub(crate) script: Rc<Script>,
    pub(crate) input: Input,
    pub(crate) log: Lines,
    _guard: log::tracing::subscriber::DefaultGuard,
}

/// Settings under which tests run, before their own.
pub(crate) fn settings(own: &[(&str, &str)]) -> MainCf {
    let mut main = MainCf::default();
    for (name, value) in [
        ("compatibility_level", "3.11"),
        ("myhostname", "mx.example.com"),
        ("mydomain", "example.com"),
        ("myorigin", "example.com"),
        ("mydestination", "example.com"),
        ("mynetworks", "127.0.0.0/8"),
        ("inet_protocols", "ipv4"),
        ("inet_interfaces", "127.0.0.1"),
        ("local_recipient_maps", ""),
        ("virtual_alias_maps", ""),
        ("smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination"),
        ("smtpd_error_sleep_time", "0"),
        ("smtpd_forbid_bare_newline_exclusions", ""),
        ("smtpd_client_event_limit_exceptions", ""),
    ]
    .iter()
    .chain(own)
    {
        main.set(name, value);
    }
    main
}

impl Rig {
    /// A session with a client that has a name outside of `$mynetworks`.
    pub(crate) async fn new(own: &[(&str, &str)]) -> Rig {
        let (log, guard) = Lines::listen();
        let main = settings(own);
        let env = Env::load(&main).unwrap();
        let script = Rc::new(Script::new(&main, &env));
        let resolver = dns::Resolver::with(dns::ResolvConf::parse("nameserver 127.0.0.1"));
        let server = Rc::new(Server::open(&main, &env, script.clone(), resolver).unwrap());
        let mut peer = Peer::local(&server);
        peer.name = "client.example.net".to_owned();
        peer.reverse_name = peer.name.clone();
        peer.address = "192.0.2.1".to_owned();
        peer.rfc_address = peer.address.clone();
        peer.port = "4711".to_owned();
        peer.namaddr = "client.example.net[192.0.2.1]".to_owned();
        let mut session = Session::new(server, "smtp".into(), peer);
        session.authorize().await;
        Rig { session, script, input: Input::default(), log, _guard: guard }
    }

    /// Sends bytes; the replies until the session waits for more or has ended.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> String {
        self.input.extend(bytes);
        loop {
            match self.session.advance(&mut self.input, &mut Nothing).await {
                Next::Flush => {}
                Next::Read => break,
                next => {
                    self.session.output.extend_from_slice(format!("<{next:?}>").as_bytes());
                    break;
                }
            }
        }
        String::from_utf8(std::mem::take(self.session.output())).unwrap()
    }

    /// Sends commands one by one; all replies.
    pub(crate) async fn talk(&mut self, lines: &[&str]) -> String {
        let mut replies = String::new();
        for line in lines {
            replies += &self.send(format!("{line}\r\n").as_bytes()).await;
        }
        replies
    }
}

/// Runs a test on an event loop of its own.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}
