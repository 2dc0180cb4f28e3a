//! What postmap and postalias share: tables that are named on the command line, built from their text, asked, changed and
//! listed. The two differ in the text format, in how they print, and in a few options: that is a [`Dialect`].
//!
//! Trust: everything belongs to whoever runs the command. The superuser builds a table as the owner of its text, with the
//! text's permissions, so that a table never tells more than its text did.
//!
//! Promise: a table that is built from its text holds the old contents or the new ones, never a part, whatever happens.
//!
//! Failure: `fatal:` and exit status 1, as for a key that is not found; what was printed before stays printed.

mod change;
mod options;
mod output;
mod query;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use command::{Fatal, Invocation, Startup, fatal};
use conf::MainCf;
use table::build::Format;
use table::{Env, Flags, Mode, Table};

use options::{Options, Task};

/// How one of the two programs differs from the other.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// The options, as for getopt(3).
    pub letters: &'static str,
    /// The option letters in the usage text.
    pub usage: &'static str,
    /// The text format of sources.
    pub format: Format,
    /// What is printed between key and value.
    pub separator: &'static str,
    /// Makes keys of a mail message, for `-h`, `-b` and `-m`.
    pub message_keys: Option<MessageKeys>,
}

/// Hands the wanted parts of a message to a function, one by one.
pub type MessageKeys = fn(
    &MainCf,
    &mut dyn std::io::BufRead,
    Parts,
    &mut dyn FnMut(&[u8]) -> Result<(), Fatal>,
) -> Result<(), Fatal>;

/// Which parts of a message are keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Parts {
    /// `-h`: headers.
    pub headers: bool,
    /// `-b`: body lines.
    pub body: bool,
    /// `-m`: the headers of MIME parts are headers as well.
    pub mime: bool,
}

impl Parts {
    fn any(self) -> bool {
        self.headers || self.body || self.mime
    }
}

/// The program.
pub fn main(dialect: &Dialect, invocation: &Invocation) -> Result<u8, Fatal> {
    let mut options = Options::parse(dialect, invocation)?;
    let startup = Startup::read(invocation)?;
    startup.update_environment()?;
    options.check()?;
    let env = Env::load(&startup.main)?;
    let job = Job { dialect, env, main: &startup.main, options: &options };
    let needs_table = !matches!(options.task, Task::List);
    if needs_table && options.tables.is_empty() {
        return Err(usage(dialect, invocation));
    }
    match &options.task {
        Task::Query(key) if key == "-" => query::standard_input(&job),
        Task::Query(key) => query::one(&job, key.as_bytes()),
        Task::Delete(key) if key == "-" => change::delete_standard_input(&job),
        Task::Delete(key) => change::delete(&job, key.as_bytes()),
        Task::List => query::list(&job),
        Task::Extend => change::extend(&job),
        Task::Create => change::create(&job),
    }
}

fn usage(dialect: &Dialect, invocation: &Invocation) -> Fatal {
    let (name, letters) = (&invocation.name, dialect.usage);
    fatal!("usage: {name} [-{letters}] [-c config_dir] [-d key] [-q key] [map_type:]file...")
}

/// What is to be done, and with what.
struct Job<'a> {
    dialect: &'a Dialect,
    env: Rc<Env>,
    main: &'a MainCf,
    options: &'a Options,
}

impl Job<'_> {
    /// `type:name` of an argument, which may lack the type.
    fn spec(&self, argument: &OsString) -> (String, String) {
        let argument = argument.to_string_lossy();
        match argument.split_once(':') {
            Some((kind, name)) => (kind.to_owned(), name.to_owned()),
            None => (self.env.default_database_type.clone(), argument.into_owned()),
        }
    }

    fn open(&self, argument: &OsString, mode: Mode) -> Result<Table, Fatal> {
        let (kind, name) = self.spec(argument);
        let flags = self.options.flags | Flags::LOCK;
        Table::try_open(&format!("{kind}:{name}"), &self.env, mode, flags).map_err(Fatal::new)
    }

    /// What a failed request means to a command.
    fn failed(&self, table: &Table, doing: &str, error: table::Error) -> Fatal {
        match error {
            table::Error::Config { .. } if self.dialect.format == Format::Map => {
                fatal!("table {}: {doing} error", table.name())
            }
            table::Error::Config { .. } | table::Error::Retry { .. } => {
                fatal!("table {}: {doing} error: {}", table.name(), table::NO_ERROR)
            }
            other => Fatal::new(other.to_string()),
        }
    }
}
