//! Database servers of a test's own.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::isolation;
use nix::sys::signal::Signal;

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody: servers do not run as root.
const NOBODY: u32 = 65_534;
/// Where scripts/test unpacks Debian's packages.
const UNPACKED: &str = "target/system/databases";

/// How a server ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// From one moment to the next.
    Crash,
    /// With a word to its clients, as an administrator ends it.
    Stop,
}

/// What can end, and start again with the same contents.
pub(crate) trait Restart {
    fn end(&mut self, how: End);
    fn start_again(&mut self);
}

/// Sends a signal to a server, and waits for its end.
pub(crate) fn end_by(child: &mut Child, signal: Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a process"));
    nix::sys::signal::kill(pid, signal).expect("kill");
    let begin = Instant::now();
    while child.try_wait().expect("wait").is_none() {
        assert!(begin.elapsed() < PATIENCE, "the server does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A kind of server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MariaDb,
    PostgreSql,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    kind: Kind,
    programs: PathBuf,
    directory: tempfile::TempDir,
    /// The port on 127.0.0.1, and in the name of PostgreSQL's socket.
    pub(crate) port: u16,
    child: Option<Child>,
}

/// A server with the given contents, or nothing, which is said: the packages are missing.
pub(crate) fn start(test: &str, kind: Kind, contents: &[String]) -> Option<Server> {
    start_with(test, kind, contents, &[])
}

/// As [`start`], with options.
pub(crate) fn start_with(test: &str, kind: Kind, contents: &[String], options: &[String]) -> Option<Server> {
    start_at(test, kind, free_port(), contents, options)
}

/// As [`start`], at the port that clients expect. For tests in a network of their own.
pub(crate) fn start_as_usual(test: &str, kind: Kind, contents: &[String]) -> Option<Server> {
    let port = match kind {
        Kind::MariaDb => 3306,
        Kind::PostgreSql => 5432,
    };
    start_at(test, kind, port, contents, &[])
}

fn start_at(test: &str, kind: Kind, port: u16, contents: &[String], options: &[String]) -> Option<Server> {
    let Some(programs) = kind.programs() else {
        missing(test, if kind == Kind::MariaDb { "MariaDB" } else { "PostgreSQL" });
        return None;
    };
    let mut server = Server { kind, programs, directory: own_directory(), port, child: None };
    match kind {
        Kind::MariaDb => server.prepare_maria_db(contents),
        Kind::PostgreSql => server.prepare_postgre_sql(contents),
    }
    server.start(options);
    Some(server)
}

impl Kind {
    /// What the programs are below: Debian's packages, unpacked or installed.
    fn programs(self) -> Option<PathBuf> {
        roots().into_iter().find_map(|root| match self {
            Self::MariaDb => {
                let has_tables = root.join("usr/share/mysql/mysql_system_tables.sql").exists();
                (has_tables && root.join("usr/sbin/mariadbd").exists()).then(|| root.join("usr"))
            }
            Self::PostgreSql => {
                let versions = fs::read_dir(root.join("usr/lib/postgresql")).ok()?;
                let found = versions.flatten().map(|version| version.path().join("bin"));
                found.filter(|programs| programs.join("initdb").exists()).max()
            }
        })
    }
}

impl Server {
    /// The server's directory, which is that of PostgreSQL's socket as well.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// MariaDB's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        match self.kind {
            Kind::MariaDb => self.path().join("socket"),
            Kind::PostgreSql => self.path().join(format!(".s.PGSQL.{}", self.port)),
        }
    }

    /// Runs statements as an administrator would, with Debian's client, and gives what they print.
    pub(crate) fn execute(&self, user: &str, password: &str, database: &str, statements: &str) -> String {
        let mut command = match self.kind {
            Kind::MariaDb => {
                let mut command = self.program("mariadb");
                command.args(["--no-defaults", "--batch", "--skip-column-names", "--user", user]);
                command.arg(format!("--socket={}", self.socket().display())).arg(database);
                command.env("MYSQL_PWD", password);
                command
            }
            Kind::PostgreSql => {
                let mut command = self.program("psql");
                command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
                command.args(["--host=127.0.0.1", &format!("--port={}", self.port)]);
                command.args(["--username", user, "--dbname", database]).env("PGPASSWORD", password);
                command
            }
        };
        self.feed(&mut command, statements.as_bytes())
    }

    fn start(&mut self, options: &[String]) {
        let data = self.path().join("data").display().to_string();
        let directory = self.path().display().to_string();
        let port = self.port.to_string();
        let mut command = match self.kind {
            Kind::MariaDb => {
                let mut command = self.maria_db();
                command.arg(format!("--socket={}", self.socket().display()));
                command.args([format!("--port={port}"), format!("--init-file={directory}/contents.sql")]);
                command.args(["--bind-address=127.0.0.1", "--innodb-buffer-pool-size=8M"]);
                command
            }
            Kind::PostgreSql => {
                let mut command = self.program("postgres");
                command.args(["-D", &data, "-k", &directory, "-p", &port, "-h", "127.0.0.1"]);
                command.args(["-c", "fsync=off", "-c", "shared_buffers=16MB"]);
                command
            }
        };
        let log = fs::File::options().create(true).append(true).open(self.path().join("log")).expect("a log");
        let errors = log.try_clone().expect("a log");
        command.args(options).stdin(Stdio::null()).stdout(log).stderr(errors);
        let earlier = self.times_ready();
        self.child = Some(command.spawn().expect("a server"));
        let begin = Instant::now();
        while self.times_ready() == earlier || UnixStream::connect(self.socket()).is_err() {
            let ended = self.child.as_mut().expect("a server").try_wait().expect("wait").is_some();
            assert!(!ended && begin.elapsed() < PATIENCE, "the server does not run:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn times_ready(&self) -> usize {
        let ready = match self.kind {
            Kind::MariaDb => "ready for connections",
            Kind::PostgreSql => "ready to accept connections",
        };
        self.log().matches(ready).count()
    }

    /// What the server wrote.
    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn prepare_maria_db(&self, contents: &[String]) {
        let share = self.programs.join("share/mysql");
        let mut script = b"create database mysql;\nuse mysql;\n".to_vec();
        for name in
            ["mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"]
        {
            script.extend(fs::read(share.join(name)).expect("the system tables"));
        }
        self.make("data");
        let mut command = self.maria_db();
        self.feed(command.arg("--bootstrap"), &script);
        fs::write(self.path().join("contents.sql"), contents.join("\n") + "\n").expect("write");
    }

    /// The server program, with options that all uses of it have.
    fn maria_db(&self) -> Command {
        let mut command = self.program("../sbin/mariadbd");
        let (base, data) = (self.programs.display(), self.path().join("data"));
        command.args(["--no-defaults".to_owned(), format!("--basedir={base}")]);
        command.arg(format!("--datadir={}", data.display()));
        command.arg(format!("--tmpdir={}", self.path().display()));
        command
            .args([format!("--lc-messages-dir={base}/share/mysql"), "--innodb-log-file-size=8M".to_owned()]);
        command
    }

    fn prepare_postgre_sql(&self, contents: &[String]) {
        let data = self.path().join("data").display().to_string();
        let mut command = self.program("initdb");
        let arguments = ["-D", &data, "-U", "admin", "-E", "UTF8", "--locale=C", "--no-sync", "--auth=md5"];
        fs::write(self.path().join("password"), "nobody knows\n").expect("write");
        self.feed(command.args(arguments).arg("--pwfile=password"), b"");
        let (mut system, mut tables) = (Vec::new(), Vec::new());
        for line in contents {
            let is_system = line.starts_with("CREATE ROLE") || line.starts_with("CREATE DATABASE");
            if is_system { &mut system } else { &mut tables }.extend([line.as_str(), "\n"]);
        }
        let database = contents.iter().find_map(|line| line.strip_prefix("CREATE DATABASE "));
        let database = database.expect("a database").trim_end_matches(';');
        for (database, lines) in [("postgres", system), (database, tables)] {
            let mut command = self.program("postgres");
            self.feed(command.args(["--single", "-D", &data, database]), lines.concat().as_bytes());
        }
    }

    fn make(&self, name: &str) {
        let path = self.path().join(name);
        fs::create_dir(&path).expect("a directory");
        give_away(&path);
    }

    fn program(&self, name: &str) -> Command {
        let directory = match self.kind {
            Kind::MariaDb => self.programs.join("bin"),
            Kind::PostgreSql => self.programs.clone(),
        };
        let mut command = Command::new(match name.strip_prefix("../") {
            Some(name) => self.programs.join(name),
            None => directory.join(name),
        });
        let libraries = isolation::workspace().join(UNPACKED).join("usr/lib/x86_64-linux-gnu");
        command.env("LD_LIBRARY_PATH", libraries).env("LC_ALL", "C").env_remove("PGDATA");
        command.current_dir(self.path());
        as_nobody(&mut command);
        command
    }

    /// Runs a program to its end, and gives what it printed.
    fn feed(&self, command: &mut Command, input: &[u8]) -> String {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("a program");
        let mut stdin = child.stdin.take().expect("standard input");
        let input = input.to_vec();
        // It writes while it reads.
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().expect("output");
        writer.join().expect("a thread").expect("write");
        let errors = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_well = !text.contains("ERROR") && !errors.contains("ERROR");
        assert!(output.status.success() && is_well, "{text}{errors}");
        text
    }
}

impl Restart for Server {
    fn end(&mut self, how: End) {
        let Some(mut child) = self.child.take() else { return };
        let signal = match (self.kind, how) {
            (Kind::MariaDb, End::Crash) => Signal::SIGKILL,
            (Kind::MariaDb, End::Stop) => Signal::SIGTERM,
            // All its processes, and not only the first.
            (Kind::PostgreSql, End::Crash) => Signal::SIGQUIT,
            (Kind::PostgreSql, End::Stop) => Signal::SIGINT,
        };
        end_by(&mut child, signal);
    }

    fn start_again(&mut self) {
        self.start(&[]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(End::Crash);
    }
}

/// Below which of these a server's programs may be: Debian's packages, unpacked or installed.
pub(crate) fn roots() -> [PathBuf; 2] {
    [isolation::workspace().join(UNPACKED), PathBuf::from("/")]
}

/// Says that a test cannot run, wherever it runs.
pub(crate) fn missing(test: &str, name: &str) {
    let why = format!("{name} is not there (scripts/test puts it there)");
    if isolation::is_inside() { isolation::skip_inside(&why) } else { isolation::skip(test, &why) }
}

/// A directory that a server runs in.
pub(crate) fn own_directory() -> tempfile::TempDir {
    let directory = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir();
    let directory = directory.expect("a directory");
    give_away(directory.path());
    directory
}

/// A port that was free a moment ago, and is hardly taken since.
pub(crate) fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    socket.expect("a port").port()
}

/// Lets a server own what it needs.
pub(crate) fn give_away(path: &Path) {
    if nix::unistd::geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("chown");
    }
}

pub(crate) fn as_nobody(command: &mut Command) {
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

/// Makes `cert.pem` and `key.pem` for 127.0.0.1, and `other.pem`, a certificate of somebody else.
pub(crate) fn make_certificate(test: &str, directory: &Path) -> bool {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("chmod");
    for (certificate, key) in [("cert.pem", "key.pem"), ("other.pem", "otherkey.pem")] {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "2", "-subj", "/CN=db", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"]);
        command.arg(directory.join(key)).arg("-out").arg(directory.join(certificate));
        match command.output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                isolation::skip(test, &format!("openssl: {error}"));
                return false;
            }
        }
        let file = directory.join(key);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
        give_away(&file);
    }
    true
}
