//! Questions to trivial-rewrite(8): addresses in standard form, and where mail for an address goes.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use address::{quote_822_local, unquote_822_local};
use tokio::sync::Semaphore;

use crate::remembered::Remembered;
use crate::{Attrs, Client, Error, Result, Stream};

/// The greeting.
pub const PROTOCOL: &str = "trivial_rewrite_protocol";

/// By which rules an address is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// With `$myorigin` and `$mydomain`.
    Local,
    /// With `$remote_header_rewrite_domain`.
    Remote,
}

impl Rule {
    /// As it travels, also in queue files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }

    /// The inverse of [`name`](Self::name).
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Local, Self::Remote].into_iter().find(|rule| rule.name().as_bytes() == name)
    }
}

/// With which set of transports an address is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The usual ones.
    Delivery,
    /// Those of `address_verify_...`, for probes.
    Verification,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Delivery => "resolve",
            Self::Verification => "verify",
        }
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// What is the standard form of an address?
    Rewrite {
        /// By these rules.
        rule: Rule,
        /// In external form.
        address: Vec<u8>,
    },
    /// Where does mail for an address go?
    Resolve {
        /// For this.
        purpose: Purpose,
        /// From whom, in internal form.
        sender: Vec<u8>,
        /// To whom, in internal form.
        address: Vec<u8>,
    },
}

impl Request {
    /// As it travels.
    pub fn to_attrs(&self) -> Attrs {
        match self {
            Self::Rewrite { rule, address } => {
                Attrs::new().str("request", "rewrite").str("rule", rule.name()).str("address", address)
            }
            Self::Resolve { purpose, sender, address } => {
                Attrs::new().str("request", purpose.name()).str("sender", sender).str("address", address)
            }
        }
    }

    /// From the wire. A rule or a kind of request that does not exist is malformed.
    pub fn from_attrs(attrs: &Attrs) -> Result<Self> {
        let purpose = match attrs.text("request")? {
            b"rewrite" => {
                let rule = Rule::from_name(attrs.text("rule")?).ok_or(Error::Malformed("rule"))?;
                return Ok(Self::Rewrite { rule, address: attrs.text("address")?.to_vec() });
            }
            b"resolve" => Purpose::Delivery,
            b"verify" => Purpose::Verification,
            _ => return Err(Error::Malformed("request")),
        };
        let sender = attrs.text("sender")?.to_vec();
        Ok(Self::Resolve { purpose, sender, address: attrs.text("address")?.to_vec() })
    }
}

/// What is known about a resolved address, with Postfix's bit values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Final delivery (of old; nothing sets it).
    pub const FINAL: Self = Self(1 << 0);
    /// The local part has routing operators.
    pub const ROUTED: Self = Self(1 << 1);
    /// The address is malformed.
    pub const ERROR: Self = Self(1 << 2);
    /// A table could not be asked: try again later.
    pub const FAIL: Self = Self(1 << 3);
    /// The domain is in `mydestination`, or an address of this system.
    pub const CLASS_LOCAL: Self = Self(1 << 8);
    /// The domain is in `virtual_alias_domains`.
    pub const CLASS_ALIAS: Self = Self(1 << 9);
    /// The domain is in `virtual_mailbox_domains`.
    pub const CLASS_VIRTUAL: Self = Self(1 << 10);
    /// The domain is in `relay_domains`.
    pub const CLASS_RELAY: Self = Self(1 << 11);
    /// The domain is none of ours.
    pub const CLASS_DEFAULT: Self = Self(1 << 12);
    /// The classes for which this system is the final destination.
    pub const CLASS_FINAL: Self = Self(Self::CLASS_LOCAL.0 | Self::CLASS_ALIAS.0 | Self::CLASS_VIRTUAL.0);
    /// All classes.
    pub const CLASS_MASK: Self = Self(Self::CLASS_FINAL.0 | Self::CLASS_RELAY.0 | Self::CLASS_DEFAULT.0);

    const NAMES: [(&'static str, Self); 9] = [
        ("FLAG_FINAL", Self::FINAL),
        ("FLAG_ROUTED", Self::ROUTED),
        ("FLAG_ERROR", Self::ERROR),
        ("FLAG_FAIL", Self::FAIL),
        ("CLASS_LOCAL", Self::CLASS_LOCAL),
        ("CLASS_ALIAS", Self::CLASS_ALIAS),
        ("CLASS_VIRTUAL", Self::CLASS_VIRTUAL),
        ("CLASS_RELAY", Self::CLASS_RELAY),
        ("CLASS_DEFAULT", Self::CLASS_DEFAULT),
    ];

    /// The bits as they travel.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Flags from the wire.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether any of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are also in `other`.
    #[must_use]
    pub const fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl std::ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

impl std::ops::BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// `FLAG_ROUTED CLASS_LOCAL`.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, flag) in Self::NAMES {
            if self.has(flag) {
                write!(f, "{separator}{name}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}

/// Where mail for an address goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The delivery service.
    pub transport: Vec<u8>,
    /// The destination, in that service's terms.
    pub nexthop: Vec<u8>,
    /// The recipient for that destination, in internal form.
    pub recipient: Vec<u8>,
    /// The class of the address, and whether something is wrong.
    pub flags: Flags,
}

impl Resolved {
    /// As it travels. The server's own flags (0: go on, else: reconnect before the next request) have the same name.
    pub fn to_attrs(&self, server_flags: u32) -> Attrs {
        Attrs::new()
            .int("flags", server_flags)
            .str("transport", &self.transport)
            .str("nexthop", &self.nexthop)
            .str("recipient", &self.recipient)
            .int("flags", self.flags.bits())
    }

    /// From the wire.
    pub fn from_attrs(attrs: &Attrs) -> Result<Self> {
        let (_, last) =
            attrs.iter().filter(|(name, _)| *name == b"flags").last().ok_or(Error::Missing("flags"))?;
        let bits = bytes::decimal(last).ok_or(Error::Malformed("flags"))?;
        Ok(Self {
            transport: attrs.text("transport")?.to_vec(),
            nexthop: attrs.text("nexthop")?.to_vec(),
            recipient: attrs.text("recipient")?.to_vec(),
            flags: Flags(bits),
        })
    }
}

/// The reply to [`Request::Rewrite`].
pub fn rewritten(server_flags: u32, address: &[u8]) -> Attrs {
    Attrs::new().int("flags", server_flags).str("address", address)
}

/// In a question: an answer for all addresses in the domain is welcome. In the reply: it is one.
const WHOLE_DOMAIN: &str = "whole_domain";

/// Whether whoever asks makes use of [`for_whole_domain`].
pub fn wants_whole_domain(question: &Attrs) -> bool {
    question.find(WHOLE_DOMAIN).is_some()
}

/// Adds to a reply that all [plain](is_plain) addresses in the domain have the same transport, next hop and class,
/// whoever the sender, and are their own recipients.
pub fn for_whole_domain(reply: Attrs) -> Attrs {
    reply.int(WHOLE_DOMAIN, 1_u32)
}

/// Whether the local part of an address can mean nothing to the resolver: the address is in standard form by any rules,
/// and would not be taken for an option.
pub fn is_plain(address: &[u8]) -> bool {
    is_standard(address) && !address.starts_with(b"-")
}

/// How many questions one program has under way; more wait for their turn.
const CONNECTIONS: usize = 4;

/// How long a rewritten address is remembered; it depends on main.cf only.
const REWRITE_TTL: Duration = Duration::from_secs(30);

/// How long a resolved address is remembered: as long as the server may take to notice that a table has changed.
const RESOLVE_TTL: Duration = Duration::from_secs(10);

/// A program's way to ask trivial-rewrite(8).
///
/// There is always an answer: as in Postfix, a question is asked again, once a second, until the service answers it.
/// Connections stay open between questions, and answers are remembered for some seconds, for whole domains where the
/// local part does not matter. Clones share both.
#[derive(Clone, Debug)]
pub struct Rewriter(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    path: String,
    timeout: Duration,
    ttl: Duration,
    idle: RefCell<Vec<Client>>,
    turns: Semaphore,
    rewritten: RefCell<Remembered<Request, Vec<u8>>>,
    resolved: RefCell<Remembered<Request, Resolved>>,
    domains: RefCell<Remembered<(Purpose, Vec<u8>), Resolved>>,
}

impl Rewriter {
    /// Over the socket `path`, usually `private/rewrite` (`private/` and `rewrite_service_name`).
    pub fn new(path: impl Into<String>) -> Self {
        Self::with_limits(path, Stream::TIMEOUT, Duration::from_secs(1000))
    }

    /// As [`new`](Self::new), with `ipc_timeout` and `ipc_ttl`.
    pub fn with_limits(path: impl Into<String>, timeout: Duration, ttl: Duration) -> Self {
        Self(Rc::new(Inner {
            path: path.into(),
            timeout,
            ttl,
            idle: RefCell::default(),
            turns: Semaphore::new(CONNECTIONS),
            rewritten: RefCell::new(Remembered::new(REWRITE_TTL)),
            resolved: RefCell::new(Remembered::new(RESOLVE_TTL)),
            domains: RefCell::new(Remembered::new(RESOLVE_TTL)),
        }))
    }

    /// The standard form of an address, from and to external form.
    pub async fn rewrite(&self, rule: Rule, address: &[u8]) -> Vec<u8> {
        if is_standard(address) {
            return address.to_vec();
        }
        let request = Request::Rewrite { rule, address: address.to_vec() };
        if let Some(known) = self.0.rewritten.borrow_mut().find(&request) {
            return known;
        }
        let answer = self.ask(request.to_attrs(), |reply| Ok(reply.text("address")?.to_vec())).await;
        self.0.rewritten.borrow_mut().add(request, answer.clone());
        answer
    }

    /// The standard form of an address, from and to internal form.
    pub async fn rewrite_internal(&self, rule: Rule, address: &[u8]) -> Vec<u8> {
        if is_standard(address) {
            return address.to_vec();
        }
        unquote_822_local(&self.rewrite(rule, &quote_822_local(address)).await)
    }

    /// Where mail from a sender (empty if that does not matter) for an address goes; both in internal form.
    pub async fn resolve(&self, sender: &[u8], address: &[u8]) -> Resolved {
        self.resolve_for(Purpose::Delivery, sender, address).await
    }

    /// Where a probe for an address goes.
    pub async fn resolve_for(&self, purpose: Purpose, sender: &[u8], address: &[u8]) -> Resolved {
        let domain = bytes::split_once(address, b'@').map(|(_, domain)| domain).filter(|_| is_plain(address));
        let domain = domain.map(|domain| (purpose, domain.to_vec()));
        if let Some(domain) = &domain
            && let Some(known) = self.0.domains.borrow_mut().find(domain)
        {
            return Resolved { recipient: address.to_vec(), ..known };
        }
        let request = Request::Resolve { purpose, sender: sender.to_vec(), address: address.to_vec() };
        if let Some(known) = self.0.resolved.borrow_mut().find(&request) {
            return known;
        }
        let (answer, is_for_all) =
            self.ask(request.to_attrs().int(WHOLE_DOMAIN, 1_u32), |reply| resolved(reply, address)).await;
        match domain.filter(|_| is_for_all) {
            _ if answer.flags.has(Flags::FAIL) => (),
            Some(domain) => {
                let for_all = Resolved { recipient: Vec::new(), ..answer.clone() };
                self.0.domains.borrow_mut().add(domain, for_all);
            }
            None => self.0.resolved.borrow_mut().add(request, answer.clone()),
        }
        answer
    }

    async fn ask<T>(&self, question: Attrs, read: impl Fn(&Attrs) -> Result<T>) -> T {
        // The semaphore is never closed; without it there is only no limit.
        let _turn = self.0.turns.acquire().await.ok();
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(&question, &read).await {
                Ok(answer) => return answer,
                Err(error) if attempts == 1 && is_restart(&error) => (),
                Err(error) => {
                    let service = self.0.path.rsplit('/').next().unwrap_or_default();
                    log::warning!("problem talking to service {service}: {}", cause(&error));
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn attempt<T>(&self, request: &Attrs, read: impl Fn(&Attrs) -> Result<T>) -> Result<T> {
        let idle = self.0.idle.borrow_mut().pop();
        let mut client = idle
            .unwrap_or_else(|| Client::new(&self.0.path, Some(PROTOCOL)).limits(self.0.timeout, self.0.ttl));
        let reply = client.request(request).await?;
        let answer = read(&reply)?;
        // The first of two attributes of that name is the server's wish that we reconnect.
        if reply.number("flags")? == 0 {
            self.0.idle.borrow_mut().push(client);
        }
        Ok(answer)
    }
}

/// A usable answer about an address, and whether it is one for the whole domain.
fn resolved(reply: &Attrs, address: &[u8]) -> Result<(Resolved, bool)> {
    let resolved = Resolved::from_attrs(reply)?;
    if resolved.transport.is_empty() {
        log::warning!("resolve_clnt: null transport result for: <{}>", bytes::show(address));
        return Err(Error::Malformed("transport"));
    }
    if resolved.recipient.is_empty() && !address.is_empty() {
        log::warning!("resolve_clnt: null recipient result for: <{}>", bytes::show(address));
        return Err(Error::Malformed("recipient"));
    }
    Ok((resolved, reply.find(WHOLE_DOMAIN).is_some()))
}

/// Whether an address is in standard form by any rules: complete, plain, and without anything to quote. Almost all are,
/// and need not be asked about.
fn is_standard(address: &[u8]) -> bool {
    let is_word = |word: &[u8]| {
        !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_+=".contains(byte))
    };
    let is_dotted = |text: &[u8]| text.split(|&byte| byte == b'.').all(is_word);
    let Some((local, domain)) = bytes::split_once(address, b'@') else { return false };
    is_dotted(local) && is_dotted(domain) && domain.contains(&b'.')
}

/// Whether a server that is being replaced explains the failure.
fn is_restart(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, NotFound};
    match error {
        Error::Closed(_) => true,
        Error::Io(error) => matches!(error.kind(), BrokenPipe | ConnectionReset | NotFound),
        _ => false,
    }
}

/// What `%m` prints.
fn cause(error: &Error) -> String {
    let text = match error {
        Error::Closed(_) => return "Application error".to_owned(),
        error => error.to_string(),
    };
    match text.find(" (os error ") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        let requests = [
            Request::Rewrite { rule: Rule::Remote, address: b"\"a b\"@x".to_vec() },
            Request::Resolve { purpose: Purpose::Delivery, sender: vec![], address: b"u@x".to_vec() },
            Request::Resolve { purpose: Purpose::Verification, sender: b"s".to_vec(), address: vec![] },
        ];
        for request in requests {
            assert_eq!(Request::from_attrs(&request.to_attrs()).unwrap(), request);
        }
        assert!(Request::from_attrs(&Attrs::new().str("request", "x").str("address", "y")).is_err());
    }

    #[test]
    fn the_second_flags_are_the_addresss() {
        let resolved = Resolved {
            transport: b"smtp".to_vec(),
            nexthop: b"example.com".to_vec(),
            recipient: b"u@example.com".to_vec(),
            flags: Flags::CLASS_DEFAULT | Flags::ROUTED,
        };
        let attrs = resolved.to_attrs(1);
        assert_eq!(attrs.number("flags").unwrap(), 1);
        assert_eq!(Resolved::from_attrs(&attrs).unwrap(), resolved);
        assert_eq!(resolved.flags.to_string(), "FLAG_ROUTED CLASS_DEFAULT");
    }

    #[test]
    fn standard_addresses() {
        for address in ["a@b.c", "first.last+ext=x@mail-1.example.com", "1@2.3"] {
            assert!(is_standard(address.as_bytes()), "{address}");
        }
        for address in [
            "",
            "a",
            "a@",
            "@b.c",
            "a@b",
            "a@b.",
            "a@.b",
            "a@b..c",
            ".a@b.c",
            "a.@b.c",
            "a..b@b.c",
            "a@b@c.d",
            "a%b@c.d",
            "a!b@c.d",
            "\"a\"@b.c",
            "a b@c.d",
            "a@[1.2]",
            "a@b.c (x)",
            "<a@b.c>",
            "a@b.c,d@e.f",
            "\u{e4}@b.c",
            "a@b.c\n",
        ] {
            assert!(!is_standard(address.as_bytes()), "{address}");
        }
    }

    #[test]
    fn plain_addresses() {
        assert!(is_plain(b"a-b@c.d"));
        for address in ["-a@b.c", "a%b@c.d", "a", "\"a\"@b.c"] {
            assert!(!is_plain(address.as_bytes()), "{address}");
        }
    }

    #[test]
    fn asks_once_about_a_whole_domain() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rewrite");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let listener = tokio::net::UnixListener::bind(&path).unwrap();
            let questions = Rc::new(RefCell::new(Vec::new()));
            let seen = Rc::clone(&questions);
            let server = tokio::task::spawn_local(async move {
                let (socket, _) = listener.accept().await.unwrap();
                let mut stream = Stream::new(socket).unwrap();
                stream.greet(PROTOCOL).await.unwrap();
                while let Ok(Some(question)) = stream.receive_or_end().await {
                    assert!(wants_whole_domain(&question));
                    let address = question.text("address").unwrap().to_vec();
                    let resolved = Resolved {
                        transport: b"smtp".to_vec(),
                        nexthop: b"next".to_vec(),
                        recipient: address.clone(),
                        flags: Flags::CLASS_DEFAULT,
                    };
                    let reply = resolved.to_attrs(0);
                    let reply = if address.ends_with(b"@all.x") { for_whole_domain(reply) } else { reply };
                    seen.borrow_mut().push(String::from_utf8(address).unwrap());
                    stream.send(&reply).await.unwrap();
                }
            });
            let rewriter = Rewriter::new(path.to_str().unwrap());
            for address in
                ["a@all.x", "b@all.x", "a%b@all.x", "-b@all.x", "b@ALL.x", "a@one.x", "a@one.x", "b@one.x"]
            {
                let resolved = rewriter.resolve(b"s@y", address.as_bytes()).await;
                assert_eq!(resolved.recipient, address.as_bytes());
                assert_eq!(resolved.nexthop, b"next");
            }
            rewriter.resolve(b"t@y", b"c@all.x").await;
            rewriter.resolve_for(Purpose::Verification, b"", b"c@all.x").await;
            let want = ["a@all.x", "a%b@all.x", "-b@all.x", "b@ALL.x", "a@one.x", "b@one.x", "c@all.x"];
            assert_eq!(*questions.borrow(), want);
            drop(rewriter);
            server.await.unwrap();
        });
    }

    #[test]
    fn reconnects_when_the_server_asks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rewrite");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let listener = tokio::net::UnixListener::bind(&path).unwrap();
            let server = tokio::task::spawn_local(async move {
                for (address, flags) in [("a@x", 1), ("b@x", 0)] {
                    let (socket, _) = listener.accept().await.unwrap();
                    let mut stream = Stream::new(socket).unwrap();
                    stream.greet(PROTOCOL).await.unwrap();
                    stream.receive().await.unwrap();
                    stream.send(&rewritten(flags, address.as_bytes())).await.unwrap();
                }
            });
            let rewriter = Rewriter::new(path.to_str().unwrap());
            assert_eq!(rewriter.rewrite(Rule::Local, b"a").await, b"a@x");
            assert_eq!(rewriter.rewrite(Rule::Local, b"a").await, b"a@x");
            assert_eq!(rewriter.rewrite_internal(Rule::Local, b"b").await, b"b@x");
            server.await.unwrap();
        });
    }
}
