//! The delivery services that deliver nothing: they log why, for many recipients at once and without holding us up.

use dsn::Dsn;

use super::{QueueId, Scheduler, TransportId};

impl Scheduler {
    /// The transport of an error service, unless it is dead itself.
    pub(super) fn error_transport(&mut self, service: &[u8]) -> Option<TransportId> {
        let transport = self.obtain_transport(service);
        self.transports[transport].dead.is_none().then_some(transport)
    }

    /// Its queue for mail with this problem.
    pub(super) fn error_queue(&mut self, service: &[u8], dsn: &Dsn) -> Option<QueueId> {
        let transport = self.error_transport(service)?;
        let nexthop = error_nexthop(dsn);
        let queue = self.obtain_queue(transport, &nexthop, &nexthop);
        (!self.queues[queue].is_throttled()).then_some(queue)
    }
}

/// An error service learns the problem from the nexthop: the code, a blank and the text.
pub(super) fn error_nexthop(dsn: &Dsn) -> Vec<u8> {
    let mut nexthop = dsn.status.as_str().as_bytes().to_vec();
    nexthop.push(b' ');
    nexthop.extend_from_slice(&dsn.reason);
    nexthop
}
