//! Where log lines go: syslog's socket, the postlog service, standard error.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use sys::time::{LocalTime, now};

use crate::{Severity, UTF8};

const SYSLOG_SOCKET: &str = "/dev/log";

/// syslog(3)'s limit in Postfix: longer texts are cut.
const LINE_LIMIT: usize = 2000;

/// Which of the three receive lines.
#[derive(Clone, Debug, Default)]
pub struct Sinks {
    /// The system logger under this facility number (2 is mail); `None`: not there.
    pub syslog: Option<u8>,
    /// The postlog service, for `maillog_file`.
    pub postlog: Option<Postlog>,
    /// Standard error, as `program: text`, under this program name.
    pub stderr: Option<String>,
}

impl Sinks {
    /// The mail facility of syslog alone, as daemons have it.
    pub fn syslog() -> Self {
        Self { syslog: Some(FACILITY_MAIL), ..Self::default() }
    }

    /// Standard error under the program's name, and syslog: what commands have.
    pub fn terminal(program: &str) -> Self {
        Self { stderr: Some(program.to_owned()), ..Self::syslog() }
    }
}

/// The mail facility of syslog(3).
const FACILITY_MAIL: u8 = 2;

/// How to reach the postlog service.
#[derive(Clone, Debug)]
pub struct Postlog {
    /// The service's socket, absolute.
    pub socket: PathBuf,
    /// The host name for the line.
    pub hostname: String,
    /// The log file to append to while the service cannot be reached; for master and postlogd, which come first.
    pub fallback: Option<PathBuf>,
}

struct Logger {
    tag: String,
    sinks: Sinks,
    syslog: Option<UnixDatagram>,
    postlog: Option<UnixDatagram>,
    stamp: (i64, String),
}

static LOGGER: Mutex<Option<Logger>> = Mutex::new(None);

pub(crate) fn configure(tag: &str, sinks: Sinks) {
    let mut slot = LOGGER.lock().unwrap_or_else(PoisonError::into_inner);
    // Sockets open now, since a chroot may follow.
    let syslog = sinks.syslog.and_then(|_| open_socket(SYSLOG_SOCKET.as_ref()));
    let postlog = sinks.postlog.as_ref().and_then(|postlog| open_socket(&postlog.socket));
    *slot = Some(Logger { tag: tag.to_owned(), sinks, syslog, postlog, stamp: (0, String::new()) });
}

pub(crate) fn write(severity: Severity, text: &str) {
    let mut slot = LOGGER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(logger) = slot.as_mut() {
        logger.write(severity, text);
    }
}

/// A line as the postlog service stores it: `Mmm dd hh:mm:ss host tag[pid]: text`, the host without its domain.
pub fn postlog_line(stamp: &str, hostname: &str, tag: &str, pid: u32, text: &str) -> String {
    let host = hostname.split('.').next().unwrap_or(hostname);
    format!("{stamp} {host} {tag}[{pid}]: {text}")
}

impl Logger {
    fn write(&mut self, severity: Severity, text: &str) {
        let text =
            clean(severity, text, if UTF8.load(Ordering::Relaxed) { Shown::Utf8 } else { Shown::Ascii });
        if let Some(program) = &self.sinks.stderr {
            // One write a line: other programs write to the same place.
            let line = format!("{program}: {text}\n");
            let _lost = std::io::stderr().lock().write_all(line.as_bytes());
        }
        if self.sinks.syslog.is_none() && self.sinks.postlog.is_none() {
            return;
        }
        self.refresh_stamp();
        let pid = std::process::id();
        if let Some(facility) = self.sinks.syslog {
            let priority = facility * 8 + syslog_level(severity);
            let mut line = String::with_capacity(self.stamp.1.len() + self.tag.len() + text.len() + 24);
            let _infallible = write!(line, "<{priority}>");
            line.push_str(&self.stamp.1);
            line.push(' ');
            line.push_str(&self.tag);
            let _infallible = write!(line, "[{pid}]: ");
            line.push_str(&text);
            send(&mut self.syslog, SYSLOG_SOCKET.as_ref(), line.as_bytes());
        }
        if let Some(postlog) = &self.sinks.postlog {
            let line = postlog_line(&self.stamp.1, &postlog.hostname, &self.tag, pid, &text);
            if !send(&mut self.postlog, &postlog.socket, line.as_bytes())
                && let Some(path) = &postlog.fallback
                && let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(path)
            {
                let _lost = file.write_all(format!("{line}\n").as_bytes());
            }
        }
    }

    // Every line of a second has the same stamp; the zone arithmetic is done once.
    fn refresh_stamp(&mut self) {
        let second = now();
        if self.stamp.0 == second {
            return;
        }
        let t = LocalTime::at(second);
        self.stamp.0 = second;
        self.stamp.1.clear();
        let _infallible = write!(
            self.stamp.1,
            "{} {:>2} {:02}:{:02}:{:02}",
            t.month_name(),
            t.day,
            t.hour,
            t.minute,
            t.second
        );
    }
}

/// Which characters a line may have beside those that ASCII can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Ascii,
    Utf8,
}

/// COMPAT: one `?` for each byte, as Postfix has it. Test: `severity_comes_before_the_text_and_control_characters_go`.
fn clean(severity: Severity, text: &str, shown: Shown) -> Cow<'_, str> {
    let is_clean = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_clean && severity == Severity::Info && text.len() <= LINE_LIMIT {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(severity.prefix().len() + text.len());
    line.push_str(severity.prefix());
    text.chars().for_each(|char| push_clean(&mut line, char, shown));
    if line.len() > LINE_LIMIT {
        let end = (0..=LINE_LIMIT).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
        line.truncate(end);
    }
    Cow::Owned(line)
}

fn push_clean(line: &mut String, char: char, shown: Shown) {
    match char {
        ' '..='~' => line.push(char),
        _ if char.is_ascii() => line.push('?'),
        // What stands for a byte that was no UTF-8; the range is `escape`'s in the crate `bytes`.
        char::REPLACEMENT_CHARACTER | '\u{10ff80}'..='\u{10ffff}' => line.push('?'),
        _ if shown == Shown::Utf8 => line.push(char),
        _ => line.extend(std::iter::repeat_n('?', char.len_utf8())),
    }
}

fn open_socket(path: &std::path::Path) -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(path).ok()?;
    Some(socket)
}

// A logger that was restarted has a new socket under the same name: connect once more before giving up.
fn send(socket: &mut Option<UnixDatagram>, path: &std::path::Path, line: &[u8]) -> bool {
    if let Some(open) = socket
        && open.send(line).is_ok()
    {
        return true;
    }
    match open_socket(path) {
        Some(open) => {
            let sent = open.send(line).is_ok();
            *socket = Some(open);
            sent
        }
        None => false,
    }
}

fn syslog_level(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 6,
        Severity::Warning => 4,
        Severity::Error => 3,
        Severity::Fatal | Severity::Panic => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_comes_before_the_text_and_control_characters_go() {
        assert_eq!(clean(Severity::Warning, "a\nb", Shown::Utf8), "warning: a?b");
        assert_eq!(clean(Severity::Info, &"x".repeat(3000), Shown::Utf8).len(), LINE_LIMIT);
        assert_eq!(clean(Severity::Info, "Jörg\u{fffd}", Shown::Utf8), "Jörg?");
        assert_eq!(clean(Severity::Info, "Jörg\u{fffd}", Shown::Ascii), "J??rg?");
    }

    #[test]
    fn postlog_lines_carry_host_and_tag() {
        assert_eq!(
            postlog_line("Nov  1 00:00:00", "h", "postfix/smtpd", 7, "x"),
            "Nov  1 00:00:00 h postfix/smtpd[7]: x"
        );
    }
}
