//! Who may do this?

use command::Fatal;

use crate::Tool;

/// The name of the user who runs us, if the list of users does not have it. The superuser and the mail system may do
/// everything.
pub(crate) fn refused(tool: &Tool, title: &str, users: &str) -> Result<Option<(String, u32)>, Fatal> {
    let uid = sys::identity::real_uid();
    if uid == 0 || uid == tool.startup.owner()?.uid {
        return Ok(None);
    }
    let refused = tool.startup.refused_user(title, users)?;
    Ok(refused.map(|user| (user.name, user.uid)))
}
