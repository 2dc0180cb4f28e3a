//! Whose rights the process has: the mail system's most of the time, a user's around a delivery.

use std::fmt;

use sys::{User, identity};

/// A user and a group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Identity {
    /// An account's user and primary group.
    pub fn of(user: &User) -> Self {
        Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() }
    }
}

/// The process's means to take users' identities.
#[derive(Clone, Debug)]
pub struct Rights {
    /// Who the process is between deliveries, when it was started by root.
    mail_owner: Option<Identity>,
    /// Who the process is otherwise, and stays.
    own: Identity,
}

/// The process may not become this user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPermitted(pub Identity);

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "mail system does not run as root: cannot deliver with the rights of user ID {}",
            self.0.uid
        )
    }
}

impl std::error::Error for NotPermitted {}

conf::param_set! {
    /// Who the process is between deliveries.
    pub struct RightsParams { mail_owner }
}

impl Rights {
    /// The rights of a program that master started: root's, or those of the user whose private mail system this is.
    pub fn load(main: &conf::MainCf) -> Result<Self, conf::Error> {
        let process = Self::of_process();
        if process.own.uid != 0 {
            return Ok(process);
        }
        let name = RightsParams::load(main)?.mail_owner;
        let owner = find_user(name.as_bytes()).ok().flatten();
        let owner = owner.ok_or_else(|| conf::Error::Value(format!("unknown mail_owner: {name}")))?;
        Ok(Self { mail_owner: Some(Identity::of(&owner)), ..process })
    }

    /// Those that the process has now, for programs that never change them.
    pub fn of_process() -> Self {
        let own = Identity { uid: identity::effective_uid(), gid: identity::effective_gid() };
        Self { mail_owner: None, own }
    }

    /// Becomes the mail system's owner, as the process then is between deliveries. Root's own rights stay in reserve.
    pub fn enter(&self) {
        if let Some(owner) = self.mail_owner {
            become_or_end(owner);
        }
    }

    /// Who the process was when it was started.
    pub fn own(&self) -> Identity {
        self.own
    }

    /// Whether the process changes identities at all.
    pub fn is_root(&self) -> bool {
        self.mail_owner.is_some()
    }

    /// Whether the process can act as this user.
    pub fn permit(&self, who: Identity) -> Result<(), NotPermitted> {
        if self.is_root() || who.uid == self.own.uid { Ok(()) } else { Err(NotPermitted(who)) }
    }

    /// Runs a step as a user, with that group and no other.
    pub fn act_as<T>(&self, who: Identity, step: impl FnOnce() -> T) -> Result<T, NotPermitted> {
        self.permit(who)?;
        let Some(owner) = self.mail_owner else { return Ok(step()) };
        // Comes back also from a step that panics: the process goes on with other deliveries.
        let _way_back = WayBack(owner);
        become_or_end(who);
        Ok(step())
    }
}

struct WayBack(Identity);

impl Drop for WayBack {
    fn drop(&mut self) {
        become_or_end(self.0);
    }
}

// A process that is not who it believes to be must not go on for one step, and root is never refused what it asks here.
fn become_or_end(who: Identity) {
    let result = identity::regain_root().and_then(|()| identity::assume_user(who.uid, who.gid, &[who.gid]));
    if let Err(error) = result {
        log::fatal!("set_eugid: uid {} gid {}: {}", who.uid, who.gid, sys::reason(&error));
        std::process::exit(1);
    }
}

/// The account of that name.
pub fn find_user(name: &[u8]) -> std::io::Result<Option<User>> {
    // No account has a name that is not text, or has a NUL in it.
    let Some(name) = std::str::from_utf8(name).ok().filter(|name| !name.contains('\0')) else {
        return Ok(None);
    };
    found(User::from_name(name))
}

/// The account with that number.
pub fn find_user_by_id(uid: u32) -> std::io::Result<Option<User>> {
    found(User::from_uid(uid.into()))
}

/// The number of the group of that name.
pub fn find_group(name: &[u8]) -> std::io::Result<Option<u32>> {
    let Some(name) = std::str::from_utf8(name).ok().filter(|name| !name.contains('\0')) else {
        return Ok(None);
    };
    match sys::Group::from_name(name) {
        Err(nix::Error::ENOENT | nix::Error::ESRCH) => Ok(None),
        other => Ok(other?.map(|group| group.gid.as_raw())),
    }
}

fn found(answer: nix::Result<Option<User>>) -> std::io::Result<Option<User>> {
    match answer {
        // Some name services say "no such user" this way.
        Err(nix::Error::ENOENT | nix::Error::ESRCH) => Ok(None),
        other => other.map_err(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_process_is_only_itself() {
        let own = Identity { uid: 1000, gid: 1000 };
        let rights = Rights { mail_owner: None, own };
        assert_eq!(rights.act_as(own, || 7), Ok(7));
        let other = Identity { uid: 1001, gid: 1000 };
        let refusal = rights.act_as(other, || 7).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "mail system does not run as root: cannot deliver with the rights of user ID 1001"
        );
    }

    #[test]
    fn odd_names_are_nobodys() {
        assert!(find_user(b"\xff").unwrap().is_none());
        assert!(find_user(b"a\0b").unwrap().is_none());
        assert_eq!(find_user(b"root").unwrap().map(|user| Identity::of(&user).uid), Some(0));
    }
}
