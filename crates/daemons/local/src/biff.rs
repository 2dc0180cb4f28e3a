//! Telling logged-in users about new mail, by the comsat protocol.

use std::net::UdpSocket;

/// The service `biff/udp`.
const PORT: u16 = 512;

/// Sends `user@offset`, the place in the mailbox where the new message begins. Whether anybody listens does not matter.
pub(crate) fn notify(user: &str, offset: u64) {
    let text = format!("{user}@{offset}\0");
    let sent = UdpSocket::bind("127.0.0.1:0")
        .and_then(|socket| socket.send_to(text.as_bytes(), ("127.0.0.1", PORT)).map(drop));
    if let Err(error) = sent {
        log::warning!("biff_notify: {}", sys::reason(&error));
    }
}
