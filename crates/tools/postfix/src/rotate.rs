//! `postfix logrotate`: the log file under a name with the time, and a new one.

use std::fs;
use std::process::Command;
use std::time::Duration;

use command::{Fatal, Startup};

use crate::action;

conf::param_set! {
    struct LogParams { maillog_file, maillog_file_compressor, maillog_file_rotate_suffix }
}

pub(crate) fn log(startup: &Startup) -> Result<u8, Fatal> {
    let log = LogParams::load(&startup.main)?;
    let file = &log.maillog_file;
    let needed = [
        ("maillog_file", file),
        ("maillog_file_compressor", &log.maillog_file_compressor),
        ("maillog_file_rotate_suffix", &log.maillog_file_rotate_suffix),
    ];
    if let Some((name, _)) = needed.iter().find(|(_, value)| value.is_empty()) {
        log::fatal!("empty '{name}' parameter value - logfile rotation failed");
        return Ok(1);
    }
    if file.starts_with("/dev/") {
        log::fatal!("not rotating '{file}'");
        return Ok(1);
    }
    if let Err(why) = rotate(&log) {
        log::fatal!("logfile '{file}' rotation failed: {why}");
        return Ok(1);
    }
    Ok(0)
}

fn rotate(log: &LogParams) -> Result<(), String> {
    let format = format!("+{}", log.maillog_file_rotate_suffix);
    let date = Command::new("date").arg(&format).output().map_err(|error| format!("date: {error}"))?;
    if !date.status.success() {
        return Err(String::from_utf8_lossy(&date.stderr).trim().to_owned());
    }
    let old = format!("{}.{}", log.maillog_file, String::from_utf8_lossy(&date.stdout).trim());
    fs::rename(&log.maillog_file, &old).map_err(|error| format!("{old}: {}", queue::reason(&error)))?;
    if let Some(pid) = action::master() {
        action::send(pid, nix::libc::SIGHUP).map_err(|fatal| fatal.text)?;
    }
    // Lines on their way still go to the old file.
    std::thread::sleep(Duration::from_secs(1));
    let compressor = &log.maillog_file_compressor;
    match Command::new(compressor).arg(&old).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{compressor}: {status}")),
        Err(error) => Err(format!("{compressor}: {}", queue::reason(&error))),
    }
}
