//! `/dev/log` of the test's system.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What was logged, in order. A line is `tag[pid]: text`, without priority and time.
#[derive(Clone, Default)]
pub(crate) struct Syslog {
    shared: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Syslog {
    /// Collects from now on what is sent to the socket.
    pub(crate) fn listen(&self, path: &Path) {
        let socket = UnixDatagram::bind(path).expect("bind the syslog socket");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
            .expect("chmod the syslog socket");
        let log = self.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(length) = socket.recv(&mut buffer) {
                log.add(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
    }

    fn add(&self, datagram: &str) {
        let text = datagram.split_once('>').map_or(datagram, |(_, text)| text);
        // "Nov 20 12:00:00 " in front.
        let text = text.get(16..).unwrap_or(text);
        let (lines, changed) = &*self.shared;
        if let Ok(mut lines) = lines.lock() {
            for line in text.trim_end_matches(['\n', '\0']).split('\n') {
                lines.push(line.to_owned());
            }
            changed.notify_all();
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.shared.0.lock().map(|lines| lines.clone()).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.shared.0.lock().map_or(0, |lines| lines.len())
    }

    /// The first line from `since` on that the test accepts, waited for.
    pub(crate) fn wait(
        &self,
        since: usize,
        patience: Duration,
        accept: &dyn Fn(&str) -> bool,
    ) -> Option<String> {
        let deadline = Instant::now() + patience;
        let (lines, changed) = &*self.shared;
        let mut lines = lines.lock().ok()?;
        let mut next = since;
        loop {
            while next < lines.len() {
                if accept(&lines[next]) {
                    return Some(lines[next].clone());
                }
                next += 1;
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = changed.wait_timeout(lines, left).ok()?.0;
        }
    }
}
