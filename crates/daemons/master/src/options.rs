//! The command line, and leaving the terminal.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::Fatal;

/// How long `-w` waits for the daemon in the background.
const INIT_TIMEOUT: Duration = Duration::from_secs(100);

const NOT_STARTED: &str = "daemon initialization failure -- see logs for details";

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// `-c`
    pub(crate) config_directory: Option<String>,
    /// `-d`: stay in the foreground with all standard streams, for debugging.
    pub(crate) attached: bool,
    /// `-D`: run `debugger_command` on ourselves.
    pub(crate) debug: bool,
    /// `-e`: end after so many seconds.
    pub(crate) exit_after: Option<Duration>,
    /// `-i`: process 1 of a container.
    pub(crate) init: bool,
    /// `-s`: stay in the foreground, standard output stays open.
    pub(crate) keep_stdout: bool,
    /// `-t`: only look whether another master runs.
    pub(crate) test_lock: bool,
    /// `-w`: return when the daemon in the background is ready, or has failed.
    pub(crate) wait: bool,
    /// `-v`
    pub(crate) verbose: u8,
}

impl Options {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Fatal> {
        const USAGE: &str = "usage: master [-c config_dir] [-D (debug)] [-d (don't detach from terminal)] \
             [-e exit_time] [-t (test)] [-v] [-w (wait for initialization)]";
        let mut options = Self::default();
        let mut arguments = arguments;
        while let Some(word) = arguments.next() {
            let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
                return Err(Fatal::from(USAGE));
            };
            for (at, letter) in letters.char_indices() {
                match letter {
                    'd' => options.attached = true,
                    'D' => options.debug = true,
                    'i' => (options.init, options.keep_stdout) = (true, true),
                    's' => options.keep_stdout = true,
                    't' => options.test_lock = true,
                    'v' => options.verbose = options.verbose.saturating_add(1),
                    'w' => options.wait = true,
                    'c' | 'e' => {
                        let tail = letters.get(at + 1..).unwrap_or_default();
                        let value = if tail.is_empty() { arguments.next() } else { Some(tail.to_owned()) };
                        let value = value.ok_or(USAGE)?;
                        if letter == 'c' {
                            options.config_directory = Some(value);
                        } else {
                            options.exit_after = Some(Duration::from_secs(value.parse().map_err(|_| USAGE)?));
                        }
                        break;
                    }
                    _ => return Err(Fatal::from(USAGE)),
                }
            }
        }
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<(), Fatal> {
        if self.test_lock && self.wait {
            return Err(Fatal::from("the -t and -w options cannot be used together"));
        }
        if self.init && std::process::id() != 1 {
            return Err(Fatal::from("-i is allowed only for PID 1 process"));
        }
        if self.init && (self.attached || self.debug || self.wait) {
            return Err(Fatal::from("the -i option cannot be used with -D, -d, or -w"));
        }
        Ok(())
    }

    /// Leaves terminal, session and standard streams as asked for, and goes into the background under `-w`.
    ///
    /// What it returns must be told when the daemon is ready.
    pub(crate) fn detach(&self) -> Result<Ready, Fatal> {
        let ready = if self.wait { background()? } else { Ready(None) };
        if self.attached {
            return Ok(ready);
        }
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        nix::unistd::dup2_stdin(null.as_fd())?;
        if !self.keep_stdout {
            nix::unistd::dup2_stdout(null.as_fd())?;
        }
        nix::unistd::dup2_stderr(null.as_fd())?;
        if !self.init && !self.debug {
            // A group of its own, so that `postfix stop` can end all processes with one signal. It may exist already.
            let leads = nix::unistd::getpgrp() == nix::unistd::getpid();
            if nix::unistd::setsid().is_err() && !leads {
                return Err(Fatal::from("unable to set session and process group ID"));
            }
        }
        Ok(ready)
    }
}

/// The line to the process that waits for our initialization, if one does.
#[derive(Debug)]
pub(crate) struct Ready(Option<File>);

impl Ready {
    /// Tells it that all is well.
    pub(crate) fn announce(&mut self) {
        self.tell(b"\0");
    }

    /// Tells it why not, if it still waits.
    pub(crate) fn give_up(&mut self, why: &str) {
        self.tell(why.as_bytes());
    }

    fn tell(&mut self, news: &[u8]) {
        if let Some(mut pipe) = self.0.take() {
            let _nobody_waits = pipe.write_all(news);
        }
    }
}

// The parent waits for the byte that says that the child is up, or for the reason why it is not.
fn background() -> Result<Ready, Fatal> {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    let Some(pid) = sys::process::fork()? else {
        drop(reader);
        return Ok(Ready(Some(File::from(writer))));
    };
    drop(writer);
    let mut polled = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(INIT_TIMEOUT).unwrap_or(PollTimeout::MAX);
    if !matches!(poll(&mut polled, timeout), Ok(1..)) {
        log::warning!("Connection timed out while waiting for daemon initialization");
        if let Err(error) = sys::process::kill(pid, Signal::SIGKILL as i32) {
            log::warning!("kill {pid}: {error}");
        }
        return Err(Fatal::from(NOT_STARTED));
    }
    // The pipe stays open when all is well, for as long as the daemon likes: one read tells.
    let mut news = [0; 4096];
    let length = File::from(reader).read(&mut news).unwrap_or(0);
    match news.get(..length) {
        Some([0]) => std::process::exit(0),
        None | Some([]) => {}
        // It is in the log already, but who started us may not look there.
        Some(why) => eprintln!("master: fatal: {}", String::from_utf8_lossy(why)),
    }
    Err(Fatal::from(NOT_STARTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Fatal> {
        Options::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn options_and_their_quarrels() {
        let options = parse("-c /etc/postfix -vv -s -e60").unwrap();
        assert_eq!(options.config_directory.as_deref(), Some("/etc/postfix"));
        assert_eq!((options.verbose, options.exit_after), (2, Some(Duration::from_secs(60))));
        assert!(parse("-t -w").is_err());
        assert!(parse("-x").is_err());
        assert!(parse("start").is_err());
    }
}
