//! `:include:` files: lists that others than the administrator maintain.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use delivery::Verdict;
use mailbox::find_user_by_id;

use crate::config::expansion;
use crate::delivery::{Boxed, Delivery, boxed};
use crate::recipient::NESTING_LIMIT;
use crate::state::{State, UserRights};

const BROKEN: &str = "mail system configuration error";

impl Delivery<'_> {
    /// Delivers to what a file lists. A file may include others, hence the box.
    pub(crate) fn include<'s>(
        &'s self,
        state: State,
        rights: UserRights,
        path: &'s Path,
    ) -> Boxed<'s, Verdict> {
        boxed(self.deliver_include(state, rights, path))
    }

    async fn deliver_include(&self, state: State, mut rights: UserRights, path: &Path) -> Verdict {
        let mut state = state.deeper();
        state.log("deliver_include");
        let shown = path.display();
        if state.level > NESTING_LIMIT {
            log::warning!(":include: nesting limit exceeded for {shown}");
            return self.bounced(&state, "5.4.6", ":include: nesting limit exceeded").await;
        }
        if self.been_here(&[format!("include {} {shown}", rights.uid).as_bytes()]) {
            return Verdict::Done;
        }
        state.expanded_from = Some(state.local.clone());
        let file_owner = match self.look(path, &rights) {
            Ok(uid) => uid,
            Err(problem) => {
                log::warning!("{problem}");
                return self.bounced(&state, "5.3.5", BROKEN).await;
            }
        };
        state.expansion = expansion::INCLUDE;
        // A file that root's alias includes works with its owner's rights, since it must not get those of the default
        // user; a file that a user's alias includes works with that user's, since anybody can include anything.
        if rights.uid == 0 {
            match find_user_by_id(file_owner) {
                Ok(Some(user)) if file_owner != 0 => rights = UserRights::of(&user),
                Ok(Some(_)) => {}
                other => {
                    let why = other.err().map(|error| format!(": {}", sys::reason(&error)));
                    log::warning!("cannot find username for uid {file_owner}{}", why.unwrap_or_default());
                    log::warning!("{shown}: cannot find :include: file owner username");
                    return self.deferred(&state, "4.3.5", BROKEN).await;
                }
            }
        }
        // Whoever is in the file gets a message of his own.
        if state.owner.is_none() {
            state.owner = Some(state.recipient.address.clone());
        }
        match self.open_as(path, &rights) {
            Ok(file) => {
                if self.config.propagation & expansion::INCLUDE == 0 {
                    state.unmatched = None;
                }
                boxed(self.token_stream(&state, &rights, file)).await.0
            }
            Err(error) => {
                log::warning!("cannot open include file {shown}: {}", sys::reason(&error));
                self.bounced(&state, "5.3.5", BROKEN).await
            }
        }
    }

    /// The owner of a file that may be included; an error is a warning. Links are followed, on purpose.
    fn look(&self, path: &Path, rights: &UserRights) -> Result<u32, String> {
        let shown = path.display();
        if !path.is_absolute() {
            return Err(format!(":include:{shown} uses a relative path"));
        }
        let looked = self.config.rights.act_as(rights.identity(), || fs::metadata(path));
        let found = match looked {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                return Err(format!("unable to lookup :include: file {shown}: {}", sys::reason(&error)));
            }
            Err(refusal) => return Err(format!("unable to lookup :include: file {shown}: {refusal}")),
        };
        if !found.is_file() {
            return Err(format!(":include: file {shown} is not a regular file"));
        }
        if found.mode() & 0o002 != 0 {
            return Err(format!(":include: file {shown} is world writable"));
        }
        Ok(found.uid())
    }

    /// Opens a user's file for reading with the user's rights.
    pub(crate) fn open_as(&self, path: &Path, rights: &UserRights) -> io::Result<File> {
        self.config.rights.act_as(rights.identity(), || File::open(path)).map_err(io::Error::other)?
    }
}
