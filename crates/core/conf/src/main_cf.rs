//! main.cf: what is written, and the values that follow from it.

use crate::{Error, Mirror, Spec, expand};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The directory of main.cf when neither the command line nor the environment names one.
pub const DEFAULT_DIRECTORY: &str = "/etc/postfix";

/// The configuration directory: `MAIL_CONFIG` of the environment, or the default.
pub fn config_directory() -> PathBuf {
    match std::env::var_os("MAIL_CONFIG") {
        Some(directory) => directory.into(),
        None => DEFAULT_DIRECTORY.into(),
    }
}

/// The text of main.cf, with the command line's settings on top.
#[derive(Debug, Default)]
pub struct MainCf {
    directory: PathBuf,
    written: HashMap<String, String>,
    known: RefCell<HashMap<&'static str, &'static Spec>>,
}

impl MainCf {
    /// Reads `main.cf` in the directory.
    pub fn read(directory: &Path) -> Result<MainCf, Error> {
        let file = directory.join("main.cf");
        let path = file.display().to_string();
        let text = fs::read(&file).map_err(|source| Error::Open { path, source })?;
        let mut main = MainCf { directory: directory.to_owned(), ..MainCf::default() };
        main.set("config_directory", &directory.display().to_string());
        for line in String::from_utf8_lossy(&text).lines() {
            if let Some((name, value)) = line.split_once('=') {
                main.set(name.trim(), value.trim());
            }
        }
        Ok(main)
    }

    /// Sets a parameter, as `-o name=value` does.
    pub fn set(&mut self, name: &str, value: &str) {
        self.written.insert(name.to_owned(), value.to_owned());
    }

    /// Whether main.cf or the command line sets the parameter.
    pub fn is_set(&self, name: &str) -> bool {
        self.written.contains_key(name)
    }

    /// The configuration directory.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// Expands `$name` in a text.
    pub fn expand(&self, text: &str) -> Result<String, Error> {
        expand::main_cf(self, text)
    }

    /// Makes parameters known to `$name` expressions.
    #[doc(hidden)]
    pub fn know(&self, specs: &[&'static Spec]) {
        self.known.borrow_mut().extend(specs.iter().map(|spec| (spec.name, *spec)));
    }

    /// As `know`, under the names of the SMTP or the LMTP client.
    #[doc(hidden)]
    pub fn know_mirrored(&self, specs: &[&'static Spec], mirror: Mirror) {
        let mut known = self.known.borrow_mut();
        known.extend(specs.iter().map(|spec| mirror.of(spec)).map(|spec| (spec.name, spec)));
    }

    /// The value of a declared parameter before expansion.
    pub(crate) fn unexpanded(&self, spec: &Spec) -> Result<String, Error> {
        match (self.written.get(spec.name), spec.computed) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(compute)) => compute(self),
            (None, None) => Ok(spec.default.to_owned()),
        }
    }

    /// The value of a declared parameter.
    pub(crate) fn expanded(&self, spec: &Spec) -> Result<String, Error> {
        self.expand(&self.unexpanded(spec)?)
    }

    /// What `$name` stands for: what is written, or the default of a parameter that this program knows.
    pub(crate) fn lookup(&self, name: &str) -> Result<Option<String>, Error> {
        if let Some(value) = self.written.get(name) {
            return Ok(Some(value.clone()));
        }
        let known = self.known.borrow().get(name).copied();
        known.map(|spec| self.unexpanded(spec)).transpose()
    }
}

impl MainCf {
    /// What main.cf or the command line says, unexpanded.
    pub(crate) fn lookup_written(&self, name: &str) -> Option<String> {
        self.written.get(name).cloned()
    }
}
