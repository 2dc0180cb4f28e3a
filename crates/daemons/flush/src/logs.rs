//! The logs of queue ids, one for each site.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::time::{Duration, SystemTime};

use queue::{QueueId, QueueName, Spool};
use sys::lock::{Mode, Wait};

/// More ids than this are not checked for having been seen; requeueing a message twice is only wasteful.
const DUPLICATE_LIMIT: usize = 10_000;

/// The directory of logs.
#[derive(Debug)]
pub struct Logs {
    spool: Spool,
}

/// The file name for a site: letters in lower case and digits, all else becomes `_`. `None` for no name at all.
pub fn name(site: &str) -> Option<QueueId> {
    let harmless: Vec<u8> = site
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' })
        .collect();
    QueueId::parse(harmless)
}

impl Logs {
    /// The logs of this queue.
    pub fn new(spool: Spool) -> Self {
        Self { spool }
    }

    /// Adds a message to a site's log.
    pub fn add(&self, site: &QueueId, queue_id: &QueueId) -> io::Result<()> {
        let mut log = self.spool.open_log(QueueName::Flush, site, OpenOptions::new().append(true))?;
        sys::lock::flock(&log, Mode::Exclusive, Wait::Forever)?;
        writeln!(log, "{}", queue_id.as_str())
    }

    /// Requeues every message of a site's log and empties it; how many messages there were.
    pub fn send(&self, site: &QueueId) -> io::Result<usize> {
        let log = match self.spool.open(QueueName::Flush, site, queue::Access::Update) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            other => other?,
        };
        sys::lock::flock(&log, Mode::Exclusive, Wait::Forever)?;
        let count = self.requeue_all(site, &log);
        if count > 0 {
            log.set_len(0)?;
        }
        // The time of the last look, for `refresh`.
        let now = SystemTime::now();
        log.set_times(fs::FileTimes::new().set_accessed(now).set_modified(now))?;
        Ok(count)
    }

    /// Requeues one message, with the mark that makes the queue manager forget that its destinations were dead; whether
    /// it was there.
    pub fn send_file(&self, queue_id: &QueueId) -> bool {
        let now = SystemTime::now();
        for queue in [QueueName::Deferred, QueueName::Incoming] {
            match self.spool.flush(queue_id, queue, now) {
                Ok(()) => return true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let path = self.spool.name(queue, queue_id);
                    log::warning!("flush_one_file: update {path} time stamps: {}", queue::reason(&error));
                }
            }
        }
        false
    }

    /// Requeues the mail of all logs that were not read for `age`, and removes logs that were empty for `purge`.
    pub fn refresh(&self, age: Duration, purge: Duration) {
        let scan = match self.spool.scan(QueueName::Flush) {
            Ok(scan) => scan,
            Err(error) => return log::warning!("open directory flush: {}", queue::reason(&error)),
        };
        let now = SystemTime::now();
        for site in scan.filter_map(Result::ok) {
            let path = self.spool.path(QueueName::Flush, &site);
            let Ok(found) = fs::metadata(&path) else { continue };
            let older = |time: io::Result<SystemTime>, than: Duration| {
                time.is_ok_and(|time| now.duration_since(time).is_ok_and(|since| since > than))
            };
            let outcome = if found.len() == 0 {
                if !older(found.modified(), purge) {
                    continue;
                }
                fs::remove_file(&path)
            } else if age.is_zero() || older(found.accessed(), age) {
                self.send(&site).map(|_| ())
            } else {
                continue;
            };
            if let Err(error) = outcome {
                log::warning!("fast flush logfile {}: {}", path.display(), queue::reason(&error));
            }
        }
    }

    fn requeue_all(&self, site: &QueueId, log: &File) -> usize {
        let mut seen = HashSet::new();
        let mut count = 0;
        for line in BufReader::new(log).split(b'\n').map_while(Result::ok) {
            let Some(queue_id) = QueueId::parse(&line) else {
                let text = bytes::show_limited(&line, 30);
                log::warning!("bad queue id \"{text}...\" in fast flush logfile {}", site.as_str());
                continue;
            };
            let is_new = seen.len() >= DUPLICATE_LIMIT || seen.insert(queue_id.clone());
            if is_new {
                self.send_file(&queue_id);
                count += 1;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs() -> (tempfile::TempDir, Logs) {
        let directory = tempfile::tempdir().unwrap();
        for name in ["flush", "deferred", "incoming"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let spool = Spool::at(directory.path(), &queue::Layout::default());
        (directory, Logs::new(spool))
    }

    #[test]
    fn sites_become_harmless_names() {
        assert_eq!(name("Example.COM").unwrap().as_str(), "example_com");
        assert_eq!(name("../../etc").unwrap().as_str(), "______etc");
        assert_eq!(name(""), None);
    }

    #[test]
    fn a_sites_mail_moves_to_incoming_and_its_log_is_emptied() {
        let (directory, logs) = logs();
        let (site, queue_id) = (name("example.com").unwrap(), QueueId::parse("ABCDEF123").unwrap());
        let deferred = logs.spool.path(QueueName::Deferred, &queue_id);
        fs::create_dir_all(deferred.parent().unwrap()).unwrap();
        fs::write(&deferred, b"mail").unwrap();
        fs::set_permissions(&deferred, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        for _ in 0..3 {
            logs.add(&site, &queue_id).unwrap();
        }
        assert_eq!(logs.send(&site).unwrap(), 1);
        assert!(logs.spool.path(QueueName::Incoming, &queue_id).exists());
        assert_eq!(fs::metadata(directory.path().join("flush/example_com")).unwrap().len(), 0);
        assert_eq!(logs.send(&name("other").unwrap()).unwrap(), 0);
    }
}
