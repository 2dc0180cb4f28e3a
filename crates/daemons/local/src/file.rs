//! `/file/name` as a recipient.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use delivery::Verdict;
use dsn::{Dsn, Status};
use mailbox::mbox::{self, DotlockPolicy, Target};
use mailbox::{Failed, Failure};

use crate::delivery::Delivery;
use crate::state::{State, UserRights};

impl Delivery<'_> {
    /// Delivers to a file, or to a maildir if the name ends in `/`.
    pub(crate) async fn file(&self, state: State, rights: &UserRights, path: &Path) -> Verdict {
        let state = state.deeper();
        state.log("deliver_file");
        let name = path.as_os_str().as_bytes();
        if self.been_here(&[format!("file {} ", rights.uid).as_bytes(), name]) {
            return Verdict::Done;
        }
        if self.config.files & state.expansion == 0 {
            let dsn = Dsn::new(Status::new("5.7.1"), "mail to file is restricted");
            return self.failed_to_owner(state, dsn).await;
        }
        if self.is_trace_only() {
            return self.sent(&state, [b"delivers to file: ", name].concat()).await;
        }
        let who = rights.identity_or(self.config.default);
        if name.ends_with(b"/") {
            return self.maildir(state, who, path).await;
        }
        log::debug!("deliver_file ({},{}): {}", who.uid, who.gid, path.display());
        let target = Target {
            path,
            locks: &self.config.locks,
            dotlock: DotlockPolicy::MayFail,
            opener: who,
            writer: who,
            owner: None,
            default: Status::new("5.2.0"),
        };
        let message = self.message(&state, self.file_flags());
        let appended = mbox::append(&self.config.rights, &target, &message, |found| {
            // Mail must not become part of a program.
            if found.is_file() && found.mode() & 0o111 != 0 {
                return Err(Failed::new(Status::new("5.7.1"), "file is executable"));
            }
            Ok(())
        });
        match appended {
            Ok(_) => self.sent(&state, [b"delivered to file: ", name].concat()).await,
            Err(Failure::Failed(failed)) => {
                let text = [b"cannot append message to file ", name, b": "].concat();
                let dsn = *failed.prefixed(text).dsn;
                self.failed_to_owner(state, dsn).await
            }
            Err(Failure::Corrupt) => self.corrupt(),
        }
    }
}
