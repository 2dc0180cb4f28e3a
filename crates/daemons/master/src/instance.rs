//! One master for a queue directory, and one for a data directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sys::lock::{Mode, Wait};

use crate::{Fatal, MasterParams};

const PID_FILE: &str = "pid/master.pid";

/// The locks of a running master; they end with it.
#[derive(Debug)]
pub(crate) struct Instance {
    _queue: File,
    _data: File,
}

pub(crate) enum Locked {
    Ours(Instance),
    /// Somebody else has it; the text says who.
    Theirs(String),
}

impl Instance {
    pub(crate) fn lock(params: &MasterParams) -> Result<Locked, Fatal> {
        let queue = match lock(Path::new(PID_FILE)) {
            Ok(file) => file,
            Err(why) => return Ok(Locked::Theirs(format!("open lock file {PID_FILE}: {why}"))),
        };
        let path = format!("{}/master.lock", params.data_directory);
        // The data directory belongs to the mail owner, who must not get root to write elsewhere.
        let data = as_owner(&params.mail_owner, || lock(Path::new(&path)))?;
        match data {
            Ok(data) => Ok(Locked::Ours(Self { _queue: queue, _data: data })),
            Err(why) => Ok(Locked::Theirs(format!("open lock file {path}: {why}"))),
        }
    }
}

/// Whether a master runs in the current directory.
pub(crate) fn is_running() -> bool {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(PID_FILE) else { return false };
    sys::lock::flock(&file, Mode::Exclusive, Wait::No).is_err()
}

fn lock(path: &Path) -> Result<File, String> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
    let mut file =
        sys::safe_open::open_or_create(path, &mut options, 0o600).map_err(|error| sys::reason(&error))?;
    if sys::lock::flock(&file, Mode::Exclusive, Wait::No).is_err() {
        let mut holder = String::new();
        let _unreadable = file.read_to_string(&mut holder);
        return Err(match holder.trim() {
            "" => "unable to set exclusive lock: Resource temporarily unavailable".to_owned(),
            pid => format!("unable to set exclusive lock held by process {pid}"),
        });
    }
    write_pid(&mut file).map_err(|error| format!("cannot update lock file: {error}"))?;
    Ok(file)
}

// Scripts take the process id from the first line; Postfix's width keeps a shorter id from leaving digits behind.
fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{:>32}", std::process::id())
}

/// Does something as the mail system's owner.
pub(crate) fn as_owner<T>(owner: &str, action: impl FnOnce() -> T) -> Result<T, Fatal> {
    if sys::identity::effective_uid() != 0 {
        return Ok(action());
    }
    let user = sys::User::from_name(owner)?.ok_or_else(|| format!("unknown mail_owner: {owner}"))?;
    let gid = user.gid.as_raw();
    sys::identity::assume_user(user.uid.as_raw(), gid, &[gid])?;
    let result = action();
    sys::identity::regain_root()?;
    Ok(result)
}
