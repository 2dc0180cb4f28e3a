//! Forgetting what is dead (`postqueue -f`, flush requests).

use super::{QueueId, Scheduler, TransportId};

impl Scheduler {
    /// Every transport and destination gets another chance now.
    pub fn enable_all(&mut self) {
        log::debug!("qmgr_enable_all");
        let transports: Vec<TransportId> = self.transports.iter().map(|(id, _)| id).collect();
        for transport in transports {
            self.enable_transport(transport);
        }
    }

    fn enable_transport(&mut self, id: TransportId) {
        if self.transports[id].dead.is_some() {
            self.unthrottle_transport(id);
        }
        let queues: Vec<QueueId> = self.transports[id].queues.values().copied().collect();
        for queue in queues {
            if self.queues[queue].is_throttled() {
                self.unthrottle_queue(queue);
            }
            self.drop_idle_queue(queue);
        }
    }
}
