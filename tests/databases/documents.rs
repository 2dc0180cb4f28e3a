//! A server that speaks MongoDB's protocol. It is not MongoDB, of which Debian has no package: it is NX-27017, which
//! keeps its documents in SQLite, and is nobody's of this project.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use harness::isolation;

/// Nobody: servers do not run as root.
const NOBODY: u32 = 65_534;

/// Replaces the documents of `mail.box`, as soon as the server is there.
const LOAD: &str = "
import sys, pymongo
from bson import json_util
client = pymongo.MongoClient('127.0.0.1', int(sys.argv[1]), serverSelectionTimeoutMS=30000)
client.mail.box.delete_many({})
client.mail.box.insert_many(json_util.loads(sys.stdin.read()))
";

/// A server that runs until it is dropped.
pub(crate) struct Documents {
    library: PathBuf,
    directory: tempfile::TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
}

/// A server with these documents, or nothing, which is said.
pub(crate) fn start(test: &str, documents: &[String]) -> Option<Documents> {
    let library = isolation::workspace().join("target/system/documents");
    if !library.join("nx_27017").exists() {
        isolation::skip(test, &format!("{} is not there (scripts/test puts it there)", library.display()));
        return None;
    }
    let directory = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir();
    let directory = directory.expect("a directory");
    if nix::unistd::geteuid().is_root() {
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let mut server = Documents { library, directory, port: port.expect("a port").port(), child: None };
    server.start();
    server.load(documents);
    Some(server)
}

impl Documents {
    /// Ends the server as a crash would. It has its documents in memory only.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        child.kill().expect("kill");
        child.wait().expect("wait");
    }

    /// Starts the server, again.
    pub(crate) fn start(&mut self) {
        let path = |name: &str| self.directory.path().join(name);
        let log = fs::File::create(path("output")).expect("a log");
        let mut command = self.python();
        command.args(["-c", "from nx_27017.nx_27017 import main; main()", "--db", "memory"]);
        command.args(["--host", "127.0.0.1", "--port", &self.port.to_string()]);
        command.arg("--log-file").arg(path("log")).arg("--pid-file").arg(path("pid"));
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("a log")).stdout(log);
        self.child = Some(command.spawn().expect("a server"));
    }

    /// Replaces all documents.
    pub(crate) fn load(&self, documents: &[String]) {
        let mut command = self.python();
        command.args(["-c", LOAD, &self.port.to_string()]);
        let mut child =
            command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("python3 that loads");
        let mut stdin = child.stdin.take().expect("standard input");
        std::io::Write::write_all(&mut stdin, format!("[{}]", documents.join(",")).as_bytes())
            .expect("write");
        drop(stdin);
        let output = child.wait_with_output().expect("output");
        let log = fs::read_to_string(self.directory.path().join("output")).unwrap_or_default();
        assert!(output.status.success(), "{}\n{log}", String::from_utf8_lossy(&output.stderr));
    }

    fn python(&self) -> Command {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.library).env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(self.directory.path());
        if nix::unistd::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Documents {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A text in JSON.
pub(crate) fn json(text: &str) -> String {
    let mut json = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => json.extend(['\\', char]),
            char if char.is_control() => json.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => json.push(char),
        }
    }
    json.push('"');
    json
}
