//! Which users may use a tool.

use crate::{Fatal, Startup, fatal};

/// A user who may not, by name and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The login name, or `unknown`.
    pub name: String,
    /// The user id.
    pub uid: u32,
}

impl Startup {
    /// Whether the user who runs us may manage the mail system: the superuser, or who owns the queue directory and so runs
    /// a mail system of their own, as themselves.
    pub fn is_manager(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let uid = sys::identity::real_uid();
        uid == 0 || std::fs::metadata(&self.params.queue_directory).is_ok_and(|found| found.uid() == uid)
    }

    /// Whether the user who runs us is kept out by a list such as `authorized_submit_users`, `title` being its name.
    pub fn refused_user(&self, title: &str, users: &str) -> Result<Option<Refused>, Fatal> {
        // The usual case, without any tables.
        if users == "static:anyone" {
            return Ok(None);
        }
        let uid = sys::identity::real_uid();
        let user = sys::User::from_uid(uid.into()).ok().flatten();
        let name = user.map_or_else(|| "unknown".to_owned(), |user| user.name);
        let env = table::Env::load(&self.main)?;
        let list = table::StringList::open(title, users, &env, table::ListFlags::Exact);
        match list.matches_blocking(name.as_bytes()) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(Refused { name, uid })),
            Err(why) => Err(fatal!("{why}")),
        }
    }
}
