//! The sockets that master listens on, seen from a process it started.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sys::LocalListener;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::net::{TcpListener, UnixDatagram, UnixListener, UnixStream, unix::pipe};

use crate::{Connection, Fatal, Options, Transport};

/// The longest batch of trigger requests that is read at once.
const TRIGGER_LIMIT: usize = 1024;

/// How long a trigger client may take to say something.
const TRIGGER_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(LocalListener),
    Pass(UnixListener),
    Fifo(pipe::Receiver),
    Datagrams(Option<UnixDatagram>),
}

impl Listener {
    /// Takes over the sockets that master left open.
    pub(crate) fn inherit(options: &Options) -> Result<Vec<OwnedFd>, Fatal> {
        (0..options.sockets)
            .map(|number| sys::descriptor::inherit(ipc::master::LISTEN + number))
            .collect::<io::Result<_>>()
            .map_err(|error| Fatal::new(format!("this program is started by the master process ({error})")))
    }

    /// Must be called on the event loop.
    pub(crate) fn open(fd: OwnedFd, transport: Transport) -> io::Result<Self> {
        sys::descriptor::set_nonblocking(fd.as_fd())?;
        Ok(match transport {
            Transport::Inet => Self::Tcp(TcpListener::from_std(fd.into())?),
            Transport::Unix => Self::Unix(LocalListener::new(fd.into())?),
            Transport::Pass => Self::Pass(UnixListener::from_std(fd.into())?),
            Transport::Fifo => Self::Fifo(pipe::Receiver::from_owned_fd(fd)?),
            Transport::UnixDgram => Self::Datagrams(Some(UnixDatagram::from_std(fd.into())?)),
        })
    }

    /// The next client. Another process may snatch a client away; that is not an error but a longer wait.
    pub(crate) fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match self {
            Self::Tcp(listener) => listener
                .poll_accept(context)
                .map_ok(|(socket, peer)| Accepted::Client(Connection::Tcp(socket, peer))),
            Self::Unix(listener) => {
                listener.poll_accept(context).map_ok(|socket| Accepted::Client(Connection::Unix(socket)))
            }
            Self::Pass(listener) => {
                listener.poll_accept(context).map_ok(|(socket, _)| Accepted::Carrier(socket))
            }
            Self::Fifo(fifo) => {
                let mut requests = vec![0; TRIGGER_LIMIT];
                let mut buffer = ReadBuf::new(&mut requests);
                ready!(Pin::new(fifo).poll_read(context, &mut buffer))?;
                let length = buffer.filled().len();
                requests.truncate(length);
                Poll::Ready(Ok(Accepted::Client(Connection::Triggers(requests))))
            }
            Self::Datagrams(socket) => match socket.take() {
                Some(socket) => Poll::Ready(Ok(Accepted::Client(Connection::Datagrams(socket)))),
                None => Poll::Pending,
            },
        }
    }
}

/// What was accepted.
pub(crate) enum Accepted {
    Client(Connection),
    /// A client comes through this one.
    Carrier(UnixStream),
}

/// Receives the client from its carrier, who gets a little time for it.
pub(crate) async fn passed(carrier: UnixStream) -> io::Result<Connection> {
    tokio::time::timeout(TRIGGER_PATIENCE, carrier.readable()).await??;
    let fd = sys::descriptor::receive(carrier.as_fd())?;
    let socket = std::net::TcpStream::from(fd);
    socket.set_nonblocking(true)?;
    let peer = socket.peer_addr()?;
    Ok(Connection::Tcp(tokio::net::TcpStream::from_std(socket)?, peer))
}

/// Reads what a trigger client has to say.
pub(crate) async fn triggers(mut socket: std::os::unix::net::UnixStream) -> Vec<u8> {
    let mut requests = vec![0; TRIGGER_LIMIT];
    // Who triggers has mostly written before we are there.
    let mut read = socket.read(&mut requests);
    if read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
        read = async {
            let mut socket = UnixStream::from_std(socket)?;
            tokio::time::timeout(TRIGGER_PATIENCE, socket.read(&mut requests)).await?
        }
        .await;
    }
    if let Err(error) = &read {
        log::debug!("read trigger: {error}");
    }
    requests.truncate(read.unwrap_or(0));
    requests
}
