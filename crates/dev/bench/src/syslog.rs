//! A receiver for `/dev/log`, as every machine has one. It reads everything and remembers what is out of the ordinary.

use std::fs::File;
use std::io::{self, BufWriter, Write};
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
    /// Listens; writes everything to the file, too, if there is one.
    pub(crate) fn listen(path: &str, copy: Option<&str>) -> io::Result<Self> {
        let mut copy = copy.map(|path| File::create(path).map(BufWriter::new)).transpose()?;
        let socket = UnixDatagram::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
        let log = Self::default();
        let seen = log.seen.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(length) = socket.recv(&mut buffer) {
                if let Some(copy) = &mut copy {
                    let line = buffer.get(..length).unwrap_or_default().trim_ascii_end();
                    copy.write_all(line)
                        .and_then(|()| copy.write_all(b"\n"))
                        .and_then(|()| copy.flush())
                        .ok();
                }
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
