//! One run, within the namespaces: lays out the mail system, loads it, tells what it took.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cgroup::Group;
use crate::idle;
use crate::load::{self, Sink};
use crate::mailsystem::{MAILBOXES, MailSystem, OWNER, files, spool, wait};
use crate::outcome::Outcome;
use crate::tables;
use crate::workload::{self, Kind};

/// How long the receiver may see nothing new.
const PATIENCE: Duration = Duration::from_secs(20);

/// `inside GROUP WORKLOAD COUNT`.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let [group, name, count] = arguments else { return Err("inside: GROUP WORKLOAD COUNT".to_owned()) };
    let count: u64 = count.parse().map_err(|error| format!("{count}: {error}"))?;
    let workload = workload::ALL.iter().find(|workload| workload.name == name).ok_or("no such workload")?;
    let settings = match workload.kind {
        Kind::Idle => format!("default_process_limit = {}\n", count + 50),
        _ => String::new(),
    };
    let system = MailSystem::lay_out(Group::at(group), &settings)?;
    let result = measure(&system, name, workload.kind, count);
    let (lines, strange, kept) = system.log.summary();
    println!("log {lines} {strange}");
    for line in kept {
        println!("strange {line}");
    }
    match result {
        Ok(outcomes) => outcomes.iter().for_each(|outcome| println!("{}", outcome.encode())),
        Err(why) => println!("failed {}", why.replace('\n', "; ")),
    }
    Ok(())
}

fn measure(system: &MailSystem, name: &str, kind: Kind, count: u64) -> Result<Vec<Outcome>, String> {
    if !matches!(kind, Kind::Queue | Kind::Tables) {
        system.start()?;
    }
    let outcome = match kind {
        Kind::Relay { sessions, size } => {
            let sink = Sink::start()?;
            let send = |count| load::send(sessions, count, size, &["user@example.org"]).map(|()| 0.0);
            flow(system, count, sessions + 10, &|| sink.count(), &send)
        }
        Kind::Virtual => {
            let boxes = boxes(|user| format!("/var/mail/vhosts/user{user}/new"));
            let send = |count| send_to_boxes(count, "virtual.example.com");
            flow(system, count, 40, &|| delivered(&boxes), &send)
        }
        Kind::Local => {
            let boxes = boxes(|user| format!("/var/mail/user{user}/Maildir/new"));
            let send = |count| send_to_boxes(count, "mail.example.com");
            flow(system, count, 40, &|| delivered(&boxes), &send)
        }
        Kind::Submit { parallel } => {
            let sink = Sink::start()?;
            fs::write("/tmp/message", message()).map_err(|error| error.to_string())?;
            let send = |count| submit(system, count, parallel);
            flow(system, count, 20, &|| sink.count(), &send)
        }
        Kind::Idle => idle::measure(system, count),
        Kind::Queue => return queue(system, count),
        Kind::Tables => return tables::measure(system, count),
    }?;
    Ok(vec![Outcome { row: name.to_owned(), ..outcome }])
}

/// Sends, waits until all has arrived and the mail system is done with it. What `send` gives is processor time in the
/// cgroup that was not the mail system's.
fn flow(
    system: &MailSystem,
    count: u64,
    warm_up: u64,
    arrived: &dyn Fn() -> u64,
    send: &dyn Fn(u64) -> Result<f64, String>,
) -> Result<Outcome, String> {
    // So that processes are there, as in a server that has been running.
    send(warm_up)?;
    arrival(arrived, warm_up)?;
    system.drain()?;
    system.quiet()?;
    let cpu = system.cpu()?;
    let began = Instant::now();
    let foreign = send(count)?;
    arrival(arrived, warm_up + count)?;
    let wall = began.elapsed().as_secs_f64();
    system.drain()?;
    system.quiet()?;
    let cpu = system.cpu()? - cpu - foreign;
    let total = arrived();
    if total != warm_up + count {
        return Err(format!("{total} arrived, {} were sent", warm_up + count));
    }
    Ok(Outcome { count, cpu, wall, ..Outcome::default() })
}

fn arrival(arrived: &dyn Fn() -> u64, expected: u64) -> Result<(), String> {
    let mut last = arrived();
    while last < expected {
        let seen = last;
        wait(PATIENCE, || {
            last = arrived();
            last > seen
        })
        .ok_or_else(|| format!("{last} arrived of {expected}, and no more for {} s", PATIENCE.as_secs()))?;
    }
    Ok(())
}

fn boxes(path: impl Fn(u32) -> String) -> Vec<String> {
    (0..MAILBOXES).map(path).collect()
}

fn delivered(boxes: &[String]) -> u64 {
    boxes.iter().map(|path| files(path)).sum()
}

fn send_to_boxes(count: u64, domain: &str) -> Result<f64, String> {
    let recipients: Vec<_> = (0..MAILBOXES).map(|user| format!("user{user}@{domain}")).collect();
    let recipients: Vec<_> = recipients.iter().map(String::as_str).collect();
    load::send(20, count, 4096, &recipients).map(|()| 0.0)
}

fn message() -> String {
    let mut text = "From: sender@example.net\nTo: receiver@example.org\nSubject: a report\n\n".to_owned();
    for _ in 0..58 {
        text.push_str(&"X".repeat(70));
        text.push('\n');
    }
    text
}

fn submit(system: &MailSystem, count: u64, parallel: u64) -> Result<f64, String> {
    let output =
        system.output(&["/bench", "submit", &count.to_string(), &parallel.to_string(), "/tmp/message"])?;
    let micros: f64 =
        String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|error| format!("submit: {error}"))?;
    Ok(micros / 1e6)
}

/// Lists with the mail system running, requeues and deletes with it stopped: otherwise `pickup` would begin with what
/// has been requeued.
fn queue(system: &MailSystem, count: u64) -> Result<Vec<Outcome>, String> {
    generate(count)?;
    system.start()?;
    std::thread::sleep(Duration::from_millis(500));
    system.quiet()?;
    let list = timed(system, "list", count, || list(system, count))?;
    system.stop()?;
    let requeue = timed(system, "requeue", count, || {
        system.output(&["/usr/sbin/postsuper", "-r", "ALL"])?;
        expect("requeued", files(&spool("maildrop")), count)
    })?;
    expect("still deferred", files(&spool("deferred")), 0)?;
    for queue in ["maildrop", "defer"] {
        clear(&spool(queue))?;
    }
    generate(count)?;
    let delete =
        timed(system, "delete", count, || system.output(&["/usr/sbin/postsuper", "-d", "ALL"]).map(drop))?;
    expect("not deleted", files(&spool("deferred")), 0)?;
    expect("logs not deleted", files(&spool("defer")), 0)?;
    Ok(vec![list, requeue, delete])
}

/// Measures work of commands that are the mail system's.
pub(crate) fn timed(
    system: &MailSystem,
    row: &str,
    count: u64,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<Outcome, String> {
    let cpu = system.cpu()?;
    let began = Instant::now();
    work()?;
    let wall = began.elapsed().as_secs_f64();
    Ok(Outcome { row: row.to_owned(), count, cpu: system.cpu()? - cpu, wall, ..Outcome::default() })
}

fn generate(count: u64) -> Result<(), String> {
    let status = Command::new("/bench")
        .args(["spool", &spool(""), &count.to_string()])
        .uid(OWNER)
        .gid(OWNER)
        .status()
        .map_err(|error| error.to_string())?;
    if !status.success() {
        return Err("the deferred messages could not be made".to_owned());
    }
    // What the disk still has to do must not fall into the measurement.
    nix::unistd::sync();
    Ok(())
}

fn list(system: &MailSystem, count: u64) -> Result<(), String> {
    let mut child = system
        .command(&["/usr/sbin/postqueue", "-p"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut tail = Vec::new();
    let mut buffer = vec![0; 65536];
    if let Some(mut output) = child.stdout.take() {
        while let Ok(length @ 1..) = output.read(&mut buffer) {
            tail.extend_from_slice(buffer.get(..length).unwrap_or_default());
            tail.drain(..tail.len().saturating_sub(200));
        }
    }
    child.wait().map_err(|error| error.to_string())?;
    let tail = String::from_utf8_lossy(&tail);
    let last = tail.trim_end().lines().last().unwrap_or_default();
    if !last.contains(&format!("in {count} Requests.")) {
        return Err(format!("postqueue -p ends with: {last}"));
    }
    Ok(())
}

fn expect(what: &str, found: u64, expected: u64) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found}, expected {expected}")) }
}

fn clear(directory: &str) -> Result<(), String> {
    for entry in fs::read_dir(directory).map_err(|error| error.to_string())?.flatten() {
        let path = entry.path();
        let done = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        done.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
