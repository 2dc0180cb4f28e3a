//! Namespaces: how one run gets a machine of its own.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const ENTER: &str = include_str!("enter.sh");

/// What a run is made from.
#[derive(Debug)]
pub struct Place<'a> {
    /// The mail system under test, laid out at Postfix's paths.
    pub image: &'a Path,
    /// Debian's Postfix, for its load generators.
    pub reference: &'a Path,
    /// A directory for spool and mailboxes, fresh.
    pub work: &'a Path,
}

/// What is missing for namespaces.
pub fn obstacles() -> Vec<String> {
    let mut missing = Vec::new();
    if !nix::unistd::geteuid().is_root() {
        missing.push("root, for namespaces and cgroups".to_owned());
        return missing;
    }
    for (tool, package) in [("unshare", "util-linux"), ("setpriv", "util-linux"), ("ip", "iproute2")] {
        if find(tool).is_none() {
            missing.push(format!("the command {tool} (package {package})"));
        }
    }
    if !missing.is_empty() {
        return missing;
    }
    let probe = Command::new("unshare")
        .args([
            "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "mount", "-t", "tmpfs", "none", "/mnt",
        ])
        .output();
    match probe {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            missing.push(format!("namespaces: {}", why.lines().next().unwrap_or("refused")));
        }
        Err(error) => missing.push(format!("unshare: {error}")),
    }
    missing
}

fn find(tool: &str) -> Option<PathBuf> {
    let candidates =
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(|directory| Path::new(directory).join(tool));
    candidates.into_iter().find(|path| path.exists())
}

/// Runs this program within namespaces of its own. Gives what it wrote to standard output; standard error is for the
/// person who watches. Everything that was started ends with the run.
pub fn run(
    place: &Place,
    environment: &[(&str, &str)],
    arguments: &[&str],
    patience: Duration,
) -> io::Result<Ended> {
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork"])
        .args(["--kill-child", "--propagation", "private", "--", "sh", "-c", ENTER, "enter.sh"])
        .args([place.image, place.reference, place.work, &std::env::current_exe()?])
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let output = child.stdout.take().map(read_all);
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let output = output.and_then(|thread| thread.join().ok()).unwrap_or_default();
    Ok(match status {
        None => Ended::TimedOut(output),
        Some(status) if status.success() => Ended::Well(output),
        Some(_) => Ended::Badly(output),
    })
}

/// How a run ended, with its standard output.
#[derive(Debug)]
pub enum Ended {
    /// With status 0.
    Well(String),
    /// With another one.
    Badly(String),
    /// Not, until it was stopped.
    TimedOut(String),
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
