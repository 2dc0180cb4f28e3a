//! Log lines as pflogsumm, fail2ban and administrators read them: `postfix/smtpd[123]: warning: text`.
//!
//! A program calls [`init`] once it knows its name, again when it knows its configuration, and logs with the macros
//! [`info!`], [`warning!`], [`error!`], [`fatal!`], [`panic_text!`] and, when verbose, [`debug!`]. Lines go to any of
//! syslog, the postlog service (for `maillog_file`) and standard error. They travel through `tracing`, so a test or a
//! later exporter can listen in.
//!
//! The text of a line is an interface: the macros take it as it stands and add only the severity in Postfix's words.
//! Control characters become `?`. Logging never fails visibly: a line that cannot be written is lost, as with syslog(3).

mod sink;
mod subscriber;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

pub use sink::{Postlog, Sinks, postlog_line};
pub use tracing;

/// How bad it is; the order is Postfix's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Normal operation; no prefix.
    Info,
    /// `warning: `
    Warning,
    /// `error: `: the program goes on, something else cannot.
    Error,
    /// `fatal: `: the program ends.
    Fatal,
    /// `panic: `: a bug.
    Panic,
}

impl Severity {
    /// What Postfix writes before the text.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Info => "",
            Self::Warning => "warning: ",
            Self::Error => "error: ",
            Self::Fatal => "fatal: ",
            Self::Panic => "panic: ",
        }
    }
}

static VERBOSE: AtomicU8 = AtomicU8::new(0);

/// How often `-v` was given.
pub fn verbose() -> u8 {
    VERBOSE.load(Ordering::Relaxed)
}

/// Sets what [`verbose`] answers.
pub fn set_verbose(level: u8) {
    VERBOSE.store(level, Ordering::Relaxed);
}

static UTF8: AtomicBool = AtomicBool::new(false);

/// Lets UTF-8 through, as `smtputf8_enable` asks.
pub fn allow_utf8() {
    UTF8.store(true, Ordering::Relaxed);
}

/// Starts logging, or changes where it goes and under which tag.
///
/// `tag` is `<syslog_name>/<process>`, such as `postfix/smtpd`.
pub fn init(tag: &str, sinks: Sinks) {
    subscriber::install();
    sink::configure(tag, sinks);
}

/// Writes a line of the given severity; the macros are the usual way in.
pub fn write(severity: Severity, text: &str) {
    sink::write(severity, text);
}

/// Logs normal operation.
#[macro_export]
macro_rules! info {
    ($($text:tt)*) => { $crate::tracing::info!(target: "mail", "{}", ::core::format_args!($($text)*)) };
}

/// Logs a `warning: `.
#[macro_export]
macro_rules! warning {
    ($($text:tt)*) => { $crate::tracing::warn!(target: "mail", "{}", ::core::format_args!($($text)*)) };
}

/// Logs an `error: `.
#[macro_export]
macro_rules! error {
    ($($text:tt)*) => { $crate::tracing::error!(target: "mail", "{}", ::core::format_args!($($text)*)) };
}

/// Logs a `fatal: ` line. It does not end the program: the frame does.
#[macro_export]
macro_rules! fatal {
    ($($text:tt)*) => { $crate::tracing::error!(target: "mail.fatal", "{}", ::core::format_args!($($text)*)) };
}

/// Logs a `panic: ` line. It does not end the program: the frame does.
#[macro_export]
macro_rules! panic_text {
    ($($text:tt)*) => { $crate::tracing::error!(target: "mail.panic", "{}", ::core::format_args!($($text)*)) };
}

/// Logs as [`info!`] does, when the program was started with `-v`.
#[macro_export]
macro_rules! debug {
    ($($text:tt)*) => {
        if $crate::verbose() > 0 {
            $crate::tracing::info!(target: "mail", "{}", ::core::format_args!($($text)*))
        }
    };
}

/// The number of a syslog facility, such as `mail` or `local7`.
pub fn facility(name: &str) -> Option<u8> {
    const NAMES: [&str; 12] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    ];
    if let Some(local) = name.strip_prefix("local") {
        return local.parse().ok().filter(|&number: &u8| number < 8).map(|number| 16 + number);
    }
    NAMES.iter().position(|known| *known == name).map(|number| number as u8)
}
