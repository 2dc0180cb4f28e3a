//! The order of system calls that makes a message durable, watched by strace.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ferrofix_queue::{Commit, Layout, QueueName, RecordType, Spool};

const CHILD: &str = "QUEUE_DURABILITY_SPOOL";
const CALLS: &str = "trace=linkat,link,fsync,fdatasync,pwrite64,write,fchmod,rename,renameat2,unlink,openat";

/// Not a test by itself: what the traced process does.
#[test]
fn traced_process() {
    let Some(root) = std::env::var_os(CHILD) else { return };
    let spool = Spool::at(PathBuf::from(root), &Layout::default());
    // The first message of a process finds out what the file system can do; the second is the usual one.
    for text in ["first", "second"] {
        let mut draft = spool.create(QueueName::Incoming).unwrap();
        draft.record(RecordType::Norm, text.as_bytes()).unwrap();
        draft.record(RecordType::End, b"").unwrap();
        draft.commit(Commit::to(QueueName::Incoming)).unwrap();
    }
}

#[test]
fn a_message_costs_open_write_link_and_sync_in_this_order() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("incoming")).unwrap();
    let trace = root.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-e", CALLS, "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "traced_process", "--test-threads=1"])
        .env(CHILD, root.path())
        .stdout(std::process::Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        println!("skipped: strace cannot be run here");
        return;
    }
    let trace = fs::read_to_string(&trace).unwrap();
    let end_of_first = trace.find("fsync(").expect("the first message's sync");
    let second = &trace[end_of_first + 1..];
    let calls: Vec<&str> = second
        .lines()
        .skip(1)
        .filter(|line| line.contains("incoming") || line.contains("fsync(") || line.contains("pwrite64("))
        .filter_map(|line| line.split_whitespace().nth(1)?.split('(').next())
        .collect();
    if !second.contains("O_TMPFILE") {
        println!("skipped: no unnamed files on this file system");
        return;
    }
    assert_eq!(calls, ["openat", "pwrite64", "linkat", "fsync"], "{trace}");
}
