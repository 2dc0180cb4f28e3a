//! The user's own names: valid where `$name` or `smtpd_restriction_classes` mentions them and something sets them.

use crate::registry::{Origin, Registry};
use command::{Fatal, fatal};
use conf::expand::Expand;
use std::collections::BTreeSet;

/// What mentions a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mention {
    /// `$name`, or a restriction class.
    Name,
    /// The name of a database client; whether it must be set is not known.
    Client,
}

impl Registry {
    /// Finds the user's names in both files.
    pub(crate) fn add_user_parameters(&mut self) -> Result<(), Fatal> {
        for entry in &mut self.entries {
            for (name, value) in entry.settings() {
                let settings = self.settings.entry(entry.name.clone()).or_default();
                settings.insert(name.to_owned(), value.to_owned());
            }
            if self.settings.contains_key(&entry.name) {
                entry.valid = Some(BTreeSet::new());
            }
        }
        for at in 0..self.entries.len() {
            if self.entries.get(at).is_some_and(|entry| entry.valid.is_some()) {
                self.scan(Some(at))?;
            }
        }
        self.scan_defaults()?;
        self.scan(None)
    }

    /// Notes a name that is mentioned in main.cf, or in the settings of a service.
    pub(crate) fn mention(&mut self, name: &str, mention: Mention, service: Option<usize>) {
        let mut is_set = false;
        let is_set_by = |registry: &Registry, at: usize| {
            let entry = registry.entries.get(at);
            entry
                .and_then(|entry| registry.settings_of(entry))
                .is_some_and(|settings| settings.contains_key(name))
        };
        let mut is_local = false;
        if let Some(at) = service.filter(|at| is_set_by(self, *at)) {
            self.make_valid(at, name);
            is_set = true;
            is_local = true;
        }
        if !is_local && self.main.is_set(name) {
            self.add_user_name(name);
            is_set = true;
        }
        if service.is_none() {
            for at in 0..self.entries.len() {
                if is_set_by(self, at) {
                    self.make_valid(at, name);
                    is_set = true;
                }
            }
        }
        if !is_set && mention == Mention::Name && !self.nodes.contains_key(name) {
            let file = if service.is_some() { "master.cf" } else { "main.cf" };
            log::warning!("{}/{file}: undefined parameter: {name}", self.files.directory);
        }
    }

    fn make_valid(&mut self, at: usize, name: &str) {
        if let Some(valid) = self.entries.get_mut(at).and_then(|entry| entry.valid.as_mut()) {
            valid.insert(name.to_owned());
        }
    }

    /// Looks through the settings of main.cf, or of a service.
    fn scan(&mut self, service: Option<usize>) -> Result<(), Fatal> {
        for class in self.restriction_classes(service)? {
            self.mention(&class, Mention::Name, service);
        }
        let file = if service.is_some() { "master.cf" } else { "main.cf" };
        for (name, value) in self.settings_in(service) {
            let mut is_declared = false;
            if let Some(node) = self.nodes.get_mut(&name) {
                if node.is_read_only {
                    let directory = &self.files.directory;
                    log::warning!("{directory}/{file}: read-only parameter assignment: {name}={value}");
                    self.forget(&name, service);
                    continue;
                }
                if node.origin == Origin::Legacy {
                    node.origin = Origin::User;
                }
                if node.is_raw {
                    continue;
                }
                is_declared = matches!(node.origin, Origin::Builtin | Origin::Service);
            }
            self.scan_value(&value, service);
            if is_declared {
                self.scan_for_clients(&value, service)?;
            }
        }
        Ok(())
    }

    /// Looks through the defaults of what main.cf does not set.
    fn scan_defaults(&mut self) -> Result<(), Fatal> {
        let mut values = Vec::new();
        for (name, node) in &self.nodes {
            if !node.is_raw && !self.main.is_set(name) {
                values.push(self.default_of(node)?);
            }
        }
        values.iter().for_each(|value| self.scan_value(value, None));
        Ok(())
    }

    fn scan_value(&mut self, value: &str, service: Option<usize>) {
        if !value.contains('$') {
            return;
        }
        let mut names = Vec::new();
        let out = Expand::MAIN_CF
            .scan(value.as_bytes(), |name| names.push(String::from_utf8_lossy(name).into_owned()));
        names.iter().for_each(|name| self.mention(name, Mention::Name, service));
        out.warnings.iter().for_each(|warning| log::warning!("{warning}"));
    }

    /// `smtpd_restriction_classes`, with names that are set in the same place.
    fn restriction_classes(&self, service: Option<usize>) -> Result<Vec<String>, Fatal> {
        let settings: std::collections::BTreeMap<_, _> = self.settings_in(service).into_iter().collect();
        let Some(text) = settings.get("smtpd_restriction_classes") else { return Ok(Vec::new()) };
        let names = |name: &[u8]| {
            let name = std::str::from_utf8(name).ok()?;
            settings.get(name).map(|value| value.clone().into_bytes())
        };
        let out = Expand::MAIN_CF.run(text.as_bytes(), &names);
        out.warnings.iter().for_each(|warning| log::warning!("{warning}"));
        if out.failed {
            let place = service.and_then(|at| self.entries.get(at)).map_or("mail_dict", |entry| &entry.name);
            return Err(fatal!("dictionary {place}: macro processing error"));
        }
        let text = String::from_utf8_lossy(&out.text).into_owned();
        Ok(bytes::list::split(&text, bytes::list::SEPARATORS).map(str::to_owned).collect())
    }

    /// The settings of main.cf, or of a service, sorted.
    fn settings_in(&self, service: Option<usize>) -> Vec<(String, String)> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut list: Vec<_> = match service.and_then(|at| self.entries.get(at)) {
            Some(entry) => self
                .settings_of(entry)
                .into_iter()
                .flatten()
                .map(|(name, value)| owned((name, value)))
                .collect(),
            None => self.main.settings().map(owned).collect(),
        };
        list.sort();
        list
    }

    fn forget(&mut self, name: &str, service: Option<usize>) {
        match service.and_then(|at| self.entries.get(at)) {
            Some(entry) => {
                if let Some(settings) = self.settings.get_mut(&entry.name) {
                    settings.remove(name);
                }
            }
            None => self.main.unset(name),
        }
    }
}
