//! The directories of the queue.

use std::fmt;

/// A queue, which is a directory below `queue_directory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Local submissions, written by `postdrop`; not yet sanitized.
    Maildrop,
    /// New mail, written by `cleanup`.
    Incoming,
    /// Mail that the queue manager works on.
    Active,
    /// Mail to try again; its modification time says when.
    Deferred,
    /// Mail that waits for the administrator.
    Hold,
    /// Unreadable queue files, kept for inspection.
    Corrupt,
    /// Queue files set aside by hand.
    Saved,
    /// Per-message logs of failed recipients.
    Bounce,
    /// Per-message logs of delayed recipients.
    Defer,
    /// Per-message logs of recipients whose status was asked for.
    Trace,
    /// Per-destination logs of queue ids (fast flush).
    Flush,
}

impl QueueName {
    /// Every queue.
    pub const ALL: [QueueName; 11] = [
        QueueName::Maildrop,
        QueueName::Incoming,
        QueueName::Active,
        QueueName::Deferred,
        QueueName::Hold,
        QueueName::Corrupt,
        QueueName::Saved,
        QueueName::Bounce,
        QueueName::Defer,
        QueueName::Trace,
        QueueName::Flush,
    ];

    /// The directory's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            QueueName::Maildrop => "maildrop",
            QueueName::Incoming => "incoming",
            QueueName::Active => "active",
            QueueName::Deferred => "deferred",
            QueueName::Hold => "hold",
            QueueName::Corrupt => "corrupt",
            QueueName::Saved => "saved",
            QueueName::Bounce => "bounce",
            QueueName::Defer => "defer",
            QueueName::Trace => "trace",
            QueueName::Flush => "flush",
        }
    }

    /// The queue with this directory name.
    pub fn parse(text: &str) -> Option<QueueName> {
        QueueName::ALL.into_iter().find(|queue| queue.as_str() == text)
    }

    /// Whether the files in it are messages; otherwise they are logs.
    pub const fn holds_messages(self) -> bool {
        matches!(
            self,
            QueueName::Maildrop
                | QueueName::Incoming
                | QueueName::Active
                | QueueName::Deferred
                | QueueName::Hold
                | QueueName::Corrupt
                | QueueName::Saved
        )
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for QueueName {
    type Err = UnknownQueue;

    fn from_str(text: &str) -> Result<QueueName, UnknownQueue> {
        QueueName::parse(text).ok_or_else(|| UnknownQueue(text.to_owned()))
    }
}

/// No queue has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad mail queue name: {0}")]
pub struct UnknownQueue(pub String);
