//! Many calls of `sendmail`, as from web applications and cron jobs.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::resource::{UsageWho, getrusage};

/// Who calls: `nobody`.
const CALLER: u32 = 65534;

/// `submit COUNT PARALLEL MESSAGE`: submits the file so many times, so many at once. This program runs in the mail
/// system's cgroup, since `sendmail` and `postdrop` belong to the mail system; so it tells what it used itself, in
/// microseconds, for the caller to take off.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let [count, parallel, message] = arguments else {
        return Err("submit: COUNT PARALLEL MESSAGE".to_owned());
    };
    let number = |text: &String| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    let (count, parallel) = (number(count)?, number(parallel)?);
    let next = AtomicU64::new(0);
    let failure = std::thread::scope(|scope| {
        let caller = || -> Result<(), String> {
            while next.fetch_add(1, Ordering::Relaxed) < count {
                submit(message)?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..parallel).map(|_| scope.spawn(caller)).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap_or(Err("thread".to_owned())));
        results.filter_map(Result::err).next()
    });
    if let Some(why) = failure {
        return Err(why);
    }
    let used = getrusage(UsageWho::RUSAGE_SELF).map_err(|error| format!("getrusage: {error}"))?;
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    println!("{}", micros(used.user_time()) + micros(used.system_time()));
    Ok(())
}

fn submit(message: &str) -> Result<(), String> {
    let input = File::open(message).map_err(|error| format!("{message}: {error}"))?;
    let status = Command::new("/usr/sbin/sendmail")
        .args(["-i", "-f", "sender@example.net", "receiver@example.org"])
        .uid(CALLER)
        .gid(CALLER)
        .stdin(input)
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("sendmail: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("sendmail: {status}")) }
}
