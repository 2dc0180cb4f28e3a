//! What postfix(1) can be told to do.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::Duration;

use command::{Fatal, Startup, fatal};

use crate::{PostfixParams, check, layout, rotate};

/// How long `stop` waits before it uses force, in seconds.
const PATIENCE: u32 = 5;

/// In the queue directory: the next start need not check anything.
const QUICK_START: &str = "quick-start";

/// A command word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Start,
    StartForeground,
    Stop,
    QuickStop,
    Abort,
    Drain,
    Reload,
    Flush,
    Status,
    Check,
    SetPermissions,
    RotateLog,
}

impl Action {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "start" => Self::Start,
            "start-fg" => Self::StartForeground,
            "stop" => Self::Stop,
            "quick-stop" => Self::QuickStop,
            "logrotate" => Self::RotateLog,
            "abort" => Self::Abort,
            "drain" => Self::Drain,
            "reload" => Self::Reload,
            "flush" => Self::Flush,
            "status" => Self::Status,
            "check" => Self::Check,
            "set-permissions" | "upgrade-configuration" => Self::SetPermissions,
            _ => return None,
        })
    }

    pub(crate) fn perform(self, startup: &Startup, params: &PostfixParams) -> Result<u8, Fatal> {
        match self {
            Self::Start | Self::StartForeground => self.start(startup, params),
            Self::Stop => stop(),
            Self::QuickStop => {
                let status = stop()?;
                fs::File::create(QUICK_START)
                    .map_err(|error| fatal!("{QUICK_START}: {}", queue::reason(&error)))?;
                Ok(status)
            }
            Self::RotateLog => rotate::log(startup),
            Self::Abort => signal("aborting the Postfix mail system", nix::libc::SIGTERM),
            Self::Drain => signal("stopping the Postfix mail system", nix::libc::SIGKILL),
            Self::Reload => reload(params),
            Self::Flush => Ok(u8::from(!check::run(params, "postqueue", &["-f"]))),
            Self::Status => {
                check::warn_of_parameters(params);
                Ok(status())
            }
            Self::Check => {
                if !check::fatal(startup, params)? {
                    return Ok(1);
                }
                check::warn(startup, params)?;
                Ok(0)
            }
            Self::SetPermissions => {
                layout::create(startup, params, true)?;
                Ok(0)
            }
        }
    }

    fn start(self, startup: &Startup, params: &PostfixParams) -> Result<u8, Fatal> {
        if master().is_some() {
            log::fatal!("the Postfix mail system is already running");
            return Ok(1);
        }
        // After a quick stop nothing has changed.
        if fs::remove_file(QUICK_START).is_err() {
            if !check::fatal(startup, params)? {
                log::fatal!("Postfix integrity check failed!");
                return Ok(1);
            }
            check::warn(startup, params)?;
        }
        log::info!("starting the Postfix mail system");
        let mut master = Command::new(format!("{}/master", params.daemon_directory));
        if self == Self::StartForeground {
            if bytes::list::split(&params.multi_instance_directories, bytes::list::SEPARATORS)
                .next()
                .is_some()
            {
                log::fatal!("start-fg does not support multi_instance_directories");
                return Ok(1);
            }
            // Process 1 becomes master; otherwise master gets a session of its own, which its signals need.
            if std::process::id() == 1 {
                return Err(fatal!("cannot start-fg the master daemon: {}", master.arg("-i").exec()));
            }
            let path = master.get_program().to_string_lossy().into_owned();
            let ended =
                master.arg("-s").status().map_err(|error| fatal!("{path}: {}", queue::reason(&error)))?;
            // As a shell says it.
            let status = ended.code().or_else(|| ended.signal().map(|signal| 128 + signal));
            return Ok(status.and_then(|status| u8::try_from(status).ok()).unwrap_or(1));
        }
        match master.arg("-w").status() {
            Ok(status) if status.success() => Ok(0),
            _ => {
                log::fatal!("mail system startup failed");
                Ok(1)
            }
        }
    }
}

fn stop() -> Result<u8, Fatal> {
    let Some(pid) = running() else { return Ok(1) };
    log::info!("stopping the Postfix mail system");
    send(pid, nix::libc::SIGTERM)?;
    for _ in 0..PATIENCE {
        // Looked at often, said once a second.
        for _ in 0..20 {
            if master().is_none() {
                return Ok(0);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        log::info!("waiting for the Postfix mail system to terminate");
    }
    log::warning!("stopping the Postfix mail system with force");
    send(-pid, nix::libc::SIGKILL)?;
    Ok(0)
}

fn signal(what: &str, signal: i32) -> Result<u8, Fatal> {
    let Some(pid) = running() else { return Ok(1) };
    log::info!("{what}");
    send(pid, signal)?;
    Ok(0)
}

fn reload(params: &PostfixParams) -> Result<u8, Fatal> {
    check::warn_of_parameters(params);
    let Some(pid) = running() else { return Ok(1) };
    log::info!("refreshing the Postfix mail system");
    if !check::run(params, "postsuper", &["active"]) {
        return Ok(1);
    }
    send(pid, nix::libc::SIGHUP)?;
    // The rest of the queue can be looked at while mail moves.
    let path = format!("{}/postsuper", params.command_directory);
    Command::new(&path).spawn().map_err(|error| fatal!("{path}: {}", queue::reason(&error)))?;
    Ok(0)
}

fn status() -> u8 {
    match master() {
        Some(pid) => {
            log::info!("the Postfix mail system is running: PID: {pid}");
            0
        }
        None => {
            log::info!("the Postfix mail system is not running");
            1
        }
    }
}

pub(crate) fn running() -> Option<i32> {
    let pid = master();
    if pid.is_none() {
        log::fatal!("the Postfix mail system is not running");
    }
    pid
}

/// The process id of the master that holds the lock. The number alone proves nothing: it may be a stranger's by now.
pub(crate) fn master() -> Option<i32> {
    const PID_FILE: &str = "pid/master.pid";
    let file = fs::OpenOptions::new().read(true).write(true).open(PID_FILE).ok()?;
    if sys::lock::flock(&file, sys::lock::Mode::Exclusive, sys::lock::Wait::No).is_ok() {
        return None;
    }
    fs::read_to_string(PID_FILE).ok()?.lines().next()?.trim().parse().ok()
}

pub(crate) fn send(pid: i32, signal: i32) -> Result<(), Fatal> {
    sys::process::kill(pid, signal).map_err(|error| fatal!("kill {pid}: {}", queue::reason(&error)))
}
