use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use conf::MainCf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::startup::FrameParams;
use crate::{Options, Transport};

/// Answers each byte with itself, and `!` with a panic.
struct Echo;

impl Service for Echo {
    const PROGRAM: &'static str = "echo";
    const CLIENTS: Clients = Clients::Many;

    fn start(_startup: &Startup) -> Result<Self, Fatal> {
        Ok(Self)
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Connection::Unix(socket) = connection else { return };
        let mut socket = UnixStream::from_std(socket).unwrap();
        let mut byte = [0];
        while socket.read_exact(&mut byte).await.is_ok() {
            assert_ne!(byte, *b"!");
            socket.write_all(&byte).await.unwrap();
        }
    }
}

/// Answers each byte as [`Echo`] does, and rests in between.
struct Resting(Control);

impl Service for Resting {
    const PROGRAM: &'static str = "resting";
    const CLIENTS: Clients = Clients::OneByOne;

    fn start(_startup: &Startup) -> Result<Self, Fatal> {
        Err(Fatal::new("not from the command line"))
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Connection::Unix(socket) = connection else { return };
        let mut socket = UnixStream::from_std(socket).unwrap();
        // Never full, so that the event loop knows that there is no more.
        let mut requests = [0; 16];
        while let Ok(1) = socket.read(&mut requests).await {
            socket.write_all(&requests[..1]).await.unwrap();
            if self.0.rest(socket.readable()).await.is_none() {
                socket.write_all(b"-").await.unwrap();
                return;
            }
        }
    }
}

struct Running {
    path: PathBuf,
    control: Control,
    ended: tokio::task::JoinHandle<()>,
    _directory: tempfile::TempDir,
}

fn run(client_limit: Option<usize>) -> Running {
    run_service(client_limit, &[], |_| Echo)
}

fn run_service<S: Service>(
    client_limit: Option<usize>,
    settings: &[(&str, &str)],
    service: impl FnOnce(Control) -> S,
) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let mut main = MainCf::empty(directory.path());
    for (name, value) in settings {
        main.set(name, value);
    }
    let params = FrameParams::load(&main).unwrap();
    let options = Options::parse("echo", ["-t", "unix"].iter().map(|&word| word.to_owned())).unwrap();
    let share = Rc::new(Share::new(None, client_limit).unwrap());
    let control = Control(Rc::new(Shared::new(S::CLIENTS, params.max_use, share)));
    let startup = Startup { main, options, params, client_limit, share: None };
    let socket = UnixListener::bind(&path).unwrap();
    let arrivals = Some(Arrivals::listen(Transport::Unix, vec![socket.into()]).unwrap());
    let reporter = Reporter::open(None).unwrap();
    let turn = Loop {
        service: Rc::new(service(control.clone())),
        startup,
        control: control.clone(),
        reporter,
        arrivals,
    }
    .run();
    Running { path, control, ended: tokio::task::spawn_local(turn), _directory: directory }
}

async fn echo(socket: &mut UnixStream, byte: u8) -> Option<u8> {
    socket.write_all(&[byte]).await.ok()?;
    let answer = tokio::time::timeout(Duration::from_millis(300), socket.read_u8()).await;
    answer.ok()?.ok()
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_panic_ends_one_session() {
    block_on(async {
        let running = run(Some(2));
        let mut quiet = UnixStream::connect(&running.path).await.unwrap();
        let mut wild = UnixStream::connect(&running.path).await.unwrap();
        assert_eq!(echo(&mut quiet, b'a').await, Some(b'a'));
        assert_eq!(echo(&mut wild, b'b').await, Some(b'b'));
        assert_eq!(running.control.active(), 2);
        assert_eq!(echo(&mut wild, b'!').await, None);
        assert_eq!(echo(&mut quiet, b'c').await, Some(b'c'));
        // Its place is free again.
        assert_eq!(running.control.active(), 1);
        let mut next = UnixStream::connect(&running.path).await.unwrap();
        assert_eq!(echo(&mut next, b'd').await, Some(b'd'));
    });
}

#[test]
fn clients_beyond_the_limit_wait() {
    block_on(async {
        let running = run(Some(1));
        let mut first = UnixStream::connect(&running.path).await.unwrap();
        let mut second = UnixStream::connect(&running.path).await.unwrap();
        assert_eq!(echo(&mut first, b'a').await, Some(b'a'));
        assert_eq!(echo(&mut second, b'b').await, None);
        drop(first);
        assert_eq!(second.read_u8().await.unwrap(), b'b');
    });
}

#[test]
fn who_retires_serves_its_clients_and_takes_no_more() {
    block_on(async {
        let running = run(None);
        let mut client = UnixStream::connect(&running.path).await.unwrap();
        assert_eq!(echo(&mut client, b'a').await, Some(b'a'));
        running.control.retire();
        assert_eq!(echo(&mut client, b'b').await, Some(b'b'));
        assert!(UnixStream::connect(&running.path).await.is_err());
        drop(client);
        running.ended.await.unwrap();
    });
}

#[test]
fn who_rests_makes_room_for_others() {
    block_on(async {
        let running = run_service(Some(1), &[], Resting);
        let mut first = UnixStream::connect(&running.path).await.unwrap();
        assert_eq!(echo(&mut first, b'a').await, Some(b'a'));
        assert_eq!(echo(&mut first, b'b').await, Some(b'b'));
        tokio::task::yield_now().await;
        assert_eq!(running.control.active(), 0);
        let mut second = UnixStream::connect(&running.path).await.unwrap();
        assert_eq!(echo(&mut second, b'c').await, Some(b'c'));
        // The first was told that its next request, if it sent one, was not taken.
        assert_eq!(first.read_u8().await.unwrap(), b'-');
        assert_eq!(first.read_u8().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(echo(&mut second, b'd').await, Some(b'd'));
    });
}

#[test]
fn who_rests_goes_when_the_process_retires() {
    block_on(async {
        let running = run_service(None, &[], Resting);
        let mut client = UnixStream::connect(&running.path).await.unwrap();
        assert_eq!(echo(&mut client, b'a').await, Some(b'a'));
        running.control.retire();
        assert_eq!(client.read_u8().await.unwrap(), b'-');
        running.ended.await.unwrap();
    });
}

#[test]
fn requests_count_as_uses() {
    block_on(async {
        let running = run_service(Some(1), &[("max_use", "3")], Resting);
        let mut client = UnixStream::connect(&running.path).await.unwrap();
        for byte in *b"abc" {
            assert_eq!(echo(&mut client, byte).await, Some(byte));
        }
        assert_eq!(client.read_u8().await.unwrap(), b'-');
        running.ended.await.unwrap();
    });
}
