//! master.cf: the services, what they listen on and how they run.

use crate::lines::{BLANKS, LogicalLines, SPACE, in_braces};
use crate::{CompatLevel, Error, MainCf, compat, compat_level, interfaces, params};
use bytes::list::split_braced;
use std::fs;
use std::path::Path;

/// What a service listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A TCP port.
    Inet,
    /// A UNIX-domain stream socket.
    Unix,
    /// A named pipe.
    Fifo,
    /// A UNIX-domain stream socket over which connected sockets are passed.
    Pass,
    /// A UNIX-domain datagram socket.
    UnixDgram,
}

impl Kind {
    /// The word in master.cf.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Inet => "inet",
            Kind::Unix => "unix",
            Kind::Fifo => "fifo",
            Kind::Pass => "pass",
            Kind::UnixDgram => "unix-dgram",
        }
    }

    /// The kind of that name.
    pub fn by_name(name: &str) -> Option<Kind> {
        [Kind::Inet, Kind::Unix, Kind::Fifo, Kind::Pass, Kind::UnixDgram]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// One service, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name as written; for `inet` a port, or a host and a port.
    pub name: String,
    /// What it listens on.
    pub kind: Kind,
    /// Whether only the mail system may connect.
    pub private: bool,
    /// Whether it runs as the mail owner.
    pub unprivileged: bool,
    /// Whether it runs inside the queue directory.
    pub chroot: bool,
    /// Seconds between wake-up calls; 0 for none.
    pub wakeup: u32,
    /// Whether wake-up calls come even before the service was first used (no `?` after the number).
    pub wakeup_always: bool,
    /// How many clients it serves at once; nothing for no limit (`0`).
    pub maxproc: Option<u32>,
    /// The program.
    pub command: String,
    /// Its arguments, braces removed.
    pub args: Vec<String>,
    /// Where the entry begins in master.cf.
    pub line: usize,
}

/// Where an `inet` service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A host name or address, without brackets; nothing for `inet_interfaces`.
    pub host: Option<String>,
    /// A port number or a service name.
    pub port: String,
}

/// The services of master.cf, in order, less those that `master_service_disable` or `inet_protocols` turn off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MasterCf {
    /// The services.
    pub entries: Vec<Entry>,
}

impl MasterCf {
    /// Reads `master.cf` beside main.cf.
    pub fn read(main: &MainCf) -> Result<MasterCf, Error> {
        MasterCf::read_file(main, &main.path().join("master.cf"))
    }

    /// Reads a file.
    pub fn read_file(main: &MainCf, file: &Path) -> Result<MasterCf, Error> {
        let path = file.display().to_string();
        let text = fs::read(file).map_err(|source| Error::Open { path: path.clone(), source })?;
        MasterCf::parse(main, &path, &text)
    }

    /// Parses the text of the file `path`.
    pub fn parse(main: &MainCf, path: &str, text: &[u8]) -> Result<MasterCf, Error> {
        let defaults = Defaults::load(main)?;
        let disabled = disabled_services(main)?;
        let mut entries = Vec::new();
        for line in LogicalLines::new(path, text) {
            let text = String::from_utf8_lossy(&line.text);
            let text = text.split('\0').next().unwrap_or_default();
            let fields = Fields { rest: text, path, line: line.first };
            if let Some(entry) = fields.entry(&defaults, &disabled)? {
                entries.push(entry);
            }
        }
        Ok(MasterCf { entries })
    }
}

impl Entry {
    /// Host and port of an `inet` service; an error is for the line of the entry.
    pub fn endpoint(&self) -> Result<Endpoint, String> {
        let (host, port) =
            host_port(&self.name).map_err(|problem| format!("{problem} in \"{}\"", self.name))?;
        Ok(Endpoint { host: Some(host.to_owned()).filter(|host| !host.is_empty()), port: port.to_owned() })
    }

    /// The `-o name=value` settings among the arguments, as written.
    pub fn overrides(&self) -> impl Iterator<Item = &str> {
        let mut args = self.args.iter();
        std::iter::from_fn(move || {
            loop {
                let arg = args.next()?;
                if arg == "-o" {
                    return args.next().map(String::as_str);
                }
                if let Some(value) = arg.strip_prefix("-o") {
                    return Some(value);
                }
            }
        })
    }
}

/// A list of services as in `master_service_disable`: `name/type`, `type`, `!` for exceptions; the first match decides.
#[derive(Debug, Clone, Default)]
pub struct ServiceList(Vec<String>);

impl ServiceList {
    /// Parses a list.
    pub fn parse(text: &str) -> ServiceList {
        let items = text.split([',', ' ', '\t', '\r', '\n']).filter(|item| !item.is_empty());
        ServiceList(items.map(with_slash).collect())
    }

    /// Whether the list has the service.
    pub fn matches(&self, name: &str, kind: &str) -> bool {
        for item in &self.0 {
            let pattern = item.trim_start_matches('!');
            let is_wanted = (item.len() - pattern.len()) % 2 == 0;
            let is_same = match pattern.contains('/') {
                true => format!("{name}/{kind}").eq_ignore_ascii_case(pattern),
                false => kind.eq_ignore_ascii_case(pattern),
            };
            if is_same {
                return is_wanted;
            }
        }
        false
    }
}

/// COMPAT: `name.type` is the old form of `name/type`. Test: `service_lists`.
fn with_slash(item: &str) -> String {
    match item.rsplit_once('.') {
        Some((name, kind)) if !item.contains('/') => format!("{name}/{kind}"),
        _ => item.to_owned(),
    }
}

struct Defaults {
    chroot: &'static str,
    chroot_is_legacy: bool,
    process_limit: i64,
}

impl Defaults {
    fn load(main: &MainCf) -> Result<Defaults, Error> {
        Ok(Defaults {
            chroot: if compat_level(main)? < CompatLevel::ONE { "y" } else { "n" },
            chroot_is_legacy: compat::is_legacy_default(main, "chroot"),
            process_limit: crate::load::<params::default_process_limit>(main)?,
        })
    }
}

fn disabled_services(main: &MainCf) -> Result<ServiceList, Error> {
    let disabled = crate::load::<params::master_service_disable>(main)?;
    if !interfaces::protocols(main)?.is_none() {
        return Ok(ServiceList::parse(&disabled));
    }
    let protocols = crate::load::<params::inet_protocols>(main)?;
    log::warning!("all network protocols are disabled (inet_protocols = {protocols})");
    log::warning!("disabling all type \"inet\" services in master.cf");
    Ok(ServiceList::parse(&format!("inet,{disabled}")))
}

/// The fields of an entry, from left to right.
struct Fields<'a> {
    rest: &'a str,
    path: &'a str,
    line: usize,
}

impl<'a> Fields<'a> {
    fn entry(mut self, defaults: &Defaults, disabled: &ServiceList) -> Result<Option<Entry>, Error> {
        let Some(name) = self.word() else { return Ok(None) };
        let transport = self.text("transport type", None)?;
        if disabled.matches(name, transport) {
            return Ok(None);
        }
        let Some(kind) = Kind::by_name(transport) else {
            return Err(self.error(&format!("bad transport type: {transport}")));
        };
        if kind == Kind::Inet
            && let Err(problem) = host_port(name)
        {
            return Err(self.error(&format!("{problem} in \"{name}\"")));
        }
        let private = self.flag("private", "y")?;
        if private && kind == Kind::Inet {
            return Err(self.error("inet service cannot be private"));
        }
        let unprivileged = self.flag("unprivileged", "y")?;
        if defaults.chroot_is_legacy && self.rest.trim_start_matches(SPACE).split(SPACE).next() == Some("-") {
            let notice = compat::legacy_notice("chroot", defaults.chroot);
            log::info!("{}: line {}: {notice}", self.path, self.line);
        }
        let chroot = self.flag("chroot", defaults.chroot)?;
        let (wakeup, after) = self.number("wakeup_time", "0")?;
        let (maxproc, _) = self.number("max_proc", &defaults.process_limit.to_string())?;
        let command = self.text("command", None)?.to_owned();
        let mut args = Vec::new();
        for arg in split_braced(self.rest, BLANKS) {
            match in_braces(arg) {
                (text, None) => args.push(text.to_owned()),
                (_, Some(problem)) => return Err(self.error(&problem)),
            }
        }
        Ok(Some(Entry {
            name: name.to_owned(),
            kind,
            private,
            unprivileged,
            chroot,
            wakeup,
            wakeup_always: wakeup > 0 && !after.ends_with('?'),
            maxproc: Some(maxproc).filter(|&limit| limit > 0),
            command,
            args,
            line: self.line,
        }))
    }

    fn word(&mut self) -> Option<&'a str> {
        let start = self.rest.trim_start_matches(SPACE);
        let (word, rest) = start.split_at(start.find(SPACE).unwrap_or(start.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn text<'d>(&mut self, name: &str, default: Option<&'d str>) -> Result<&'d str, Error>
    where
        'a: 'd,
    {
        match (self.word(), default) {
            (None, _) => Err(self.error(&format!("missing \"{name}\" field"))),
            (Some("-"), None) => Err(self.error(&format!("field \"{name}\" has no default value"))),
            (Some("-"), Some(default)) => Ok(default),
            (Some(word), _) => Ok(word),
        }
    }

    fn flag(&mut self, name: &str, default: &str) -> Result<bool, Error> {
        match self.text(name, Some(default))? {
            "y" => Ok(true),
            "n" => Ok(false),
            other => Err(self.bad_field(name, other)),
        }
    }

    /// A number that starts the field, and what stands after it.
    fn number(&mut self, name: &str, default: &str) -> Result<(u32, String), Error> {
        let word = self.text(name, Some(default))?.to_owned();
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = word.split_at(digits);
        match number.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok((number, after.to_owned())),
            None => Err(self.bad_field(name, &word)),
        }
    }

    fn bad_field(&self, name: &str, value: &str) -> Error {
        self.error(&format!("field \"{name}\": bad value: \"{value}\""))
    }

    fn error(&self, problem: &str) -> Error {
        Error::Value(format!("{}: line {}: {problem}", self.path, self.line))
    }
}

/// Splits `host:port`, `[host]:port`, `:port` or `port`.
pub(crate) fn host_port(text: &str) -> Result<(&str, &str), &'static str> {
    let (host, port) = if let Some(start) = text.strip_prefix('[') {
        let is_ipv6 = start.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("ipv6:"));
        let start = if is_ipv6 { start.get(5..).unwrap_or_default() } else { start };
        let (host, rest) = start.split_once(']').ok_or("missing \"]\"")?;
        if !rest.is_empty() && !rest.starts_with(':') {
            return Err("garbage after \"]\"");
        }
        if is_ipv6 && host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("malformed IPv6 address");
        }
        (host, rest.strip_prefix(':').unwrap_or_default())
    } else {
        text.rsplit_once(':').unwrap_or(("", text))
    };
    if port.is_empty() {
        return Err("missing service information");
    }
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    if !host.is_empty() && !is_address && host.is_ascii() && crate::computed::valid_hostname(host).is_err() {
        return Err("valid hostname or network address required");
    }
    if port.starts_with(|char: char| char.is_ascii_digit()) && !port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err("garbage after numerical service");
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<MasterCf, Error> {
        let mut main = MainCf::empty(Path::new("/etc/postfix"));
        main.set("compatibility_level", "3.6");
        main.set("master_service_disable", "qmqp/inet");
        MasterCf::parse(&main, "master.cf", text.as_bytes())
    }

    #[test]
    fn entries() {
        let master = parse(
            "# comment\nsmtp inet n - y - - smtpd\n  -o { a = b c } -o d=e\n  {-o f={g} h}\n\
             pickup unix n - n 60? 1 pickup\nqmgr unix n - n 300 0 qmgr\n\
             qmqp inet n - - - - qmqpd\n127.0.0.1:10025 inet n n n - 5 smtpd -of=g\n",
        )
        .unwrap();
        let [smtp, pickup, qmgr, back] = &master.entries[..] else { panic!() };
        assert_eq!(smtp.args, ["-o", "a = b c", "-o", "d=e", "-o f={g} h"]);
        assert!(smtp.chroot && !smtp.private && smtp.unprivileged);
        assert_eq!((smtp.maxproc, smtp.line, smtp.wakeup), (Some(100), 2, 0));
        assert_eq!((pickup.wakeup, pickup.wakeup_always, pickup.maxproc), (60, false, Some(1)));
        assert_eq!((qmgr.wakeup, qmgr.wakeup_always, qmgr.maxproc), (300, true, None));
        assert_eq!(
            back.endpoint().unwrap(),
            Endpoint { host: Some("127.0.0.1".to_owned()), port: "10025".to_owned() }
        );
        assert_eq!(back.overrides().collect::<Vec<_>>(), ["f=g"]);
        assert_eq!(smtp.overrides().collect::<Vec<_>>()[..2], ["a = b c", "d=e"]);
    }

    #[test]
    fn texts_of_errors() {
        for (text, problem) in [
            ("smtp", "missing \"transport type\" field"),
            ("smtp -", "field \"transport type\" has no default value"),
            ("smtp tcp", "bad transport type: tcp"),
            ("smtp inet - - - - - smtpd", "inet service cannot be private"),
            ("smtp inet x - - - - smtpd", "field \"private\": bad value: \"x\""),
            ("smtp inet n - - x - smtpd", "field \"wakeup_time\": bad value: \"x\""),
            ("smtp inet n - - - -", "missing \"command\" field"),
            ("smtp inet n - - - - smtpd {a", "missing '}' in \"{a\""),
            ("smtp inet n - - - - smtpd {a}b", "syntax error after '}' in \"{a}b\""),
            ("[::1:25 inet n - - - - smtpd", "missing \"]\" in \"[::1:25\""),
            ("25x inet n - - - - smtpd", "garbage after numerical service in \"25x\""),
        ] {
            let error = parse(&format!("\n{text}\n")).unwrap_err().to_string();
            assert_eq!(error, format!("master.cf: line 2: {problem}"));
        }
    }

    #[test]
    fn service_lists() {
        let list = ServiceList::parse("!smtp/inet, inet foo.unix");
        assert!(!list.matches("smtp", "inet"));
        assert!(list.matches("submission", "inet"));
        assert!(list.matches("foo", "unix") && !list.matches("bar", "unix"));
    }
}
