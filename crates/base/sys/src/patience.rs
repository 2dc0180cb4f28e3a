//! Time limits for one wait after the other.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The time was up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

/// Waits with time limits, each of which is hardly ever reached: those of a conversation.
///
/// A timer for each wait would be put into the event loop's wheel and taken out again every time. Here one timer serves
/// them all. A later limit leaves it where it is; when it goes off early, it is set to what the limit is by then.
#[derive(Debug, Default)]
pub struct Patience(Option<Pin<Box<Sleep>>>);

/// In place of a moment that the clock cannot tell.
const FAR_AWAY: Duration = Duration::from_secs(30 * 365 * 86400);

impl Patience {
    /// The future's output, if it takes no longer than this.
    pub async fn within<F: Future>(&mut self, limit: Duration, future: F) -> Result<F::Output, TimedOut> {
        let now = Instant::now();
        self.until(now.checked_add(limit).unwrap_or(now + FAR_AWAY), future).await
    }

    /// The future's output, if it is there by the deadline.
    pub async fn until<F: Future>(&mut self, deadline: Instant, future: F) -> Result<F::Output, TimedOut> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            while timer.as_mut().poll(context).is_ready() {
                if timer.deadline() >= deadline {
                    return Poll::Ready(Err(TimedOut));
                }
                timer.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(test);
    }

    fn in_seconds(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    async fn wait(seconds: u64) -> u64 {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        seconds
    }

    #[test]
    fn limits_are_kept_to_the_moment() {
        run(async {
            let mut patience = Patience::default();
            // Earlier than, as late as and later than what the timer was set to before.
            for (limit, needed) in
                [(10, 5), (10, 11), (3, 4), (30, 29), (30, 31), (30, 29), (1, 2), (100, 200)]
            {
                let start = Instant::now();
                let waited = patience.until(in_seconds(limit), wait(needed)).await;
                assert_eq!(waited, if needed < limit { Ok(needed) } else { Err(TimedOut) });
                let took = start.elapsed().as_secs_f64();
                assert!((took - needed.min(limit) as f64).abs() < 0.1, "{limit} {needed} {took}");
            }
        });
    }

    #[test]
    fn what_is_there_needs_no_time() {
        run(async {
            let mut patience = Patience::default();
            let past = Instant::now();
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(patience.until(past, std::future::ready(1)).await, Ok(1));
            assert_eq!(patience.until(past, wait(1)).await, Err(TimedOut));
            assert_eq!(patience.until(in_seconds(2), wait(1)).await, Ok(1));
        });
    }
}
