//! What the system knows: `unix:` (users and groups) and `environ:`.

use std::cell::Cell;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::unistd::{Gid, Group, Uid, User};

use crate::error::Error;
use crate::flags::Flags;
use crate::local::LocalTable;
use crate::open::{Opened, Opening};

/// The user database.
#[derive(Default)]
struct Users {
    checked: Cell<bool>,
}

/// The group database.
#[derive(Default)]
struct Groups {
    checked: Cell<bool>,
}

impl LocalTable for Users {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let user = std::str::from_utf8(key).ok().and_then(|name| User::from_name(name).ok().flatten());
        let Some(user) = user else {
            return missing(&self.checked, "unix:passwd.byname", || {
                User::from_uid(Uid::from_raw(0)).ok().flatten().is_some()
            });
        };
        self.checked.set(true);
        let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
        let fields: [&[u8]; 7] = [
            user.name.as_bytes(),
            user.passwd.as_bytes(),
            uid.as_bytes(),
            gid.as_bytes(),
            user.gecos.as_bytes(),
            user.dir.as_os_str().as_bytes(),
            user.shell.as_os_str().as_bytes(),
        ];
        Ok(Some(fields.join(&b':')))
    }
}

impl LocalTable for Groups {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let group = std::str::from_utf8(key).ok().and_then(|name| Group::from_name(name).ok().flatten());
        let Some(group) = group else {
            return missing(&self.checked, "unix:group.byname", || {
                Group::from_gid(Gid::from_raw(0)).ok().flatten().is_some()
            });
        };
        self.checked.set(true);
        let (gid, members) = (group.gid.to_string(), group.mem.join(","));
        let fields: [&[u8]; 4] =
            [group.name.as_bytes(), group.passwd.as_bytes(), gid.as_bytes(), members.as_bytes()];
        Ok(Some(fields.join(&b':')))
    }
}

/// A name that is not known: an error, when the superuser is not known either.
fn missing(
    checked: &Cell<bool>,
    table: &str,
    knows_root: impl FnOnce() -> bool,
) -> Result<Option<Vec<u8>>, Error> {
    if checked.replace(true) || knows_root() {
        return Ok(None);
    }
    let database = if table == "unix:group.byname" { "group" } else { "password" };
    log::warning!("cannot access UNIX {database} database: {}", crate::NO_ERROR);
    Err(Error::retry(table))
}

/// `unix:passwd.byname` or `unix:group.byname`.
pub(crate) fn open_unix(opening: &Opening<'_>) -> Result<Opened, String> {
    opening.require_read()?;
    match opening.name {
        "passwd.byname" => Ok(Opened::local(Users::default(), Flags::FIXED).folding()),
        "group.byname" => Ok(Opened::local(Groups::default(), Flags::FIXED).folding()),
        name => Err(format!("unknown table: unix:{name}")),
    }
}

/// The environment of this process.
struct Environment;

impl LocalTable for Environment {
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if key.is_empty() || key.iter().any(|byte| matches!(byte, b'=' | 0)) {
            return Ok(None);
        }
        Ok(std::env::var_os(OsStr::from_bytes(key)).map(OsStringExt::into_vec))
    }
}

/// `environ:anything`.
pub(crate) fn open_environ(_opening: &Opening<'_>) -> Result<Opened, String> {
    Ok(Opened::local(Environment, Flags::FIXED).folding())
}
