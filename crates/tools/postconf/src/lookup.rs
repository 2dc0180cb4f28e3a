//! Where the files are, and what names stand for.

use crate::entry::Entry;
use crate::mode::Mode;
use crate::registry::Registry;
use command::{Fatal, fatal};
use conf::expand::{Expand, Names};
use std::cell::RefCell;
use std::path::PathBuf;

/// Where the configuration is.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The directory, as given.
    pub(crate) directory: String,
    /// Whether the command line or the environment gave it.
    pub(crate) is_given: bool,
    /// main.cf.
    pub(crate) main: PathBuf,
    /// master.cf.
    pub(crate) master: PathBuf,
}

impl Files {
    /// By `MAIL_CONFIG`, which `-c` sets.
    pub(crate) fn find() -> Files {
        let given = sys::identity::safe_environment("MAIL_CONFIG");
        let is_given = given.is_some();
        let directory = given.unwrap_or_else(|| conf::DEFAULT_DIRECTORY.to_owned());
        let file = |name: &str| PathBuf::from(format!("{directory}/{name}"));
        Files { is_given, main: file("main.cf"), master: file("master.cf"), directory }
    }
}

impl Registry {
    /// The value of a parameter, as the mode wants it: by default, as set, or the one of the two that counts.
    ///
    /// What a service sets goes before main.cf.
    pub(crate) fn value(
        &self,
        mode: Mode,
        name: &str,
        entry: Option<&Entry>,
    ) -> Result<Option<String>, Fatal> {
        if !mode.has(Mode::DEFAULTS) {
            let local = entry.and_then(|entry| match entry.fixed.get(name) {
                Some(value) => Some(value.as_str()),
                None => self.settings_of(entry)?.get(name).map(String::as_str),
            });
            if let Some(value) = local.or_else(|| self.main.written(name)) {
                return Ok(Some(value.to_owned()));
            }
            if mode.has(Mode::NON_DEFAULTS) {
                return Ok(None);
            }
        }
        self.nodes.get(name).map(|node| self.default_of(node)).transpose()
    }

    /// Expands `$name` in a value. Names stand for their defaults with `-d`, but also for defaults with `-n`.
    pub(crate) fn expand(&self, text: &str, entry: Option<&Entry>) -> Result<String, Fatal> {
        let mode = self.mode.without(Mode::NON_DEFAULTS);
        self.expand_as(mode, text, entry)
    }

    pub(crate) fn expand_as(&self, mode: Mode, text: &str, entry: Option<&Entry>) -> Result<String, Fatal> {
        let names = Values { registry: self, mode, entry, problem: RefCell::new(None) };
        let out = Expand::MAIN_CF.run(text.as_bytes(), &names);
        if let Some(problem) = names.problem.into_inner() {
            return Err(problem);
        }
        out.warnings.iter().for_each(|warning| log::warning!("{warning}"));
        if out.failed {
            return Err(fatal!("macro processing error"));
        }
        Ok(String::from_utf8_lossy(&out.text).into_owned())
    }
}

struct Values<'a> {
    registry: &'a Registry,
    mode: Mode,
    entry: Option<&'a Entry>,
    problem: RefCell<Option<Fatal>>,
}

impl Names for Values<'_> {
    fn value(&self, name: &[u8]) -> Option<Vec<u8>> {
        match self.registry.value(self.mode, &String::from_utf8_lossy(name), self.entry) {
            Ok(value) => value.map(String::into_bytes),
            Err(problem) => {
                self.problem.borrow_mut().get_or_insert(problem);
                None
            }
        }
    }

    fn is_final(&self, name: &[u8]) -> bool {
        std::str::from_utf8(name)
            .ok()
            .and_then(|name| self.registry.nodes.get(name))
            .is_some_and(|node| node.is_raw)
    }
}
