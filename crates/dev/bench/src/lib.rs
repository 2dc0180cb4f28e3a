//! Compares Ferrofix with Debian's Postfix: processor time, rate and memory, in one interleaved run.
//!
//! `scripts/bench` builds and unpacks what is needed and starts this program. For every round and every workload it
//! runs the reference and then Ferrofix, each time with a fresh spool and with the same configuration, in mount,
//! network and process namespaces of its own ([`enter`]). Inside, `smtp-source` and `smtp-sink` of Debian's package
//! make the load. The mail system, and nothing else, is in a cgroup, whose processor time is what counts ([`cgroup`]):
//! so children that have ended are in it and load generators are not.
//!
//! What it trusts: the clocks, and the receivers, which count. A run in which the wrong number of messages arrives,
//! or connections are lost, or the time is over, has failed: it is reported and not averaged.
//!
//! What it promises: every run has an empty file system of its own ([`disk`]) on the disk that holds the workspace; ratios are of medians, with the least
//! and greatest ratio of any round behind; processes end with it, whatever ends it.
//!
//! The program runs itself in other roles: `inside` (one run, within the namespaces), `charge` (moves into the cgroup,
//! then becomes a command), `submit` (calls `sendmail` again and again) and `spool` (writes deferred messages).

pub mod cgroup;
mod disk;
pub mod enter;
mod idle;
mod inside;
mod load;
mod mailsystem;
mod memory;
mod options;
mod outcome;
mod report;
mod run;
mod spool;
mod submit;
mod syslog;
mod tables;
mod workload;

use std::process::ExitCode;

/// The whole program.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let role = arguments.first().map(String::as_str).unwrap_or_default();
    let rest = arguments.get(1..).unwrap_or_default();
    let result = match role {
        "inside" => inside::run(rest),
        "charge" => cgroup::charge(rest),
        "submit" => submit::run(rest),
        "spool" => spool::run(rest),
        _ => run::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}
