//! Connections that nobody uses at the moment, to a place where all connections are equal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// How many questions of one table the servers see at once.
const CONNECTIONS: usize = 20;

/// Connections for the next question. As many questions are asked at once as there may be connections; the others wait for
/// their turn.
pub struct Pool<C> {
    idle: Arc<Mutex<Idle<C>>>,
    /// How long a connection is kept that nobody uses.
    keep: Duration,
    turns: Semaphore,
}

/// The right to ask a question, until it is dropped.
pub struct Turn<'a>(Option<SemaphorePermit<'a>>);

struct Idle<C> {
    /// The one used last comes last.
    connections: Vec<Parked<C>>,
    /// The runtime on which somebody closes them in time.
    sweeper: Option<runtime::Id>,
}

struct Parked<C> {
    connection: C,
    used: Instant,
    /// A connection hears from its server through the runtime that opened it, and a program may have two: one for
    /// questions before its event loop begins.
    runtime: runtime::Id,
}

impl<C: Send + 'static> Pool<C> {
    /// No connections yet. One that nobody used for so long will be closed.
    pub fn new(keep: Duration) -> Self {
        let idle = Arc::new(Mutex::new(Idle { connections: Vec::new(), sweeper: None }));
        Self { idle, keep, turns: Semaphore::new(CONNECTIONS) }
    }

    /// Waits until it is one's turn.
    pub async fn turn(&self) -> Turn<'_> {
        // Nobody closes the semaphore.
        Turn(self.turns.acquire().await.ok())
    }

    /// The connection that was used last.
    pub fn take(&self, turn: &Turn<'_>) -> Option<C> {
        debug_assert!(turn.0.is_some(), "a turn");
        let mut idle = lock(&self.idle);
        idle.close_old(self.keep);
        let here = Handle::current().id();
        let at = idle.connections.iter().rposition(|parked| parked.runtime == here)?;
        Some(idle.connections.remove(at).connection)
    }

    /// Puts a connection back, for others.
    pub fn put(&self, connection: C) {
        let mut idle = lock(&self.idle);
        let runtime = Handle::current().id();
        idle.connections.push(Parked { connection, used: Instant::now(), runtime });
        if idle.sweeper != Some(runtime) {
            idle.sweeper = Some(runtime);
            tokio::spawn(sweep(Arc::clone(&self.idle), self.keep));
        }
    }

    /// Closes all that nobody uses: the server went away, and they will not work either.
    pub fn clear(&self) {
        lock(&self.idle).connections.clear();
    }
}

impl<C> Idle<C> {
    fn close_old(&mut self, after: Duration) {
        let now = Instant::now();
        self.connections.retain(|parked| now.duration_since(parked.used) < after);
    }
}

/// Closes connections in time, until there are none.
async fn sweep<C: Send + 'static>(idle: Arc<Mutex<Idle<C>>>, after: Duration) {
    let here = Handle::current().id();
    let idle = Arc::downgrade(&idle);
    loop {
        let oldest = {
            let Some(idle) = idle.upgrade() else { return };
            let mut idle = lock(&idle);
            idle.close_old(after);
            let Some(oldest) = idle.connections.first().map(|parked| parked.used) else {
                idle.sweeper.take_if(|sweeper| *sweeper == here);
                return;
            };
            oldest
        };
        tokio::time::sleep_until(oldest + after).await;
    }
}

fn lock<C>(idle: &Mutex<Idle<C>>) -> MutexGuard<'_, Idle<C>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connections_are_closed_in_time() {
        let pool = Pool::new(Duration::from_secs(60));
        let connection = Arc::new(());
        let turn = pool.turn().await;
        assert!(pool.take(&turn).is_none());
        pool.put(Arc::clone(&connection));
        assert_eq!(Arc::strong_count(&connection), 2);
        tokio::time::sleep(Duration::from_secs(30)).await;
        let taken = pool.take(&turn);
        assert!(taken.is_some());
        pool.put(Arc::clone(&connection));
        drop(taken);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(Arc::strong_count(&connection), 2);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(Arc::strong_count(&connection), 1);
    }

    #[test]
    fn a_connection_stays_with_its_runtime() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (before, after) = (runtime(), runtime());
        let pool = Pool::new(Duration::from_secs(60));
        before.block_on(async { pool.put(1) });
        after.block_on(async {
            let turn = pool.turn().await;
            assert_eq!(pool.take(&turn), None);
            pool.put(2);
            assert_eq!(pool.take(&turn), Some(2));
        });
        before.block_on(async { assert_eq!(pool.take(&pool.turn().await), Some(1)) });
    }

    #[tokio::test(start_paused = true)]
    async fn questions_wait_for_their_turn() {
        let pool: Pool<()> = Pool::new(Duration::from_secs(60));
        let mut turns = Vec::new();
        for _ in 0..CONNECTIONS {
            turns.push(pool.turn().await);
        }
        let more = tokio::time::timeout(Duration::from_secs(9), pool.turn()).await;
        assert!(more.is_err(), "there are as many as may be");
        turns.pop();
        pool.turn().await;
    }
}
