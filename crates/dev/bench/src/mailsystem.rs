//! The mail system of a run, seen from inside its namespaces.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, chown};

use crate::cgroup::Group;
use crate::syslog::Syslog;

/// master.cf as installed, the same for both systems.
const MASTER_CF: &str = include_str!("../../../../conf/master.cf");
const MAIN_CF: &str = include_str!("main.cf");
const SPOOL: &str = "/var/spool/postfix";
/// The owner of the queue.
pub(crate) const OWNER: u32 = 5101;
const POSTDROP: u32 = 5102;
/// The owner of mailboxes.
pub(crate) const USERS: u32 = 6000;
/// How many of them there are.
pub(crate) const MAILBOXES: u32 = 4;

/// In the environment: the log is to be kept.
pub(crate) const KEEP_LOG: &str = "FERROFIX_BENCH_LOG";

/// One mail system, laid out.
#[derive(Debug)]
pub(crate) struct MailSystem {
    group: Group,
    pub(crate) log: Syslog,
}

impl MailSystem {
    /// Accounts, configuration, directories. The settings are added to main.cf.
    pub(crate) fn lay_out(group: Group, settings: &str) -> Result<Self, String> {
        accounts()?;
        write("/etc/hosts", "127.0.0.1 localhost\n")?;
        write("/etc/resolv.conf", "nameserver 127.0.0.1\n")?;
        write("/etc/aliases", "postmaster: root\nroot: user0\n")?;
        write("/etc/postfix/main.cf", &format!("{MAIN_CF}{settings}"))?;
        write("/etc/postfix/master.cf", MASTER_CF)?;
        let mut boxes = String::new();
        for number in 0..MAILBOXES {
            boxes.push_str(&format!("user{number}@virtual.example.com user{number}/\n"));
        }
        write("/etc/postfix/vmailbox", &boxes)?;
        for queue in [
            "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
            "saved", "trace",
        ] {
            directory(&format!("{SPOOL}/{queue}"), 0o700, OWNER, 0)?;
        }
        directory(&format!("{SPOOL}/maildrop"), 0o730, OWNER, POSTDROP)?;
        directory(&format!("{SPOOL}/public"), 0o710, OWNER, POSTDROP)?;
        directory(&format!("{SPOOL}/pid"), 0o755, 0, 0)?;
        directory("/var/lib/postfix", 0o700, OWNER, OWNER)?;
        directory("/var/mail", 0o755, 0, 0)?;
        directory("/var/mail/vhosts", 0o755, USERS, USERS)?;
        // What Debian's start script copies for services in a chroot.
        directory(&format!("{SPOOL}/etc"), 0o755, 0, 0)?;
        for name in ["hosts", "resolv.conf", "nsswitch.conf", "services"] {
            if let Ok(text) = fs::read(format!("/etc/{name}")) {
                fs::write(format!("{SPOOL}/etc/{name}"), text).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        let copy = std::env::var_os(KEEP_LOG).is_some();
        let log = Syslog::listen("/dev/log", copy.then_some("/var/log/mail.log"))
            .map_err(|error| format!("/dev/log: {error}"))?;
        let system = Self { group, log };
        system.succeed(&["/usr/sbin/postalias", "/etc/aliases"])?;
        system.succeed(&["/usr/sbin/postmap", "/etc/postfix/vmailbox"])?;
        Ok(system)
    }

    /// Starts it; it is ready then.
    pub(crate) fn start(&self) -> Result<(), String> {
        self.succeed(&["/usr/lib/postfix/sbin/master", "-w"])
    }

    /// Stops it, and waits until it is gone.
    pub(crate) fn stop(&self) -> Result<(), String> {
        let text =
            fs::read_to_string(format!("{SPOOL}/pid/master.pid")).map_err(|error| error.to_string())?;
        let pid = text.trim().parse().map_err(|error| format!("master.pid: {error}"))?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|error| format!("stop: {error}"))?;
        wait(Duration::from_secs(20), || self.members().is_empty()).ok_or("does not stop")?;
        Ok(())
    }

    /// A command whose processor time counts as the mail system's.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("/bench");
        command.arg("charge").arg(self.group.directory()).args(words);
        command
    }

    /// Runs such a command.
    pub(crate) fn output(&self, words: &[&str]) -> Result<Output, String> {
        let name = words.first().copied().unwrap_or_default();
        let output = self.command(words).output().map_err(|error| format!("{name}: {error}"))?;
        if output.status.success() {
            return Ok(output);
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{name}: {}: {}", output.status, text.trim_end()))
    }

    fn succeed(&self, words: &[&str]) -> Result<(), String> {
        self.output(words).map(drop)
    }

    /// Processor seconds so far.
    pub(crate) fn cpu(&self) -> Result<f64, String> {
        self.group.cpu().map(|time| time.as_secs_f64()).map_err(|error| format!("cgroup: {error}"))
    }

    /// Its processes.
    pub(crate) fn members(&self) -> Vec<u32> {
        self.group.members().unwrap_or_default()
    }

    /// Waits until no message is in the queue.
    pub(crate) fn drain(&self) -> Result<(), String> {
        let left = || ["maildrop", "incoming", "active", "deferred"].map(|queue| files(&spool(queue)));
        let empty = || left().iter().all(|count| *count == 0);
        match wait(Duration::from_secs(20), empty) {
            Some(()) => Ok(()),
            None => Err(format!("left in maildrop, incoming, active, deferred: {:?}", left())),
        }
    }

    /// Waits until it does nothing.
    pub(crate) fn quiet(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let before = self.cpu()?;
            std::thread::sleep(Duration::from_millis(300));
            if self.cpu()? - before < 0.006 {
                return Ok(());
            }
        }
        Err("does not come to rest".to_owned())
    }
}

/// The directory of a queue.
pub(crate) fn spool(queue: &str) -> String {
    format!("{SPOOL}/{queue}")
}

/// How many files there are below a directory.
pub(crate) fn files(directory: &str) -> u64 {
    let mut count = 0;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => count += files(&entry.path().to_string_lossy()),
            _ => count += 1,
        }
    }
    count
}

/// Waits until something is so; `None` if it never is.
pub(crate) fn wait(patience: Duration, mut is_so: impl FnMut() -> bool) -> Option<()> {
    let deadline = Instant::now() + patience;
    while !is_so() {
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(())
}

fn accounts() -> Result<(), String> {
    let mut passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n".to_owned();
    let mut group = format!("root:x:0:\nnogroup:x:65534:\npostfix:x:{OWNER}:\npostdrop:x:{POSTDROP}:\n");
    passwd.push_str(&format!("postfix:x:{OWNER}:{OWNER}::{SPOOL}:/bin/sh\n"));
    for number in 0..MAILBOXES {
        let id = USERS + 1 + number;
        let home = format!("/var/mail/user{number}");
        directory(&home, 0o700, id, id)?;
        passwd.push_str(&format!("user{number}:x:{id}:{id}::{home}:/bin/sh\n"));
        group.push_str(&format!("user{number}:x:{id}:\n"));
    }
    write("/etc/passwd", &passwd)?;
    write("/etc/group", &group)
}

fn write(path: &str, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{path}: {error}"))
}

fn directory(path: &str, mode: u32, owner: u32, group: u32) -> Result<(), String> {
    let make = || {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        chown(Path::new(path), Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)))?;
        Ok(())
    };
    make().map_err(|error: std::io::Error| format!("{path}: {error}"))
}
