//! What every command-line program shares: start-up, options, fatal errors and their exit status.
//!
//! A tool's `main` calls [`run`] with its [`Program`] and a function from [`Invocation`] to exit status:
//!
//! ```text
//! fn main() -> ExitCode { command::run(&PROGRAM, |invocation| postqueue::main(invocation)) }
//! ```
//!
//! `run` sets the umask, starts logging, and reports a
//! [`Fatal`] as Postfix does: `name: fatal: text` on standard error (and in the mail log, for tools that log there), then
//! the exit status that the error asks for. [`Startup::read`] reads main.cf and starts logging anew as that says.
//!
//! Trust: the command line and the environment belong to whoever runs the tool. For a set-gid tool that is anybody, so
//! its name comes from [`Name::Fixed`], the configuration directory must be one that the default main.cf lists, and
//! [`Startup::clean_environment`] leaves only what `import_environment` allows.
//!
//! Promise: no tool panics on its input or prints half an error; a tool that fails says so in its exit status.

mod getopt;
mod startup;
mod user;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

pub use getopt::{BadOption, Choice, Getopt};
pub use startup::{Identity, Startup, log_as_script, use_config_directory};
pub use user::Refused;

/// Exit statuses of sysexits(3), as Postfix's tools use them.
pub mod exit {
    /// Success.
    pub const OK: u8 = 0;
    /// The command line is wrong.
    pub const USAGE: u8 = 64;
    /// The input is wrong.
    pub const DATA_ERROR: u8 = 65;
    /// An input file is missing.
    pub const NO_INPUT: u8 = 66;
    /// No such user.
    pub const NO_USER: u8 = 67;
    /// No such host.
    pub const NO_HOST: u8 = 68;
    /// The mail system is down.
    pub const UNAVAILABLE: u8 = 69;
    /// An internal error.
    pub const SOFTWARE: u8 = 70;
    /// The system lacks something.
    pub const OS_ERROR: u8 = 71;
    /// A system file is wrong.
    pub const OS_FILE: u8 = 72;
    /// A file cannot be created.
    pub const CANNOT_CREATE: u8 = 73;
    /// Reading or writing failed.
    pub const IO_ERROR: u8 = 74;
    /// Try again later.
    pub const TEMPORARY: u8 = 75;
    /// Another program does not keep to the protocol.
    pub const PROTOCOL: u8 = 76;
    /// Not allowed.
    pub const NO_PERMISSION: u8 = 77;
    /// The configuration is wrong.
    pub const CONFIG: u8 = 78;
}

/// What a tool is.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name in its messages.
    pub name: Name,
    /// Whether its messages go to the mail log, too.
    pub log: Log,
    /// Exit status of errors that ask for none; 1 in most tools.
    pub failure: u8,
}

/// Where a tool's name in messages comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The name by which it was called, as it stands (`./postcat`).
    Called,
    /// The last part of the name by which it was called.
    Base,
    /// This one: for set-gid tools, since the caller chooses the name by which they are called.
    Fixed(&'static str),
    /// As [`Self::Base`], but always this one in the log.
    Logged(&'static str),
}

/// Where a tool's messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// Standard error.
    Terminal,
    /// Standard error and the mail log.
    Mail,
    /// The same; while the postlog service cannot be reached, `maillog_file` itself. For tools of the superuser.
    MailOrFile,
}

/// How a tool was called.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What the tool is.
    pub program: Program,
    /// The name in its messages.
    pub name: String,
    /// The name by which it was called.
    pub argv0: OsString,
    /// What follows the name.
    pub args: Vec<OsString>,
}

impl Invocation {
    /// The last part of the name by which it was called: `mailq` for a `sendmail` that is called so.
    pub fn base_name(&self) -> &str {
        base_name(&self.argv0).unwrap_or(&self.name)
    }
}

/// The end of a tool, with what it says after `fatal: `.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Fatal {
    /// The text.
    pub text: String,
    /// The exit status; [`Program::failure`] if none.
    pub status: Option<u8>,
}

impl Fatal {
    /// With the tool's usual exit status.
    pub fn new(text: impl Into<String>) -> Fatal {
        Fatal { text: text.into(), status: None }
    }

    /// With an exit status of its own.
    pub fn with_status(status: u8, text: impl Into<String>) -> Fatal {
        Fatal { text: text.into(), status: Some(status) }
    }
}

impl From<conf::Error> for Fatal {
    fn from(error: conf::Error) -> Fatal {
        Fatal::new(error.to_string())
    }
}

/// Makes a [`Fatal`]: `fatal!("open {path}: {why}")`, `fatal!(exit::USAGE; "usage: ...")`.
#[macro_export]
macro_rules! fatal {
    ($status:expr; $($text:tt)*) => { $crate::Fatal::with_status($status, ::std::format!($($text)*)) };
    ($($text:tt)*) => { $crate::Fatal::new(::std::format!($($text)*)) };
}

/// The whole life of a tool.
pub fn run(program: &Program, main: impl FnOnce(&Invocation) -> Result<u8, Fatal>) -> ExitCode {
    let invocation = begin(program);
    match main(&invocation) {
        Ok(status) => ExitCode::from(status),
        Err(fatal) => ExitCode::from(report(program, &fatal)),
    }
}

/// What [`run`] does first. For tools whose `main` is not a function of one piece.
pub fn begin(program: &Program) -> Invocation {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let mut args = std::env::args_os();
    let argv0 = args.next().unwrap_or_default();
    let name = match program.name {
        Name::Fixed(name) => name.to_owned(),
        Name::Called => argv0.to_string_lossy().into_owned(),
        Name::Base | Name::Logged(_) => base_name(&argv0).unwrap_or("unknown").to_owned(),
    };
    startup::log_before_main_cf(program, &name);
    sys::time::load_zone();
    Invocation { program: *program, name, argv0, args: args.collect() }
}

/// Logs a fatal error; its exit status comes back.
pub fn report(program: &Program, fatal: &Fatal) -> u8 {
    log::fatal!("{fatal}");
    fatal.status.unwrap_or(program.failure)
}

fn base_name(argv0: &OsString) -> Option<&str> {
    Path::new(argv0).file_name().and_then(|name| std::str::from_utf8(name.as_bytes()).ok())
}
