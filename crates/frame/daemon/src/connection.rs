//! What a client arrives on.

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;

use tokio::net::{TcpStream, UnixDatagram};

/// A client of a service.
#[derive(Debug)]
pub enum Connection {
    /// An internet client; the address is the peer's.
    Tcp(TcpStream, SocketAddr),
    /// A local client. The socket does not block; the event loop does not know it yet.
    Unix(UnixStream),
    /// The listening socket of a datagram service, handed over once for all.
    Datagrams(UnixDatagram),
    /// A batch of trigger requests, see [`ipc::trigger`].
    Triggers(Vec<u8>),
}

impl Connection {
    /// The attribute protocol over a local client's socket; `None` for another kind of client.
    pub fn into_stream(self) -> Option<ipc::Stream> {
        match self {
            Self::Unix(socket) => ipc::Stream::over_socket(socket).ok(),
            _ => None,
        }
    }
}
