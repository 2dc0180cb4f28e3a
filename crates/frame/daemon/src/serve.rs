//! The life of a process: start, serve, end.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use sys::watchdog::Watchdog;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::accept::{Accepted, Listener, passed, triggers};
use crate::arrivals::{Arrival, Arrivals};
use crate::report::Reporter;
use crate::share::{Admission, Insist, Place, Share};
use crate::startup::Startup;
use crate::{Clients, Connection, Fatal, OnReload, Service, confine};

/// With so many clients a process says that it is busy, so that master starts another where there is a core for it.
const BUSY: usize = 4;

/// With so few it says that it is not.
const EASY: usize = 1;

/// How often a process looks whether its siblings have left room for a client.
const FULL_PAUSE: Duration = Duration::from_millis(50);

/// How often at most master hears that there is no room for more clients.
const FULL_NEWS: Duration = Duration::from_secs(10);

/// A service's hold on the process it runs in.
#[derive(Clone, Debug)]
pub struct Control(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    clients: Clients,
    active: Cell<usize>,
    /// Clients between two requests; see [`Control::rest`].
    resting: Cell<usize>,
    /// How many more clients may come.
    uses_left: Cell<i64>,
    served: Cell<bool>,
    retiring: Cell<bool>,
    changed: Notify,
    /// Clients that rest are to leave.
    leave: Notify,
    share: Rc<Share>,
}

impl Control {
    /// Ends the process when its present clients are done: a lookup table changed, say. Master starts another.
    pub fn retire(&self) {
        self.0.retire();
    }

    /// Whether the process ends when its present clients are done.
    pub fn is_retiring(&self) -> bool {
        self.0.retiring.get()
    }

    /// For a client that may have another request on the same connection: waits for it without taking a place, so that
    /// others can be served meanwhile. `None`: the client must go, since the process retires or its place is taken.
    pub async fn rest<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        let resting = Resting::begin(&self.0);
        let leave = self.0.leave.notified();
        if self.0.retiring.get() {
            return None;
        }
        tokio::select! {
            biased;
            () = leave => None,
            found = request => resting.end().then_some(found),
        }
    }

    /// How many clients are being served.
    pub fn active(&self) -> usize {
        self.0.active.get()
    }

    /// Whether the service had as many clients as it may have, now or up to 1000 s ago: time to be brief.
    pub fn is_stressed(&self) -> bool {
        self.0.share.is_stressed()
    }
}

pub(crate) fn live<S: Service>() -> Result<(), Fatal> {
    sys::process::ignore_signal(nix::libc::SIGPIPE);
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    log_panics();
    let startup = Startup::prepare::<S>()?;
    let sockets = if startup.options.stand_alone { Vec::new() } else { Listener::inherit(&startup.options)? };
    let status = status_pipe(&startup);
    let share = Rc::new(Share::new(startup.share, startup.client_limit)?);
    if S::CLIENTS == Clients::Many {
        open_many_files();
    }
    let service = Rc::new(S::start(&startup)?);
    let _lock = confine::confine(&startup)?;

    let watchdog = Watchdog::start(service.watchdog(&startup), || log::fatal!("watchdog timeout"))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
    // As a task like others: what the runtime waits for itself costs a look at the sockets whenever a client wakes it.
    let turn = async {
        tokio::task::spawn_local(turn::<S>(service, startup, sockets, status, share, watchdog)).await
    };
    let result =
        runtime.block_on(turn).unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
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
    share: Rc<Share>,
    watchdog: Watchdog,
) -> Result<(), Fatal> {
    let pause = service.watchdog(&startup) / 6;
    tokio::task::spawn_local(async move {
        loop {
            watchdog.pat();
            tokio::time::sleep(pause).await;
        }
    });
    let control = Control(Rc::new(Shared::new(S::CLIENTS, startup.params.max_use, share)));
    service.begin(&control).await?;
    if startup.options.stand_alone {
        let (connection, output) = standard_streams()?;
        Rc::clone(&service).serve(connection).await;
        service.end().await;
        // What is written must also arrive: the pipe to its reader may be full.
        let _ended = tokio::task::spawn_blocking(|| output.join()).await;
        return Ok(());
    }
    let reporter = Reporter::open(status)?;
    let arrivals = Some(Arrivals::listen(startup.options.transport, sockets)?);
    Loop { service: Rc::clone(&service), startup, control, reporter, arrivals }.run().await;
    service.end().await;
    Ok(())
}

impl Shared {
    fn new(clients: Clients, max_use: i64, share: Rc<Share>) -> Self {
        Self {
            clients,
            active: Cell::new(0),
            resting: Cell::new(0),
            uses_left: Cell::new(max_use),
            served: Cell::new(false),
            retiring: Cell::new(false),
            changed: Notify::new(),
            leave: Notify::new(),
            share,
        }
    }

    fn retire(&self) {
        self.retiring.set(true);
        self.leave.notify_waiters();
        self.changed.notify_one();
    }

    /// Counts a client, or one's further request. A process that takes its clients one by one does so `max_use` times.
    fn count_use(&self) {
        self.uses_left.set(self.uses_left.get() - 1);
        if self.clients == Clients::OneByOne && self.uses_left.get() <= 0 {
            self.retiring.set(true);
        }
    }
}

/// A client between two requests. It comes back to be counted out like others, at the latest when this is dropped.
struct Resting<'a> {
    shared: &'a Shared,
    is_back: bool,
}

impl<'a> Resting<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.active.set(shared.active.get() - 1);
        shared.resting.set(shared.resting.get() + 1);
        shared.share.leave();
        shared.served.set(true);
        shared.changed.notify_one();
        Self { shared, is_back: false }
    }

    /// Whether there is a place for the next request.
    fn end(mut self) -> bool {
        let shared = self.shared;
        let is_taken = shared.clients == Clients::OneByOne && shared.active.get() > 0;
        if shared.retiring.get() || is_taken || shared.share.enter(Insist::Yes) != Admission::Granted {
            return false;
        }
        self.is_back = true;
        shared.count_use();
        true
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        if !self.is_back {
            self.shared.share.come_back();
        }
        self.shared.resting.set(self.shared.resting.get() - 1);
        self.shared.active.set(self.shared.active.get() + 1);
    }
}

struct Loop<S> {
    service: Rc<S>,
    startup: Startup,
    control: Control,
    reporter: Reporter,
    /// Nothing once the process takes no more clients: who closes a port closes it.
    arrivals: Option<Arrivals>,
}

impl<S: Service> Loop<S> {
    async fn run(mut self) {
        let max_idle = self.startup.params.max_idle;
        let shared = Rc::clone(&self.control.0);
        let mut available = true;
        let mut told_of_use = false;
        let mut next_full_news = Instant::now();
        let mut idle_until = Instant::now() + max_idle;
        let mut pause = None;
        shared.share.accept();
        loop {
            let (active, resting) = (shared.active.get(), shared.resting.get());
            let retiring = shared.retiring.get();
            if retiring {
                shared.share.retire();
                self.arrivals = None;
                if active + resting == 0 {
                    return;
                }
            }
            if active + resting > 0 {
                idle_until = Instant::now() + max_idle;
            }
            let now_available = !retiring && !self.is_busy(active, resting, available);
            let first_use = shared.served.get() && !told_of_use;
            let is_news = self.notes_stress() && next_full_news <= Instant::now();
            if is_news {
                next_full_news = Instant::now() + FULL_NEWS;
            }
            if now_available != available || first_use || is_news {
                // That a first client was served shows that the program is not broken.
                told_of_use |= first_use;
                if first_use && !now_available {
                    self.reporter.report(true).await;
                }
                available = now_available;
                self.reporter.report(available).await;
            }
            // With siblings there may be less room than that.
            let has_room = self.startup.client_limit.is_none_or(|limit| active < limit);
            tokio::select! {
                biased;
                () = self.reporter.master_gone(), if !retiring => {
                    if S::ON_RELOAD == OnReload::EndNow {
                        return;
                    }
                    shared.retire();
                }
                arrival = next(&mut self.arrivals, &shared.share), if has_room && pause.is_none() => {
                    match arrival {
                        Arrival::Client(accepted, place) => self.admit(accepted, place),
                        Arrival::Full => pause = Some(FULL_PAUSE),
                        Arrival::Broken(wait) => pause = Some(wait),
                    }
                }
                () = shared.changed.notified() => pause = None,
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => pause = None,
                () = tokio::time::sleep_until(idle_until), if !S::PERMANENT && active + resting == 0 => return,
            }
        }
    }

    // Between the two marks nothing changes, so that master does not hear of every client; nor does it hear of a client
    // that rests, whose next request is likely and who leaves when another comes.
    fn is_busy(&self, active: usize, resting: usize, was_available: bool) -> bool {
        match S::CLIENTS {
            Clients::OneByOne => active + resting > 0,
            Clients::Triggers => false,
            Clients::Many if was_available => active >= BUSY,
            Clients::Many => active > EASY,
        }
    }

    // Whether the service has as many clients as it may have, and is of the kind that suffers from that.
    fn notes_stress(&self) -> bool {
        let share = &self.control.0.share;
        let is_full = self.startup.can_be_stressed() && share.is_full();
        if is_full {
            share.note_stress();
        }
        is_full
    }

    fn admit(&self, accepted: Accepted, place: Place) {
        let service = Rc::clone(&self.service);
        let guard = Guard::new(&self.control.0, place);
        let shared = &self.control.0;
        shared.count_use();
        if S::CLIENTS == Clients::OneByOne {
            shared.leave.notify_waiters();
        }
        // A panic ends this task only; the guard counts the client out all the same.
        tokio::task::spawn_local(async move {
            let _guard = guard;
            match accepted {
                Accepted::Client(Connection::Unix(socket)) if S::CLIENTS == Clients::Triggers => {
                    let requests = triggers(socket).await;
                    if !requests.is_empty() {
                        service.serve(Connection::Triggers(requests)).await;
                    }
                }
                Accepted::Client(connection) => service.serve(connection).await,
                Accepted::Carrier(carrier) => match passed(carrier).await {
                    Ok(connection) => service.serve(connection).await,
                    Err(error) => log::warning!("cannot receive file descriptor: {}", sys::reason(&error)),
                },
            }
        });
    }
}

async fn next(arrivals: &mut Option<Arrivals>, share: &Rc<Share>) -> Arrival {
    match arrivals {
        Some(arrivals) => arrivals.next(share).await,
        None => std::future::pending().await,
    }
}

struct Guard {
    shared: Rc<Shared>,
    _place: Place,
}

impl Guard {
    fn new(shared: &Rc<Shared>, place: Place) -> Self {
        shared.active.set(shared.active.get() + 1);
        Self { shared: Rc::clone(shared), _place: place }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.active.set(self.shared.active.get() - 1);
        if !std::thread::panicking() {
            self.shared.served.set(true);
        }
        self.shared.changed.notify_one();
    }
}

// A client is a descriptor, often two; the limit that programs start with is made for programs with few.
fn open_many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        log::debug!("setrlimit: {error}");
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
    Ok((Connection::Unix(inside), output))
}

fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log::panic_text!("{panic}")));
}

#[cfg(test)]
mod tests;
