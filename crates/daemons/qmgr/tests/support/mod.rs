//! A queue, a qmgr as master starts it, and services that say what a test wants.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ipc::rewrite::{Flags, Request as Question, Resolved};
use ipc::{Attrs, Stream, bounce, deliver, rewrite};
use queue::envelope::Size;
use queue::{RecordType, encode_record};

pub struct World {
    pub dir: tempfile::TempDir,
    child: RefCell<Option<Child>>,
    log: Arc<Mutex<Vec<String>>>,
    settings: RefCell<Vec<String>>,
    /// What the delivery agents were asked for, by service.
    pub requests: RefCell<Vec<(String, deliver::Request)>>,
    /// What the reporting services were asked for, by service.
    pub reports: RefCell<Vec<(String, bounce::Request)>>,
    pub reports_work: Cell<bool>,
    pub delay: Cell<Duration>,
    pub flow: Option<(std::io::PipeReader, std::io::PipeWriter)>,
}

pub const SENT: fn(&deliver::Request) -> deliver::Outcome =
    |_| deliver::Outcome { hop_status: None, is_final: true };
pub const AGAIN: fn(&deliver::Request) -> deliver::Outcome =
    |_| deliver::Outcome { hop_status: None, is_final: false };

/// A message in the making.
#[derive(Clone)]
pub struct Mail {
    pub sender: &'static str,
    pub recipients: Vec<String>,
    pub age: i64,
    /// Records before the sender.
    pub before: Vec<(RecordType, Vec<u8>)>,
    /// Records after it.
    pub after: Vec<(RecordType, Vec<u8>)>,
    pub flags: i64,
    pub content: &'static str,
}

impl Mail {
    pub fn to(recipients: &[&str]) -> Self {
        Self {
            sender: "s@example.com",
            recipients: recipients.iter().map(|text| (*text).to_owned()).collect(),
            age: 0,
            before: Vec::new(),
            after: Vec::new(),
            flags: 0,
            content: "Subject: hello",
        }
    }

    pub fn with(mut self, kind: RecordType, data: impl AsRef<[u8]>) -> Self {
        self.before.push((kind, data.as_ref().to_vec()));
        self
    }

    /// The bytes of the file.
    pub fn file(&self) -> Vec<u8> {
        let created = now() - self.age;
        let mut content = Vec::new();
        encode_record(&mut content, RecordType::Norm, self.content.as_bytes());
        let render = |offset: usize| {
            let mut file = Vec::new();
            let size = Size {
                content_size: content.len() as i64,
                content_offset: offset as i64,
                recipients: self.recipients.len() as i64,
                flags: self.flags,
                content_length: self.content.len() as i64 + 1,
                send_options: 0,
                fields: 6,
            };
            encode_record(&mut file, RecordType::Size, size.to_string().as_bytes());
            encode_record(&mut file, RecordType::Time, format!("{created} 0").as_bytes());
            encode_record(&mut file, RecordType::CreateTime, created.to_string().as_bytes());
            for (kind, data) in &self.before {
                encode_record(&mut file, *kind, data);
            }
            encode_record(&mut file, RecordType::Sender, self.sender.as_bytes());
            for (kind, data) in &self.after {
                encode_record(&mut file, *kind, data);
            }
            for recipient in &self.recipients {
                encode_record(&mut file, RecordType::OriginalRecipient, recipient.as_bytes());
                encode_record(&mut file, RecordType::Recipient, recipient.as_bytes());
            }
            encode_record(&mut file, RecordType::Content, b"");
            file
        };
        let mut file = render(render(0).len());
        file.extend_from_slice(&content);
        encode_record(&mut file, RecordType::Extracted, b"");
        encode_record(&mut file, RecordType::End, b"");
        file
    }
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "incoming", "active", "deferred", "corrupt", "hold", "bounce", "defer", "trace", "private",
            "public", "pid", "etc",
        ] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self {
            dir,
            child: RefCell::default(),
            log: Arc::default(),
            settings: RefCell::default(),
            requests: RefCell::default(),
            reports: RefCell::default(),
            reports_work: Cell::new(true),
            delay: Cell::new(Duration::ZERO),
            flow: None,
        }
    }

    pub fn set(&self, line: &str) {
        self.settings.borrow_mut().push(line.to_owned());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn put(&self, queue: &str, id: &str, mail: &Mail) {
        self.put_bytes(queue, id, &mail.file(), 0o700);
    }

    pub fn put_bytes(&self, queue: &str, id: &str, bytes: &[u8], mode: u32) {
        let path = self.path(queue).join(id);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Starts qmgr the way master does.
    pub fn start(&self) {
        let dir = self.dir.path();
        let mut text = format!(
            "queue_directory = {0}\ndata_directory = {0}\nmyhostname = mail.example.com\nmail_owner = nobody\n",
            dir.display()
        );
        text.push_str("alias_maps =\nlocal_recipient_maps =\n");
        for line in self.settings.borrow().iter() {
            text.push_str(line);
            text.push('\n');
        }
        std::fs::write(dir.join("etc/main.cf"), text).unwrap();
        let listener = UnixListener::bind(dir.join("public/qmgr")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_qmgr"));
        command.args(["-l", "-t", "unix", "-n", "qmgr", "-V"]).env("MAIL_CONFIG", dir.join("etc"));
        command.stderr(Stdio::piped()).stdin(Stdio::null());
        let mut descriptors = sys::process::Descriptors::default();
        descriptors.give(listener.as_fd(), ipc::master::LISTEN);
        if let Some((read, write)) = &self.flow {
            descriptors.give(read.as_fd(), ipc::master::FLOW_READ);
            descriptors.give(write.as_fd(), ipc::master::FLOW_WRITE);
        }
        descriptors.apply(&mut command);
        let mut child = command.spawn().unwrap();
        let (log, stderr) = (Arc::clone(&self.log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { return };
                if std::env::var_os("SHOW").is_some() {
                    println!("{line}");
                }
                log.lock().unwrap().push(line);
            }
        });
        *self.child.borrow_mut() = Some(child);
    }

    /// Kills it.
    pub fn stop(&self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
            std::fs::remove_file(self.path("public/qmgr")).unwrap();
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.borrow().as_ref().unwrap().id()
    }

    /// The log lines so far, without what comes before the text.
    pub fn log(&self) -> Vec<String> {
        let tag = |line: &String| line.split_once(": ").map_or(line.clone(), |(_, text)| text.to_owned());
        self.log.lock().unwrap().iter().map(tag).collect()
    }

    /// The log line that begins like this.
    pub async fn line(&self, start: &str) -> String {
        let find = || self.log().into_iter().find(|line| line.starts_with(start));
        self.until(&format!("log line {start}"), || find().is_some()).await;
        find().unwrap()
    }

    pub async fn logged(&self, text: &str) {
        self.until(&format!("log line {text}"), || self.log().iter().any(|line| line == text)).await;
    }

    pub async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        for _ in 0..2000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{what} never came; log: {:#?}, requests: {:#?}", self.log(), self.requests.borrow());
    }

    pub async fn trigger(&self, requests: &[u8]) {
        ipc::trigger::notify(self.path("public/qmgr"), requests).await.unwrap();
    }

    fn listen(&self, name: &str) -> tokio::net::UnixListener {
        let listener = UnixListener::bind(self.path(name)).unwrap();
        listener.set_nonblocking(true).unwrap();
        tokio::net::UnixListener::from_std(listener).unwrap()
    }

    /// Resolves `user@domain` to `smtp:domain`, or to what `transport!nexthop@...` says.
    pub fn resolver(self: &Rc<Self>) {
        let listener = self.listen("private/rewrite");
        tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::task::spawn_local(async move {
                    let mut stream = Stream::new(socket).unwrap();
                    // The client may be killed at any time.
                    if stream.greet(rewrite::PROTOCOL).await.is_err() {
                        return;
                    }
                    while let Ok(Some(question)) = stream.receive_or_end().await {
                        let reply = match Question::from_attrs(&question).unwrap() {
                            Question::Rewrite { address, .. } => rewrite::rewritten(0, &address),
                            Question::Resolve { address, .. } => resolve(&address).to_attrs(0),
                        };
                        if stream.send(&reply).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
    }

    /// A delivery agent that serves one request a connection, as Postfix's do.
    pub fn agent(
        self: &Rc<Self>,
        name: &'static str,
        outcome: impl Fn(&deliver::Request) -> deliver::Outcome + 'static,
    ) {
        let outcome = Rc::new(outcome);
        let world = Rc::clone(self);
        self.serve(&format!("private/{name}"), move |mut stream| {
            let (world, outcome) = (Rc::clone(&world), Rc::clone(&outcome));
            async move {
                if stream.greet(deliver::PROTOCOL).await.is_err() {
                    return;
                }
                let Ok(Some(request)) = deliver::Request::read(&mut stream).await else { return };
                let answer = outcome(&request);
                if answer.is_final {
                    let path = world.path("active").join(&request.queue_id);
                    // Gone if qmgr was started anew meanwhile.
                    let Ok(file) = std::fs::OpenOptions::new().write(true).open(path) else { return };
                    for recipient in &request.recipients {
                        queue::mark_done(&file, recipient.offset as u64).unwrap();
                    }
                }
                world.requests.borrow_mut().push((name.to_owned(), request));
                tokio::time::sleep(world.delay.get()).await;
                let _gone = stream.send(&answer.to_attrs()).await;
            }
        });
    }

    /// A delivery agent that stays for `requests` requests a connection, and then goes: with the word that it does, or
    /// without one.
    pub fn staying_agent(self: &Rc<Self>, name: &'static str, requests: usize, last_words: bool) {
        let world = Rc::clone(self);
        self.serve(&format!("private/{name}"), move |mut stream| {
            let world = Rc::clone(&world);
            async move {
                stream.greet(deliver::PROTOCOL).await.unwrap();
                for _ in 0..requests {
                    let Ok(Some(request)) = deliver::Request::read(&mut stream).await else { return };
                    let path = world.path("active").join(&request.queue_id);
                    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
                    for recipient in &request.recipients {
                        queue::mark_done(&file, recipient.offset as u64).unwrap();
                    }
                    world.requests.borrow_mut().push((name.to_owned(), request.clone()));
                    assert_ne!(request.flags & deliver::FLAG_KEEP, 0);
                    let outcome = deliver::Outcome { hop_status: None, is_final: true };
                    stream.send(&outcome.to_attrs_and_stay()).await.unwrap();
                }
                // The queue manager has another request on its way.
                let Ok(Some(_lost)) = deliver::Request::read(&mut stream).await else { return };
                if last_words {
                    stream.send(&deliver::not_taken()).await.unwrap();
                }
            }
        });
    }

    /// bounce, defer and trace.
    pub fn reporters(self: &Rc<Self>) {
        for name in ["bounce", "defer", "trace"] {
            let world = Rc::clone(self);
            self.serve(&format!("private/{name}"), move |mut stream| {
                let world = Rc::clone(&world);
                async move {
                    stream.greet(bounce::PROTOCOL).await.unwrap();
                    let request = bounce::Request::from_attrs(&stream.receive().await.unwrap()).unwrap();
                    if let bounce::Request::Flush { message, .. } = &request {
                        let _none = std::fs::remove_file(world.path(name).join(&message.queue_id));
                    }
                    world.reports.borrow_mut().push((name.to_owned(), request));
                    let status = if world.reports_work.get() { 0 } else { -1 };
                    stream.send(&Attrs::new().int("status", status)).await.unwrap();
                }
            });
        }
        self.serve("public/flush", |mut stream| async move {
            stream.greet(ipc::flush::PROTOCOL).await.unwrap();
            stream.receive().await.unwrap();
            stream.send(&ipc::flush::Status::Ok.to_attrs()).await.unwrap();
        });
    }

    fn serve<F: Future<Output = ()> + 'static>(&self, name: &str, session: impl Fn(Stream) -> F + 'static) {
        let listener = self.listen(name);
        tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::task::spawn_local(session(Stream::new(socket).unwrap()));
            }
        });
    }
}

fn resolve(address: &[u8]) -> Resolved {
    let text = std::str::from_utf8(address).unwrap();
    let (user, domain) = text.rsplit_once('@').unwrap();
    let (transport, nexthop) = match user.split_once('!') {
        Some((transport, nexthop)) => (transport, nexthop),
        None => ("smtp", domain),
    };
    let flags = if domain == "mail.example.com" { Flags::CLASS_LOCAL } else { Flags::CLASS_DEFAULT };
    Resolved { transport: transport.into(), nexthop: nexthop.into(), recipient: address.into(), flags }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _dead = child.kill();
            let _gone = child.wait();
        }
    }
}

/// Runs a test on an event loop with a world in which the resolver and the reporting services work.
pub fn test<F: Future<Output = ()>>(prepare: impl FnOnce(&mut World), body: impl FnOnce(Rc<World>) -> F) {
    let mut world = World::new();
    prepare(&mut world);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        world.start();
        let world = Rc::new(world);
        world.resolver();
        world.reporters();
        tokio::time::timeout(Duration::from_secs(60), body(world)).await.expect("in time");
    });
}
