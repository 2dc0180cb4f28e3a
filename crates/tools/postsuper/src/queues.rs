//! The queues that this tool looks after.

use command::{Fatal, fatal};
use queue::{Depth, QueueName};

/// Queues that are worked on when the command line names none.
///
/// Logs come before messages: a message's logs must be in their place when the message changes its name.
pub(crate) const DEFAULT: [QueueName; 8] = [
    QueueName::Defer,
    QueueName::Bounce,
    QueueName::Maildrop,
    QueueName::Incoming,
    QueueName::Active,
    QueueName::Deferred,
    QueueName::Hold,
    QueueName::Flush,
];

/// Where a message's logs are.
pub(crate) const LOGS: [QueueName; 3] = [QueueName::Bounce, QueueName::Defer, QueueName::Trace];

/// A queue that may be named on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    pub(crate) name: QueueName,
    /// Messages, as opposed to logs.
    pub(crate) messages: bool,
    /// Users can write to maildrop, so we do not enter directories there.
    pub(crate) depth: Depth,
}

/// Looks a queue up by the name on the command line. `corrupt` and `saved` are a person's business.
pub(crate) fn find(name: &str) -> Result<Queue, Fatal> {
    let invalid = || fatal!("invalid directory name: {name}");
    let queue = QueueName::parse(name).ok_or_else(invalid)?;
    let messages = match queue {
        QueueName::Corrupt | QueueName::Saved => return Err(invalid()),
        other => other.holds_messages(),
    };
    let depth = if queue == QueueName::Maildrop { Depth::Flat } else { Depth::Hashed };
    Ok(Queue { name: queue, messages, depth })
}
