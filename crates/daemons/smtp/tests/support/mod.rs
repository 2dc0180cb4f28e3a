//! A message in a queue, a server that plays a script, and a client to bring one to the other.

#![allow(unreachable_pub)]

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::OnceLock;

use daemon::{Connection, FrameParams, Options, Service, Startup};
use ferrofix_smtp_client::Client;
use ipc::deliver::{Outcome, PROTOCOL, Request, Times};
use ipc::{Recipient, Stream};
use queue::{RecordType, encode_record};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixStream};
use tokio::task::LocalSet;

/// The queue directory of all tests: paths are relative to it, so it is one.
pub fn spool() -> &'static PathBuf {
    static SPOOL: OnceLock<PathBuf> = OnceLock::new();
    SPOOL.get_or_init(|| {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        for name in ["active", "private", "public"] {
            std::fs::create_dir(directory.join(name)).unwrap();
        }
        std::env::set_current_dir(&directory).unwrap();
        directory
    })
}

pub fn client(process: &str, settings: &[(&str, &str)]) -> Rc<Client> {
    let directory = spool();
    let mut main = conf::MainCf::empty(directory);
    let words = ["-n", "smtp", "-t", "unix"].into_iter().map(str::to_owned);
    let options = Options::parse(process, words).unwrap();
    let fixed = [
        ("process_name", process),
        ("service_name", "smtp"),
        ("myhostname", "me.example"),
        ("mydomain", "example"),
        ("queue_directory", directory.to_str().unwrap()),
        ("inet_protocols", "ipv4"),
        ("compatibility_level", "3.6"),
    ];
    for (name, value) in fixed.iter().chain(settings) {
        main.set(name, value);
    }
    let params = FrameParams::load(&main).unwrap();
    Rc::new(Client::start(&Startup { main, options, params, client_limit: None, share: None }).unwrap())
}

/// A message in the active queue with two recipients, and the request for it.
pub fn message(queue_id: &str, nexthop: &str, body: &[&[u8]], recipients: usize) -> Request {
    let mut file = Vec::new();
    encode_record(&mut file, RecordType::Size, format!("{:100}", 0).as_bytes());
    encode_record(&mut file, RecordType::Sender, b"sender@example.org");
    let mut list = Vec::new();
    for number in 0..recipients {
        let address = format!("r{number}@example.com").into_bytes();
        list.push(Recipient { address: address.clone(), offset: file.len() as i64, ..Recipient::default() });
        encode_record(&mut file, RecordType::Recipient, &address);
    }
    encode_record(&mut file, RecordType::Content, b"");
    let data_offset = file.len();
    for line in body {
        encode_record(&mut file, RecordType::Norm, line);
    }
    let data_size = file.len() - data_offset;
    encode_record(&mut file, RecordType::Extracted, b"");
    encode_record(&mut file, RecordType::End, b"");
    let path = spool().join("active").join(queue_id);
    std::fs::write(&path, file).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let now = sys::time::unix_duration();
    Request {
        flags: ipc::deliver::FLAG_SUCCESS | ipc::deliver::FLAG_BOUNCE,
        queue: "active".into(),
        queue_id: queue_id.into(),
        data_offset: data_offset as i64,
        data_size: data_size as i64,
        nexthop: nexthop.as_bytes().to_vec(),
        encoding: "7bit".into(),
        sender: b"sender@example.org".to_vec(),
        times: Times { incoming_arrival: now, active_arrival: now, ..Times::default() },
        rewrite_context: b"local".to_vec(),
        recipients: list,
        ..Request::default()
    }
}

/// Recipients that are crossed off.
pub fn done(queue_id: &str) -> usize {
    let file = std::fs::File::open(spool().join("active").join(queue_id)).unwrap();
    let mut reader = queue::RecordReader::new(file).view(queue::View::File);
    let mut count = 0;
    while let Some(record) = reader.next().unwrap() {
        count += usize::from(record.kind == RecordType::Done);
    }
    count
}

pub async fn deliver(client: &Rc<Client>, request: &Request) -> Outcome {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let service = Rc::clone(client);
    let task =
        tokio::task::spawn_local(
            async move { service.serve(Connection::Unix(theirs.into_std().unwrap())).await },
        );
    let mut stream = Stream::new(ours).unwrap();
    stream.expect_greeting(PROTOCOL).await.unwrap();
    request.write(&mut stream);
    stream.flush().await.unwrap();
    let outcome = Outcome::from_attrs(&stream.receive().await.unwrap()).unwrap();
    drop(stream);
    task.await.unwrap();
    outcome
}

/// A server's answers: the first whose start matches a command.
pub type Script = &'static [(&'static str, &'static str)];

#[derive(Default)]
pub struct Seen {
    pub sessions: usize,
    pub lines: Vec<String>,
}

pub async fn talk(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    script: Script,
    seen: &RefCell<Seen>,
) {
    let mut stream = BufReader::new(stream);
    seen.borrow_mut().sessions += 1;
    let answer = |command: &str| {
        let matches =
            |start: &str| if start.is_empty() { command.is_empty() } else { command.starts_with(start) };
        let found = script.iter().find(|(start, _)| matches(start));
        let default = match command.split([' ', ':']).next().unwrap_or_default() {
            "" => "220 mx.example ESMTP",
            "EHLO" | "LHLO" => "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250 8BITMIME",
            "DATA" => "354 go",
            "QUIT" => "221 bye",
            _ => "250 2.0.0 ok",
        };
        found.map_or(default, |(_, reply)| reply)
    };
    let mut content = false;
    let mut line = String::new();
    if !answer("").is_empty() {
        stream.write_all(format!("{}\r\n", answer("")).as_bytes()).await.unwrap();
    }
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let command = line.trim_end_matches("\r\n").to_owned();
        seen.borrow_mut().lines.push(command.clone());
        if content && command != "." {
            continue;
        }
        let reply = if content { answer(".") } else { answer(&command) };
        content = !content && command == "DATA" && reply.starts_with("354");
        if reply == "HANGUP" {
            return;
        }
        if stream.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() || command == "QUIT" {
            return;
        }
    }
}

pub async fn server(script: Script) -> (String, Rc<RefCell<Seen>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Rc<RefCell<Seen>> = Rc::default();
    let shared = Rc::clone(&seen);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let shared = Rc::clone(&shared);
            tokio::task::spawn_local(async move { talk(stream, script, &shared).await });
        }
    });
    (format!("[127.0.0.1]:{port}"), seen)
}

pub fn run(test: impl Future<Output = ()>) {
    spool();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

pub const BODY: &[&[u8]] = &[b"Subject: test", b"", b"hello", b".dot"];
