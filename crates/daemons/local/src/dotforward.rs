//! .forward files: an account's own list of where its mail is to go.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::list;
use delivery::Verdict;
use dsn::notify;
use mailbox::NotPermitted;

use crate::alias::without_success;
use crate::config::expansion;
use crate::delivery::{Delivery, boxed};
use crate::expand::Extension;
use crate::state::{State, UserRights};

/// A .forward file that is there, whether or not it can be used.
struct Found {
    path: PathBuf,
    metadata: Metadata,
    /// Whether its name says the extension, so that nobody else needs to know it.
    extension: Extension,
}

impl Delivery<'_> {
    /// Delivers as an account's .forward file says; `None` if there is no account, no such file, or nothing in it.
    pub(crate) async fn dotforward(&self, state: State) -> Option<Verdict> {
        let mut state = state.deeper();
        state.log("deliver_dotforward");
        if self.config.params.forward_path.is_empty() {
            return None;
        }
        let user = match self.account(&state).await {
            Ok(user) => user?,
            Err(verdict) => return Some(verdict),
        };
        self.thaw_delivered(&mut state);
        // The recipient's rights, and not the file owner's: else a file that belongs to another user would do.
        let rights = UserRights::of(&user);
        state.expansion = expansion::FORWARD;
        state.owner = Some(state.user.clone());
        let found = match self.find_forward(&state, &rights) {
            Ok(found) => found?,
            Err(refusal) => return Some(self.deferred(&state, "4.3.0", refusal.to_string()).await),
        };
        if found.extension == Extension::Used || self.config.propagation & expansion::FORWARD == 0 {
            state.unmatched = None;
        }
        boxed(self.forward_by(state, &rights, &found)).await
    }

    fn find_forward(&self, state: &State, rights: &UserRights) -> Result<Option<Found>, NotPermitted> {
        let params = &self.config.params;
        for pattern in list::split(&params.forward_path, list::SEPARATORS) {
            let filter = Some(params.forward_expansion_filter.as_str());
            let expanded = self.expand(pattern, state, rights, filter);
            if expanded.failed || expanded.undefined {
                continue;
            }
            let path = PathBuf::from(OsStr::from_bytes(&expanded.text));
            let looked = self.config.rights.act_as(rights.identity(), || fs::symlink_metadata(&path))?;
            if let Ok(metadata) = looked {
                return Ok(Some(Found { path, metadata, extension: expanded.extension }));
            }
        }
        Ok(None)
    }

    async fn forward_by(&self, mut state: State, rights: &UserRights, found: &Found) -> Option<Verdict> {
        let path = found.path.as_os_str().as_bytes();
        if self.is_probe() {
            return Some(self.sent(&state, [b"forward via file: ", path].concat()).await);
        }
        if self.been_here(&[b"forward ", path]) {
            // Whoever forwards to himself means his mailbox, but only while his file is being read.
            return self.was_here(&[b"forward-done ", path]).then_some(Verdict::Done);
        }
        state.expanded_from = Some(state.local.clone());
        if let Some(problem) = unfit(&found.path, &found.metadata, rights.uid) {
            log::warning!("{problem}");
            return None;
        }
        let file = match self.open_as(&found.path, rights) {
            Ok(file) => file,
            Err(error) => {
                log::warning!("cannot open file {}: {}", found.path.display(), sys::reason(&error));
                return None;
            }
        };
        let requested = state.recipient.dsn_notify;
        state.recipient.dsn_notify = without_success(requested);
        let (verdict, count) = boxed(self.token_stream(&state, rights, file)).await;
        if count == 0 {
            return (verdict == Verdict::Keep).then_some(verdict);
        }
        self.been_here(&[b"forward-done ", path]);
        if verdict == Verdict::Done && requested & notify::SUCCESS != 0 {
            state.recipient.dsn_notify = requested;
            self.expanded(&state, "expanded").await;
        }
        Some(verdict)
    }
}

/// Why a file is not to be believed, as a warning.
fn unfit(path: &Path, found: &Metadata, uid: u32) -> Option<String> {
    let path = path.display();
    if !found.is_file() {
        return Some(format!("file {path} is not a regular file"));
    }
    if found.uid() != 0 && found.uid() != uid {
        return Some(format!("file {path} has bad owner uid {}", found.uid()));
    }
    (found.mode() & 0o002 != 0).then(|| format!("file {path} is world writable"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_that_anybody_could_have_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".forward");
        fs::write(&path, "x\n").unwrap();
        let problem = |uid| unfit(&path, &fs::symlink_metadata(&path).unwrap(), uid);
        let own = sys::identity::effective_uid();
        assert_eq!(problem(own), None);
        fs::set_permissions(&path, Permissions::from_mode(0o622)).unwrap();
        assert_eq!(problem(own).unwrap(), format!("file {} is world writable", path.display()));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert_eq!(problem(own).unwrap(), format!("file {} is not a regular file", path.display()));
    }
}
