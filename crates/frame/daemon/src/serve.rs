//! The life of a process: start, serve, end.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::sync::{Notify, mpsc};

use crate::accept::{Listener, triggers};
use crate::startup::Startup;
use crate::{Clients, Connection, Fatal, OnReload, Service, confine};

/// A service's hold on the process it runs in.
#[derive(Clone, Debug)]
pub struct Control(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    active: Cell<usize>,
    served: Cell<usize>,
    retiring: Cell<bool>,
    changed: Notify,
}

impl Control {
    /// Ends the process when its present clients are done: a lookup table changed, say. Master starts another.
    pub fn retire(&self) {
        self.0.retiring.set(true);
        self.0.changed.notify_one();
    }

    /// How many clients are being served.
    pub fn active(&self) -> usize {
        self.0.active.get()
    }
}

pub(crate) fn live<S: Service>() -> Result<(), Fatal> {
    sys::process::ignore_signal(nix::libc::SIGPIPE);
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    log_panics();
    let startup = Startup::prepare::<S>()?;
    let sockets = if startup.options.stand_alone { Vec::new() } else { Listener::inherit(&startup.options)? };
    let status = status_pipe(&startup);
    let service = Rc::new(S::start(&startup)?);
    let _lock = confine::confine(&startup)?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
    let result = runtime.block_on(turn::<S>(service, startup, sockets, status));
    // Threads that sit in a system call must not hold up the end.
    runtime.shutdown_background();
    result
}

// The status pipe and the two ends of the flow control pipe come from master; without it there are none.
fn status_pipe(startup: &Startup) -> Option<OwnedFd> {
    if startup.options.stand_alone {
        return None;
    }
    sys::descriptor::inherit(ipc::master::STATUS).ok()
}

async fn turn<S: Service>(
    service: Rc<S>,
    startup: Startup,
    sockets: Vec<OwnedFd>,
    status: Option<OwnedFd>,
) -> Result<(), Fatal> {
    let shared = Rc::new(Shared {
        active: Cell::new(0),
        served: Cell::new(0),
        retiring: Cell::new(false),
        changed: Notify::new(),
    });
    let control = Control(shared);
    service.begin(&control).await?;
    if startup.options.stand_alone {
        let (connection, output) = standard_streams()?;
        Rc::clone(&service).serve(connection).await;
        service.end().await;
        // What is written must also arrive: the pipe to its reader may be full.
        let _ended = tokio::task::spawn_blocking(|| output.join()).await;
        return Ok(());
    }
    let master = Master::open(status)?;
    let arrivals = listen(&startup, sockets)?;
    Loop { service: Rc::clone(&service), startup, control, master, arrivals }.run().await;
    service.end().await;
    Ok(())
}

struct Loop<S> {
    service: Rc<S>,
    startup: Startup,
    control: Control,
    master: Master,
    arrivals: Arrivals,
}

impl<S: Service> Loop<S> {
    async fn run(mut self) {
        let max_idle = self.startup.params.max_idle;
        let mut available = true;
        loop {
            let shared = &self.control.0;
            let active = shared.active.get();
            if shared.retiring.get() && active == 0 {
                return;
            }
            let has_room =
                !shared.retiring.get() && self.startup.client_limit.is_none_or(|limit| active < limit);
            if has_room != available {
                available = has_room;
                self.master.report(available).await;
            }
            let idles = !S::PERMANENT && active == 0;
            tokio::select! {
                biased;
                () = self.master.gone(), if !shared.retiring.get() => {
                    if S::ON_RELOAD == OnReload::EndNow {
                        return;
                    }
                    shared.retiring.set(true);
                }
                connection = self.arrivals.next(), if has_room => self.admit(connection),
                () = shared.changed.notified() => {}
                () = tokio::time::sleep(max_idle), if idles => return,
            }
        }
    }

    fn admit(&self, connection: Connection) {
        let service = Rc::clone(&self.service);
        let guard = Guard::new(&self.control.0);
        let shared = &self.control.0;
        shared.served.set(shared.served.get() + 1);
        if S::CLIENTS == Clients::OneByOne && shared.served.get() as i64 >= self.startup.params.max_use {
            shared.retiring.set(true);
        }
        // A panic ends this task only; the guard counts the client out all the same.
        tokio::task::spawn_local(async move {
            let _guard = guard;
            match connection {
                Connection::Unix(socket) if S::CLIENTS == Clients::Triggers => {
                    let requests = triggers(socket).await;
                    if !requests.is_empty() {
                        service.serve(Connection::Triggers(requests)).await;
                    }
                }
                other => service.serve(other).await,
            }
        });
    }
}

struct Guard(Rc<Shared>);

impl Guard {
    fn new(shared: &Rc<Shared>) -> Self {
        shared.active.set(shared.active.get() + 1);
        Self(Rc::clone(shared))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        self.0.changed.notify_one();
    }
}

/// The clients of all sockets in one queue. The queue holds none back: a client that nobody has room for stays with the
/// kernel, where another process can take it.
struct Arrivals {
    queue: mpsc::Receiver<Connection>,
    wanted: Rc<Notify>,
    single: Option<Listener>,
}

fn listen(startup: &Startup, sockets: Vec<OwnedFd>) -> Result<Arrivals, Fatal> {
    let mut listeners = Vec::new();
    for socket in sockets {
        listeners.push(Listener::open(socket, startup.options.transport)?);
    }
    let (sender, queue) = mpsc::channel(1);
    let wanted = Rc::new(Notify::new());
    if listeners.len() == 1 {
        return Ok(Arrivals { queue, wanted, single: listeners.pop() });
    }
    for mut listener in listeners {
        let (sender, wanted) = (sender.clone(), Rc::clone(&wanted));
        tokio::task::spawn_local(async move {
            loop {
                let connection = next(&mut listener).await;
                if sender.send(connection).await.is_err() {
                    return;
                }
                wanted.notified().await;
            }
        });
    }
    Ok(Arrivals { queue, wanted, single: None })
}

impl Arrivals {
    async fn next(&mut self) -> Connection {
        if let Some(listener) = &mut self.single {
            return next(listener).await;
        }
        match self.queue.recv().await {
            Some(connection) => {
                self.wanted.notify_waiters();
                self.wanted.notify_one();
                connection
            }
            None => std::future::pending().await,
        }
    }
}

async fn next(listener: &mut Listener) -> Connection {
    loop {
        match listener.accept().await {
            Ok(connection) => return connection,
            Err(error) => {
                // Out of descriptors or memory: the client waits in the listen queue until others have gone.
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    log::warning!("accept connection: {}", sys::reason(&error));
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

struct Master {
    status: Option<pipe::Sender>,
    generation: u32,
}

impl Master {
    fn open(status: Option<OwnedFd>) -> io::Result<Self> {
        let generation = std::env::var(ipc::master::GENERATION)
            .ok()
            .and_then(|text| u32::from_str_radix(&text, 8).ok())
            .unwrap_or(0);
        let status = status.map(pipe::Sender::from_owned_fd).transpose()?;
        Ok(Self { status, generation })
    }

    async fn report(&self, available: bool) {
        let Some(pipe) = &self.status else { return };
        let status =
            ipc::master::Status { pid: std::process::id() as i32, generation: self.generation, available };
        // A report fits into a pipe in one piece or not at all.
        loop {
            match pipe.try_write(&status.encode()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if pipe.writable().await.is_err() {
                        return;
                    }
                }
                Err(error) => return log::debug!("report to master: {error}"),
                Ok(_) => return,
            }
        }
    }

    // The other end closes when master ends, or when it wants processes of a new generation.
    async fn gone(&self) {
        let Some(pipe) = &self.status else { return std::future::pending().await };
        // The pipe having room says nothing; an error is all that can happen to its reading end.
        let _broken = pipe.ready(Interest::ERROR).await;
    }
}

// A program that is started by hand for one client talks over its standard streams; inside it is a socket like others.
// The thread ends when all output is written.
fn standard_streams() -> Result<(Connection, JoinHandle<()>), Fatal> {
    let (inside, outside) = std::os::unix::net::UnixStream::pair()?;
    let mut to_service = outside.try_clone()?;
    std::thread::spawn(move || {
        let _copied = io::copy(&mut io::stdin().lock(), &mut to_service);
        let _closed = to_service.shutdown(std::net::Shutdown::Write);
    });
    let output = std::thread::spawn(move || {
        let mut outside = outside;
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = outside.read(&mut chunk) {
            let mut out = io::stdout().lock();
            // Whoever reads may wait for a reply that has no line end.
            if out.write_all(chunk.get(..length).unwrap_or_default()).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    inside.set_nonblocking(true)?;
    Ok((Connection::Unix(tokio::net::UnixStream::from_std(inside)?), output))
}

fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log::panic_text!("{panic}")));
}
