//! Aliases: a name in `alias_maps` stands for a list of others.

use address::eq_fold;
use delivery::Verdict;
use dsn::notify;
use ipc::rewrite::Rule;
use mailbox::find_user_by_id;
use table::{Table, Trust};

use crate::config::expansion;
use crate::delivery::{Delivery, boxed};
use crate::recipient::NESTING_LIMIT;
use crate::state::{State, UserRights};

impl Delivery<'_> {
    /// Delivers to what a name stands for; `None` if it is no alias.
    pub(crate) async fn alias(&self, state: State, name: &[u8]) -> Option<Verdict> {
        let mut state = state.deeper();
        state.log("deliver_alias");
        // Who is in his own list wants the mail in his mailbox.
        if state.expanded_from.as_ref().is_some_and(|from| eq_fold(from, name)) {
            return None;
        }
        if state.level > NESTING_LIMIT {
            let text = [b"alias database loop for ", name].concat();
            log::warning!("{}", bytes::show(&text));
            return Some(self.bounced(&state, "5.4.6", text).await);
        }
        state.expanded_from = Some(name.to_vec());
        for table in self.config.aliases.tables() {
            match boxed(table.lookup(name)).await {
                Ok(Some(list)) => {
                    log::debug!(
                        "deliver_alias: {}: {} = {}",
                        table.name(),
                        bytes::show(name),
                        bytes::show(&list)
                    );
                    return Some(boxed(self.expand_alias(state, name, table, &list)).await);
                }
                Ok(None) => log::debug!("deliver_alias: {}: {} not found", table.name(), bytes::show(name)),
                Err(_) => {
                    log::warning!("{}: lookup of '{}' failed", table.name(), bytes::show(name));
                    return Some(self.deferred(&state, "4.3.0", "alias database unavailable").await);
                }
            }
        }
        None
    }

    async fn expand_alias(&self, mut state: State, name: &[u8], table: &Table, list: &[u8]) -> Verdict {
        if self.is_probe() {
            return self.sent(&state, [b"aliased to ", list].concat()).await;
        }
        state.expansion = expansion::ALIAS;
        let rights = match boxed(self.alias_rights(&state, table)).await {
            Ok(rights) => rights,
            Err(verdict) => return verdict,
        };
        let owner = match boxed(self.list_owner(name)).await {
            Ok(owner) => owner,
            Err(_) => return self.deferred(&state, "4.3.0", "alias database unavailable").await,
        };
        let is_list = owner.is_some();
        match owner {
            Some(owner) => state.set_owner(owner),
            None if self.config.params.reset_owner_alias => state.owner = None,
            None => {}
        }
        self.thaw_delivered(&mut state);
        // RFC 3461 section 5.2.7: who sends to an alias still learns of failures, who sends to a list does not.
        let before = state.clone();
        state.recipient.dsn_notify = without_success(before.recipient.dsn_notify);
        if is_list {
            (state.dsn_envid, state.dsn_ret) = (Vec::new(), 0);
            state.recipient.dsn_original = Vec::new();
            state.recipient.original = Vec::new();
        }
        let (verdict, count) = boxed(self.token_string(&state, &rights, list)).await;
        if count == 0 {
            log::warning!("no recipient in alias lookup result for {}", bytes::show(name));
            return self.deferred(&state, "4.3.0", "alias database unavailable").await;
        }
        if before.recipient.dsn_notify & notify::SUCCESS != 0 {
            let original = state.recipient.original;
            let mut reported = before;
            reported.recipient.original = original;
            self.expanded(&reported, if is_list { "delivered" } else { "expanded" }).await;
        }
        verdict
    }

    /// With whose rights the commands and files in a table's lists are used: those of the one who can change it.
    async fn alias_rights(&self, state: &State, table: &Table) -> Result<UserRights, Verdict> {
        let owner = table.owner();
        match owner.trust {
            Trust::Trusted => return Ok(UserRights::default()),
            Trust::Unknown => {
                log::warning!("deliver_alias: no owner UID for alias database {}", table.name());
                return Err(self.deferred(state, "4.3.0", "mail system configuration error").await);
            }
            Trust::Untrusted => {}
        }
        let why = match find_user_by_id(owner.uid) {
            Ok(Some(user)) => return Ok(UserRights::of(&user)),
            Ok(None) => String::new(),
            Err(error) => format!(": {}", sys::reason(&error)),
        };
        log::warning!("cannot find alias database owner for {}{why}", table.name());
        Err(self.deferred(state, "4.3.0", "cannot find alias database owner").await)
    }

    /// Who gets the reports about an alias: `owner-name`, if there is one.
    pub(crate) async fn list_owner(&self, name: &[u8]) -> Result<Option<Vec<u8>>, table::Error> {
        let params = &self.config.params;
        if !params.owner_request_special {
            return Ok(None);
        }
        let owner = [b"owner-", name].concat();
        let Some(found) = self.config.aliases.find(&owner).await? else { return Ok(None) };
        let address = if params.expand_owner_alias { &found.value } else { &owner };
        Ok(Some(self.config.rewriter.rewrite_internal(Rule::Local, address).await))
    }
}

/// A request for notices less the one about success, which is answered by the expansion itself.
pub(crate) fn without_success(requested: u32) -> u32 {
    if requested == notify::SUCCESS { notify::NEVER } else { requested & !notify::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_that_remain() {
        assert_eq!(without_success(notify::SUCCESS), notify::NEVER);
        assert_eq!(without_success(notify::SUCCESS | notify::DELAY), notify::DELAY);
        assert_eq!(without_success(0), 0);
    }
}
