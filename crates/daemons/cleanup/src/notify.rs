//! Telling the queue manager about new mail.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Messages that arrive within this time after a word to the queue manager share the next one.
const PAUSE: Duration = Duration::from_millis(10);

/// Tells the queue manager to look into the incoming queue: at once for the first message, once for many in a burst.
///
/// A word that gets lost costs time only, since the queue manager also looks by itself.
#[derive(Clone, Debug)]
pub struct Notifier(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    path: String,
    state: Cell<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// A word is on its way, or was sent within the pause.
    Busy,
    /// And another one is due after the pause.
    Due,
}

impl Notifier {
    /// For the queue manager's socket, usually `public/qmgr`.
    pub fn new(path: impl Into<String>) -> Self {
        Self(Rc::new(Inner { path: path.into(), state: Cell::new(State::Idle) }))
    }

    /// There is new mail. Must be called on the event loop.
    pub fn notify(&self) {
        if self.0.state.get() != State::Idle {
            self.0.state.set(State::Due);
            return;
        }
        self.0.state.set(State::Busy);
        let inner = Rc::clone(&self.0);
        tokio::task::spawn_local(async move {
            loop {
                if let Err(fault) = ipc::trigger::notify(&inner.path, &[ipc::trigger::SCAN_INCOMING]).await {
                    log::debug!("trigger {}: {fault}", inner.path);
                }
                tokio::time::sleep(PAUSE).await;
                if inner.state.replace(State::Busy) != State::Due {
                    break;
                }
            }
            inner.state.set(State::Idle);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_shares_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmgr");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let words = tokio::task::LocalSet::new().block_on(&runtime, async {
            let listener = tokio::net::UnixListener::bind(&path).unwrap();
            let notifier = Notifier::new(path.to_str().unwrap());
            for _ in 0..100 {
                notifier.notify();
            }
            let mut words = 0;
            while tokio::time::timeout(PAUSE * 5, listener.accept()).await.is_ok() {
                words += 1;
            }
            notifier.notify();
            assert!(tokio::time::timeout(PAUSE * 5, listener.accept()).await.is_ok());
            words
        });
        assert_eq!(words, 2);
    }
}
