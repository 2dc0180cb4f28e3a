//! Several servers with the same contents: which one is asked, and for how long one that failed is left alone.
//!
//! As in Postfix: a server with an open connection is preferred, local sockets come before the network, and chance
//! decides between equals. A server that cannot be reached, or that ends a connection, is left alone for the retry
//! interval while the others are asked; a single server stands for a load balancer and is tried once more at once.
//! Connections that nobody used for the idle interval are closed.
//!
//! COMPAT: where Postfix has one connection a process, a process here has as many as it has questions at the same time,
//! so that a slow answer holds up its own client only. And a question that a server refuses, while the connection stays
//! well, is put to the others but is no reason to leave the server alone: one hostile key would otherwise stop the
//! lookups of all clients of the process. Tests: `questions_run_side_by_side`, `a_refused_question`.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How many questions of this table the servers see at once.
const CONNECTIONS: usize = 20;

/// A server that can be asked.
pub trait Server {
    /// An open connection. Dropping it closes it.
    type Connection: Send + 'static;

    /// The way to the server.
    fn reach(&self) -> Reach;

    /// Opens a connection, in bounded time. Nothing when that fails, which has been logged then.
    fn connect(&self) -> impl Future<Output = Option<Self::Connection>>;
}

/// The way to a server, the preferred one first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reach {
    /// A local socket.
    Unix,
    /// The network.
    Inet,
    /// Something that only the database's own library understands.
    Uri,
}

/// Why a question has no answer; the details have been logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The server refused it. The connection is as good as before.
    Question,
    /// The connection is of no use any more.
    Connection,
}

/// The servers of one table.
pub struct Servers<S: Server> {
    servers: Vec<S>,
    pool: Arc<Mutex<Pool<S::Connection>>>,
    retry: Duration,
    idle: Duration,
    turns: Semaphore,
}

struct Pool<C> {
    slots: Vec<Slot<C>>,
    /// The runtime on which somebody closes idle connections in time.
    sweeper: Option<runtime::Id>,
}

/// What is known about one server.
struct Slot<C> {
    /// Connections that nobody uses.
    idle: Vec<Idle<C>>,
    /// How many connections are in use.
    busy: usize,
    /// Until when the server is left alone.
    down: Option<Instant>,
}

struct Idle<C> {
    connection: C,
    used: Instant,
    /// A connection hears from its server through the runtime that opened it, and a program may have two: one for
    /// questions before its event loop begins.
    runtime: runtime::Id,
}

impl<S: Server> Servers<S> {
    /// Servers that were not asked yet. `retry` is how long a server that failed is left alone, `idle` how long a
    /// connection is kept that nobody uses.
    pub fn new(mut servers: Vec<S>, retry: Duration, idle: Duration) -> Self
    where
        S: Clone,
    {
        if let [single] = servers.as_slice() {
            servers.push(single.clone());
        }
        let slots = servers.iter().map(|_| Slot { idle: Vec::new(), busy: 0, down: None }).collect();
        let pool = Arc::new(Mutex::new(Pool { slots, sweeper: None }));
        Self { servers, pool, retry, idle, turns: Semaphore::new(CONNECTIONS) }
    }

    /// Puts a question to one server after the other until one answers. Nothing when none does.
    pub async fn ask<T>(
        &self,
        mut question: impl AsyncFnMut(&S, &mut S::Connection) -> Result<T, Failure>,
    ) -> Option<T> {
        let _turn = self.turns.acquire().await;
        let mut untried = vec![true; self.servers.len()];
        while let Some(at) = self.choose(&untried) {
            let server = self.servers.get(at)?;
            *untried.get_mut(at)? = false;
            let _use = Use::of(&self.pool, at);
            let open = self.idle_connection(at);
            let connection = if open.is_some() { open } else { server.connect().await };
            let Some(mut connection) = connection else {
                self.leave_alone(at);
                continue;
            };
            match question(server, &mut connection).await {
                Ok(answer) => {
                    self.keep(at, connection);
                    return Some(answer);
                }
                Err(Failure::Question) => self.keep(at, connection),
                Err(Failure::Connection) => self.leave_alone(at),
            }
        }
        None
    }

    /// The server to ask next, of those that were not asked yet.
    fn choose(&self, untried: &[bool]) -> Option<usize> {
        let now = Instant::now();
        let pool = lock(&self.pool);
        let rank = |at: usize| -> Option<(bool, Reach)> {
            let (slot, server) = (pool.slots.get(at)?, self.servers.get(at)?);
            let is_down = slot.down.is_some_and(|until| until >= now);
            let is_active = slot.busy > 0 || !slot.idle.is_empty();
            (untried.get(at) == Some(&true) && !is_down).then_some((!is_active, server.reach()))
        };
        let ranks: Vec<_> = (0..self.servers.len()).filter_map(|at| Some((at, rank(at)?))).collect();
        let best = ranks.iter().map(|&(_, rank)| rank).min()?;
        let equals: Vec<_> = ranks.iter().filter(|&&(_, rank)| rank == best).map(|&(at, _)| at).collect();
        // The standard library seeds its hashers from the system's random numbers.
        let chance = usize::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
        equals.get(chance % equals.len()).copied()
    }

    fn idle_connection(&self, at: usize) -> Option<S::Connection> {
        let mut pool = lock(&self.pool);
        pool.close_idle(self.idle);
        let here = Handle::current().id();
        let idle = &mut pool.slots.get_mut(at)?.idle;
        let last = idle.iter().rposition(|idle| idle.runtime == here)?;
        Some(idle.remove(last).connection)
    }

    fn keep(&self, at: usize, connection: S::Connection) {
        let mut pool = lock(&self.pool);
        let Some(slot) = pool.slots.get_mut(at) else { return };
        let runtime = Handle::current().id();
        slot.idle.push(Idle { connection, used: Instant::now(), runtime });
        slot.down = None;
        if pool.sweeper != Some(runtime) {
            pool.sweeper = Some(runtime);
            tokio::spawn(sweep(Arc::clone(&self.pool), self.idle));
        }
    }

    /// The other connections to the server will not work either.
    fn leave_alone(&self, at: usize) {
        let mut pool = lock(&self.pool);
        let Some(slot) = pool.slots.get_mut(at) else { return };
        slot.idle.clear();
        slot.down = Some(Instant::now() + self.retry);
    }
}

impl<C> Pool<C> {
    fn close_idle(&mut self, after: Duration) {
        let now = Instant::now();
        for slot in &mut self.slots {
            slot.idle.retain(|idle| now.duration_since(idle.used) < after);
        }
    }
}

/// Closes connections in time, until there are none.
async fn sweep<C: Send + 'static>(pool: Arc<Mutex<Pool<C>>>, after: Duration) {
    let here = Handle::current().id();
    let pool = Arc::downgrade(&pool);
    loop {
        let oldest = {
            let Some(pool) = pool.upgrade() else { return };
            let mut pool = lock(&pool);
            pool.close_idle(after);
            let used = pool.slots.iter().flat_map(|slot| &slot.idle).map(|idle| idle.used);
            let Some(oldest) = used.min() else {
                pool.sweeper.take_if(|sweeper| *sweeper == here);
                return;
            };
            oldest
        };
        tokio::time::sleep_until(oldest + after).await;
    }
}

/// A connection in use, for as long as it lives: also when the one who asked goes away.
struct Use<'a, C> {
    pool: &'a Mutex<Pool<C>>,
    at: usize,
}

impl<'a, C> Use<'a, C> {
    fn of(pool: &'a Mutex<Pool<C>>, at: usize) -> Self {
        if let Some(slot) = lock(pool).slots.get_mut(at) {
            slot.busy += 1;
        }
        Self { pool, at }
    }
}

impl<C> Drop for Use<'_, C> {
    fn drop(&mut self) {
        if let Some(slot) = lock(self.pool).slots.get_mut(self.at) {
            slot.busy = slot.busy.saturating_sub(1);
        }
    }
}

fn lock<C>(pool: &Mutex<Pool<C>>) -> MutexGuard<'_, Pool<C>> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
