//! postlock(1) - runs a command while a mailbox is locked: `postlock /var/mail/joe command argument...`.
//!
//! The mailbox is locked as delivery agents lock it, by `mailbox_delivery_lock` or as `-l` says, and created if it is not
//! there. The exit status is the command's; 75 when the mailbox cannot be locked or the tool cannot do its work; 1 when
//! the command cannot be started or dies of a signal.
//!
//! It trusts its caller, whose rights it has, and refuses links that somebody else may have put in the mailbox's place.
//! The command must not go on in the background, since the locks end with it.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

use command::{Fatal, Getopt, Invocation, Log, Name, Program, Startup, exit, fatal};
use dsn::Status;
use mailbox::mbox::{DotlockPolicy, Mailbox, Target};
use mailbox::{Locks, Rights};

conf::param_set! {
    /// What postlock(1) reads.
    pub struct PostlockParams { mailbox_delivery_lock, fork_attempts, fork_delay }
}

/// What `command::run` needs to know. Every failure passes, for scripts.
pub const PROGRAM: Program = Program { name: Name::Called, log: Log::Terminal, failure: exit::TEMPORARY };

/// The whole life of the program.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    let usage = || {
        let options = "[-c config_dir] [-l lock_style] [-v] folder command...";
        fatal!("usage: {} {options}", invocation.name)
    };
    let mut styles = None;
    let mut options = Getopt::new(invocation, "c:l:v");
    for choice in options.by_ref() {
        let choice = choice.map_err(|_| usage())?;
        match choice.letter {
            'c' => command::use_config_directory(&choice.value),
            'l' => styles = Some(choice.value.to_string_lossy().into_owned()),
            _ => log::set_verbose(log::verbose().saturating_add(1)),
        }
    }
    let [folder, program, arguments @ ..] = options.rest() else { return Err(usage()) };
    let startup = Startup::read(invocation)?;
    startup.update_environment()?;
    let params = PostlockParams::load(&startup.main)?;
    let styles = styles.unwrap_or_else(|| params.mailbox_delivery_lock.clone());
    let locks = Locks::load(&startup.main, &styles)?;
    let locked = lock(Path::new(folder), &locks)?;
    let status = run(program, arguments, &params);
    locked.release();
    status
}

fn lock(folder: &Path, locks: &Locks) -> Result<Mailbox, Fatal> {
    let own = Rights::of_process().own();
    let target = Target {
        path: folder,
        locks,
        dotlock: DotlockPolicy::Required,
        opener: own,
        writer: own,
        owner: None,
        default: Status::new("5.2.0"),
    };
    Mailbox::open(&target)
        .map_err(|failed| fatal!("open file {}: {}", folder.display(), bytes::show(&failed.dsn.reason)))
}

fn run(program: &OsString, arguments: &[OsString], params: &PostlockParams) -> Result<u8, Fatal> {
    let name = program.to_string_lossy();
    let mut count = 1;
    loop {
        let error = match Command::new(program).args(arguments).status() {
            Ok(status) => return Ok(code(status)),
            Err(error) => error,
        };
        if error.kind() != io::ErrorKind::WouldBlock {
            return Err(fatal!(1; "execvp {name}: {}", sys::reason(&error)));
        }
        log::warning!("fork {name}: {}", sys::reason(&error));
        if count >= params.fork_attempts {
            return Ok(exit::TEMPORARY);
        }
        std::thread::sleep(params.fork_delay);
        count += 1;
    }
}

fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn params() -> PostlockParams {
        PostlockParams {
            mailbox_delivery_lock: "dotlock".to_owned(),
            fork_attempts: 1,
            fork_delay: Duration::ZERO,
        }
    }

    #[test]
    fn exit_statuses() {
        let shell = |script: &str| run(&"/bin/sh".into(), &["-c".into(), script.into()], &params());
        assert_eq!(shell("exit 3").unwrap(), 3);
        assert_eq!(shell("kill -9 $$").unwrap(), 1);
        let fatal = run(&"/no/such".into(), &[], &params()).unwrap_err();
        assert_eq!(
            (fatal.status, fatal.text.as_str()),
            (Some(1), "execvp /no/such: No such file or directory")
        );
    }

    #[test]
    fn a_folder_that_cannot_be() {
        let main = conf::MainCf::empty(Path::new("/etc/postfix"));
        let locks = Locks::load(&main, "flock").unwrap();
        let fatal = lock(Path::new("/no/such"), &locks).err().unwrap();
        let text = "open file /no/such: cannot create file exclusively: No such file or directory";
        assert_eq!((fatal.status, fatal.text.as_str()), (None, text));
    }

    #[test]
    fn locked_while_it_runs() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("joe");
        let main = conf::MainCf::empty(Path::new("/etc/postfix"));
        let locks = Locks::load(&main, "dotlock, fcntl").unwrap();
        let held = lock(&folder, &locks).unwrap();
        assert!(directory.path().join("joe.lock").exists());
        held.release();
        assert!(folder.exists() && !directory.path().join("joe.lock").exists());
    }
}
