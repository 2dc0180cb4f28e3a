//! The command line, and leaving the terminal.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::Fatal;

/// How long `-w` waits for the daemon in the background.
const INIT_TIMEOUT: Duration = Duration::from_secs(100);

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// `-c`
    pub(crate) config_directory: Option<String>,
    /// `-d` or `-D`: stay in the foreground with all standard streams, for debugging.
    pub(crate) attached: bool,
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
        const USAGE: &str = "usage: master [-c config_dir] [-D (debug)] [-d (don't detach from terminal)] [-e exit_time] [-i] [-s] \
             [-t (test master lock)] [-v] [-w (wait for initialization)]";
        let mut options = Self::default();
        let mut arguments = arguments;
        while let Some(word) = arguments.next() {
            let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
                return Err(Fatal::from(USAGE));
            };
            for (at, letter) in letters.char_indices() {
                match letter {
                    'd' | 'D' => options.attached = true,
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
        if self.init && (self.attached || self.wait) {
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
        if !self.init {
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
    pub(crate) fn announce(self) {
        if let Some(mut pipe) = self.0 {
            let _nobody_waits = pipe.write_all(b"\0");
        }
    }
}

// The parent waits for the byte that says that the child is up; the child's end of the pipe closes if it fails.
fn background() -> Result<Ready, Fatal> {
    let (reader, writer) = nix::unistd::pipe()?;
    if sys::process::fork()?.is_some() {
        drop(writer);
        sys::process::default_signal(Signal::SIGALRM as i32);
        nix::unistd::alarm::set(INIT_TIMEOUT.as_secs() as u32);
        let mut byte = [0];
        let started = File::from(reader).read_exact(&mut byte).is_ok();
        std::process::exit(if started { 0 } else { 1 });
    }
    drop(reader);
    Ok(Ready(Some(File::from(writer))))
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
