//! A server that is not MongoDB, but speaks as much like it as the tests need. It listens on 127.0.0.1 only.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::bson::{Document, Elements, Value};
use crate::login::Login;
use crate::{json, query};

/// What a server is, and what it has.
#[derive(Default)]
pub(crate) struct Nature {
    /// Documents, in JSON.
    pub(crate) documents: Vec<String>,
    /// Accounts: name, password, mechanism.
    pub(crate) accounts: Vec<(&'static str, &'static str, &'static str)>,
    /// Whether `hello` is unknown, as before MongoDB 4.4.
    pub(crate) is_old: bool,
    /// Whether a login ends with an empty message of the client, as then.
    pub(crate) has_long_logins: bool,
    /// How many documents come at a time.
    pub(crate) batch: usize,
    /// Its set, and the members of it; the first is the primary.
    pub(crate) set: Option<(&'static str, Vec<String>)>,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) struct State {
    pub(crate) nature: Mutex<Nature>,
    /// How long it thinks before each answer to a question.
    delay: Mutex<Duration>,
    /// What it says to questions instead of an answer.
    refusal: Mutex<Option<(i32, &'static str)>>,
    /// The commands that it got, by name.
    seen: Mutex<Vec<String>>,
    /// The queries that it got.
    asked: Mutex<Vec<Vec<u8>>>,
    connections: AtomicUsize,
    is_over: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Server {
    /// A server with these documents.
    pub(crate) fn with(documents: &[&str]) -> Self {
        let documents = documents.iter().map(|&document| document.to_owned()).collect();
        Self::start(Nature { documents, ..Nature::default() })
    }

    pub(crate) fn start(nature: Nature) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), nature)
    }

    pub(crate) fn start_at(address: SocketAddr, nature: Nature) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            nature: Mutex::new(nature),
            delay: Mutex::default(),
            refusal: Mutex::default(),
            seen: Mutex::default(),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let thread = std::thread::spawn({
            let state = Arc::clone(&state);
            move || accept(&listener, &state)
        });
        Self { address, state, thread: Some(thread) }
    }

    /// Its connection string.
    pub(crate) fn uri(&self) -> String {
        format!("mongodb://{}", self.address)
    }

    pub(crate) fn think(&self, delay: Duration) {
        *self.state.delay.lock().unwrap() = delay;
    }

    pub(crate) fn refuse(&self, refusal: Option<(i32, &'static str)>) {
        *self.state.refusal.lock().unwrap() = refusal;
    }

    /// Makes another server the primary of the set.
    pub(crate) fn elect(&self, members: Vec<String>) {
        if let Some((_, old)) = &mut self.state.nature.lock().unwrap().set {
            *old = members;
        }
    }

    /// How often a command came.
    pub(crate) fn count(&self, command: &str) -> usize {
        self.state.seen.lock().unwrap().iter().filter(|name| *name == command).count()
    }

    /// The query that came last.
    pub(crate) fn last_query(&self) -> Vec<u8> {
        self.state.asked.lock().unwrap().last().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Ends, as a crash would, and gives back what it was.
    pub(crate) fn stop(&mut self) -> Nature {
        self.state.is_over.store(true, Ordering::SeqCst);
        // It waits for a connection.
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        for stream in self.state.streams.lock().unwrap().drain(..) {
            let _ended = stream.shutdown(std::net::Shutdown::Both);
        }
        std::mem::take(&mut *self.state.nature.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() {
            drop(self.stop());
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    loop {
        let (stream, _) = listener.accept().unwrap();
        if state.is_over.load(Ordering::SeqCst) {
            return;
        }
        let port = listener.local_addr().unwrap().port();
        state.streams.lock().unwrap().push(stream.try_clone().unwrap());
        state.connections.fetch_add(1, Ordering::SeqCst);
        let state = Arc::clone(state);
        std::thread::spawn(move || {
            // It ends when the client goes.
            let _ended = Session { state: &state, port, login: Login::default(), cursors: HashMap::new() }
                .serve(stream);
        });
    }
}

struct Session<'a> {
    state: &'a State,
    port: u16,
    login: Login,
    /// What clients have not read yet.
    cursors: HashMap<i64, Vec<Document>>,
}

/// Reads a message: its number, and the document in it.
pub(crate) fn receive(stream: &mut impl Read) -> io::Result<(i32, Vec<u8>)> {
    let mut head = [0; 16];
    stream.read_exact(&mut head)?;
    let number = |at: usize| i32::from_le_bytes(head[at..at + 4].try_into().unwrap());
    assert_eq!(number(12), 2013, "OP_MSG");
    let mut body = vec![0; usize::try_from(number(0)).unwrap() - 16];
    stream.read_exact(&mut body)?;
    assert_eq!(body[..5], [0; 5], "no flags, and one document");
    Ok((number(4), body[5..].to_vec()))
}

/// Sends an answer.
pub(crate) fn send(stream: &mut impl Write, to: i32, document: &Document) -> io::Result<()> {
    let document = document.bytes();
    let length = i32::try_from(21 + document.len()).unwrap();
    let head = [length, 1, to, 2013].map(i32::to_le_bytes).concat();
    stream.write_all(&[&head, &[0; 5][..], &document].concat())
}

impl Session<'_> {
    fn serve(&mut self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let (id, command) = receive(&mut stream)?;
            let command = Elements::read(&command).unwrap();
            let name = command.into_iter().next().unwrap().unwrap().name;
            let name = String::from_utf8(name.to_vec()).unwrap();
            self.state.seen.lock().unwrap().push(name.clone());
            let mut answer = self.answer(&name, command).unwrap_or_else(|(code, text)| {
                let mut answer = Document::new();
                answer.string("errmsg", &text).int32("code", code).int32("ok", 0);
                answer
            });
            if answer.bytes().len() == 5 {
                answer.int32("ok", 1);
            }
            send(&mut stream, id, &answer)?;
        }
    }

    fn answer(&mut self, name: &str, command: Elements<'_>) -> Result<Document, query::Refusal> {
        let nature = self.state.nature.lock().unwrap();
        match name {
            "hello" if nature.is_old => Err((59, "no such command: 'hello'".to_owned())),
            "hello" | "isMaster" | "ismaster" => Ok(self.hello(&nature, command)),
            "saslStart" => self.login.start(&nature, command),
            "saslContinue" => self.login.go_on(nature.has_long_logins, command),
            _ if !nature.accounts.is_empty() && !self.login.is_done() => {
                Err((13, format!("command {name} requires authentication")))
            }
            "find" => {
                drop(nature);
                self.find(command)
            }
            "getMore" => Ok(self.batch(&nature, command.find("getMore").unwrap().unwrap().number().unwrap())),
            "killCursors" | "ping" | "endSessions" => Ok(Document::new()),
            _ => Err((59, format!("no such command: '{name}'"))),
        }
    }

    fn hello(&self, nature: &Nature, command: Elements<'_>) -> Document {
        let mut hello = Document::new();
        let me = format!("127.0.0.1:{}", self.port);
        let is_primary = nature.set.as_ref().is_none_or(|(_, members)| members.first() == Some(&me));
        hello.boolean(if nature.is_old { "ismaster" } else { "isWritablePrimary" }, is_primary);
        hello.int32("maxWireVersion", 17).int32("minWireVersion", 0);
        hello.int32("maxBsonObjectSize", 1 << 24).int32("maxMessageSizeBytes", 48_000_000);
        hello.int32("maxWriteBatchSize", 100_000);
        if let Some((set, members)) = &nature.set {
            let mut hosts = Document::new();
            members.iter().enumerate().for_each(|(at, member)| {
                hosts.string(&at.to_string(), member);
            });
            hello.string("setName", set).boolean("secondary", !is_primary).array("hosts", &hosts);
            hello.string("primary", &members[0]).string("me", &me);
        }
        if let Some(Value::String(account)) = command.find("saslSupportedMechs").unwrap() {
            let mut mechanisms = Document::new();
            let accounts =
                nature.accounts.iter().filter(|(name, ..)| account.ends_with(format!(".{name}").as_bytes()));
            accounts.enumerate().for_each(|(at, (_, _, mechanism))| {
                mechanisms.string(&at.to_string(), mechanism);
            });
            hello.array("saslSupportedMechs", &mechanisms);
        }
        hello.raw(crate::bson::kind::DOUBLE, "ok", &1f64.to_le_bytes());
        hello
    }

    fn find(&mut self, command: Elements<'_>) -> Result<Document, query::Refusal> {
        let Some(Value::Document(filter)) = command.find("filter").unwrap() else { panic!("a filter") };
        let mut raw = Vec::new();
        filter.into_iter().for_each(|element| raw.extend_from_slice(element.unwrap().name));
        self.state.asked.lock().unwrap().push(raw);
        let delay = *self.state.delay.lock().unwrap();
        std::thread::sleep(delay);
        if let Some((code, text)) = *self.state.refusal.lock().unwrap() {
            return Err((code, text.to_owned()));
        }
        let nature = self.state.nature.lock().unwrap();
        let empty = Document::new().bytes();
        let projection = match command.find("projection").unwrap() {
            Some(Value::Document(projection)) => projection,
            _ => Elements::read(&empty).unwrap(),
        };
        let mut found = Vec::new();
        for document in &nature.documents {
            let document = json::document(document.as_bytes()).unwrap().bytes();
            if query::fits(filter, Elements::read(&document).unwrap())? {
                found.push(query::project(projection, &document));
            }
        }
        self.cursors.insert(7, found);
        let is_first = self.batch(&nature, 7);
        drop(nature);
        Ok(is_first)
    }

    fn batch(&mut self, nature: &Nature, id: i64) -> Document {
        let mut found = self.cursors.remove(&id).unwrap_or_default();
        let is_first = self.state.seen.lock().unwrap().last().is_some_and(|name| name == "find");
        let count = if nature.batch == 0 { found.len() } else { nature.batch.min(found.len()) };
        let rest = found.split_off(count);
        let mut batch = Document::new();
        found.iter().enumerate().for_each(|(at, document)| {
            batch.document(&at.to_string(), document);
        });
        let mut cursor = Document::new();
        cursor.array(if is_first { "firstBatch" } else { "nextBatch" }, &batch);
        cursor.int64("id", if rest.is_empty() { 0 } else { id }).string("ns", "mail.box");
        if !rest.is_empty() {
            self.cursors.insert(id, rest);
        }
        let mut answer = Document::new();
        answer.document("cursor", &cursor).int32("ok", 1);
        answer
    }
}
