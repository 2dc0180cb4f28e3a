//! Deferring what cannot be delivered now, without trying.

use dsn::Dsn;
use ipc::Recipient;

use super::entry::Stage;
use super::{Action, MessageId, QueueId, RETRY, Scheduler, TransportId};

impl Scheduler {
    /// Defers everything that waits for a transport.
    pub(super) fn defer_transport(&mut self, transport: TransportId, dsn: &Dsn) {
        let queues: Vec<QueueId> = self.transports[transport].queues.values().copied().collect();
        for queue in queues {
            // Deferring mail for one destination may end another that has nothing left.
            if self.queues.get(queue).is_some() {
                self.defer_todo(queue, dsn);
            }
        }
    }

    /// Defers everything that waits for a destination: by retry(8), or when that is dead too, by ourselves.
    pub(super) fn defer_todo(&mut self, queue: QueueId, dsn: &Dsn) {
        let waiting: Vec<_> = self.queues[queue].todo.iter(&self.entries).collect();
        if waiting.is_empty() {
            return;
        }
        let retry = self.error_queue(RETRY, dsn).filter(|&retry| retry != queue);
        for entry in waiting {
            if let Some(retry) = retry {
                self.move_todo(entry, retry);
                continue;
            }
            let message = self.entries[entry].message;
            let recipients = std::mem::take(&mut self.entries[entry].recipients);
            self.defer_recipients(message, recipients, dsn);
            self.finish_entry(entry, Stage::Todo);
        }
    }

    /// Defers recipients by ourselves. The message stays until that is done.
    pub(super) fn defer_recipients(&mut self, message: MessageId, recipients: Vec<Recipient>, dsn: &Dsn) {
        self.messages[message].references += 1;
        self.actions.push_back(Action::Defer { message, recipients, dsn: dsn.clone() });
    }
}
