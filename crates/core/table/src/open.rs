//! From `type:name` to a table.

use std::rc::Rc;

use crate::env::Env;
use crate::flags::{Flags, Mode};
use crate::local::{LocalTable, Owner, RemoteTable};
use crate::table::Table;
use crate::types;

/// Opens the tables of one type. The error is Postfix's text, complete.
pub type Opener = fn(&Opening<'_>) -> Result<Opened, String>;

/// A request to open a table.
pub struct Opening<'a> {
    /// Settings.
    pub env: &'a Rc<Env>,
    /// What is before the colon.
    pub kind: &'a str,
    /// What is after the colon.
    pub name: &'a str,
    /// What the table is opened for.
    pub mode: Mode,
    /// How the table is used.
    pub flags: Flags,
    /// What happens with tables within this one that cannot be opened.
    pub on_failure: OnFailure,
}

/// What becomes of a table that cannot be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFailure {
    /// A table whose requests fail takes its place: what daemons do.
    Substitute,
    /// The caller gets the reason: what command-line tools do.
    Report,
}

/// A table that was opened.
pub struct Opened {
    /// What answers.
    pub backend: Backend,
    /// The flags of the type: [`Flags::FIXED`] or [`Flags::PATTERN`], and others.
    pub flags: Flags,
    /// Who can change the contents.
    pub owner: Owner,
    /// Whether this type folds the case of ASCII keys itself when UTF-8 support is off.
    pub folds: bool,
}

/// What answers the requests to a table.
pub enum Backend {
    /// Something in this process.
    Local(Box<dyn LocalTable>),
    /// Something elsewhere.
    Remote(Box<dyn RemoteTable>),
    /// Each table gets the answer of the one before: `pipemap:`.
    Pipe(Vec<Table>),
    /// The answers of all tables: `unionmap:`.
    Union(Vec<Table>),
    /// Another table, with its requests logged: `debug:`.
    Debug(Table),
    /// Another table, as it is.
    Direct(Table),
    /// Nothing: the table could not be opened, for this reason.
    Broken(String),
}

impl Opened {
    pub(crate) fn local(table: impl LocalTable + 'static, flags: Flags) -> Self {
        Self { backend: Backend::Local(Box::new(table)), flags, owner: Owner::TRUSTED, folds: false }
    }

    pub(crate) fn folding(mut self) -> Self {
        self.folds = true;
        self
    }

    pub(crate) fn owned_by(mut self, owner: Owner) -> Self {
        self.owner = owner;
        self
    }
}

impl Opening<'_> {
    /// Refuses anything but lookups, for types that cannot be updated.
    pub fn require_read(&self) -> Result<(), String> {
        match self.mode {
            Mode::Read => Ok(()),
            _ => Err(format!("{}:{} map requires O_RDONLY access mode", self.kind, self.name)),
        }
    }

    /// `type:name`.
    pub fn title(&self) -> String {
        format!("{}:{}", self.kind, self.name)
    }

    /// Whether keys and values are checked for UTF-8, so that the table never sees others.
    pub fn utf8(&self) -> bool {
        self.env.smtputf8_enable && self.flags.contains(Flags::UTF8_REQUEST)
    }
}

/// Opens a table of a built-in type or of one that the program registered.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Opened, String> {
    match types::opener(opening.kind) {
        Some(opener) => opener(opening),
        None => {
            let registered = opening.env.registry.openers.borrow().get(opening.kind).copied();
            match registered.or_else(|| types::linked(opening.kind)) {
                Some(opener) => opener(opening),
                None => Err(format!("unsupported dictionary type: {}", opening.kind)),
            }
        }
    }
}

pub use sys::reason;
