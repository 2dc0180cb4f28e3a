//! Connections that wait for their next use.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Stream;

/// Connections to a service, each of which waits for as long as `ipc_idle` says. Clones share them.
#[derive(Clone, Debug)]
pub struct Spare(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    patience: Duration,
    streams: RefCell<Vec<(Stream, Instant)>>,
}

impl Spare {
    /// None yet; they will wait for so long.
    pub fn new(patience: Duration) -> Self {
        Self(Rc::new(Inner { patience, streams: RefCell::default() }))
    }

    /// A connection that waits, if there is one: the one that was used last, so that others may go when there is little
    /// to do.
    pub fn take(&self) -> Option<Stream> {
        let mut streams = self.0.streams.borrow_mut();
        // A service that says something to nobody has gone.
        std::iter::from_fn(|| streams.pop()).map(|(stream, _)| stream).find(Stream::is_quiet)
    }

    /// A connection is free. Must be called on the event loop.
    pub fn put(&self, stream: Stream) {
        let is_first = {
            let mut streams = self.0.streams.borrow_mut();
            streams.push((stream, Instant::now()));
            streams.len() == 1
        };
        if is_first {
            tokio::task::spawn_local(Rc::clone(&self.0).close_in_time());
        }
    }
}

impl Inner {
    /// Closes connections that nobody needed for a while, until there are none.
    async fn close_in_time(self: Rc<Self>) {
        loop {
            tokio::time::sleep(self.patience.max(Duration::from_secs(1))).await;
            let mut streams = self.streams.borrow_mut();
            streams.retain(|(_, since)| since.elapsed() < self.patience);
            // One that is in use is not here; when it comes back, somebody looks again.
            if streams.is_empty() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_used_again_while_they_are_good() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let pair = || {
                let (near, far) = tokio::net::UnixStream::pair().unwrap();
                (Stream::new(near).unwrap(), far)
            };
            let spare = Spare::new(Duration::from_millis(10));
            assert!(spare.take().is_none());
            let ((one, _far), (gone, far)) = (pair(), pair());
            spare.put(one);
            spare.put(gone);
            drop(far);
            // The one whose service has gone is passed over.
            assert!(spare.take().is_some());
            assert!(spare.take().is_none());
            let (late, _far) = pair();
            spare.put(late);
            std::thread::sleep(Duration::from_millis(20));
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(spare.take().is_none());
        });
    }
}
