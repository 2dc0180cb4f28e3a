//! A recipient's way through aliases, .forward file, mailbox and the rules for unknown users.

use address::{casefold, eq_fold, split_at_domain};
use delivery::Verdict;
use mailbox::{Identity, find_user};

use crate::config::expansion;
use crate::delivery::{Boxed, Delivery, boxed};
use crate::state::{State, UserRights};

/// Deeper than this is a loop.
pub(crate) const NESTING_LIMIT: u32 = 100;

impl Delivery<'_> {
    /// Delivers to one local recipient, however it came up. Expansions come back here, hence the box.
    pub(crate) fn recipient(&self, state: State, rights: UserRights) -> Boxed<'_, Verdict> {
        boxed(self.deliver_recipient(state, rights))
    }

    async fn deliver_recipient(&self, state: State, rights: UserRights) -> Verdict {
        let mut state = state.deeper();
        state.log("deliver_recipient");
        let address = state.recipient.address.clone();
        if state.level > NESTING_LIMIT {
            log::warning!("recipient nesting limit exceeded for {}", bytes::show(&address));
            return self.bounced(&state, "5.4.6", "recipient nesting limit exceeded").await;
        }
        let level = state.level.to_string();
        if self.been_here(&[b"recipient ", level.as_bytes(), b" ", &address]) {
            return Verdict::Done;
        }
        if self.loops.contains(&address) {
            let reason = [b"mail forwarding loop for ", address.as_slice()].concat();
            let dsn = dsn::Dsn::new(dsn::Status::new("5.4.6"), reason);
            return boxed(self.failed_to_owner(state, dsn)).await;
        }
        // Forwarded mail keeps the address of the first forwarder.
        state.delivered.get_or_insert_with(|| address.clone());
        self.split(&mut state, &address);
        if state.user.is_empty() {
            let reason = [b"null username in \"", address.as_slice(), b"\""].concat();
            return self.bounced(&state, "5.1.3", reason).await;
        }
        boxed(self.switch(state, rights)).await
    }

    fn split(&self, state: &mut State, address: &[u8]) {
        let folded = casefold(address);
        let (local, domain) = split_at_domain(&folded);
        if domain.is_none() {
            log::warning!("no @ in recipient address: {}", bytes::show(local));
        }
        (state.local, state.domain) = (local.to_vec(), domain.map(<[u8]>::to_vec));
        (state.user, state.extension) = match self.config.splitter.split(local) {
            Some((user, extension)) => (user.to_vec(), Some(extension.to_vec())),
            None => (local.to_vec(), None),
        };
        // An extension becomes part of file names.
        if state.extension.as_ref().is_some_and(|extension| extension.contains(&b'/')) {
            let queue_id = &self.job.request.queue_id;
            log::warning!("{queue_id}: address with illegal extension: {}", bytes::show(&state.local));
            state.extension = None;
            state.local.clone_from(&state.user);
        }
        state.unmatched.clone_from(&state.extension);
    }

    async fn switch(&self, state: State, rights: UserRights) -> Verdict {
        let mut state = state.deeper();
        state.log("deliver_switch");
        // `\user` is for the user's mailbox whatever aliases and .forward say.
        if state.recipient.address.first() == Some(&b'\\') {
            for name in [&mut state.recipient.address, &mut state.local, &mut state.user] {
                name.drain(..1);
            }
            return boxed(self.mailbox_or_unknown(state, rights)).await;
        }
        if let Some(verdict) = self.aliases(&mut state).await {
            return verdict;
        }
        // A local address that a list's owner or a .forward file is responsible for becomes a message of its own, so that
        // it has a status of its own. With the bare user's name that is not needed: it is this recipient.
        let is_others = state.owner.as_ref().is_some_and(|owner| !eq_fold(owner, &state.user));
        if is_others || state.expansion == expansion::INCLUDE {
            return boxed(self.indirect(state)).await;
        }
        if let Some(verdict) = boxed(self.wait_for_home(&state)).await {
            return verdict;
        }
        if let Some(verdict) = boxed(self.dotforward(state.clone())).await {
            return verdict;
        }
        boxed(self.mailbox_or_unknown(state, rights)).await
    }

    /// Looks the full local part up first, then the user alone.
    async fn aliases(&self, state: &mut State) -> Option<Verdict> {
        state.unmatched = None;
        let local = state.local.clone();
        if let Some(verdict) = boxed(self.alias(state.clone(), &local)).await {
            return Some(verdict);
        }
        let extension = state.extension.clone()?;
        if self.config.propagation & expansion::ALIAS != 0 {
            state.unmatched = Some(extension.clone());
        }
        let user = state.user.clone();
        let verdict = boxed(self.alias(state.clone(), &user)).await;
        state.unmatched = Some(extension);
        verdict
    }

    async fn mailbox_or_unknown(&self, state: State, rights: UserRights) -> Verdict {
        match boxed(self.mailbox(state.clone())).await {
            Some(verdict) => verdict,
            None => boxed(self.unknown(state, rights)).await,
        }
    }

    /// `require_home_directory`: a home that is not mounted comes back.
    async fn wait_for_home(&self, state: &State) -> Option<Verdict> {
        if !self.config.params.require_home_directory {
            return None;
        }
        let user = match self.account(state).await {
            Ok(user) => user?,
            Err(verdict) => return Some(verdict),
        };
        let looked = self.config.rights.act_as(Identity::of(&user), || std::fs::metadata(&user.dir));
        let reason = match looked {
            Ok(Ok(_)) => return None,
            Ok(Err(error)) => {
                format!("cannot access home directory {}: {}", user.dir.display(), sys::reason(&error))
            }
            Err(refusal) => refusal.to_string(),
        };
        Some(self.deferred(state, "4.3.0", reason).await)
    }

    /// The recipient's account; an error is the verdict about a recipient whose account cannot be looked up now.
    pub(crate) async fn account(&self, state: &State) -> Result<Option<sys::User>, Verdict> {
        match find_user(&state.user) {
            Ok(user) => Ok(user),
            Err(error) => {
                let user = bytes::show(&state.user);
                log::warning!("error looking up passwd info for {user}: {}", sys::reason(&error));
                Err(self.deferred(state, "4.0.0", "user lookup error").await)
            }
        }
    }
}
