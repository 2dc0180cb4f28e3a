//! What every program run by master(8) shares: start-up, confinement, accepting clients, status reports, ending.
//!
//! A program implements [`Service`] and calls [`run`] from `main`. The frame then does, in this order: reads the command
//! line and main.cf, starts logging, lets the service read its parameters and open its tables ([`Service::start`]),
//! changes to the queue directory, takes the lock of a service that may run only once, confines itself (chroot, groups,
//! group, user), starts the event loop and serves clients until master goes away, the configuration is out of date, or
//! nobody came for `max_idle`.
//!
//! Trust: master's descriptors and arguments. Promises: the processes of a service, with those that finish what a reload
//! interrupted, never handle more clients at once than `maxproc`, and share them out evenly; a panic ends one client's session, is logged as `panic: ` and leaves the others alone; a failed start is a
//! `fatal: ` line, a short pause and exit status 1, which master turns into throttling. A reload drops no session: the
//! process stops accepting and ends with its last client. A process whose event loop hangs for `daemon_timeout` is ended.

mod accept;
mod arrivals;
mod confine;
mod connection;
mod options;
mod report;
mod serve;
mod share;
mod startup;

use std::future::Future;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

pub use connection::Connection;
pub use options::{Options, Transport};
pub use serve::Control;
pub use startup::{FrameParams, Startup};

/// A program that master runs.
pub trait Service: Sized + 'static {
    /// The program's name in the log, such as `smtpd`.
    const PROGRAM: &'static str;

    /// How clients are served.
    const CLIENTS: Clients;

    /// What becomes of sessions when master wants the process to end.
    const ON_RELOAD: OnReload = OnReload::FinishSessions;

    /// Whether the process may run more than `max_idle` without a client.
    const PERMANENT: bool = false;

    /// Reads parameters and opens tables, while the process still has its original privileges and directory tree.
    fn start(startup: &Startup) -> Result<Self, Fatal>;

    /// Runs once when the process is confined and the event loop turns, before the first client.
    fn begin(self: &Rc<Self>, _control: &Control) -> impl Future<Output = Result<(), Fatal>> {
        std::future::ready(Ok(()))
    }

    /// Serves one client, or one batch of triggers; the connection closes when it is dropped.
    fn serve(self: Rc<Self>, connection: Connection) -> impl Future<Output = ()>;

    /// How long the event loop may hang before the process is ended.
    fn watchdog(&self, startup: &Startup) -> Duration {
        startup.params.daemon_timeout
    }

    /// Runs once before the process ends in good order.
    fn end(self: &Rc<Self>) -> impl Future<Output = ()> {
        std::future::ready(())
    }
}

/// How a program serves its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Many at once, in one process.
    Many,
    /// One at a time, `max_use` in all: the program takes its users' identities, which belong to the process.
    OneByOne,
    /// Clients are triggers: they send a few bytes and want no answer.
    Triggers,
}

/// What becomes of the sessions of a process whose configuration is out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReload {
    /// The process ends when they do.
    FinishSessions,
    /// The process ends at once; its clients know how to go on.
    EndNow,
}

/// A reason to end the program, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(String);

impl Fatal {
    /// With the text that follows `fatal: `.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<conf::Error> for Fatal {
    fn from(error: conf::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Fatal {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// The whole life of a program that master runs.
pub fn run<S: Service>() -> ExitCode {
    match serve::live::<S>() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => {
            log::fatal!("{fatal}");
            // Master throttles a service whose processes fail; the pause keeps even the first attempts slow.
            std::thread::sleep(std::time::Duration::from_secs(1));
            ExitCode::FAILURE
        }
    }
}
