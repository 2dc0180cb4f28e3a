//! Servers for tables to ask: scripted ones in threads, and real ones as processes.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::journal::Journal;

/// A listener, with a thread for each connection.
pub(crate) struct Server {
    /// `host:port`.
    pub(crate) name: String,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// `serve` gets the connection and its number, which begins with 0.
    pub(crate) fn start(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream.unwrap(), number));
            }
        });
        Self { name, connections }
    }

    /// A server of lines: `answer` gets the line without its end.
    pub(crate) fn lines(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(move |stream, _| {
            let mut writer = stream.try_clone().unwrap();
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { return };
                if writer.write_all(&answer(&line)).is_err() {
                    return;
                }
            }
        })
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// An address where nobody listens.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A process that ends with the value.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program and waits until its socket answers.
    pub(crate) fn start(program: &Path, arguments: &[&str], socket: &Path) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = Self(command.spawn().unwrap());
        let begin = Instant::now();
        while UnixStream::connect(socket).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "{} does not start", program.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Where a program is. Without it the test is skipped, which is said.
pub(crate) fn program(name: &str, test: &str) -> Option<PathBuf> {
    let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    let found = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists());
    if found.is_none() {
        skip(test, &format!("{name} is not installed (scripts/test installs it)"));
    }
    found
}

/// Says that a test did not run, and why. `scripts/test` counts these lines.
pub(crate) fn skip(test: &str, why: &str) {
    println!("SKIPPED: {test}: {why}");
    if let Some(path) = std::env::var_os("FERROFIX_SKIPPED") {
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        if let Ok(mut file) = file {
            file.write_all(format!("SKIPPED: {test}: {why}\n").as_bytes()).ok();
        }
    }
}

/// What was logged meanwhile.
pub(crate) fn logged(run: impl FnOnce()) -> Vec<String> {
    let journal = Journal::new("t");
    journal.record(run);
    let text = String::from_utf8(journal.take()).unwrap();
    text.lines().map(|line| line.trim_start_matches("t: ").to_owned()).collect()
}
