//! Wakeup triggers: master is a client of its own services once in a while.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use conf::master::Kind;

use crate::Fatal;
use crate::instance::as_owner;
use crate::plan::{Endpoint, Plan};

/// master must not hang because a service does.
const BRIEFLY: Duration = Duration::from_secs(1);

/// Sends a wakeup to the service. A FIFO is opened as the mail system's owner, who could have put something else there.
pub(crate) fn send(plan: &Plan, owner: &str) -> io::Result<()> {
    match &plan.endpoint {
        Endpoint::Inet(addresses) => {
            let address = addresses.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
            let mut socket = TcpStream::connect_timeout(address, BRIEFLY)?;
            socket.set_write_timeout(Some(BRIEFLY))?;
            io::Write::write_all(&mut socket, &[ipc::trigger::WAKEUP])
        }
        Endpoint::Path(_) if plan.kind == Kind::UnixDgram => Err(io::ErrorKind::Unsupported.into()),
        Endpoint::Path(path) if plan.kind == Kind::Fifo => {
            let wake = || ipc::trigger::send(Path::new(path), &[ipc::trigger::WAKEUP], BRIEFLY);
            as_owner(owner, wake).map_err(|Fatal(why)| io::Error::other(why))?
        }
        Endpoint::Path(path) => ipc::trigger::send(Path::new(path), &[ipc::trigger::WAKEUP], BRIEFLY),
    }
}
