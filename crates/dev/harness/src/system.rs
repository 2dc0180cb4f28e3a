//! The mail system of a test, seen from inside its namespaces.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::{Gid, Uid, chown};
use regex::Regex;

use crate::dns::Dns;
use crate::smtp::SmtpClient;
use crate::syslog::Syslog;

/// Which mail system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// Ferrofix, as `scripts/install` lays it out.
    Ours,
    /// Debian's Postfix.
    Reference,
}

impl Package {
    /// What `UNDER_TEST` in the environment says: `ours` (the default) or `reference`.
    pub fn under_test() -> Self {
        let named = std::env::var("FERROFIX_PACKAGE").or_else(|_| std::env::var("UNDER_TEST"));
        if named.is_ok_and(|name| name == "reference") { Self::Reference } else { Self::Ours }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Reference => "reference",
        }
    }

    /// Where it was put.
    pub fn image(self) -> PathBuf {
        crate::isolation::workspace().join("target/system").join(self.name())
    }
}

/// What a command wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit status; -1 after a signal.
    pub code: i32,
}

impl Output {
    /// Insists on exit status 0.
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }
}

/// An installed mail system with accounts, a world around it, and a configuration that works.
pub struct System {
    package: Package,
    syslog: Syslog,
    dns: Dns,
}

const ACCOUNTS: &[(&str, u32, &str)] = &[
    ("postfix", 5101, "/var/spool/postfix"),
    ("alice", 6001, "/home/alice"),
    ("bob", 6002, "/home/bob"),
    ("carol", 6003, "/home/carol"),
    ("vmail", 5000, "/home/vmail"),
];

const MAIN_CF: &str = include_str!("main.cf");
const MASTER_CF: &str = include_str!("master.cf");
const ZONE: &str = include_str!("zone");

impl System {
    /// The system, not started. Only inside the namespaces.
    pub(crate) fn new(package: Package) -> Self {
        let syslog = Syslog::default();
        syslog.listen(Path::new("/dev/log"));
        let dns = Dns::start();
        dns.add(ZONE);
        let system = Self { package, syslog, dns };
        system.lay_out();
        system
    }

    /// For test programs with a main of their own; see [`crate::isolation::run_inside`].
    pub fn inside() -> Self {
        assert!(crate::isolation::is_inside(), "this is the machine itself");
        Self::new(Package::under_test())
    }

    /// Which mail system this is.
    pub fn package(&self) -> Package {
        self.package
    }

    fn lay_out(&self) {
        self.accounts();
        for (path, text) in [
            ("/etc/resolv.conf", "nameserver 127.0.0.1\n"),
            ("/etc/hosts", "127.0.0.1 localhost\n192.0.2.1 mail.example.com mail\n::1 localhost\n"),
            (
                "/etc/nsswitch.conf",
                "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
            ),
            ("/etc/mailname", "example.com\n"),
            ("/etc/aliases", "postmaster: root\n"),
        ] {
            fs::remove_file(path).ok();
            self.file(path, text);
        }
        self.main_cf("");
        self.master_cf("");
        let spool = Path::new("/var/spool/postfix");
        let owned = [
            "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
            "saved", "trace",
        ];
        make_directory(&spool.join("pid"), 0o755, 0, 0);
        for name in owned {
            make_directory(&spool.join(name), 0o700, 5101, 0);
        }
        make_directory(&spool.join("maildrop"), 0o730, 5101, 5102);
        make_directory(&spool.join("public"), 0o710, 5101, 5102);
        make_directory(Path::new("/var/lib/postfix"), 0o700, 5101, 5101);
        make_directory(Path::new("/var/mail"), 0o2775, 0, 8);
        // For services in a chroot.
        self.file("/var/spool/postfix/etc/resolv.conf", "nameserver 127.0.0.1\n");
        if self.package == Package::Reference {
            self.file(
                "/etc/postfix/dynamicmaps.cf",
                "cdb /usr/lib/postfix/postfix-cdb.so dict_cdb_open mkmap_cdb_open\n\
                 lmdb /usr/lib/postfix/postfix-lmdb.so dict_lmdb_open mkmap_lmdb_open\n\
                 pcre /usr/lib/postfix/postfix-pcre.so dict_pcre_open\n\
                 ldap /usr/lib/postfix/postfix-ldap.so dict_ldap_open\n\
                 mysql /usr/lib/postfix/postfix-mysql.so dict_mysql_open\n\
                 pgsql /usr/lib/postfix/postfix-pgsql.so dict_pgsql_open\n\
                 sqlite /usr/lib/postfix/postfix-sqlite.so dict_sqlite_open\n",
            );
        }
        self.run(&["newaliases"]);
    }

    fn accounts(&self) {
        let keep = |text: String, gone: &BTreeSet<&str>| -> String {
            let lines =
                text.lines().filter(|line| !gone.contains(line.split(':').next().unwrap_or_default()));
            lines.map(|line| format!("{line}\n")).collect()
        };
        let mut gone: BTreeSet<&str> = ACCOUNTS.iter().map(|account| account.0).collect();
        gone.insert("postdrop");
        let mut passwd = keep(fs::read_to_string("/etc/passwd").expect("/etc/passwd"), &gone);
        let mut group = keep(fs::read_to_string("/etc/group").expect("/etc/group"), &gone);
        for (name, id, home) in ACCOUNTS {
            let full = if *name == "alice" { "Alice Example" } else { "" };
            passwd.push_str(&format!("{name}:x:{id}:{id}:{full}:{home}:/bin/sh\n"));
            group.push_str(&format!("{name}:x:{id}:\n"));
            if home.starts_with("/home") {
                make_directory(Path::new(home), 0o755, *id, *id);
            }
        }
        group.push_str("postdrop:x:5102:\n");
        fs::write("/etc/passwd", passwd).expect("write /etc/passwd");
        fs::write("/etc/group", group).expect("write /etc/group");
    }

    /// Writes main.cf: the usual one, with these settings in place of its own of the same name.
    pub fn main_cf(&self, settings: &str) -> &Self {
        let names: BTreeSet<&str> = settings.lines().filter_map(name_of).collect();
        let mut text: String = MAIN_CF
            .lines()
            .filter(|line| name_of(line).is_none_or(|name| !names.contains(name)))
            .map(|line| format!("{line}\n"))
            .collect();
        text.push_str(&dedent(settings));
        self.file("/etc/postfix/main.cf", &text)
    }

    /// Writes main.cf as it is given.
    pub fn whole_main_cf(&self, text: &str) -> &Self {
        self.file("/etc/postfix/main.cf", &dedent(text))
    }

    /// Writes master.cf: the usual one, with these services in place of its own of the same name and type.
    pub fn master_cf(&self, services: &str) -> &Self {
        let key = |line: &str| {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default().to_owned();
            (!line.starts_with([' ', '\t', '#']))
                .then(|| (first, words.next().unwrap_or_default().to_owned()))
        };
        let services = dedent(services);
        let named: BTreeSet<_> = services.lines().filter_map(key).collect();
        let mut text: String = MASTER_CF
            .lines()
            .filter(|line| key(line).is_none_or(|key| !named.contains(&key)))
            .map(|line| format!("{line}\n"))
            .collect();
        text.push_str(&services);
        self.file("/etc/postfix/master.cf", &text)
    }

    /// Writes a file, directories included.
    pub fn file(&self, path: &str, text: &str) -> &Self {
        let path = Path::new(path);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).expect("make a directory");
        }
        fs::write(path, text).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
        self
    }

    /// Writes a file that belongs to a user.
    pub fn user_file(&self, user: &str, path: &str, text: &str) -> &Self {
        self.file(path, text);
        let id = uid(user);
        let mut at = Path::new(path);
        let home = Path::new("/home").join(user);
        while at.starts_with(&home) && at != home {
            chown(at, Some(Uid::from_raw(id)), Some(Gid::from_raw(id))).expect("chown");
            let Some(parent) = at.parent() else { break };
            at = parent;
        }
        self
    }

    /// Writes a file and makes it a program.
    pub fn program(&self, path: &str, text: &str) -> &Self {
        self.file(path, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("chmod");
        self
    }

    /// Starts it. It has to start.
    pub fn start(&self) -> &Self {
        let output = self.run(&["postfix", "start"]);
        assert_eq!(
            output.code,
            0,
            "postfix start: {}{}\n{}",
            output.stdout,
            output.stderr,
            self.log().join("\n")
        );
        self
    }

    /// Stops it.
    pub fn stop(&self) -> &Self {
        self.run(&["postfix", "stop"]);
        self
    }

    /// Has it read its configuration again, and waits until it has.
    pub fn reload(&self) -> &Self {
        let mark = self.mark();
        self.run(&["postfix", "reload"]).well();
        self.wait_for_log_since(mark, "reload -- version");
        self
    }

    /// Makes `/etc/postfix/NAME` with its index.
    pub fn table(&self, name: &str, text: &str) -> &Self {
        let path = format!("/etc/postfix/{name}");
        self.file(&path, &dedent(text));
        self.run(&["postmap", &format!("lmdb:{path}")]).well();
        self
    }

    /// Makes `/etc/aliases` with its index.
    pub fn aliases(&self, text: &str) -> &Self {
        self.file("/etc/aliases", &dedent(text));
        self.run(&["newaliases"]).well();
        self
    }

    /// Runs a command as root.
    pub fn run(&self, command: &[&str]) -> Output {
        self.run_as("root", command, "")
    }

    /// Runs a command as a user, with its standard input.
    pub fn run_as(&self, user: &str, command: &[&str], stdin: &str) -> Output {
        let mut process = Command::new(command[0]);
        process
            .args(&command[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .env("LOGNAME", user)
            .env("USER", user)
            .env("HOME", if user == "root" { "/root".to_owned() } else { format!("/home/{user}") })
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if user != "root" {
            let id = uid(user);
            process.uid(id).gid(id);
        }
        let mut child = process.spawn().unwrap_or_else(|error| panic!("{}: {error}", command[0]));
        let mut input = child.stdin.take().expect("a pipe");
        let stdin = stdin.as_bytes().to_vec();
        let feeder = std::thread::spawn(move || {
            input.write_all(&stdin).ok();
        });
        let output = child.wait_with_output().expect("wait for the command");
        feeder.join().ok();
        Output {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Runs a shell command as root.
    pub fn shell(&self, command: &str) -> Output {
        self.run(&["sh", "-c", command])
    }

    /// `sendmail` as a user.
    pub fn sendmail(&self, user: &str, arguments: &[&str], message: &str) -> Output {
        let mut command = vec!["sendmail"];
        command.extend_from_slice(arguments);
        self.run_as(user, &command, message)
    }

    /// Connects to port 25 from 127.0.0.1 and reads the greeting.
    pub fn smtp(&self) -> SmtpClient {
        self.smtp_from("127.0.0.1")
    }

    /// Connects to port 25 from an address (any of 127/8, 192.0.2/24, 198.51.100/24, 203.0.113/24) and reads the greeting.
    pub fn smtp_from(&self, from: &str) -> SmtpClient {
        let from: IpAddr = from.parse().expect("an address");
        let to = if from.is_loopback() { "127.0.0.1:25" } else { "192.0.2.1:25" };
        self.smtp_to(Some(from), to)
    }

    /// Connects to an address with a port and reads the greeting.
    pub fn smtp_to(&self, from: Option<IpAddr>, to: &str) -> SmtpClient {
        let to: SocketAddr = to.parse().expect("an address with a port");
        let mut client =
            SmtpClient::connect(from, to).unwrap_or_else(|error| panic!("connect to {to}: {error}"));
        client.reply();
        client
    }

    /// One message by SMTP from 127.0.0.1. Gives its queue id.
    pub fn submit(&self, sender: &str, recipients: &[&str], text: &str) -> String {
        let mut client = self.smtp();
        client.expect("EHLO localhost", 250);
        let reply = client.submit(sender, recipients, text);
        client.command("QUIT");
        reply.last().rsplit(' ').next().unwrap_or_default().to_owned()
    }

    /// The world's names.
    pub fn dns(&self, zone: &str) -> &Self {
        self.dns.add(zone);
        self
    }

    /// What the name server was asked.
    pub fn dns_questions(&self) -> Vec<String> {
        self.dns.asked()
    }

    /// Everything logged so far: `tag[pid]: text`.
    pub fn log(&self) -> Vec<String> {
        self.syslog.lines()
    }

    /// Where the log stands now, for [`Self::log_since`].
    pub fn mark(&self) -> usize {
        self.syslog.len()
    }

    /// What was logged since the mark.
    pub fn log_since(&self, mark: usize) -> Vec<String> {
        self.syslog.lines().split_off(mark)
    }

    /// Waits for a log line that matches the regular expression, and gives it.
    pub fn wait_for_log(&self, pattern: &str) -> String {
        self.wait_for_log_since(0, pattern)
    }

    /// The same, among the lines since the mark.
    pub fn wait_for_log_since(&self, mark: usize, pattern: &str) -> String {
        match self.try_log(mark, pattern, Duration::from_secs(20)) {
            Some(line) => line,
            None => panic!("not logged: {pattern}"),
        }
    }

    /// The same, if it comes in time.
    pub fn try_log(&self, mark: usize, pattern: &str, patience: Duration) -> Option<String> {
        let pattern = Regex::new(pattern).expect("a pattern");
        self.syslog.wait(mark, patience, &|line| pattern.is_match(line))
    }

    /// Whether such a line was logged.
    pub fn logged(&self, pattern: &str) -> bool {
        let pattern = Regex::new(pattern).expect("a pattern");
        self.log().iter().any(|line| pattern.is_match(line))
    }

    /// Waits until nothing is on its way any more: `maildrop`, `incoming` and `active` are empty and the log is quiet.
    pub fn settle(&self) -> &Self {
        let deadline = Instant::now() + Duration::from_secs(40);
        let mut quiet = 0;
        let mut last = self.mark();
        while quiet < 6 {
            std::thread::sleep(Duration::from_millis(50));
            let busy = ["maildrop", "incoming", "active"].iter().any(|name| !self.queue(name).is_empty());
            let now = self.mark();
            quiet = if busy || now != last { 0 } else { quiet + 1 };
            last = now;
            assert!(Instant::now() < deadline, "mail does not come to rest: {:?}", self.all_queues());
        }
        self
    }

    /// The queue ids in a queue.
    pub fn queue(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut left = vec![Path::new("/var/spool/postfix").join(name)];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    left.push(entry.path());
                } else {
                    found.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }

    fn all_queues(&self) -> Vec<(&'static str, Vec<String>)> {
        ["maildrop", "incoming", "active", "deferred", "hold", "corrupt"]
            .map(|name| (name, self.queue(name)))
            .to_vec()
    }

    /// The messages in `new` of a Maildir, oldest first.
    pub fn maildir(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(Path::new(path).join("new")).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().map(|path| self.read(&path.to_string_lossy())).collect()
    }

    /// The text of a file; empty when there is none.
    pub fn read(&self, path: &str) -> String {
        fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// A user's mailbox in `/var/mail`.
    pub fn mailbox(&self, user: &str) -> String {
        self.read(&format!("/var/mail/{user}"))
    }

    /// Waits until a condition holds.
    pub fn wait_until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn name_of(line: &str) -> Option<&str> {
    let line = line.trim_end();
    if line.trim_start().starts_with('#') {
        return None;
    }
    line.split_once('=').map(|(name, _)| name.trim())
}

/// The text without the indentation of its first line that is not empty.
pub(crate) fn dedent(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let margin = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .map_or(0, |line| line.len() - line.trim_start().len());
    let cut = |line: &str| {
        if line.len() >= margin && line.as_bytes()[..margin].iter().all(|byte| *byte == b' ') {
            line[margin..].to_owned()
        } else {
            line.trim_start().to_owned()
        }
    };
    text.lines().map(|line| format!("{}\n", cut(line))).collect()
}

fn uid(user: &str) -> u32 {
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user));
    line.and_then(|line| line.split(':').nth(2)?.parse().ok()).unwrap_or_else(|| panic!("no user {user}"))
}

fn make_directory(path: &Path, mode: u32, user: u32, group: u32) {
    fs::create_dir_all(path).expect("make a directory");
    chown(path, Some(Uid::from_raw(user)), Some(Gid::from_raw(group))).expect("chown");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}
