//! A receiver for `/dev/log`, as every machine has one. It reads everything and remembers what is out of the ordinary.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, PoisonError};

/// How many strange lines are kept.
const KEPT: usize = 12;
const STRANGE: [&str; 6] =
    [" warning: ", " error: ", " fatal: ", " panic: ", "status=deferred", "status=bounced"];

/// What was logged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Syslog {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    lines: u64,
    strange: u64,
    kept: Vec<String>,
}

impl Syslog {
    pub(crate) fn listen(path: &str) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
        let log = Self::default();
        let seen = log.seen.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(length) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.lines += 1;
                if STRANGE.iter().any(|word| text.contains(word)) {
                    seen.strange += 1;
                    if seen.kept.len() < KEPT {
                        seen.kept.push(text.trim_end().to_owned());
                    }
                }
            }
        });
        Ok(log)
    }

    /// How many lines there were, how many of them were strange, and the first of these.
    pub(crate) fn summary(&self) -> (u64, u64, Vec<String>) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.lines, seen.strange, seen.kept.clone())
    }
}
