//! Idle sessions, kept for the next delivery.
//!
//! Sessions stay in the process that made them, TLS and all. They are found by the server's address, or by the next hop through which
//! they were made; both ways only for the same TLS level and the same needs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::session::Session;

/// What must be the same about a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) addr: String,
    pub(crate) port: u16,
    pub(crate) needs: Needs,
    /// The next hop, where a certificate was checked against it.
    pub(crate) nexthop: Option<String>,
}

/// What must be the same about the session's use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Needs {
    pub(crate) level: tls::Level,
    pub(crate) smtputf8: bool,
    pub(crate) requiretls: bool,
}

/// What must be the same about a next hop.
pub(crate) type Hop = (String, Needs);

/// The sessions of one process.
#[derive(Debug, Default)]
pub(crate) struct Cache(Rc<RefCell<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    sessions: HashMap<Endpoint, Vec<(u64, Session)>>,
    hops: HashMap<Hop, (Endpoint, Instant)>,
    count: u64,
}

impl Cache {
    /// Keeps a session for `time`, findable by `hop` as well if that is given.
    pub(crate) fn save(&self, endpoint: Endpoint, hop: Option<Hop>, mut session: Session, time: Duration) {
        session.wire.rest();
        let mut inner = self.0.borrow_mut();
        inner.count += 1;
        let number = inner.count;
        if let Some(hop) = hop {
            inner.hops.insert(hop, (endpoint.clone(), Instant::now() + time));
        }
        inner.sessions.entry(endpoint.clone()).or_default().push((number, session));
        let shared = Rc::clone(&self.0);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(time).await;
            shared.borrow_mut().expire(&endpoint, number);
        });
    }

    /// Takes a session with a server.
    pub(crate) fn take(&self, endpoint: &Endpoint) -> Option<Session> {
        self.0.borrow_mut().take(endpoint)
    }

    /// Takes a session made for a next hop.
    pub(crate) fn take_hop(&self, hop: &Hop) -> Option<Session> {
        let mut inner = self.0.borrow_mut();
        let (endpoint, end) = inner.hops.get(hop)?;
        if *end < Instant::now() {
            inner.hops.remove(hop);
            return None;
        }
        let endpoint = endpoint.clone();
        inner.take(&endpoint)
    }
}

impl Inner {
    fn take(&mut self, endpoint: &Endpoint) -> Option<Session> {
        let idle = self.sessions.get_mut(endpoint)?;
        // The youngest is the most likely to be alive.
        let found = idle.pop().map(|(_, session)| session);
        if idle.is_empty() {
            self.sessions.remove(endpoint);
        }
        found
    }

    fn expire(&mut self, endpoint: &Endpoint, number: u64) {
        if let Some(idle) = self.sessions.get_mut(endpoint) {
            idle.retain(|(own, _)| *own != number);
            if idle.is_empty() {
                self.sessions.remove(endpoint);
            }
        }
        let now = Instant::now();
        self.hops.retain(|_, (_, end)| *end > now);
    }
}
