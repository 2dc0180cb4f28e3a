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
///
/// It is the calling thread's alone, and that of threads and processes that it starts meanwhile. The C library's functions
/// interrupt every other thread, to make it follow: with nothing but a sleeping watchdog beside it that was a third of
/// the cost of a delivery.
///
/// While it lasts [`become_user`] must not be called, in any thread: the C library ends a process whose threads differ in
/// what they may. A child that has been forked has one thread, and may.
pub fn assume_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    set_thread_groups(groups)?;
    set_thread_group(gid)?;
    set_thread_user(uid)
}

/// Ends what [`assume_user`] began, in the same thread.
pub fn regain_root() -> io::Result<()> {
    set_thread_user(0)?;
    set_thread_group(0)?;
    set_thread_groups(&[0])
}

/// The system calls with ids of 32 bits, which have other names where there were ids of 16 bits once.
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
mod number {
    pub(super) use libc::{SYS_setgroups32 as GROUPS, SYS_setresgid32 as GROUP, SYS_setresuid32 as USER};
}
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
mod number {
    pub(super) use libc::{SYS_setgroups as GROUPS, SYS_setresgid as GROUP, SYS_setresuid as USER};
}

const UNCHANGED: libc::uid_t = libc::uid_t::MAX;

fn set_thread_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the kernel reads `len` numbers behind the pointer, and the slice has so many.
    succeed(unsafe { libc::syscall(number::GROUPS, groups.len(), groups.as_ptr()) })
}

fn set_thread_group(gid: u32) -> io::Result<()> {
    // SAFETY: numbers only.
    succeed(unsafe { libc::syscall(number::GROUP, UNCHANGED, gid, UNCHANGED) })
}

fn set_thread_user(uid: u32) -> io::Result<()> {
    // SAFETY: numbers only.
    succeed(unsafe { libc::syscall(number::USER, UNCHANGED, uid, UNCHANGED) })
}

fn succeed(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assumed_identity_is_the_threads_own_and_its_childrens() {
        if effective_uid() != 0 {
            return;
        }
        let before = unistd::getgroups().unwrap();
        let (nobody, group) = (65534, 65533);
        std::thread::spawn(move || {
            assume_user(nobody, group, &[group]).unwrap();
            assert_eq!((effective_uid(), effective_gid()), (nobody, group));
            assert_eq!(unistd::getgroups().unwrap(), [Gid::from_raw(group)]);
            let child = std::process::Command::new("id").arg("-u").output().unwrap();
            assert_eq!(child.stdout, b"65534\n");
            assert!(std::fs::File::open("/etc/shadow").is_err());
            regain_root().unwrap();
            assert_eq!((effective_uid(), effective_gid()), (0, 0));
            assert_eq!(unistd::getgroups().unwrap(), [Gid::from_raw(0)]);
        })
        .join()
        .unwrap();
        assert_eq!((effective_uid(), effective_gid()), (0, 0));
        assert_eq!(unistd::getgroups().unwrap(), before);
    }
}
