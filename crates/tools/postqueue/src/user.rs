//! Who may do this?

use command::{Fatal, fatal};

use crate::Tool;

/// The name of the user who runs us, if the list of users does not have it. The superuser and the mail system may do
/// everything.
pub(crate) fn refused(tool: &Tool, title: &str, users: &str) -> Result<Option<(String, u32)>, Fatal> {
    let uid = sys::identity::real_uid();
    if uid == 0 || uid == tool.startup.owner()?.uid {
        return Ok(None);
    }
    // The usual case, without any tables.
    if users.starts_with("static:") {
        return Ok(None);
    }
    let user = sys::User::from_uid(uid.into()).ok().flatten();
    let name = user.map_or_else(|| "unknown".to_owned(), |user| user.name);
    let env = table::Env::load(&tool.startup.main)?;
    let list = table::StringList::open(title, users, &env, table::ListFlags::Exact);
    match list.matches_blocking(name.as_bytes()) {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some((name, uid))),
        Err(why) => Err(fatal!("{why}")),
    }
}
