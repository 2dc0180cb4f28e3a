//! The end: the message goes into the queue, back to its sender, or nowhere.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use ipc::cleanup::{Reply, Status, flags};
use queue::{Commit, IdForm, QueueId, QueueName, RecordType, Size, Spool};
use tokio::sync::Semaphore;

use crate::notify::Notifier;
use crate::state::Message;

/// So many messages wait for the disk at once: they share journal commits, and more would only share the waiting.
const COMMITS: usize = 24;

/// The queue, for those who put messages into it.
pub struct Intake {
    /// The queue directory.
    pub spool: Spool,
    /// Tells the queue manager.
    pub notifier: Option<Notifier>,
    turns: Arc<Semaphore>,
    sessions: Cell<usize>,
}

/// A client that is being served; see [`Intake::enter`].
pub(crate) struct Presence<'a>(&'a Intake);

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.0.sessions.set(self.0.sessions.get() - 1);
    }
}

impl Intake {
    /// Messages go to `spool`, and `notifier` learns of them.
    pub fn new(spool: Spool, notifier: Option<Notifier>) -> Self {
        Self { spool, notifier, turns: Arc::new(Semaphore::new(COMMITS)), sessions: Cell::new(0) }
    }

    /// Counts a client in, until the presence is dropped.
    pub(crate) fn enter(&self) -> Presence<'_> {
        self.sessions.set(self.sessions.get() + 1);
        Presence(self)
    }

    /// Runs what waits for the disk. Several messages reach it side by side, each on a thread that sleeps most of the
    /// time; a client that is alone has nobody to hold up, and is spared the way to a thread and back.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if self.sessions.get() == 1 {
            return work();
        }
        // The semaphore is never closed; without a permit there is only no limit.
        let permit = Arc::clone(&self.turns).acquire_owned().await.ok();
        let running = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        running.await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }
}

/// The logs that may be left from an earlier message with the same queue id.
const LOGS: [QueueName; 3] = [QueueName::Defer, QueueName::Bounce, QueueName::Trace];

impl Message {
    /// Ends the message after its last record, or after a failure.
    ///
    /// DURABILITY: [`Status::OK`] without a discard means that the queue file is complete and on disk.
    pub async fn finish(mut self) -> Reply {
        if self.is_ok() {
            if self.recipient.is_none() {
                self.errors |= Status::RCPT;
            }
            if !self.end_seen {
                self.errors |= Status::BAD;
            }
        }
        // What was discarded by an administrator's rule looks like success to the sender.
        if self.has(flags::DISCARD) {
            self.errors = Status::OK;
        }
        if self.is_ok() {
            self.final_size();
        }
        if !self.errors.is_ok() && self.can_bounce() {
            self.bounce().await;
        }
        let reason = self.reason.take().unwrap_or_default();
        let status = if self.errors.is_ok() && !self.has(flags::DISCARD) {
            self.commit().await
        } else {
            self.remove();
            self.errors
        };
        log::debug!("cleanup_flush: status {}", status.0);
        Reply { status, reason }
    }

    /// Replaces the zeros of the first record by what is known now.
    fn final_size(&mut self) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let size = Size {
            content_size: number(self.offsets.extracted - self.offsets.content),
            content_offset: number(self.offsets.content),
            recipients: self.recipient_count,
            flags: self.qmgr_options,
            content_length: number(self.content_length),
            send_options: self.send_options,
            ..Size::default()
        };
        if let Err(fault) = self.draft.rewrite(0, RecordType::Size, size.to_string().as_bytes()) {
            log::warning!("{}: write queue file: {}", self.queue_id, queue::reason(&fault));
            self.errors |= Status::WRITE;
        }
    }

    async fn commit(self) -> Status {
        let Self { cx, draft, queue_id, flags, is_traced, .. } = self;
        let queue = if flags & flags::HOLD != 0 { QueueName::Hold } else { QueueName::Incoming };
        let intake = &cx.intake;
        let spool = intake.spool.clone();
        let committed = intake.on_disk(move || {
            let removed = if is_traced { Vec::new() } else { remove_logs(&spool, draft.id())? };
            draft.commit(Commit::to(queue)).map(|_| removed)
        });
        let fault = match committed.await {
            Ok(removed) => {
                for log in removed {
                    log_removed(log, &queue_id);
                }
                if let (QueueName::Incoming, Some(notifier)) = (queue, &intake.notifier) {
                    notifier.notify();
                }
                return Status::OK;
            }
            Err(fault) => fault,
        };
        log::warning!("{queue_id}: write queue file: {}", queue::reason(&fault));
        log::info!("{queue_id}: removed (canceled)");
        match fault.kind() {
            std::io::ErrorKind::FileTooLarge => Status::SIZE,
            _ => Status::WRITE,
        }
    }

    fn remove(&self) {
        if self.is_traced {
            remove_quietly(&self.cx.intake.spool, QueueName::Trace, self.draft.id());
        }
        let how = if self.errors.is_ok() { "discarded" } else { "canceled" };
        log::info!("{}: removed ({how})", self.queue_id);
    }

    /// Makes sure that what is logged about this message from now on is about this message.
    pub(crate) fn remove_stale_logs(&mut self) {
        let cx = Rc::clone(&self.cx);
        match remove_logs(&cx.intake.spool, self.draft.id()) {
            Ok(removed) => removed.into_iter().for_each(|log| log_removed(log, &self.queue_id)),
            Err(fault) => {
                log::warning!("{}: remove stale log: {}", self.queue_id, queue::reason(&fault));
                self.errors |= Status::WRITE;
            }
        }
    }
}

fn log_removed(log: QueueName, queue_id: &str) {
    log::warning!("{log}: removed spurious {queue_id} log");
}

/// Removes logs of an earlier message with this id; which there were. A long id is never used twice.
fn remove_logs(spool: &Spool, id: &QueueId) -> std::io::Result<Vec<QueueName>> {
    let mut removed = Vec::new();
    if id.form() == IdForm::Long {
        return Ok(removed);
    }
    for log in LOGS {
        match spool.remove(log, id) {
            Ok(()) => removed.push(log),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(removed)
}

fn remove_quietly(spool: &Spool, log: QueueName, id: &QueueId) {
    if let Err(fault) = spool.remove(log, id)
        && fault.kind() != std::io::ErrorKind::NotFound
    {
        log::warning!("remove {}: {}", spool.name(log, id), queue::reason(&fault));
    }
}
