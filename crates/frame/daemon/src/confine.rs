//! Giving up what the process does not need: other instances, the directory tree, privileges.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sys::identity;

use crate::startup::Startup;
use crate::{Fatal, Transport};

/// Changes to the queue directory, takes the instance lock, and drops privileges as the command line says.
///
/// The returned lock is held until it is dropped.
pub(crate) fn confine(startup: &Startup) -> Result<Option<File>, Fatal> {
    let queue_directory = startup.queue_directory();
    std::env::set_current_dir(queue_directory).map_err(|error| {
        Fatal::new(format!("chdir({}): {}", queue_directory.display(), sys::reason(&error)))
    })?;
    let lock = instance_lock(startup)?;
    // An ordinary user runs everything as that user: there is nothing to give up.
    if identity::effective_uid() != 0 {
        return Ok(lock);
    }
    let owner = if startup.options.unprivileged { Some(owner(&startup.params.mail_owner)?) } else { None };
    if startup.options.chroot {
        identity::chroot(queue_directory).map_err(|error| {
            Fatal::new(format!("chroot({}): {}", queue_directory.display(), sys::reason(&error)))
        })?;
    }
    if let Some((user, groups)) = owner {
        identity::become_user(user.uid.as_raw(), user.gid.as_raw(), &groups)
            .map_err(|error| Fatal::new(format!("become {}: {error}", user.name)))?;
    }
    Ok(lock)
}

fn owner(name: &str) -> Result<(sys::User, Vec<u32>), Fatal> {
    let user = sys::User::from_name(name)
        .ok()
        .flatten()
        .ok_or_else(|| Fatal::new(format!("unknown mail_owner: {name}")))?;
    let groups = identity::groups_of(&user)?;
    Ok((user, groups))
}

// A service with one process must not have two for a moment after a reload: the new one waits for the old one here. Where
// processes share a limit of clients, one that ends its last session and one that takes new ones may be there together.
fn instance_lock(startup: &Startup) -> Result<Option<File>, Fatal> {
    let is_limited = startup.share.is_some_and(|share| share.limit.is_some());
    if !startup.options.solitary || startup.options.stand_alone || is_limited {
        return Ok(None);
    }
    let transport = match startup.options.transport {
        Transport::Inet => "inet",
        Transport::Unix => "unix",
        Transport::Pass => "pass",
        Transport::Fifo => "fifo",
        Transport::UnixDgram => "unix-dgram",
    };
    let name = format!("pid/{transport}.{}", startup.options.service.replace('/', "_"));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(Path::new(&name))
        .map_err(|error| Fatal::new(format!("open lock file {name}: {}", sys::reason(&error))))?;
    sys::lock::flock(&file, sys::lock::Mode::Exclusive, sys::lock::Wait::Forever)
        .map_err(|error| Fatal::new(format!("lock {name}: {error}")))?;
    Ok(Some(file))
}
