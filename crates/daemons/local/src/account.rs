//! The mailbox of an account: another transport, a command, a maildir, or a file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use delivery::Verdict;
use dsn::Status;
use mailbox::mbox::{self, DotlockPolicy, Target};
use mailbox::{Failed, Failure, Identity, maildir};
use message::copy::CopyFlags;

use crate::biff;
use crate::config::delivered_header;
use crate::delivery::Delivery;
use crate::state::{State, UserRights};

impl Delivery<'_> {
    /// Delivers to the mailbox of the recipient's account; `None` if there is no account.
    pub(crate) async fn mailbox(&self, state: State) -> Option<Verdict> {
        let state = state.deeper();
        state.log("deliver_mailbox");
        if self.been_here(&[b"mailbox ", &state.local]) {
            return Some(Verdict::Done);
        }
        let params = &self.config.params;
        match self.config.mailbox_transports.find(&state.user).await {
            Ok(Some(found)) => return Some(self.pass(&state, &String::from_utf8_lossy(&found.value)).await),
            Ok(None) => {}
            Err(_) => return Some(self.deferred(&state, "4.3.0", "table lookup failure").await),
        }
        if !params.mailbox_transport.is_empty() {
            return Some(self.pass(&state, &params.mailbox_transport).await);
        }
        let user = match self.account(&state).await {
            Ok(user) => user?,
            Err(verdict) => return Some(verdict),
        };
        let rights = UserRights::of(&user);
        let command = match self.config.mailbox_commands.find(&state.user).await {
            Ok(found) => found.map(|found| found.value),
            Err(_) => return Some(self.deferred(&state, "4.3.0", "table lookup failure").await),
        };
        let command = command.unwrap_or_else(|| params.mailbox_command.clone().into_bytes());
        Some(if command.is_empty() {
            self.mailbox_of(state, &rights, &user.dir).await
        } else {
            self.command(state, &rights, &command).await
        })
    }

    /// Passes the recipient on to another transport.
    pub(crate) async fn pass(&self, state: &State, service: &str) -> Verdict {
        self.job.pass(&self.local.reporter, service, &state.recipient).await
    }

    async fn mailbox_of(&self, state: State, rights: &UserRights, home: &Path) -> Verdict {
        let params = &self.config.params;
        if !params.home_mailbox.is_empty() {
            let path = PathBuf::from(format!("{}/{}", home.display(), params.home_mailbox));
            if params.home_mailbox.ends_with('/') {
                return self.maildir(state, rights.identity(), &path).await;
            }
            return self.mailbox_file(state, rights, &path, None).await;
        }
        let spool = &params.mail_spool_directory;
        let user = String::from_utf8_lossy(&state.user).into_owned();
        if spool.ends_with('/') {
            let path = PathBuf::from(format!("{spool}{user}/"));
            return self.maildir(state, rights.identity(), &path).await;
        }
        let path = PathBuf::from(format!("{spool}/{user}"));
        self.mailbox_file(state, rights, &path, Some(Path::new(spool))).await
    }

    async fn mailbox_file(
        &self,
        state: State,
        rights: &UserRights,
        path: &Path,
        spool: Option<&Path>,
    ) -> Verdict {
        let mut state = state.deeper();
        state.log("deliver_mailbox_file");
        if self.is_trace_only() {
            return self.sent(&state, "delivers to mailbox").await;
        }
        self.thaw_delivered(&mut state);
        let owner = rights.identity();
        let (opener, given_to) = self.opener(owner, spool);
        let target = Target {
            path,
            locks: &self.config.locks,
            dotlock: DotlockPolicy::Required,
            opener,
            writer: owner,
            owner: given_to,
            default: Status::new("5.2.0"),
        };
        let message = self.message(&state, self.file_flags());
        let strict = self.config.params.strict_mailbox_ownership;
        let appended = mbox::append(&self.config.rights, &target, &message, |found| {
            if !found.is_file() {
                let reason = format!("destination {} is not a regular file", path.display());
                return Err(Failed::new(Status::new("5.2.0"), reason));
            }
            if strict && found.uid() != owner.uid {
                log::warning!(
                    "specify \"strict_mailbox_ownership = no\" to ignore mailbox ownership mismatch"
                );
                let reason = format!("destination {} is not owned by recipient", path.display());
                return Err(Failed::new(Status::new("4.2.0"), reason));
            }
            Ok(())
        });
        match appended {
            Ok(end) => {
                let verdict = self.sent(&state, "delivered to mailbox").await;
                if self.config.params.biff {
                    biff::notify(rights.name.as_deref().unwrap_or_default(), end);
                }
                verdict
            }
            Err(Failure::Failed(failed)) => {
                let (path, user) = (path.display(), bytes::show(&state.user));
                let failed = failed.prefixed(format!("cannot update mailbox {path} for user {user}. "));
                self.failed(&state, *failed.dsn).await
            }
            Err(Failure::Corrupt) => self.corrupt(),
        }
    }

    /// Who opens, locks and perhaps creates a mailbox, and to whom a new one is given.
    ///
    /// As little power as the directory allows: the owner's own where everybody can write, the owner's with the
    /// directory's group where that can, and only then root's.
    fn opener(&self, owner: Identity, spool: Option<&Path>) -> (Identity, Option<Identity>) {
        let found = spool.and_then(|spool| fs::metadata(spool).ok());
        let Some(found) = found.filter(|_| self.config.rights.is_root()) else { return (owner, None) };
        if found.mode() & 0o002 != 0 {
            return (owner, None);
        }
        if found.mode() & 0o020 != 0 {
            return (Identity { gid: found.gid(), ..owner }, None);
        }
        if owner.uid == 0 { (owner, None) } else { (Identity { uid: 0, gid: 0 }, Some(owner)) }
    }

    /// How a message is copied to a file.
    pub(crate) fn file_flags(&self) -> CopyFlags {
        if self.config.headers & delivered_header::FILE == 0 {
            CopyFlags::MBOX.without(CopyFlags::DELIVERED)
        } else {
            CopyFlags::MBOX
        }
    }

    /// Delivers to a maildir.
    pub(crate) async fn maildir(&self, state: State, who: Identity, path: &Path) -> Verdict {
        let mut state = state.deeper();
        state.log("deliver_maildir");
        if self.is_trace_only() {
            return self.sent(&state, "delivers to maildir").await;
        }
        self.thaw_delivered(&mut state);
        let mut flags = CopyFlags::TO_FILE | CopyFlags::RETURN_PATH | CopyFlags::ORIGINAL_RECIPIENT;
        if self.config.headers & delivered_header::FILE != 0 {
            flags |= CopyFlags::DELIVERED;
        }
        let message = self.message(&state, flags);
        match maildir::deliver(&self.config.rights, path, who, &message, Status::new("5.2.0")) {
            Ok(()) => self.sent(&state, "delivered to maildir").await,
            Err(failure) => self.unwritten(&state, failure).await,
        }
    }
}
