//! Addresses from lists: where they lead.

use address::{Address, crunch::insert_extension};
use delivery::Verdict;
use ipc::rewrite::{Flags, Rule};

use crate::delivery::{Delivery, boxed};
use crate::state::{State, UserRights};

impl Delivery<'_> {
    /// Delivers to an address of a list: here if it is local, by a new message if not.
    pub(crate) async fn resolve_tree(&self, state: State, rights: &UserRights, address: &Address) -> Verdict {
        let mut state = state.deeper();
        state.log("deliver_resolve_tree");
        // As cleanup(8) and the queue manager do it, but for virtual aliases; a new message gets those anyway.
        let rewriter = &self.config.rewriter;
        let canonical = boxed(rewriter.rewrite(Rule::Local, &address.externalize())).await;
        let canonical = Address::scan(&canonical).internalize();
        let resolved = boxed(rewriter.resolve(b"", &canonical)).await;
        if resolved.flags.has(Flags::FAIL) {
            return self.deferred(&state, "4.3.0", "address resolver failure").await;
        }
        if resolved.flags.has(Flags::ERROR) {
            let reason = [b"bad recipient address syntax: ", resolved.recipient.as_slice()].concat();
            return self.bounced(&state, "5.1.3", reason).await;
        }
        state.recipient.address = match &state.unmatched {
            Some(extension) => {
                let delimiter = state.delimiter().into_iter().collect::<Vec<u8>>();
                insert_extension(&resolved.recipient, &[&delimiter, extension.as_slice()].concat())
            }
            None => resolved.recipient,
        };
        if resolved.transport == self.config.service.as_bytes() {
            return self.recipient(state, rights.clone()).await;
        }
        boxed(self.indirect(state)).await
    }

    /// Delivers by a new message.
    pub(crate) async fn indirect(&self, state: State) -> Verdict {
        let address = &state.recipient.address;
        log::debug!("deliver_indirect: {}", bytes::show(address));
        if self.been_here(&[b"indirect ", address]) {
            return Verdict::Done;
        }
        if self.is_trace_only() {
            let reason = [b"forwards to ", address.as_slice()].concat();
            return self.sent(&state, reason).await;
        }
        match boxed(self.forward(&state)).await {
            Ok(()) => Verdict::Done,
            Err(error) => {
                log::warning!("{}: {error}", self.config.params.cleanup_service_name);
                self.deferred(&state, "4.3.0", "unable to forward message").await
            }
        }
    }
}
