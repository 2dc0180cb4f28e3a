//! Signals: a repair that is cut short says so.

use std::sync::Arc;

use command::{Fatal, fatal};
use nix::sys::signal::{SigSet, Signal};

use crate::counters::Counters;

/// Handles the signals of an impatient user on a thread of their own, so that the handler may do what it likes.
pub(crate) fn watch(counters: Arc<Counters>) -> Result<(), Fatal> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGQUIT);
    let ignored = ignored_signals();
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        // Who started us with nohup wants us to go on.
        if ignored & (1 << (signal as i32 - 1)) == 0 {
            signals.add(signal);
        }
    }
    signals.thread_block().map_err(|why| fatal!("sigprocmask: {}", why.desc()))?;
    let waiter = std::thread::Builder::new().name("signals".into()).spawn(move || {
        if let Ok(signal) = signals.wait() {
            counters.warn_if_incomplete();
            std::process::exit(signal as i32);
        }
    });
    waiter.map(drop).map_err(|why| fatal!("create thread: {}", queue::reason(&why)))
}

/// The mask of signals that our parent left ignored.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
