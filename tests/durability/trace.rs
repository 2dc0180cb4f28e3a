//! The order of system calls: on disk first, then the word that it is.
//!
//! `strace` follows every process, and writes down a call's beginning and end in the order in which they happened; so a
//! call that ended in an earlier line than another began in came before it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::{Package, System, isolation, scenario};
use regex::Regex;

const CALLS: &str = "trace=openat,link,linkat,rename,renameat,renameat2,fsync,fdatasync,write,writev,pwrite64,pwritev,\
                     sendto,sendmsg,unlink,unlinkat,fchmod,chmod,exit_group";
const SPOOL: &str = "/var/spool/postfix";

/// A system call.
#[derive(Debug)]
struct Call {
    pid: String,
    /// Name and arguments, with the paths of descriptors.
    text: String,
    result: String,
    /// The lines that it began and ended in.
    began: usize,
    ended: usize,
}

struct Trace(Vec<Call>);

impl Trace {
    fn read(path: &str) -> Self {
        let text = String::from_utf8_lossy(&fs::read(path).expect("the trace")).into_owned();
        let mut calls: Vec<Call> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let Some((pid, rest)) = line.split_once(' ') else { continue };
            let rest = rest.trim_start();
            if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
                let begun = calls.iter_mut().rev().find(|call| call.pid == pid && call.ended == usize::MAX);
                if let Some(call) = begun {
                    let (tail, result) = end.rsplit_once(" = ").unwrap_or((end, ""));
                    call.text.push_str(tail);
                    call.result = result.to_owned();
                    call.ended = number;
                }
                continue;
            }
            let unfinished = rest.strip_suffix(" <unfinished ...>");
            let (text, result) = match unfinished {
                Some(text) => (text, ""),
                None => rest.rsplit_once(" = ").unwrap_or((rest, "")),
            };
            let ended = if unfinished.is_some() { usize::MAX } else { number };
            let (pid, text, result) = (pid.to_owned(), text.trim_end().to_owned(), result.to_owned());
            calls.push(Call { pid, text, result, began: number, ended });
        }
        Self(calls)
    }

    /// All calls that match and did what they should.
    fn all(&self, pattern: &str) -> Vec<&Call> {
        let pattern = Regex::new(pattern).expect("a pattern");
        self.0.iter().filter(|call| pattern.is_match(&call.text) && !call.result.starts_with("-1")).collect()
    }

    /// What happened to queue files, for the reader of a failure.
    fn sample(&self) -> String {
        let about = Regex::new("incoming|maildrop|bounce/|fsync|queued as").expect("a pattern");
        let calls = self.0.iter().filter(|call| about.is_match(&call.text));
        calls.map(|call| format!("{} = {}\n", call.text, call.result)).collect()
    }

    /// The first of them, which must be there.
    fn first(&self, pattern: &str) -> &Call {
        self.all(pattern)
            .first()
            .copied()
            .unwrap_or_else(|| panic!("no call like {pattern}; there is\n{}", self.sample()))
    }

    /// The last of them.
    fn last(&self, pattern: &str) -> &Call {
        self.all(pattern)
            .last()
            .copied()
            .unwrap_or_else(|| panic!("no call like {pattern}; there is\n{}", self.sample()))
    }
}

/// The earlier ended before the later began.
fn order(earlier: &Call, later: &Call) {
    assert!(earlier.ended < later.began, "out of order:\n{earlier:?}\n{later:?}");
}

fn queue_file(queue: &str, id: &str) -> String {
    // Perhaps in a subdirectory.
    format!(r"{SPOOL}/{queue}/([0-9A-F]/)*{id}")
}

/// What makes a queue file durable: it is written, it has its name and its mode, and is then synced; gives the sync.
fn committed<'a>(trace: &'a Trace, queue: &str, id: &str) -> &'a Call {
    let name =
        trace.first(&format!(r#"^(link|linkat|rename|renameat|renameat2)\(.*"{queue}/([0-9A-F]/)*{id}""#));
    // A descriptor keeps showing what it was opened as: nothing, if the file had no name.
    let unnamed = Regex::new(r#"^linkat\(\d+<([^>]*)>\(deleted\), """#).expect("a pattern");
    let file = match unnamed.captures(&name.text) {
        Some(found) => regex::escape(&found[1]),
        None => queue_file(queue, id),
    };
    let sync = trace.last(&format!(r"^f(data)?sync\(\d+<{file}>"));
    assert_eq!(sync.result, "0", "{sync:?}");
    order(name, sync);
    for mode in trace.all(&format!(r"^fchmod\(\d+<{file}>, 0700")) {
        order(mode, sync);
    }
    let writes = trace.all(&format!(r"^p?writev?(64)?\(\d+<{file}>"));
    assert!(!writes.is_empty(), "{queue}/{id} is never written");
    for write in writes {
        order(write, sync);
    }
    sync
}

/// Starts the system under strace; the trace is complete after [`finish`].
fn start(system: &mut System) {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "400", "-e", CALLS, "-o", "/tmp/trace", "postfix", "start"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
    let mut child = command.spawn().expect("strace");
    std::thread::spawn(move || child.wait());
    system.wait_for_log("daemon started");
    system.wait_until("a listener", || {
        std::net::TcpStream::connect_timeout(&([127, 0, 0, 1], 25).into(), Duration::from_secs(1)).is_ok()
    });
}

fn finish(system: &mut System) -> Trace {
    system.stop();
    system.wait_until("the end of the trace", || {
        let size = || fs::metadata("/tmp/trace").map_or(0, |data| data.len());
        let before = size();
        std::thread::sleep(Duration::from_millis(300));
        size() == before
    });
    Trace::read("/tmp/trace")
}

fn obstacle() -> Option<&'static str> {
    if !Path::new("/usr/bin/strace").exists() {
        return Some("strace is missing");
    }
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    (!works.is_ok_and(|status| status.success())).then_some("strace is not allowed here")
}

scenario! {
    fn synced_before_250(system) {
        if let Some(why) = obstacle() {
            return isolation::skip_inside(why);
        }
        system.main_cf("defer_transports = smtp\n");
        start(system);
        let small = system.submit("a@example.com", &["b@example.net"], "Subject: small\n\nText.\n");
        let lines = "A line of a message that does not fit into one write.\n".repeat(20_000);
        let large = system.submit("a@example.com", &["b@example.net"], &format!("Subject: large\n\n{lines}"));
        system.settle();
        let trace = finish(system);
        for id in [small, large] {
            let sync = committed(&trace, "incoming", &id);
            order(sync, trace.first(&format!(r#"^(write|writev|sendto|sendmsg)\(.*250 2\.0\.0 Ok: queued as {id}"#)));
        }
    }
}

scenario! {
    fn postdrop_syncs_before_it_says_so(system) {
        if let Some(why) = obstacle() {
            return isolation::skip_inside(why);
        }
        let command = format!("printf 'Subject: x\\n\\nx\\n' | strace -f -y -s 400 -e {CALLS} -o /tmp/trace sendmail alice");
        system.shell(&command).well();
        let trace = Trace::read("/tmp/trace");
        let files = system.queue("maildrop");
        assert_eq!(files.len(), 1, "{files:?}");
        let sync = committed(&trace, "maildrop", &files[0]);
        // postdrop's report to sendmail, and its end.
        order(sync, trace.first(r#"^(write|writev|sendto|sendmsg)\(.*status\\0"#));
        order(sync, trace.0.iter().find(|call| call.pid == sync.pid && call.text.starts_with("exit_group(0")).expect("its end"));
    }
}

scenario! {
    fn pickup_removes_what_cleanup_has(system) {
        if let Some(why) = obstacle() {
            return isolation::skip_inside(why);
        }
        system.main_cf("defer_transports = smtp\n");
        system.sendmail("alice", &["b@example.net"], "Subject: x\n\nx\n").well();
        let file = system.queue("maildrop").remove(0);
        start(system);
        let line = system.wait_for_log(r"pickup\[\d+\]: .*uid=6001");
        let id = line.split(": ").nth(1).expect("an id").to_owned();
        system.settle();
        let trace = finish(system);
        order(committed(&trace, "incoming", &id), trace.first(&format!(r#"^unlink(at)?\(.*maildrop/{file}""#)));
    }
}

scenario! {
    fn failures_are_on_disk_before_the_message_goes(system) {
        if let Some(why) = obstacle() {
            return isolation::skip_inside(why);
        }
        system.main_cf("transport_maps = inline:{ {bounce.test=error:5.1.1 nobody} }\nsmtpd_reject_unlisted_recipient = no\ndefer_transports = smtp\n");
        start(system);
        let id = system.submit("sender@example.net", &["a@bounce.test", "b@bounce.test"], "Subject: x\n\nx\n");
        let line = system.wait_for_log(&format!(r"{id}: sender non-delivery notification: "));
        let report = line.rsplit(' ').next().expect("an id").to_owned();
        system.wait_for_log(&format!(r"qmgr.*{id}: removed"));
        system.settle();
        let trace = finish(system);
        let log = queue_file("bounce", &id);
        let removed = trace.first(&format!(r#"^unlink(at)?\(.*"bounce/{id}""#).replace("bounce/", "bounce/([0-9A-F]/)*"));
        // Each recipient is recorded and synced before it is marked as done in the message.
        let marks = trace.all(&format!(r#"^p?write(64)?\(\d+<{}>, "D""#, queue_file("active", &id)));
        let syncs = trace.all(&format!(r"^f(data)?sync\(\d+<{log}>"));
        assert!(!syncs.is_empty(), "the log is never synced");
        for mark in &marks {
            order(syncs[0], mark);
        }
        // The report is on disk before the log goes, and the log goes before the message.
        order(committed(&trace, "incoming", &report), removed);
        let gone = trace.first(&format!(r#"^unlink(at)?\(.*"active/([0-9A-F]/)*{id}""#));
        order(removed, gone);
        for mark in &marks {
            order(mark, gone);
        }
    }
}

scenario! {
    fn a_maildir_is_synced_before_the_message_goes(system) {
        if let Some(why) = obstacle() {
            return isolation::skip_inside(why);
        }
        system.main_cf("home_mailbox = Maildir/\n");
        start(system);
        let id = system.submit("sender@example.net", &["alice@example.com"], "Subject: x\n\nx\n");
        system.wait_for_log(&format!(r"qmgr.*{id}: removed"));
        let trace = finish(system);
        let sync = trace.first(r"^f(data)?sync\(\d+</home/alice/Maildir/tmp/");
        let name = trace.first(r#"^(link|linkat|rename|renameat|renameat2)\(.*Maildir/new/"#);
        let gone = trace.first(&format!(r#"^unlink(at)?\(.*"active/([0-9A-F]/)*{id}""#));
        order(sync, name);
        order(name, gone);
        if system.package() == Package::Ours {
            // The reference leaves the name to the file system.
            let directory = trace.first(r"^f(data)?sync\(\d+</home/alice/Maildir/new>");
            order(name, directory);
            order(directory, gone);
        }
    }
}
