//! Changes to messages by queue id.

use std::time::SystemTime;

use command::Fatal;
use queue::{QueueId, QueueName, reason};

use crate::Tool;
use crate::counters::Event;
use crate::files::{self, Outcome};
use crate::queues::{self, LOGS};

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// `-d`
    Delete,
    /// `-e`
    Expire,
    /// `-f`
    ExpireAndRelease,
    /// `-h`
    Hold,
    /// `-H`
    Release,
    /// `-r`
    Requeue,
}

impl Change {
    /// Whether messages in this queue may be changed so. Mail in maildrop is not sanitized, and must not be mixed with
    /// mail that is.
    fn applies_to(self, queue: QueueName) -> bool {
        match self {
            Change::Delete => true,
            Change::Requeue | Change::Expire => queue != QueueName::Maildrop,
            Change::Hold => !matches!(queue, QueueName::Maildrop | QueueName::Hold),
            Change::Release => queue == QueueName::Hold,
            Change::ExpireAndRelease => false,
        }
    }
}

/// Messages move while we look for them: from a queue that comes later to one that was searched already.
const ATTEMPTS: usize = 2;

impl Tool {
    /// Changes one message, wherever in the named queues it is. One that is not found is not mentioned.
    pub(crate) fn change_one(&self, change: Change, id: &[u8]) -> Result<(), Fatal> {
        if change == Change::ExpireAndRelease {
            self.change_one(Change::Expire, id)?;
            return self.change_one(Change::Release, id);
        }
        let Some(id) = QueueId::parse(id) else {
            log::warning!("invalid mail queue id: {}", String::from_utf8_lossy(id));
            return Ok(());
        };
        for _ in 0..ATTEMPTS {
            // Ids that come together are mostly in one queue together.
            let (before, likely) = self.queues.split_at(self.likely.get());
            for (at, name) in (self.likely.get()..).zip(likely).chain((0..).zip(before)) {
                // A release looks nowhere else, so that it does not matter what else is named.
                if change == Change::Release && name != QueueName::Hold.as_str() {
                    continue;
                }
                let queue = queues::find(name)?;
                if !queue.messages || !change.applies_to(queue.name) {
                    continue;
                }
                if self.spool.check(queue.name, &id).is_none() {
                    continue;
                }
                if self.apply(change, queue.name, &id)? == Outcome::Done {
                    self.likely.set(at);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn apply(&self, change: Change, queue: QueueName, id: &QueueId) -> Result<Outcome, Fatal> {
        let path = self.spool.path(queue, id);
        let move_to = |target| files::rename(&path, &self.spool.path(target, id));
        let (outcome, event, text) = match change {
            Change::Delete => {
                // Logs first: without the message they would be taken for those of the next one with its id. And only
                // now that the message is known to exist, since the id may be in use again.
                for log in LOGS {
                    files::remove(&self.spool.path(log, id))?;
                }
                (files::remove(&path)?, Event::Deleted, "removed")
            }
            Change::Expire | Change::ExpireAndRelease => (files::expire(&path), Event::Expired, "expired"),
            // The logs stay: the queue manager may be about to bounce the message.
            Change::Hold => (move_to(QueueName::Hold)?, Event::Held, "placed on hold"),
            Change::Release => (move_to(QueueName::Deferred)?, Event::Released, "released from hold"),
            Change::Requeue => {
                let outcome = move_to(QueueName::Maildrop)?;
                if outcome == Outcome::Done {
                    self.reset_time(id);
                }
                (outcome, Event::Requeued, "requeued")
            }
        };
        if outcome == Outcome::Done {
            self.counters.add(event);
            log::info!("{id}: {text}");
        }
        Ok(outcome)
    }

    /// A deferred message's time is in the future; pickup would leave it alone until then.
    fn reset_time(&self, id: &QueueId) {
        if let Err(why) = self.spool.set_wake_time(QueueName::Maildrop, id, SystemTime::now()) {
            let path = self.spool.path(QueueName::Maildrop, id);
            log::warning!("{}: reset time stamps: {}", path.display(), reason(&why));
        }
    }
}
