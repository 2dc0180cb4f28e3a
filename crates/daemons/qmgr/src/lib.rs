//! qmgr(8), the queue manager: takes mail from `incoming` and `deferred` into `active`, has it delivered, and sees to it
//! that every message ends delivered, returned, or back in `deferred`. `oqmgr` and `nqmgr` are other names for it.
//!
//! # Parts
//!
//! - [`scheduler`]: which message goes where when, without sockets, files or a clock.
//! - [`scan`] finds files, [`active`] takes them up and ends them, [`read`] reads their envelopes, [`resolve`] finds the
//!   routes of their recipients, [`deliver`] talks to delivery agents, [`bounce`] to the services that report.
//! - [`manager`] drives all of them on one event loop: a delivery is a task, and none of them waits for another.
//!
//! # Trust
//!
//! Queue files come from cleanup(8), or from Postfix, and are checked all the same: a damaged one goes to `corrupt`.
//! Routes come from trivial-rewrite(8). Delivery agents may die or talk nonsense: their mail is deferred. Triggers say
//! when to look, never what at.
//!
//! # Promises
//!
//! A message leaves `active` only when each recipient is delivered, is in a notification that is on disk, or is to be
//! tried again. No process but this one moves it. What is in memory can be lost at any time: after a restart everything
//! active is taken up again. Delivery agents get no more mail than the limits for their transport and its destinations
//! allow, and one slow destination or large message does not hold up the others.
//!
//! # Failure
//!
//! A dead destination or transport is left alone for a while. A failing bounce service leaves its message in
//! `deferred`, logs and all. A file operation that fails for no good reason ends the process with a `fatal:` line;
//! master starts another.

mod active;
mod bounce;
mod deliver;
mod flow;
mod manager;
mod moved;
mod params;
mod read;
mod resolve;
mod scan;
pub mod scheduler;

pub use manager::Manager;

/// The program.
pub fn run() -> std::process::ExitCode {
    daemon::run::<Manager>()
}
