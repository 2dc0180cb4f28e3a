//! Sendmail's command line, as far as anybody still uses it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use command::{Fatal, Invocation, fatal};
use dsn::{notify, ret};
use ipc::deliver;
use queue::envelope::send_options;

use crate::SendmailParams;

/// Letters with a value are followed by a colon, as for getopt(3).
const LETTERS: &[u8] = b"A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx";

/// Stands for `-XV` as a word of its own, which alone means the default delimiters.
const DEFAULT_VERP: u8 = 0;

/// What the program is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Submit a message.
    Enqueue,
    /// `newaliases`, `-bi`, `-I`
    NewAliases,
    /// `mailq`, `-bp`
    Mailq,
    /// `-bd`, `-bl`, or called `smtpd`
    Daemon,
    /// `-bs`
    StandAlone,
    /// `-q`
    FlushQueue,
    /// `-bh`, `-bH`
    Ignore,
}

/// The command line.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// [`deliver`] flags: `-bv`, `-v`.
    pub(crate) flags: u32,
    /// `-t`
    pub(crate) extract_recipients: bool,
    /// Unless `-i` or `-oi`: a line with a dot ends the message.
    pub(crate) dot_ends: bool,
    /// `-f`, `-r`
    pub(crate) sender: Option<Vec<u8>>,
    /// `-F`
    pub(crate) full_name: Option<Vec<u8>>,
    /// `-B`
    pub(crate) encoding: Option<&'static str>,
    /// `-G`: mail from elsewhere; its headers are not completed.
    pub(crate) is_gateway: bool,
    /// `-N`
    pub(crate) dsn_notify: u32,
    /// `-R`
    pub(crate) dsn_ret: u32,
    /// `-V`
    pub(crate) dsn_envid: Option<Vec<u8>>,
    /// `-XV`
    pub(crate) verp: Option<String>,
    /// `-O SMTPUTF8=yes`, `-O REQUIRETLS=yes`: bits of the size record.
    pub(crate) send_options: i64,
    /// `-qR`
    pub(crate) site: Option<String>,
    /// `-qI`
    pub(crate) queue_id: Option<String>,
    /// `-oA`
    pub(crate) alias_table: Option<String>,
    /// `-q30m`: the interval of a daemon that there is not.
    pub(crate) is_daemon_interval: bool,
    pub(crate) recipients: Vec<OsString>,
    verbose: u8,
}

/// The directory of `-C`, which is needed before anything else.
pub(crate) fn config_directory(invocation: &Invocation) -> Option<OsString> {
    let mut words = Words::of(invocation);
    let mut found = None;
    while let Some(Ok((letter, value))) = words.next() {
        if letter == b'C' {
            let path = std::path::Path::new(&value);
            let directory = match path.file_name() {
                Some(name) if name == "main.cf" => path.parent().map(|parent| parent.as_os_str().to_owned()),
                _ => None,
            };
            found = Some(directory.unwrap_or(value));
        }
    }
    found
}

impl Options {
    pub(crate) fn parse(invocation: &Invocation, params: &SendmailParams) -> Result<Self, Fatal> {
        let mut options = Self {
            mode: match invocation.base_name() {
                "mailq" | "mailq.postfix" => Mode::Mailq,
                "newaliases" | "newaliases.postfix" => Mode::NewAliases,
                "smtpd" => Mode::Daemon,
                _ => Mode::Enqueue,
            },
            flags: 0,
            extract_recipients: false,
            dot_ends: true,
            sender: None,
            full_name: None,
            encoding: None,
            is_gateway: false,
            dsn_notify: 0,
            dsn_ret: 0,
            dsn_envid: None,
            verp: None,
            send_options: 0,
            site: None,
            queue_id: None,
            alias_table: None,
            is_daemon_interval: false,
            recipients: Vec::new(),
            verbose: 0,
        };
        let mut words = Words::of(invocation);
        while let Some(word) = words.next() {
            let Ok((letter, value)) = word else {
                return Err(fatal!("usage: {} [options]", invocation.base_name()));
            };
            options.take(letter, value.as_bytes(), params)?;
        }
        options.recipients = words.rest().to_vec();
        options.check()?;
        // One -v asks for a report, more are for debugging.
        if options.verbose == 1 && options.mode == Mode::Enqueue {
            options.verbose = 0;
            options.flags |= deliver::FLAG_RECORD;
        }
        log::set_verbose(options.verbose);
        Ok(options)
    }

    /// The `-v` options for a command that is run in our place.
    pub(crate) fn verbosity(&self) -> Vec<&'static str> {
        vec!["-v"; self.verbose.into()]
    }

    pub(crate) fn refuse_recipients(&self, why: &str) -> Result<(), Fatal> {
        if self.recipients.is_empty() { Ok(()) } else { Err(fatal!("{why}")) }
    }

    fn take(&mut self, letter: u8, value: &[u8], params: &SendmailParams) -> Result<(), Fatal> {
        let text = || String::from_utf8_lossy(value).into_owned();
        match letter {
            b'n' => return Err(fatal!("-n option not supported")),
            b'B' => {
                self.encoding = match value {
                    b"8BITMIME" => Some("8bit"),
                    b"7BIT" => Some("7bit"),
                    _ => return Err(fatal!("-B option needs 8BITMIME or 7BIT")),
                }
            }
            b'F' => self.full_name = Some(value.to_vec()),
            b'G' => self.is_gateway = true,
            b'I' => self.mode = Mode::NewAliases,
            b'N' => match notify::parse(value) {
                Some(mask) => self.dsn_notify = mask,
                None => log::warning!("bad -N option value: '{}' -- ignored", bytes::show(value)),
            },
            b'O' => self.take_long(value, params),
            b'R' => match ret::parse(value) {
                Some(mask) => self.dsn_ret = mask,
                None => log::warning!("bad -R option value -- ignored"),
            },
            b'V' => self.take_envid(value),
            b'X' => self.take_verp(value, params)?,
            DEFAULT_VERP => self.verp = Some(params.default_verp_delimiters.clone()),
            b'b' => self.take_mode(value)?,
            b'f' | b'r' => self.sender = Some(value.to_vec()),
            b'i' => self.dot_ends = false,
            b'o' => match value.split_first() {
                Some((b'A', [])) => return Err(fatal!("-oA requires pathname")),
                Some((b'A', table)) => self.alias_table = Some(String::from_utf8_lossy(table).into_owned()),
                Some((b'i', _)) => self.dot_ends = false,
                _ => {}
            },
            b'q' => match value.split_first() {
                None => self.take_flush(),
                Some((b'0'..=b'9', _)) => self.is_daemon_interval = true,
                Some((b'R', [])) => return Err(fatal!("specify: -qRsitename")),
                Some((b'R', _)) => self.site = text().get(1..).map(str::to_owned),
                Some((b'I', [])) => return Err(fatal!("specify: -qIqueueid")),
                Some((b'I', _)) => self.queue_id = text().get(1..).map(str::to_owned),
                Some((other, _)) => return Err(fatal!("-q{} is not implemented", char::from(*other))),
            },
            b't' => self.extract_recipients = true,
            b'v' => self.verbose = self.verbose.saturating_add(1),
            // What sendmail had and nobody needs: -A -c -e -h -L -m -p -U -x.
            _ => {}
        }
        Ok(())
    }

    fn take_flush(&mut self) {
        if self.mode == Mode::Daemon {
            log::warning!("ignoring -q option in daemon mode");
        } else {
            self.mode = Mode::FlushQueue;
        }
    }

    fn take_mode(&mut self, value: &[u8]) -> Result<(), Fatal> {
        self.mode = match value.first() {
            Some(b'd' | b'l') => {
                if self.mode == Mode::FlushQueue {
                    log::warning!("ignoring -q option in daemon mode");
                }
                Mode::Daemon
            }
            Some(b'h' | b'H') => Mode::Ignore,
            Some(b'i') => Mode::NewAliases,
            Some(b'm') => Mode::Enqueue,
            Some(b'p') => Mode::Mailq,
            Some(b's') => Mode::StandAlone,
            Some(b'v') => {
                self.flags |= deliver::FLAG_USER_VERIFY;
                self.mode
            }
            other => {
                return Err(fatal!("unsupported: -b{}", other.map_or(' ', |&letter| char::from(letter))));
            }
        };
        Ok(())
    }

    fn take_long(&mut self, value: &[u8], params: &SendmailParams) {
        let (name, setting) = bytes::split_once(value, b'=').unwrap_or((value, b""));
        let shown = bytes::show(value);
        let (bit, parameter, enabled) = if name.eq_ignore_ascii_case(b"SMTPUTF8") {
            (send_options::SMTPUTF8_REQUESTED, "smtputf8_enable", params.smtputf8_enable)
        } else if name.eq_ignore_ascii_case(b"REQUIRETLS") {
            (send_options::REQUIRETLS_ESMTP, "requiretls_enable", params.requiretls_enable)
        } else {
            return;
        };
        if !enabled {
            log::warning!("'-O {shown}' was requested, but the configuration is '{parameter} = no'");
        } else if setting.eq_ignore_ascii_case(b"yes") {
            self.send_options |= bit;
        } else if setting.eq_ignore_ascii_case(b"no") {
            self.send_options &= !bit;
        } else {
            log::warning!("bad -O option: '{shown}' -- ignored");
        }
    }

    fn take_envid(&mut self, value: &[u8]) {
        if value.len() > 100 {
            log::warning!("too long -V option value -- ignored");
        } else if !value.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            log::warning!("bad syntax in -V option value -- ignored");
        } else {
            self.dsn_envid = Some(value.to_vec());
        }
    }

    fn take_verp(&mut self, value: &[u8], params: &SendmailParams) -> Result<(), Fatal> {
        let Some((b'V', delimiters)) = value.split_first() else {
            let letter = value.first().map_or(' ', |&letter| char::from(letter));
            return Err(fatal!("unsupported: -X{letter}"));
        };
        let filter = &params.verp_delimiter_filter;
        if delimiters.len() != 2 || !delimiters.iter().all(|byte| filter.as_bytes().contains(byte)) {
            return Err(fatal!("-V requires two characters from {filter}"));
        }
        self.verp = String::from_utf8(delimiters.to_vec()).ok();
        Ok(())
    }

    fn check(&self) -> Result<(), Fatal> {
        let delivers = self.mode == Mode::Enqueue;
        let only_delivery = [
            (self.extract_recipients, "-t can be used only in delivery mode"),
            (self.site.is_some(), "-qR can be used only in delivery mode"),
            (self.queue_id.is_some(), "-qI can be used only in delivery mode"),
        ];
        if let Some((_, why)) = only_delivery.iter().find(|(given, _)| *given && !delivers) {
            return Err(fatal!("{why}"));
        }
        if self.flags & deliver::FLAG_USER_VERIFY == 0 {
            return Ok(());
        }
        let not_in_a_probe = [
            (self.extract_recipients, "-t option cannot be used with -bv"),
            (self.dsn_notify != 0, "-N option cannot be used with -bv"),
            (self.dsn_ret != 0, "-R option cannot be used with -bv"),
            (self.verbose == 1, "-v option cannot be used with -bv"),
        ];
        match not_in_a_probe.iter().find(|(given, _)| *given) {
            Some((_, why)) => Err(fatal!("{why}")),
            None => Ok(()),
        }
    }
}

/// Options one by one. `-q` may stand alone; `-V`, with exactly two characters, is today's `-XV`.
struct Words<'a> {
    /// In messages.
    name: &'a str,
    arguments: &'a [OsString],
    cluster: &'a [u8],
}

impl<'a> Words<'a> {
    fn of(invocation: &'a Invocation) -> Self {
        Self { name: invocation.base_name(), arguments: &invocation.args, cluster: &[] }
    }

    fn rest(&self) -> &'a [OsString] {
        self.arguments
    }

    /// The next letter with its value, empty if it has none; `Err` for an unknown letter or a missing value.
    fn next(&mut self) -> Option<Result<(u8, OsString), ()>> {
        if self.cluster.is_empty() {
            let (word, rest) = self.arguments.split_first()?;
            let word = word.as_bytes();
            if word == b"--" {
                self.arguments = rest;
                return None;
            }
            let letters = word.strip_prefix(b"-").filter(|letters| !letters.is_empty())?;
            self.arguments = rest;
            if letters == b"q" {
                return Some(Ok((b'q', OsString::new())));
            }
            if letters == b"XV" {
                return Some(Ok((DEFAULT_VERP, OsString::new())));
            }
            if let Some(old) = self.old_verp(letters) {
                return Some(Ok(old));
            }
            self.cluster = letters;
        }
        let (&letter, tail) = self.cluster.split_first()?;
        self.cluster = tail;
        let position = LETTERS.iter().position(|&known| known == letter && known != b':');
        let Some(position) = position else {
            return self.complain(command::BadOption::Unknown(char::from(letter)));
        };
        if LETTERS.get(position + 1) != Some(&b':') {
            return Some(Ok((letter, OsString::new())));
        }
        self.cluster = &[];
        if !tail.is_empty() {
            return Some(Ok((letter, OsStr::from_bytes(tail).to_owned())));
        }
        let Some((value, rest)) = self.arguments.split_first() else {
            return self.complain(command::BadOption::NoValue(char::from(letter)));
        };
        self.arguments = rest;
        Some(Ok((letter, value.clone())))
    }

    // COMPAT: said each time the words are gone through, which is twice, as getopt(3) does.
    fn complain(&self, what: command::BadOption) -> Option<Result<(u8, OsString), ()>> {
        eprintln!("{}: {what}", self.name);
        Some(Err(()))
    }

    fn old_verp(&mut self, letters: &[u8]) -> Option<(u8, OsString)> {
        let delimiters = match (letters, self.arguments.split_first()) {
            (b"V", Some((value, rest))) if value.len() == 2 => {
                log::warning!("option -V is deprecated with Postfix 2.3; specify -XV instead");
                self.arguments = rest;
                value.as_bytes().to_vec()
            }
            ([b'V', delimiters @ ..], _) if delimiters.len() == 2 => {
                let word = bytes::show(letters);
                log::warning!("option -{word} is deprecated with Postfix 2.3; specify -X{word} instead");
                delimiters.to_vec()
            }
            _ => return None,
        };
        Some((b'X', OsStr::from_bytes(&[b"V", delimiters.as_slice()].concat()).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> (Vec<(char, String)>, Vec<String>) {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let mut words = Words { name: "sendmail", arguments: &arguments, cluster: &[] };
        let mut found = Vec::new();
        while let Some(Ok((letter, value))) = words.next() {
            found.push((char::from(letter), value.into_string().unwrap()));
        }
        (found, words.rest().iter().map(|rest| rest.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn clusters_values_and_the_end_of_options() {
        let (found, rest) = words("-ti -f me@x -oem -FCron -- -odd");
        let expected =
            [('t', ""), ('i', ""), ('f', "me@x"), ('o', "em"), ('F', "Cron")].map(|(c, v)| (c, v.to_owned()));
        assert_eq!(found, expected);
        assert_eq!(rest, ["-odd"]);
        assert_eq!(words("user -t").1, ["user", "-t"]);
    }

    #[test]
    fn q_stands_alone_and_old_verp_is_understood() {
        assert_eq!(words("-q").0, [('q', String::new())]);
        assert_eq!(words("-qRx.org").0, [('q', "Rx.org".to_owned())]);
        assert_eq!(words("-V+=").0, [('X', "V+=".to_owned())]);
        assert_eq!(words("-V envelope").0, [('V', "envelope".to_owned())]);
    }
}
