//! The clients of all sockets of a service.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::accept::{Accepted, Listener};
use crate::share::{Admission, Insist, Place, Share};
use crate::{Fatal, Transport};

/// How long a sibling that has less to do may take to come for a client.
const SIBLING_PATIENCE: Duration = Duration::from_millis(1);

/// How long to wait when there are no descriptors or memory for a client.
const SHORTAGE_PAUSE: Duration = Duration::from_secs(1);

/// The sockets that clients come to.
pub(crate) struct Arrivals {
    listeners: Vec<Listener>,
    /// Who is asked first next time: a busy socket must not keep another one waiting.
    first: usize,
}

/// What came of waiting.
pub(crate) enum Arrival {
    Client(Accepted, Place),
    /// The service has no room. A client that is there stays with the kernel, where a sibling can take it.
    Full,
    /// Clients cannot be accepted just now, for so long.
    Broken(Duration),
}

impl Arrivals {
    /// Must be called on the event loop.
    pub(crate) fn listen(transport: Transport, sockets: Vec<OwnedFd>) -> Result<Self, Fatal> {
        let listeners: io::Result<Vec<Listener>> =
            sockets.into_iter().map(|socket| Listener::open(socket, transport)).collect();
        Ok(Self { listeners: listeners?, first: 0 })
    }

    /// Waits for a client that there is room for. May be dropped at any time.
    pub(crate) async fn next(&mut self, share: &Rc<Share>) -> Arrival {
        let mut insist = Insist::No;
        loop {
            match poll_fn(|context| self.poll(context, share, insist)).await {
                Some(arrival) => return arrival,
                None => {
                    tokio::time::sleep(SIBLING_PATIENCE).await;
                    insist = Insist::Yes;
                }
            }
        }
    }

    // `None`: a sibling should have the next client. A place is only held while it is seen whether there is a client.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        share: &Rc<Share>,
        insist: Insist,
    ) -> Poll<Option<Arrival>> {
        match share.enter(insist) {
            Admission::Granted => {}
            Admission::Full => return Poll::Ready(Some(Arrival::Full)),
            Admission::LeaveIt => return Poll::Ready(None),
        }
        let place = Place::of(share);
        let count = self.listeners.len();
        for offset in 0..count {
            let number = (self.first + offset) % count;
            let Some(listener) = self.listeners.get_mut(number) else { continue };
            loop {
                match listener.poll_accept(context) {
                    Poll::Ready(Ok(accepted)) => {
                        self.first = number + 1;
                        return Poll::Ready(Some(Arrival::Client(accepted, place)));
                    }
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Poll::Ready(Err(error)) => {
                        log::warning!("accept connection: {}", sys::reason(&error));
                        return Poll::Ready(Some(Arrival::Broken(SHORTAGE_PAUSE)));
                    }
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }
}
