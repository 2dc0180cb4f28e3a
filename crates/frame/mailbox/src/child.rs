//! Starting a program that is not ours: identity, session, directories.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Gid, Uid, chdir, chroot, setgid, setgroups, setsid, setuid};

use crate::{Identity, Rights};

/// What a program is confined to before it starts.
#[derive(Clone, Debug)]
pub struct Confinement {
    /// Whose rights it has, for good.
    pub who: Identity,
    /// Its root directory, if it gets one of its own.
    pub root: Option<PathBuf>,
    /// Where it starts; below the root directory.
    pub directory: Option<PathBuf>,
}

/// Why a program did not start.
#[derive(Debug)]
pub enum StartError {
    /// There are too many processes.
    Fork(io::Error),
    /// It could not be confined: the step, as a warning names it.
    Confine(String, io::Error),
    /// There is no such program, or it cannot be run.
    Exec(io::Error),
}

const STEP: i32 = 10_000;
const IDENTITY: i32 = 1;
const ROOT: i32 = 2;
const DIRECTORY: i32 = 3;

impl Confinement {
    /// Only an identity.
    pub fn to(who: Identity) -> Self {
        Self { who, root: None, directory: None }
    }

    /// Arranges for a command to start confined, leading a session of its own so that it can be stopped with all its
    /// children.
    pub fn apply(&self, rights: &Rights, command: &mut Command) {
        let Self { who, root, directory } = self.clone();
        let is_root = rights.is_root();
        let (uid, gid) = (Uid::from_raw(who.uid), Gid::from_raw(who.gid));
        sys::process::before_exec(command, move || {
            // The parent learns an error number and nothing else, so the step travels in it.
            let at =
                |step: i32| move |error: nix::Error| io::Error::from_raw_os_error(step * STEP + error as i32);
            if is_root {
                // Between deliveries we are the mail system's owner, and root only in reserve.
                nix::unistd::seteuid(Uid::from_raw(0)).map_err(at(IDENTITY))?;
                if let Some(root) = &root {
                    chroot(root).map_err(at(ROOT))?;
                    chdir("/").map_err(at(ROOT))?;
                }
                setgid(gid).map_err(at(IDENTITY))?;
                setgroups(&[gid]).map_err(at(IDENTITY))?;
                setuid(uid).map_err(at(IDENTITY))?;
            } else if root.is_some() {
                return Err(at(ROOT)(nix::Error::EPERM));
            }
            setsid().map_err(at(IDENTITY))?;
            if let Some(directory) = &directory {
                chdir(directory).map_err(at(DIRECTORY))?;
            }
            Ok(())
        });
    }

    /// What an error of `spawn` after [`apply`](Self::apply) means.
    pub fn explain(&self, error: io::Error) -> StartError {
        let number = error.raw_os_error().unwrap_or(0);
        let (step, errno) = (number / STEP, io::Error::from_raw_os_error(number % STEP));
        let show = |path: &Option<PathBuf>| path.as_deref().unwrap_or(Path::new("")).display().to_string();
        let Identity { uid, gid } = self.who;
        match step {
            IDENTITY => StartError::Confine(format!("set_ugid: uid {uid} gid {gid}"), errno),
            ROOT => StartError::Confine(format!("chroot({})", show(&self.root)), errno),
            DIRECTORY => {
                let directory = show(&self.directory);
                let what = format!("cannot change directory to \"{directory}\" for uid={uid} gid={gid}");
                StartError::Confine(what, errno)
            }
            _ if matches!(number, nix::libc::EAGAIN | nix::libc::ENOMEM) => StartError::Fork(error),
            _ => StartError::Exec(error),
        }
    }
}

/// The name of this program, as it stands before its messages on standard error.
pub fn program_name() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    Path::new(&name).file_name().unwrap_or(&name).to_string_lossy().into_owned()
}
