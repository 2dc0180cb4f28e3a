//! The mail system's processes, as `/proc` shows them.

use std::fs;
use std::path::Path;

use harness::System;

/// A process of the mail system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: u32,
    /// Its program's name.
    pub(crate) name: String,
}

/// Every daemon that runs, master included.
pub(crate) fn daemons() -> Vec<Process> {
    let mut found: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let program = fs::read_link(entry.path().join("exe")).ok()?;
            let inside = program.parent().is_some_and(|parent| parent.ends_with("lib/postfix/sbin"));
            let name = program.file_name()?.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
            (inside && !is_zombie(pid)).then_some(Process { pid, name })
        })
        .collect();
    found.sort();
    found
}

/// The process of this name, if there is one.
pub(crate) fn daemon(name: &str) -> Option<u32> {
    daemons().into_iter().find(|process| process.name == name).map(|process| process.pid)
}

/// Sends a signal (`KILL`, `STOP`…). That there is no such process any more is nothing.
pub(crate) fn signal(system: &System, signal: &str, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    system.shell(&format!("kill -{signal} {} 2>/dev/null", pids.join(" ")));
}

fn is_zombie(pid: u32) -> bool {
    let status =
        fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}
