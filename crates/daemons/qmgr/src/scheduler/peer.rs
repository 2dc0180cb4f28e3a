//! A message's deliveries to one destination.

use super::entry::{Entry, PeerTodo};
use super::list::{InList, Links, List};
use super::{JobId, PeerId, QueueId, Scheduler};

/// What a job has for one destination.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) job: JobId,
    pub(super) queue: QueueId,
    /// Deliveries that wait, in order.
    pub(super) todo: List<Entry, PeerTodo>,
    /// Deliveries that wait or are under way.
    pub(super) references: usize,
    siblings: Links<Peer>,
}

/// The list of a job's peers, in turn.
#[derive(Debug)]
pub(super) struct JobPeers;

impl InList<JobPeers> for Peer {
    fn links(&self) -> &Links<Self> {
        &self.siblings
    }

    fn links_mut(&mut self) -> &mut Links<Self> {
        &mut self.siblings
    }
}

impl Scheduler {
    pub(super) fn obtain_peer(&mut self, job: JobId, queue: QueueId) -> PeerId {
        if let Some(&known) = self.peer_names.get(&(job, queue)) {
            return known;
        }
        let id = self.peers.insert(Peer {
            job,
            queue,
            todo: List::default(),
            references: 0,
            siblings: Links::default(),
        });
        self.jobs[job].peers.append(&mut self.peers, id);
        self.peer_names.insert((job, queue), id);
        id
    }

    pub(super) fn remove_peer(&mut self, id: PeerId) {
        let (job, queue) = (self.peers[id].job, self.peers[id].queue);
        self.jobs[job].peers.unlink(&mut self.peers, id);
        self.peer_names.remove(&(job, queue));
        self.peers.remove(id);
    }

    /// The next destination in turn that has room for a delivery of this job.
    pub(super) fn select_peer(&mut self, job: JobId) -> Option<PeerId> {
        let id = self.jobs[job].peers.iter(&self.peers).find(|&id| {
            let peer = &self.peers[id];
            !peer.todo.is_empty() && self.queues[peer.queue].has_room()
        })?;
        self.jobs[job].peers.rotate_past(&mut self.peers, id);
        Some(id)
    }
}
