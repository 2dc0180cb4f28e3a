//! Tables that ask a server: `tcp:` and `socketmap:`, against servers that behave and servers that do not.

#[allow(dead_code, reason = "another test program uses the rest")]
#[path = "support/journal.rs"]
mod journal;
#[path = "support/server.rs"]
mod server;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ferrofix_table as table;
use server::{Server, free_address, logged};
use table::{Env, Error, Flags, Mode, Table};

fn env() -> Rc<Env> {
    Rc::new(Env::default())
}

fn value(text: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(Some(text.into()))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn tcp(server: &Server) -> Table {
    Table::open(&format!("tcp:{}", server.name), &env(), Flags::LOOKUP)
}

/// Receives a netstring.
fn netstring(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).ok()?;
        if byte == *b":" {
            break;
        }
        length.push(byte[0]);
    }
    let mut text = vec![0; String::from_utf8(length).unwrap().parse::<usize>().unwrap() + 1];
    stream.read_exact(&mut text).unwrap();
    assert_eq!(text.pop(), Some(b','));
    Some(text)
}

fn as_netstring(text: &str) -> Vec<u8> {
    format!("{}:{text},", text.len()).into_bytes()
}

#[test]
fn tcp_replies() {
    let long = "x".repeat(4091);
    let longest = long.clone();
    let server = Server::lines(move |line| {
        let reply = match line.strip_prefix("get ").unwrap() {
            "user%40@example.com" => unreachable!(),
            "a%20b%25%0A%C3%A9@example.com" => "200 two%20words %e9\n".to_owned(),
            "empty" => "200 \n".to_owned(),
            "tab" => "200\tx\n".to_owned(),
            "longest" => format!("200 {longest}\n"),
            "nul" => "200 a%00b\n".to_owned(),
            "missing" => "500 not%20here\n".to_owned(),
            "later" => "400 busy\n".to_owned(),
            "short" => "200\n".to_owned(),
            "letters" => "2x0 y\n".to_owned(),
            "quoting" => "200 50%\n".to_owned(),
            "status" => "300 \u{7f}x\n".to_owned(),
            other => panic!("{other}"),
        };
        reply.into_bytes()
    });
    let table = Table::open(&format!("tcp:{}", server.name), &env(), Flags::LOCK);
    assert!(table.is_pattern() && !table.is_local());
    let retry = || Err(Error::retry(format!("tcp:{}", server.name)));
    let name = &server.name;
    let malformed = |what: &str| vec![format!("warning: read TCP map reply from {name}: {what}")];
    for (key, answer, log) in [
        ("a b%\n\u{e9}@example.com", Ok(Some(b"two words \xe9".to_vec())), vec![]),
        ("empty", value(""), vec![]),
        ("tab", value("x"), vec![]),
        ("longest", value(&long), vec![]),
        ("nul", value("a"), vec![]),
        ("missing", Ok(None), vec![]),
        ("later", retry(), vec![]),
        ("short", retry(), malformed("malformed reply: 200")),
        ("letters", retry(), malformed("malformed reply: 2x0 y")),
        ("quoting", retry(), malformed("malformed reply: 200 50%")),
        ("status", retry(), malformed("bad status code: 300 _x")),
    ] {
        let lines = logged(|| assert_eq!(table.lookup_blocking(key.as_bytes()), answer, "{key}"));
        assert_eq!(lines, log, "{key}");
    }
    // The first for what went well, and a new one after each reply that made it doubtful.
    assert_eq!(server.connections(), 5);
}

#[test]
fn tcp_keys_are_folded_as_those_of_patterns() {
    let server = Server::lines(|line| format!("200 {}\n", &line[4..]).into_bytes());
    let spec = format!("tcp:{}", server.name);
    let ask = |flags: Flags, key: &str| Table::open(&spec, &env(), flags).lookup_blocking(key.as_bytes());
    assert_eq!(ask(Flags::LOOKUP, "Key"), value("Key"));
    assert_eq!(ask(Flags::LOCK | Flags::FOLD_MUL, "Key"), value("key"));
}

#[test]
fn tcp_connections_that_the_server_closes_are_replaced_without_a_word() {
    let server = Server::start(|mut stream, _| {
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        stream.write_all(b"200 one\n").unwrap();
    });
    let table = tcp(&server);
    let begin = Instant::now();
    let lines = logged(|| {
        for _ in 0..5 {
            assert_eq!(table.lookup_blocking(b"a"), value("one"));
        }
    });
    assert_eq!(lines, [""; 0]);
    assert_eq!(server.connections(), 5);
    assert!(begin.elapsed() < Duration::from_millis(900), "without a pause");
}

#[test]
fn tcp_servers_that_talk_nonsense_are_asked_ten_times() {
    let server = Server::start(|mut stream, number| {
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        match number {
            // Ends in the middle of a line.
            0..3 => stream.write_all(b"200 o").unwrap(),
            // Too long.
            _ => {
                stream.write_all(&[b"200 ", vec![b'x'; 4092].as_slice(), b"\n"].concat()).unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let table = tcp(&server);
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), Err(Error::retry(table.name()))));
    let from = format!("warning: read TCP map reply from {}", server.name);
    assert_eq!(lines[..3], vec![format!("{from}: unexpected EOF (Application error)"); 3]);
    assert_eq!(lines[3..], vec![format!("{from}: text longer than 4096"); 7]);
    assert_eq!(server.connections(), 10);
}

#[tokio::test(start_paused = true)]
async fn servers_that_say_nothing_cost_100_seconds_a_time() {
    let server = Server::start(|mut stream, _| {
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let begin = tokio::time::Instant::now();
    let table = tcp(&server);
    assert_eq!(table.lookup(b"a").await, Err(Error::retry(table.name())));
    assert_eq!(begin.elapsed().as_secs(), 10 * 100 + 9);
    let begin = tokio::time::Instant::now();
    let table = Table::open(&format!("socketmap:inet:{}:x", server.name), &env(), Flags::LOOKUP);
    assert_eq!(table.lookup(b"a").await, Err(Error::retry(table.name())));
    assert_eq!(begin.elapsed().as_secs(), 100);
}

#[tokio::test(start_paused = true)]
async fn servers_that_send_byte_after_byte_gain_nothing() {
    let server = Server::start(|mut stream, _| {
        while stream.write_all(b"1").is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let table = Table::open(&format!("socketmap:inet:{}:x", server.name), &env(), Flags::LOOKUP);
    assert_eq!(table.lookup(b"a").await, Err(Error::retry(table.name())));
}

#[test]
fn a_slow_answer_holds_up_nobody_else() {
    let server = Server::lines(|line| {
        let key = &line[4..];
        if key.starts_with("slow") {
            std::thread::sleep(Duration::from_secs(2));
        }
        format!("200 {key}\n").into_bytes()
    });
    let table = tcp(&server);
    block_on(async {
        let begin = Instant::now();
        let slow = async {
            let keys = ["slow1", "slow2", "slow3"].map(|key| {
                let table = table.clone();
                async move { table.lookup(key.as_bytes()).await }
            });
            let [one, two, three] = keys;
            tokio::join!(one, two, three)
        };
        let fast = async {
            for _ in 0..100 {
                assert_eq!(table.lookup(b"fast").await, value("fast"));
            }
            assert!(begin.elapsed() < Duration::from_millis(1900));
        };
        let ((one, two, three), ()) = tokio::join!(slow, fast);
        assert_eq!([one, two, three], [value("slow1"), value("slow2"), value("slow3")]);
        assert!(begin.elapsed() < Duration::from_millis(3900), "side by side");
    });
    assert_eq!(server.connections(), 4);
}

#[test]
fn no_more_than_a_hundred_at_once() {
    let busy = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (counter, record) = (Arc::clone(&busy), Arc::clone(&most));
    let server = Server::lines(move |_| {
        record.fetch_max(counter.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        counter.fetch_sub(1, Ordering::SeqCst);
        b"500 no\n".to_vec()
    });
    let table = tcp(&server);
    let local = tokio::task::LocalSet::new();
    block_on(local.run_until(async {
        let tasks: Vec<_> = (0..250)
            .map(|_| {
                let table = table.clone();
                tokio::task::spawn_local(async move { table.lookup(b"a").await })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(None));
        }
    }));
    assert!(most.load(Ordering::SeqCst) <= 100);
    assert!(server.connections() <= 100);
}

#[test]
fn one_table_in_two_runtimes() {
    let server = Server::lines(|_| b"200 x\n".to_vec());
    let table = tcp(&server);
    assert_eq!(table.lookup_blocking(b"a"), value("x"));
    assert_eq!(block_on(table.lookup(b"a")), value("x"));
    assert_eq!(block_on(table.lookup(b"a")), value("x"));
    assert_eq!(table.lookup_blocking(b"a"), value("x"));
}

#[test]
fn nobody_listens() {
    let free = free_address();
    let table = Table::open(&format!("socketmap:inet:{free}:x"), &env(), Flags::LOOKUP);
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), Err(Error::retry(table.name()))));
    assert_eq!(
        lines,
        [
            format!("warning: connect to {free}: Connection refused"),
            format!("warning: table socketmap:inet:{free}:x lookup error: Connection refused"),
        ]
    );
    let table = Table::open("socketmap:unix:/nonexistent/socket:x", &env(), Flags::LOOKUP);
    let lines = logged(|| assert!(table.lookup_blocking(b"a").is_err()));
    assert_eq!(lines[0], "warning: connect to /nonexistent/socket: No such file or directory");
    let table = Table::open("socketmap:inet:localhost:no-such-service:x", &env(), Flags::LOOKUP);
    let lines = logged(|| assert!(table.lookup_blocking(b"a").is_err()));
    assert_eq!(
        lines[0],
        "warning: host or service localhost:no-such-service not found: Servname not supported for ai_socktype"
    );
    assert_eq!(lines[1], "warning: connect to localhost:no-such-service: Cannot assign requested address");
}

#[test]
fn tcp_with_nobody_listening_is_tried_ten_times() {
    let free = free_address();
    let table = Table::open(&format!("tcp:{free}"), &env(), Flags::LOOKUP);
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), Err(Error::retry(table.name()))));
    assert_eq!(lines, vec![format!("warning: connect to TCP map {free}: Connection refused"); 10]);
}

#[test]
fn what_cannot_be_opened() {
    let reported = |spec: &str, mode, flags| Table::try_open(spec, &env(), mode, flags).err().unwrap();
    for (spec, text) in [
        ("tcp:host:5x", "host:5x: garbage after numerical service"),
        ("tcp:host:", "host:: missing service information"),
        ("socketmap:name", "socketmap requires server:socketmap argument"),
        ("socketmap:host:name", "need service transport:endpoint instead of \"host\""),
        ("socketmap:tcp:host:5:name", "invalid transport name: tcp in service: tcp:host:5"),
    ] {
        assert_eq!(reported(spec, Mode::Read, Flags::LOOKUP), text);
    }
    assert_eq!(
        reported("tcp:a:1", Mode::Read, Flags::PARANOID),
        "tcp:a:1 map is not allowed for security sensitive data"
    );
    assert_eq!(
        reported("socketmap:inet:a:1:x", Mode::Read, Flags::PARANOID),
        "socketmap:inet:a:1:x map is not allowed for security-sensitive data"
    );
    for spec in ["tcp:a:1", "socketmap:inet:a:1:x"] {
        let text = format!("{spec} map requires O_RDONLY access mode");
        assert_eq!(reported(spec, Mode::Create, Flags::LOOKUP), text);
    }
}

fn socketmap_server(stream: impl Read + Write, replies: &HashMap<&str, Vec<u8>>) {
    let mut stream = stream;
    while let Some(request) = netstring(&mut stream) {
        let request = String::from_utf8(request).unwrap();
        let reply = replies.get(request.as_str()).unwrap_or_else(|| panic!("{request}"));
        stream.write_all(reply).unwrap();
    }
}

#[test]
fn socketmap_replies() {
    let large = "x".repeat(100_000 - 3);
    let replies: HashMap<&str, Vec<u8>> = [
        ("map user@example.com", as_netstring("OK  two words")),
        ("map bare", as_netstring("OK")),
        ("map large", as_netstring(&format!("OK {large}"))),
        ("map missing", as_netstring("NOTFOUND ")),
        ("map missing2", as_netstring("NOTFOUND")),
        ("map temp", as_netstring("TEMP  try \u{1} later")),
        ("map timeout", as_netstring("TIMEOUT")),
        ("map perm", as_netstring("PERM no")),
        ("map other", as_netstring("what else")),
        ("map none", as_netstring("")),
        ("map zeros", b"0007:OK 1234,".to_vec()),
        ("map too large", as_netstring(&format!("OK {large}x"))),
        ("map huge", b"99999999999999999999999:".to_vec()),
        ("map letters", b"x:abc,".to_vec()),
        ("map end", b"4:OK xx".to_vec()),
        ("map trailing", b"4:OK x,4:OK y,".to_vec()),
    ]
    .into();
    let server = Server::start(move |stream, _| socketmap_server(stream, &replies));
    let spec = format!("socketmap:inet:{}:map", server.name);
    let table = Table::open(&spec, &env(), Flags::LOOKUP);
    assert!(table.is_pattern() && !table.is_local());
    let retry = || Err(Error::retry(&spec));
    let said = |text: &str| vec![format!("warning: {spec} socketmap server {text}")];
    let failed = |text: &str| vec![format!("warning: table {spec} lookup error: {text}")];
    for (key, answer, log) in [
        ("user@example.com", value(" two words"), vec![]),
        ("bare", value(""), vec![]),
        ("large", value(&large), vec![]),
        ("missing", Ok(None), vec![]),
        ("missing2", Ok(None), vec![]),
        ("temp", retry(), said("temporary error: try ? later")),
        ("timeout", retry(), said("timeout error")),
        ("perm", Err(Error::config(&spec)), said("permanent error: no")),
        ("other", retry(), said("unknown error: else")),
        ("none", retry(), said("unknown error")),
        ("zeros", value("1234"), vec![]),
        ("too large", retry(), failed("input exceeds size limit")),
        ("huge", retry(), failed("input exceeds size limit")),
        ("letters", retry(), failed("input format error")),
        ("end", retry(), failed("input format error")),
        // What follows is nobody's answer.
        ("trailing", value("x"), vec![]),
        ("missing", Ok(None), vec![]),
    ] {
        let lines = logged(|| assert_eq!(table.lookup_blocking(key.as_bytes()), answer, "{key}"));
        assert_eq!(lines, log, "{key}");
    }
    assert_eq!(server.connections(), 6);
}

#[test]
fn socketmap_reply_limit_is_a_setting() {
    let server = Server::start(|mut stream, _| {
        while netstring(&mut stream).is_some() {
            stream.write_all(&as_netstring("OK 12345678")).unwrap();
        }
    });
    let spec = format!("socketmap:inet:{}:map", server.name);
    let ask = |limit| {
        let env = Rc::new(Env { socketmap_max_reply_size: limit, ..Env::default() });
        Table::open(&spec, &env, Flags::LOOKUP).lookup_blocking(b"a")
    };
    assert_eq!(ask(11), value("12345678"));
    assert!(ask(10).is_err());
}

#[test]
fn socketmap_disconnects_are_retried_once() {
    // Whoever comes is sent away, but for the fourth.
    let server = Server::start(|mut stream, number| {
        netstring(&mut stream);
        match number {
            0..3 => stream.write_all(b"9:OK").unwrap(),
            _ => stream.write_all(&as_netstring("OK x")).unwrap(),
        }
    });
    let spec = format!("socketmap:inet:{}:map", server.name);
    let table = Table::open(&spec, &env(), Flags::LOOKUP);
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), Err(Error::retry(&spec))));
    assert_eq!(lines, [format!("warning: table {spec} lookup error: unexpected disconnect")]);
    assert_eq!(server.connections(), 2);
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), value("x")));
    assert_eq!(lines, [""; 0]);
    assert_eq!(server.connections(), 4);
}

#[test]
fn tables_of_a_socketmap_server_share_its_connections() {
    let server = Server::start(|mut stream, _| {
        while let Some(request) = netstring(&mut stream) {
            stream.write_all(&as_netstring(&format!("OK {}", String::from_utf8(request).unwrap()))).unwrap();
        }
    });
    let env = env();
    let open = |map: &str| Table::open(&format!("socketmap:inet:{}:{map}", server.name), &env, Flags::LOOKUP);
    let (one, two) = (open("one"), open("two"));
    for _ in 0..3 {
        assert_eq!(one.lookup_blocking(b"k"), value("one k"));
        assert_eq!(two.lookup_blocking(b"k"), value("two k"));
    }
    assert_eq!(server.connections(), 1);
}

fn serve_unix(path: &Path, generation: &'static str) -> (Arc<AtomicUsize>, UnixStream) {
    let listener = UnixListener::bind(path).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let (control, end) = UnixStream::pair().unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            open.push(stream.try_clone().unwrap());
            // The first byte on the pair ends it all.
            let mut end = end.try_clone().unwrap();
            end.set_nonblocking(true).unwrap();
            if end.read(&mut [0]).is_ok() {
                for stream in open {
                    stream.shutdown(Shutdown::Both).ok();
                }
                return;
            }
            std::thread::spawn(move || {
                while netstring(&mut stream).is_some() {
                    stream.write_all(&as_netstring(&format!("OK {generation}"))).unwrap();
                }
            });
        }
    });
    (count, control)
}

#[test]
fn a_server_that_is_started_anew_goes_unnoticed() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("socket");
    let (_, mut control) = serve_unix(&path, "first");
    let spec = format!("socketmap:unix:{}:map", path.display());
    let table = Table::open(&spec, &env(), Flags::LOOKUP);
    assert_eq!(table.lookup_blocking(b"a"), value("first"));
    control.write_all(b"x").unwrap();
    UnixStream::connect(&path).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    std::fs::remove_file(&path).unwrap();
    let (_, _control) = serve_unix(&path, "second");
    let lines = logged(|| assert_eq!(table.lookup_blocking(b"a"), value("second")));
    assert_eq!(lines, [""; 0]);
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let ended = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ended);
    let server = Server::start(move |mut stream, _| {
        while netstring(&mut stream).is_some() {
            stream.write_all(&as_netstring("OK x")).unwrap();
        }
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let table = Table::open(&format!("socketmap:inet:{}:x", server.name), &env(), Flags::LOOKUP);
    assert_eq!(table.lookup(b"a").await, value("x"));
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(9)).await;
    tokio::time::resume();
    assert_eq!(table.lookup(b"a").await, value("x"));
    assert_eq!(server.connections(), 1);
    assert_eq!(ended.load(Ordering::SeqCst), 0);
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(11)).await;
    tokio::time::resume();
    let patience = Instant::now();
    while ended.load(Ordering::SeqCst) == 0 {
        assert!(patience.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(table.lookup(b"a").await, value("x"));
    assert_eq!(server.connections(), 2);
}
