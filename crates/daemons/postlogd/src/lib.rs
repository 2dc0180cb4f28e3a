//! postlogd(8) - writes the mail log file.
//!
//! Every program sends its log lines here when `maillog_file` is set, ready to be written; postlogd adds the line end.
//! Without `maillog_file` it passes them on to syslog, for programs whose configuration is not up to date.
//!
//! It trusts the programs that may write to its socket, which the directory `public` decides. A line that cannot be
//! written is lost, as with syslog. The file is opened before the process gives up its privileges.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use daemon::{Clients, Connection, Fatal, Service, Startup};

conf::param_set! {
    /// What postlogd(8) reads.
    pub struct PostlogdParams { maillog_file, maillog_file_permissions, maillog_file_prefixes, postlogd_watchdog_timeout }
}

/// The longest datagram; senders cut their lines well below it.
const LINE_LIMIT: usize = 8192;

/// Lines gather up to this size before they are written.
const WRITE_SIZE: usize = 64 * 1024;

const PAUSE: Duration = Duration::from_secs(1);

/// How long lines may wait in the socket.
///
/// A busy mail system logs thousands of lines a second; waking up for each would cost more than writing them. The socket
/// must have room for what comes meanwhile, or its senders would have to wait: that is the kernel's setting.
fn nap() -> Duration {
    const ROOM: u32 = 256;
    let length = std::fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen").unwrap_or_default();
    let has_room = length.trim().parse::<u32>().is_ok_and(|length| length >= ROOM);
    if has_room { Duration::from_millis(5) } else { Duration::ZERO }
}

/// The postlog service.
#[derive(Debug)]
pub struct Postlogd {
    file: Option<RefCell<File>>,
    watchdog: Duration,
}

impl Service for Postlogd {
    const PROGRAM: &'static str = "postlogd";
    const CLIENTS: Clients = Clients::Many;
    const PERMANENT: bool = true;
    const ON_RELOAD: daemon::OnReload = daemon::OnReload::EndNow;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let params = PostlogdParams::load(&startup.main)?;
        let path = &params.maillog_file;
        let watchdog = params.postlogd_watchdog_timeout;
        if path.is_empty() {
            return Ok(Self { file: None, watchdog });
        }
        let mut prefixes = bytes::list::split(&params.maillog_file_prefixes, bytes::list::SEPARATORS);
        if !prefixes.any(|prefix| path.starts_with(prefix)) {
            return Err(Fatal::new(format!(
                "maillog_file value '{path}' does not match any prefix in maillog_file_prefixes"
            )));
        }
        let file = open(Path::new(path), &params.maillog_file_permissions)
            .map_err(|error| Fatal::new(format!("open logfile '{path}': {}", sys::reason(&error))))?;
        Ok(Self { file: Some(RefCell::new(file)), watchdog })
    }

    fn watchdog(&self, _startup: &Startup) -> Duration {
        self.watchdog
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Connection::Datagrams(socket) = connection else { return };
        let nap = nap();
        let mut line = vec![0; LINE_LIMIT];
        let mut lines = Vec::new();
        loop {
            if let Err(error) = socket.readable().await {
                log::warning!("failed to receive message with recv: {}", sys::reason(&error));
                tokio::time::sleep(PAUSE).await;
            }
            while let Ok(length) = socket.try_recv(&mut line) {
                self.store(line.get(..length).unwrap_or_default(), &mut lines);
            }
            self.write(&mut lines);
            tokio::time::sleep(nap).await;
        }
    }
}

impl Postlogd {
    fn store(&self, line: &[u8], lines: &mut Vec<u8>) {
        if self.file.is_none() {
            return forward(line);
        }
        lines.extend_from_slice(line);
        lines.push(b'\n');
        if lines.len() > WRITE_SIZE {
            self.write(lines);
        }
    }

    // Whole lines in one write, so that those of a second writer do not get into ours.
    fn write(&self, lines: &mut Vec<u8>) {
        if let Some(file) = &self.file {
            let _lost = file.borrow_mut().write_all(lines);
        }
        lines.clear();
    }
}

// What comes before the text - date, host, tag - syslog adds itself.
fn forward(line: &[u8]) {
    let text = line.splitn(2, |&byte| byte == b']').nth(1).and_then(|rest| rest.strip_prefix(b": "));
    log::info!("{}", String::from_utf8_lossy(text.unwrap_or(line)));
}

fn open(path: &Path, permissions: &str) -> std::io::Result<File> {
    let mode = u32::from_str_radix(permissions, 8)
        .map_err(|_| std::io::Error::other(format!("bad maillog_file_permissions: {permissions}")))?;
    let mut options = OpenOptions::new();
    options.append(true);
    if path.starts_with("/dev") {
        return options.open(path);
    }
    sys::safe_open::open_or_create(path, &mut options, mode)
}
