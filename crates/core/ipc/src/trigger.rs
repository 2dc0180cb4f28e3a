//! Triggers: a byte or two that make a service look at its work. No answer comes, and a lost one does no harm beyond delay.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The wakeup timer's request, understood by every triggered service.
pub const WAKEUP: u8 = b'W';
/// The queue manager: scan the deferred queue.
pub const SCAN_DEFERRED: u8 = b'D';
/// The queue manager: scan the incoming queue.
pub const SCAN_INCOMING: u8 = b'I';
/// The queue manager: forget which transports and destinations are dead.
pub const FLUSH_DEAD: u8 = b'F';
/// The queue manager: ignore time stamps in the next scan.
pub const SCAN_ALL: u8 = b'A';

/// How often, and in which steps, a full listen queue is tried again.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Sends `requests` to a service's socket or FIFO, waiting `timeout` at most.
pub fn send(path: &Path, requests: &[u8], timeout: Duration) -> io::Result<()> {
    if std::fs::metadata(path)?.file_type().is_fifo() {
        return OpenOptions::new()
            .write(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(path)?
            .write_all(requests);
    }
    let mut socket = UnixStream::connect(path)?;
    socket.set_write_timeout(Some(timeout))?;
    socket.write_all(requests)
}

/// As [`send`], from a program on the event loop: does not wait for the service, but for room in its listen queue.
pub async fn notify(path: impl AsRef<Path>, requests: &[u8]) -> io::Result<()> {
    let path = path.as_ref();
    for _ in 0..ATTEMPTS {
        match crate::stream::connect_now(path) {
            // A few bytes always fit into a fresh connection.
            Ok(mut socket) => return socket.write_all(requests),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(PAUSE).await,
            // A FIFO, in a master.cf of old.
            Err(error) if error.raw_os_error() == Some(nix::libc::ECONNREFUSED) => {
                return send(path, requests, Duration::from_secs(1));
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}
