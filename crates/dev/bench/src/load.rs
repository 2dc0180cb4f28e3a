//! Load generators: Debian's `smtp-source` and `smtp-sink`.

use std::io::Read;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const PROGRAMS: &str = "/reference/usr/sbin";
const LIBRARIES: &str = "/reference/usr/lib/postfix";
/// Where the receiver listens.
pub(crate) const SINK: &str = "127.0.0.1:2525";

/// A receiver that counts.
#[derive(Debug)]
pub(crate) struct Sink {
    child: Child,
    count: Arc<AtomicU64>,
}

impl Sink {
    pub(crate) fn start() -> Result<Self, String> {
        let mut child = Command::new(format!("{PROGRAMS}/smtp-sink"))
            .env("LD_LIBRARY_PATH", LIBRARIES)
            .args(["-c", "-h", "sink.example.org", "-u", "nobody", SINK, "1000"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("smtp-sink: {error}"))?;
        let count = Arc::new(AtomicU64::new(0));
        if let Some(output) = child.stdout.take() {
            let count = count.clone();
            std::thread::spawn(move || follow(output, &count));
        }
        for _ in 0..100 {
            if std::net::TcpStream::connect(SINK).is_ok() {
                return Ok(Self { child, count });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("smtp-sink does not answer".to_owned())
    }

    /// Messages so far.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Follows `... mesg=COUNT\r`, written again and again.
fn follow(mut output: ChildStdout, count: &AtomicU64) {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = output.read(&mut buffer) {
        text.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let Some(end) = text.iter().rposition(|&c| c == b'\r') else { continue };
        let rest = text.split_off(end);
        if let Some(number) = last_count(&text) {
            count.store(number, Ordering::Relaxed);
        }
        text = rest;
    }
}

fn last_count(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.rsplit_once("mesg=")?.1.trim().parse().ok()
}

/// Sends messages over SMTP and waits until all are accepted.
pub(crate) fn send(sessions: u64, count: u64, size: u64, recipients: &[&str]) -> Result<(), String> {
    let share = recipients.len() as u64;
    let mut children = Vec::new();
    for recipient in recipients {
        let mut command = Command::new(format!("{PROGRAMS}/smtp-source"));
        command.env("LD_LIBRARY_PATH", LIBRARIES).env("MAIL_CONFIG", "/etc/postfix");
        command.args(["-s", &(sessions / share).max(1).to_string(), "-m", &(count / share).to_string()]);
        command.args(["-l", &size.to_string(), "-M", "client.example.net", "-f", "sender@example.net"]);
        if share == 1 {
            // A recipient of its own for every message.
            command.arg("-N");
        }
        command.args(["-t", recipient, "127.0.0.1:25"]);
        children.push(command.spawn().map_err(|error| format!("smtp-source: {error}"))?);
    }
    for mut child in children {
        let status = child.wait().map_err(|error| format!("smtp-source: {error}"))?;
        if !status.success() {
            return Err(format!("smtp-source: {status}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_last_count() {
        assert_eq!(last_count(b"sess=1 quit=0 mesg=1\rsess=2 quit=1 mesg=12"), Some(12));
        assert_eq!(last_count(b"sess=1"), None);
    }
}
