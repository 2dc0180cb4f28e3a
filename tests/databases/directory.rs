//! Directories of a test's own: OpenLDAP's server.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::server::{End, Restart, as_nobody, end_by, free_port, give_away, missing, own_directory, roots};

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The entry that all others are below.
pub(crate) const SUFFIX: &str = "dc=example,dc=com";
/// Who may search, beside nobody in particular.
pub(crate) const READER: &str = "bind_dn = cn=reader,dc=example,dc=com\nbind_pw = s3cr3t\n";

/// What tables have beside what is in Debian's schemas.
const SCHEMA: &str = "
attributetype ( 1.3.6.1.4.1.4203.666.1.901 NAME 'mailacceptinggeneralid' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.1.902 NAME 'maildrop' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.1.903 NAME 'mailbox' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.1.904 NAME 'memberdn' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )
attributetype ( 1.3.6.1.4.1.4203.666.1.905 NAME 'memberurl' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.1.906 NAME 'rawvalue' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.4203.666.3.901 NAME 'mailthing' SUP top STRUCTURAL MUST cn MAY ( mailacceptinggeneralid $ maildrop $ mailbox $ memberdn $ memberurl $ rawvalue $ mail $ description ) )
";

/// A server that runs until it is dropped.
pub(crate) struct Directory {
    root: PathBuf,
    directory: tempfile::TempDir,
    /// The port on 127.0.0.1.
    pub(crate) port: u16,
    /// That for encrypted connections, when there are keys.
    pub(crate) secure_port: u16,
    has_keys: bool,
    child: Option<Child>,
}

/// A directory of the given entries, in LDIF, below [`SUFFIX`]; or nothing, which is said: the package is missing.
pub(crate) fn start(test: &str, entries: &str) -> Option<Directory> {
    start_with(test, entries, "")
}

/// As [`start`], with more lines in the server's configuration.
pub(crate) fn start_with(test: &str, entries: &str, configuration: &str) -> Option<Directory> {
    let Some(root) = roots().into_iter().find(|root| root.join("usr/sbin/slapd").exists()) else {
        missing(test, "slapd");
        return None;
    };
    let (directory, port, secure_port) = (own_directory(), free_port(), free_port());
    let has_keys = configuration.contains("TLSCertificateFile");
    let mut server = Directory { root, directory, port, secure_port, has_keys, child: None };
    server.prepare(entries, configuration);
    server.start();
    Some(server)
}

impl Directory {
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The local socket, as a URL.
    pub(crate) fn local(&self) -> String {
        format!("ldapi://{}", self.path().join("ldapi").display().to_string().replace('/', "%2F"))
    }

    /// The network, as a URL.
    pub(crate) fn network(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    fn start(&mut self) {
        let mut urls = format!("{} {}", self.local(), self.network());
        if self.has_keys {
            urls += &format!(" ldaps://127.0.0.1:{}", self.secure_port);
        }
        let log = fs::File::create(self.path().join("log")).expect("a log");
        let mut command = self.program();
        // What it says goes to standard error, and it stays where it is.
        command.args(["-d", "0", "-h", &urls, "-f", "slapd.conf"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("a server"));
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.as_mut().expect("a server").try_wait().expect("wait").is_some();
            let log = fs::read_to_string(self.path().join("log")).unwrap_or_default();
            assert!(!ended && begin.elapsed() < PATIENCE, "the server does not run:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Has the server answer nobody until it is to [`Self::go_on`].
    pub(crate) fn pause(&self) {
        let pid = self.pid();
        kill(pid, Signal::SIGSTOP).expect("kill");
        // Each of its threads stops when its turn comes.
        let has_stopped = |task: fs::DirEntry| {
            let state = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            state.rsplit(") ").next().is_some_and(|state| state.starts_with('T'))
        };
        let begin = Instant::now();
        while !fs::read_dir(format!("/proc/{pid}/task")).expect("threads").flatten().all(has_stopped) {
            assert!(begin.elapsed() < PATIENCE, "the server does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn go_on(&self) {
        kill(self.pid(), Signal::SIGCONT).expect("kill");
    }

    fn pid(&self) -> nix::unistd::Pid {
        let id = self.child.as_ref().expect("a server").id();
        nix::unistd::Pid::from_raw(i32::try_from(id).expect("a process"))
    }

    fn prepare(&self, entries: &str, configuration: &str) {
        let (root, path) = (self.root.display(), self.path().display());
        let schemas: String = ["core", "cosine", "inetorgperson", "nis"]
            .map(|name| format!("include {root}/etc/ldap/schema/{name}.schema\n"))
            .concat();
        let uid = nix::unistd::geteuid();
        let main = format!(
            "{schemas}include {path}/mail.schema\nmodulepath {root}/usr/lib/ldap\nmoduleload back_mdb\n\
             pidfile {path}/pid\nsizelimit unlimited\n{configuration}\n\
             authz-regexp \"gidNumber=.*\\\\+uidNumber={uid},cn=peercred,cn=external,cn=auth\" \"cn=reader,{SUFFIX}\"\n\
             database mdb\nsuffix \"{SUFFIX}\"\ndirectory {path}/data\nmaxsize 16777216\ndbnosync\n\
             index mailacceptinggeneralid eq,sub,approx\nindex cn eq,sub\nindex objectClass eq\n\
             access to attrs=userPassword by anonymous auth\n\
             access to dn.subtree=\"ou=closed,{SUFFIX}\" by dn.exact=\"cn=reader,{SUFFIX}\" read by anonymous none\n\
             access to * by * read\n"
        );
        let base = format!(
            "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n\
             dn: cn=reader,{SUFFIX}\nobjectClass: person\ncn: reader\nsn: reader\nuserPassword: s3cr3t\n\n\
             dn: ou=closed,{SUFFIX}\nobjectClass: organizationalUnit\nou: closed\n\n"
        );
        for (name, text) in [
            ("mail.schema", SCHEMA.trim_start().to_owned()),
            ("slapd.conf", main),
            ("entries.ldif", base + entries),
        ] {
            fs::write(self.path().join(name), text).expect("write");
        }
        let data = self.path().join("data");
        fs::create_dir(&data).expect("a directory");
        give_away(&data);
        let mut command = self.program();
        let output = command.args(["-T", "add", "-f", "slapd.conf", "-l", "entries.ldif"]).output();
        let output = output.expect("slapadd");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn program(&self) -> Command {
        let mut command = Command::new(self.root.join("usr/sbin/slapd"));
        command.env("LD_LIBRARY_PATH", self.root.join("usr/lib/x86_64-linux-gnu"));
        command.current_dir(self.path());
        as_nobody(&mut command);
        command
    }
}

impl Restart for Directory {
    fn end(&mut self, how: End) {
        let Some(mut child) = self.child.take() else { return };
        end_by(&mut child, if how == End::Crash { Signal::SIGKILL } else { Signal::SIGTERM });
    }

    fn start_again(&mut self) {
        self.start();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.end(End::Crash);
    }
}

/// An entry, in LDIF. Values that are not plain are in base64.
pub(crate) fn entry(name: &str, attributes: &[(&str, &str)]) -> String {
    let mut text = format!("dn: cn={name},{SUFFIX}\nobjectClass: mailthing\ncn: {name}\n");
    for (attribute, value) in attributes {
        text += &format!("{attribute}:: {}\n", base64(value.as_bytes()));
    }
    text + "\n"
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, &byte| (bits << 8) | u32::from(byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
