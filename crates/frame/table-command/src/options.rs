//! The command line.

use std::ffi::{OsStr, OsString};

use command::{Fatal, Getopt, Invocation, fatal, use_config_directory};
use table::Flags;

use crate::{Dialect, Parts, usage};

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// Build tables.
    Create,
    /// `-i`: add entries from standard input.
    Extend,
    /// `-q`: look up a key.
    Query(OsString),
    /// `-d`: remove a key.
    Delete(OsString),
    /// `-s`: print all entries.
    List,
}

/// The options and arguments.
pub(crate) struct Options {
    pub(crate) task: Task,
    pub(crate) flags: Flags,
    pub(crate) parts: Parts,
    pub(crate) json: bool,
    /// Without `-o`: build as the owner of the text.
    pub(crate) as_owner: bool,
    /// Without `-p`: with the permissions of the text.
    pub(crate) save_permissions: bool,
    pub(crate) tables: Vec<OsString>,
    force_utf8: bool,
}

const NULS: Flags = Flags::TRY0NULL;
const DUPLICATES: Flags = Flags::DUP_WARN;

impl Options {
    pub(crate) fn parse(dialect: &Dialect, invocation: &Invocation) -> Result<Self, Fatal> {
        let mut options = Self {
            task: Task::Create,
            flags: Flags::DUP_WARN | Flags::FOLD_FIX | Flags::UTF8_REQUEST,
            parts: Parts::default(),
            json: false,
            as_owner: true,
            save_permissions: true,
            tables: Vec::new(),
            force_utf8: false,
        };
        let mut arguments = Getopt::over(OsStr::new(&invocation.name), &invocation.args, dialect.letters);
        for choice in arguments.by_ref() {
            let choice = choice.map_err(|_| usage(dialect, invocation))?;
            options.take(choice)?;
        }
        options.tables = arguments.rest().to_vec();
        if options.json && !matches!(options.task, Task::Query(_) | Task::List) {
            return Err(fatal!("option -j requires -q or -s"));
        }
        Ok(options)
    }

    fn take(&mut self, choice: command::Choice) -> Result<(), Fatal> {
        let flags = self.flags;
        match choice.letter {
            'N' => self.flags = flags.without(NULS) | Flags::TRY1NULL,
            'n' => self.flags = flags.without(Flags::TRY1NULL) | NULS,
            'b' => self.parts.body = true,
            'h' => self.parts.headers = true,
            'm' => self.parts.mime = true,
            'c' => use_config_directory(&choice.value),
            'd' => self.set_task(Task::Delete(choice.value))?,
            'q' => self.set_task(Task::Query(choice.value))?,
            'i' => self.set_task(Task::Extend)?,
            's' => self.set_task(Task::List)?,
            'f' => self.flags = flags.without(Flags::FOLD_FIX),
            'F' => self.flags |= Flags::SRC_RHS_IS_FILE,
            'j' => self.json = true,
            'o' => self.as_owner = false,
            'p' => self.save_permissions = false,
            'r' => self.flags = flags.without(DUPLICATES | Flags::DUP_IGNORE) | Flags::DUP_REPLACE,
            'w' => self.flags = flags.without(DUPLICATES | Flags::DUP_REPLACE) | Flags::DUP_IGNORE,
            'u' => self.flags = flags.without(Flags::UTF8_REQUEST),
            'U' => self.force_utf8 = true,
            'v' => log::set_verbose(log::verbose().saturating_add(1)),
            _ => {}
        }
        Ok(())
    }

    fn set_task(&mut self, task: Task) -> Result<(), Fatal> {
        if self.task != Task::Create {
            return Err(fatal!("specify only one of -d -i -q or -s"));
        }
        self.task = task;
        Ok(())
    }

    /// What does not go together, and what follows from what.
    pub(crate) fn check(&mut self) -> Result<(), Fatal> {
        let reads_message = matches!(&self.task, Task::Query(key) if key == "-");
        if self.parts.any() && !reads_message {
            return Err(fatal!("specify -b -h or -m only with \"-q -\""));
        }
        if self.parts.mime && !self.parts.headers && !self.parts.body {
            log::warning!("ignoring -m option without -b or -h");
        }
        if (self.parts.headers || self.parts.body) && !self.force_utf8 {
            self.flags = self.flags.without(Flags::UTF8_REQUEST);
        }
        Ok(())
    }
}
