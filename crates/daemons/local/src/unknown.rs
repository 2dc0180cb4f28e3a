//! Recipients without an alias and without an account.

use address::{Address, MAILER_DAEMON, POSTMASTER, eq_fold};
use delivery::Verdict;
use ipc::rewrite::Rule;

use crate::delivery::{Delivery, boxed};
use crate::state::{State, UserRights};

impl Delivery<'_> {
    /// Delivers as is configured for unknown users, or bounces.
    pub(crate) async fn unknown(&self, state: State, rights: UserRights) -> Verdict {
        let mut state = state.deeper();
        state.log("deliver_unknown");
        if self.been_here(&[b"deliver_unknown ", &state.local]) {
            return Verdict::Done;
        }
        let params = &self.config.params;
        match self.config.fallback_transports.find(&state.user).await {
            Ok(Some(found)) => return self.pass(&state, &String::from_utf8_lossy(&found.value)).await,
            Ok(None) => {}
            Err(_) => return self.deferred(&state, "4.3.0", "table lookup failure").await,
        }
        if !params.fallback_transport.is_empty() {
            return self.pass(&state, &params.fallback_transport).await;
        }
        let user_unknown = [b"unknown user: \"", state.user.as_slice(), b"\""].concat();
        if !params.luser_relay.is_empty() {
            state.unmatched = None;
            let relay = self.expand(&params.luser_relay, &state, &rights, None).text;
            // It may lack a domain. What it names is an address, whatever it looks like.
            let canonical = self.config.rewriter.rewrite(Rule::Local, &relay).await;
            if eq_fold(&canonical, &state.recipient.address) {
                return self.bounced(&state, "5.1.1", user_unknown).await;
            }
            return boxed(self.resolve_tree(state, &rights, &Address::scan(&relay))).await;
        }
        // Reports about mail for these would be mail for these.
        if [MAILER_DAEMON, POSTMASTER].iter().any(|name| eq_fold(name, &state.user)) {
            log::warning!("required alias not found: {}", bytes::show(&state.user));
            return self.sent(&state, "discarded").await;
        }
        self.bounced(&state, "5.1.1", user_unknown).await
    }
}
