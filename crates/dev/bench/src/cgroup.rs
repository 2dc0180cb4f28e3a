//! The cgroup of the mail system under test: whatever runs in it, or ran in it and has ended, is counted.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A control group that counts processor time, in either version of the interface.
#[derive(Clone, Debug)]
pub struct Group {
    directory: PathBuf,
}

impl Group {
    /// Makes one, at the top of the hierarchy that counts.
    pub fn create(name: &str) -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| format!("mounts: {error}"))?;
        let hierarchy =
            hierarchy(&mounts).ok_or("no cgroup hierarchy with cpuacct, nor version 2, is mounted")?;
        let group = Self { directory: hierarchy.join(name) };
        match fs::create_dir(&group.directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(format!("{}: {error} (cgroups must be writable)", group.directory.display()));
            }
        }
        group.cpu().map_err(|error| format!("{}: {error}", group.directory.display()))?;
        Ok(group)
    }

    /// One that exists.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Processor time of all that ever ran in it.
    pub fn cpu(&self) -> io::Result<Duration> {
        // Version 1 has it in nanoseconds, version 2 in microseconds among others.
        if let Ok(text) = fs::read_to_string(self.directory.join("cpuacct.usage")) {
            return text.trim().parse().map(Duration::from_nanos).map_err(io::Error::other);
        }
        let text = fs::read_to_string(self.directory.join("cpu.stat"))?;
        let field = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
        let micros = field.and_then(|number| number.trim().parse().ok());
        micros.map(Duration::from_micros).ok_or_else(|| io::Error::other("cpu.stat has no usage_usec"))
    }

    /// The processes in it, as this process's namespace numbers them.
    pub fn members(&self) -> io::Result<Vec<u32>> {
        let text = fs::read_to_string(self.directory.join("cgroup.procs"))?;
        Ok(text.lines().filter_map(|line| line.trim().parse().ok()).filter(|pid| *pid != 0).collect())
    }

    /// Puts this process into it.
    pub fn join(&self) -> io::Result<()> {
        fs::write(self.directory.join("cgroup.procs"), "0")
    }

    /// Removes it, once the last process is gone.
    pub fn remove(&self) -> io::Result<()> {
        let mut attempts = 0;
        loop {
            match fs::remove_dir(&self.directory) {
                Err(error) if attempts < 100 && error.kind() == io::ErrorKind::ResourceBusy => {
                    attempts += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                other => return other,
            }
        }
    }
}

/// Where the hierarchy that counts processor time is mounted: version 1's cpuacct, or version 2.
fn hierarchy(mounts: &str) -> Option<PathBuf> {
    let fields = |line: &str| -> Option<(PathBuf, String, String)> {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?.into(), words.next()?.to_owned(), words.next()?.to_owned()))
    };
    let all: Vec<_> = mounts.lines().filter_map(fields).collect();
    let first = all
        .iter()
        .find(|(_, kind, options)| kind == "cgroup" && options.split(',').any(|option| option == "cpuacct"));
    let second = || all.iter().find(|(_, kind, _)| kind == "cgroup2");
    first.or_else(second).map(|(path, ..)| path.clone())
}

/// `charge GROUP COMMAND [ARGUMENT...]`: becomes the command, in the group.
pub(crate) fn charge(arguments: &[String]) -> Result<(), String> {
    let [group, command, rest @ ..] = arguments else { return Err("charge: GROUP COMMAND".to_owned()) };
    Group::at(group).join().map_err(|error| format!("{group}: {error}"))?;
    Err(format!("{command}: {}", Command::new(command).args(rest).exec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_either_hierarchy() {
        let first = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                     cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
                     cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(hierarchy(first), Some("/sys/fs/cgroup/cpu,cpuacct".into()));
        let second = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        assert_eq!(hierarchy(second), Some("/sys/fs/cgroup".into()));
        assert_eq!(hierarchy("proc /proc proc rw 0 0\n"), None);
    }

    #[test]
    fn reads_either_counter() {
        let directory = tempfile::tempdir().unwrap();
        let group = Group::at(directory.path());
        fs::write(directory.path().join("cpu.stat"), "usage_usec 1500\nuser_usec 1000\n").unwrap();
        assert_eq!(group.cpu().unwrap(), Duration::from_micros(1500));
        fs::write(directory.path().join("cpuacct.usage"), "2000000\n").unwrap();
        assert_eq!(group.cpu().unwrap(), Duration::from_millis(2));
    }
}
