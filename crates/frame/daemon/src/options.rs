//! The command line that master gives to its processes.

use crate::Fatal;

/// The kind of socket that a service listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Inet,
    /// Unix stream.
    Unix,
    /// Unix stream over which connected sockets are passed.
    Pass,
    /// Named pipe.
    Fifo,
    /// Unix datagram.
    UnixDgram,
}

/// What master says on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `-n`: the service's name in master.cf; the program's own name when it is not given.
    pub service: String,
    /// `-t`: the kind of its sockets.
    pub transport: Transport,
    /// `-s`: how many sockets there are.
    pub sockets: i32,
    /// `-c`: confine to the queue directory.
    pub chroot: bool,
    /// `-u`: run as `mail_owner`.
    pub unprivileged: bool,
    /// `-l`: there may be only one process.
    pub solitary: bool,
    /// `-z`: the service has no process limit.
    pub unlimited: bool,
    /// `-d`: do not detach; under a debugger.
    pub debug: bool,
    /// `-S`: serve standard input and output, without master.
    pub stand_alone: bool,
    /// `-V`: log to standard error too.
    pub log_to_stderr: bool,
    /// `-v`, as often as given.
    pub verbose: u8,
    /// `-o name=value`, in order, as written.
    pub overrides: Vec<String>,
    /// What follows the options: `flags=... user=... argv=...` of pipe and spawn.
    pub arguments: Vec<String>,
}

impl Options {
    /// Reads the command line after the program's name.
    pub fn parse(program: &str, arguments: impl Iterator<Item = String>) -> Result<Self, Fatal> {
        let mut options = Self {
            service: program.to_owned(),
            transport: Transport::Unix,
            sockets: 1,
            chroot: false,
            unprivileged: false,
            solitary: false,
            unlimited: false,
            debug: false,
            stand_alone: false,
            log_to_stderr: false,
            verbose: 0,
            overrides: Vec::new(),
            arguments: Vec::new(),
        };
        let mut arguments = arguments.peekable();
        while let Some(word) = arguments.next_if(|word| word.starts_with('-') && word.len() > 1) {
            if word == "--" {
                break;
            }
            let letters = word.get(1..).unwrap_or_default();
            for (at, letter) in letters.char_indices() {
                if !matches!(letter, 'n' | 't' | 's' | 'o' | 'm' | 'i') {
                    options.flag(letter)?;
                    continue;
                }
                let tail = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                let value = if tail.is_empty() {
                    arguments
                        .next()
                        .ok_or_else(|| Fatal::new(format!("invalid option: -{letter} without value")))?
                } else {
                    tail.to_owned()
                };
                options.valued(letter, value)?;
                break;
            }
        }
        options.arguments = arguments.collect();
        Ok(options)
    }

    fn flag(&mut self, letter: char) -> Result<(), Fatal> {
        match letter {
            'c' => self.chroot = true,
            'u' => self.unprivileged = true,
            'l' => self.solitary = true,
            'z' => self.unlimited = true,
            'd' | 'D' => self.debug = true,
            'S' => self.stand_alone = true,
            'V' => self.log_to_stderr = true,
            'v' => self.verbose = self.verbose.saturating_add(1),
            _ => return Err(Fatal::new(format!("invalid option: -{letter}"))),
        }
        Ok(())
    }

    fn valued(&mut self, letter: char, value: String) -> Result<(), Fatal> {
        match letter {
            'n' => self.service = value,
            't' => {
                self.transport = match value.as_str() {
                    "inet" => Transport::Inet,
                    "unix" => Transport::Unix,
                    "pass" => Transport::Pass,
                    "fifo" => Transport::Fifo,
                    "unix-dgram" => Transport::UnixDgram,
                    _ => return Err(Fatal::new(format!("unsupported transport type: {value}"))),
                }
            }
            's' => {
                self.sockets = value
                    .parse()
                    .ok()
                    .filter(|count| (1..1000).contains(count))
                    .ok_or_else(|| Fatal::new(format!("invalid socket_count: {value}")))?;
            }
            'o' => self.overrides.push(value),
            // -m and -i: historical limits that main.cf sets today.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Fatal> {
        Options::parse("smtpd", line.split(' ').map(str::to_owned))
    }

    #[test]
    fn masters_command_line() {
        let options = parse("-n smtp -t inet -u -c -o stress= -o a=b=c -s 2 -vv flags=R").unwrap();
        assert_eq!(
            (options.service.as_str(), options.transport, options.sockets),
            ("smtp", Transport::Inet, 2)
        );
        assert!(options.unprivileged && options.chroot && !options.solitary);
        assert_eq!(options.overrides, ["stress=", "a=b=c"]);
        assert_eq!((options.verbose, options.arguments), (2, vec!["flags=R".to_owned()]));
    }
}
