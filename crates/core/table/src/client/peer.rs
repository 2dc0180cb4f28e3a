//! One server and the connections to it.
//!
//! A connection serves one request at a time. As many are open as there are requests at the same time, so that a slow
//! answer holds up its own client only. A connection that nobody uses is kept for the next request, for as long as the
//! type of the table allows.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use crate::client::endpoint::Endpoint;
use crate::client::link::{Conversation, Stream, Trouble};

/// How many requests of this process the server sees at once: as many as Postfix has processes for a service.
const CONNECTIONS: usize = 100;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// To connect, to send a request, to receive a reply.
    pub(crate) step: Duration,
    /// How long a connection may be idle.
    pub(crate) idle: Option<Duration>,
    /// How old a connection may become.
    pub(crate) age: Option<Duration>,
}

/// A server that answers requests.
#[derive(Debug)]
pub(crate) struct Peer {
    endpoint: Endpoint,
    limits: Limits,
    pool: Arc<Mutex<Pool>>,
    turns: Semaphore,
}

#[derive(Debug, Default)]
struct Pool {
    parked: Vec<Parked>,
    /// The runtime that closes connections in time.
    sweeper: Option<runtime::Id>,
}

/// A connection that nobody uses.
#[derive(Debug)]
struct Parked {
    stream: Stream,
    opened: Instant,
    until: Option<Instant>,
    /// The runtime that the stream belongs to: another one would wait for it in vain.
    runtime: runtime::Id,
}

/// A request that is being made.
pub(crate) struct Exchange {
    conversation: Conversation,
    opened: Instant,
    is_new: bool,
    is_spoiled: bool,
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no connection.
    Connect(io::Error),
    /// The connection did not do.
    Reply(Trouble),
}

impl Peer {
    /// A server that was not asked yet.
    pub(crate) fn new(endpoint: Endpoint, limits: Limits) -> Self {
        Self { endpoint, limits, pool: Arc::default(), turns: Semaphore::new(CONNECTIONS) }
    }

    /// Where the server is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Makes a request. Where an open connection turns out to be stale, the request is made again over a new one: such
    /// requests must be ones that can be made twice.
    pub(crate) async fn ask<T>(
        &self,
        mut request: impl AsyncFnMut(&mut Exchange) -> Result<T, Trouble>,
    ) -> Result<T, Failure> {
        let _turn = self.turns.acquire().await;
        if let Some(mut exchange) = self.parked() {
            match request(&mut exchange).await {
                Ok(reply) => {
                    self.park(exchange);
                    return Ok(reply);
                }
                Err(Trouble::Closed | Trouble::Broken(_)) if !exchange.conversation.has_heard() => {}
                Err(trouble) => return Err(Failure::Reply(trouble)),
            }
        }
        let stream = self.endpoint.connect(self.limits.step).await.map_err(Failure::Connect)?;
        let mut exchange = Exchange {
            conversation: Conversation::new(stream, self.limits.step),
            opened: Instant::now(),
            is_new: true,
            is_spoiled: false,
        };
        let reply = request(&mut exchange).await.map_err(Failure::Reply)?;
        self.park(exchange);
        Ok(reply)
    }

    /// Forgets the connections that nobody uses.
    pub(crate) fn disconnect(&self) {
        lock(&self.pool).parked.clear();
    }

    fn parked(&self) -> Option<Exchange> {
        let mut pool = lock(&self.pool);
        pool.close_old();
        let here = runtime::Handle::current().id();
        let at = pool.parked.iter().rposition(|parked| parked.runtime == here && !parked.stream.is_stale());
        let Some(at) = at else {
            // Those of this runtime are all stale.
            pool.parked.retain(|parked| parked.runtime != here);
            return None;
        };
        let parked = pool.parked.remove(at);
        Some(Exchange {
            conversation: Conversation::new(parked.stream, self.limits.step),
            opened: parked.opened,
            is_new: false,
            is_spoiled: false,
        })
    }

    fn park(&self, exchange: Exchange) {
        let Exchange { conversation, opened, is_spoiled, .. } = exchange;
        let Some(stream) = conversation.into_stream().filter(|_| !is_spoiled) else { return };
        let (idle, age) = (self.limits.idle, self.limits.age);
        let ends = [idle.map(|idle| Instant::now() + idle), age.map(|age| opened + age)];
        let until = ends.into_iter().flatten().min();
        let mut pool = lock(&self.pool);
        let runtime = runtime::Handle::current().id();
        pool.parked.push(Parked { stream, opened, until, runtime });
        if until.is_some() && pool.sweeper != Some(runtime) {
            pool.sweeper = Some(runtime);
            tokio::spawn(sweep(Arc::clone(&self.pool)));
        }
    }
}

impl Exchange {
    /// Whether the server has not been asked anything over this connection yet.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// The connection is not to be used again.
    pub(crate) fn spoil(&mut self) {
        self.is_spoiled = true;
    }
}

impl std::ops::Deref for Exchange {
    type Target = Conversation;

    fn deref(&self) -> &Conversation {
        &self.conversation
    }
}

impl std::ops::DerefMut for Exchange {
    fn deref_mut(&mut self) -> &mut Conversation {
        &mut self.conversation
    }
}

impl Pool {
    fn close_old(&mut self) {
        let now = Instant::now();
        self.parked.retain(|parked| parked.until.is_none_or(|until| until > now));
    }
}

/// Closes connections in time, until there are none.
async fn sweep(pool: Arc<Mutex<Pool>>) {
    let here = runtime::Handle::current().id();
    let pool = Arc::downgrade(&pool);
    loop {
        let first = {
            let Some(pool) = pool.upgrade() else { return };
            let mut pool = lock(&pool);
            pool.close_old();
            let Some(first) = pool.parked.iter().filter_map(|parked| parked.until).min() else {
                pool.sweeper.take_if(|sweeper| *sweeper == here);
                return;
            };
            first
        };
        sleep_until(first).await;
    }
}

fn lock(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}
