//! Delivery agents that wait for the next request on a connection that they had one on before.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ipc::Stream;

use crate::scheduler::TransportId;

/// The connections, by transport.
#[derive(Clone)]
pub(crate) struct Agents(Rc<Inner>);

struct Inner {
    /// How long a connection waits (`ipc_idle`).
    patience: Duration,
    idle: RefCell<HashMap<TransportId, Vec<(Stream, Instant)>>>,
}

impl Agents {
    /// None yet.
    pub(crate) fn new(patience: Duration) -> Self {
        Self(Rc::new(Inner { patience, idle: RefCell::default() }))
    }

    /// An agent that waits, if there is one: the one that had a request last, so that others may go when there is little
    /// to do.
    pub(crate) fn take(&self, transport: TransportId) -> Option<Stream> {
        let mut idle = self.0.idle.borrow_mut();
        let waiting = idle.get_mut(&transport)?;
        // One that says something has gone.
        std::iter::from_fn(|| waiting.pop()).map(|(stream, _)| stream).find(Stream::is_quiet)
    }

    /// An agent is ready for another request.
    pub(crate) fn put(&self, transport: TransportId, stream: Stream) {
        let is_first = {
            let mut idle = self.0.idle.borrow_mut();
            let is_first = idle.values().all(Vec::is_empty);
            idle.entry(transport).or_default().push((stream, Instant::now()));
            is_first
        };
        if is_first {
            tokio::task::spawn_local(Rc::clone(&self.0).send_home());
        }
    }
}

impl Inner {
    /// Closes connections that nobody needed for a while, until there are none.
    async fn send_home(self: Rc<Self>) {
        loop {
            tokio::time::sleep(self.patience.max(Duration::from_secs(1))).await;
            let mut idle = self.idle.borrow_mut();
            for waiting in idle.values_mut() {
                waiting.retain(|(_, since)| since.elapsed() < self.patience);
            }
            idle.retain(|_, waiting| !waiting.is_empty());
            if idle.is_empty() {
                return;
            }
        }
    }
}
