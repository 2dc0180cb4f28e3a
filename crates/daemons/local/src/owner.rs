//! Failures that are the business of a list's owner rather than of who wrote to the list.

use address::local_part;
use delivery::Verdict;
use dsn::Dsn;

use crate::delivery::Delivery;
use crate::state::State;

impl Delivery<'_> {
    /// Reports a failure to the `owner-` alias of the recipient, if it has one, and else to the sender.
    ///
    /// The owner is told at once, since the reports that are collected for a message go to its sender.
    pub(crate) async fn failed_to_owner(&self, mut state: State, dsn: Dsn) -> Verdict {
        let owner = match self.recipients_owner(&state).await {
            Ok(Some(owner)) => owner,
            Ok(None) => return self.failed(&state, dsn).await,
            Err(_) => return self.deferred(&state, "4.3.0", "alias database unavailable").await,
        };
        state.set_owner(owner);
        let request = &self.job.request;
        let report = ipc::bounce::Message {
            queue: request.queue.clone(),
            queue_id: request.queue_id.clone(),
            encoding: request.encoding.clone(),
            sendopts: request.sendopts,
            sender: state.sender.clone(),
            dsn_envid: state.dsn_envid.clone(),
            dsn_ret: state.dsn_ret,
        };
        let (message, relay) = (self.job.message(), &self.config.service);
        self.local.reporter.failed_alone(message, report, &state.recipient, relay, dsn).await
    }

    async fn recipients_owner(&self, state: &State) -> Result<Option<Vec<u8>>, table::Error> {
        let address = &state.recipient.address;
        if let Some(owner) = self.list_owner(local_part(address)).await? {
            return Ok(Some(owner));
        }
        match self.config.splitter.strip(address) {
            Some(stripped) => self.list_owner(local_part(&stripped.address)).await,
            None => Ok(None),
        }
    }
}
