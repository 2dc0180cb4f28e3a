//! Who the process is: users, groups, giving up privileges, environment.

use std::io;
use std::path::Path;

use nix::unistd::{self, Gid, Uid};
pub use nix::unistd::{Group, User};

/// Confines the process to a directory.
pub fn chroot(directory: &Path) -> io::Result<()> {
    unistd::chroot(directory)?;
    unistd::chdir("/")?;
    Ok(())
}

/// Gives up privileges for good: supplementary groups, then group, then user.
///
/// The order matters: a process that is no longer root can change neither groups nor group. With root's ids this is the
/// way back to a clean root identity. `groups` are the supplementary groups to keep, at least the group itself.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    let groups: Vec<Gid> = groups.iter().map(|&group| Gid::from_raw(group)).collect();
    unistd::setgroups(&groups)?;
    unistd::setresgid(Gid::from_raw(gid), Gid::from_raw(gid), Gid::from_raw(gid))?;
    unistd::setresuid(Uid::from_raw(uid), Uid::from_raw(uid), Uid::from_raw(uid))?;
    Ok(())
}

/// Takes an effective identity that root can take back with [`regain_root`]; used around deliveries in a user's name.
pub fn assume_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    let groups: Vec<Gid> = groups.iter().map(|&group| Gid::from_raw(group)).collect();
    unistd::setgroups(&groups)?;
    unistd::setegid(Gid::from_raw(gid))?;
    unistd::seteuid(Uid::from_raw(uid))?;
    Ok(())
}

/// Ends what [`assume_user`] began.
pub fn regain_root() -> io::Result<()> {
    unistd::seteuid(Uid::from_raw(0))?;
    unistd::setegid(Gid::from_raw(0))?;
    unistd::setgroups(&[Gid::from_raw(0)])?;
    Ok(())
}

/// All groups of a user, the primary one included.
pub fn groups_of(user: &User) -> io::Result<Vec<u32>> {
    let name = std::ffi::CString::new(user.name.as_str())?;
    Ok(unistd::getgrouplist(&name, user.gid)?.into_iter().map(Gid::as_raw).collect())
}

/// Effective user id.
pub fn effective_uid() -> u32 {
    unistd::geteuid().as_raw()
}

/// Effective group id.
pub fn effective_gid() -> u32 {
    unistd::getegid().as_raw()
}

/// Real user id: who started a set-user-id or set-group-id program.
pub fn real_uid() -> u32 {
    unistd::getuid().as_raw()
}

/// Whether the process runs with more rights than its caller, so that the environment cannot be trusted.
pub fn is_set_id() -> bool {
    unistd::geteuid() != unistd::getuid() || unistd::getegid() != unistd::getgid()
}

/// An environment variable, unless the process is set-user-id or set-group-id.
pub fn safe_environment(name: &str) -> Option<String> {
    if is_set_id() { None } else { std::env::var(name).ok() }
}

/// Sets or removes environment variables. Call it only while the process has one thread, as at the start of `main`.
pub fn change_environment<'a>(changes: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) {
    for (name, value) in changes {
        // SAFETY: by the contract above no other thread reads or writes the environment meanwhile.
        unsafe {
            match value {
                Some(value) => std::env::set_var(name, value),
                None => std::env::remove_var(name),
            }
        }
    }
}
