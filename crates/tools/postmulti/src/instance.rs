//! Instances, and which of them are meant.

use std::path::Path;

use command::{Fatal, fatal};
use conf::MainCf;

use crate::PostmultiParams;
use crate::claims::Claims;

/// What the names of instances begin with, lest they collide with those of other software.
pub(crate) const NAME_PREFIX: &str = "postfix-";

conf::param_set! {
    /// What is to be known of an instance.
    struct InstanceParams {
        queue_directory, data_directory, multi_instance_name, multi_instance_group, multi_instance_enable
    }
}

/// A mail system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) config_directory: String,
    pub(crate) queue_directory: String,
    pub(crate) data_directory: String,
    /// `multi_instance_name`, empty if it has none.
    pub(crate) name: String,
    /// `multi_instance_group`, empty if it has none.
    pub(crate) group: String,
    /// Whether it is started, stopped and so on with the others.
    pub(crate) is_enabled: bool,
}

impl Instance {
    /// What main.cf in a configuration directory says.
    pub(crate) fn load(config_directory: &str) -> Result<Self, Fatal> {
        let params = MainCf::read(Path::new(config_directory)).and_then(|main| InstanceParams::load(&main));
        let params = params.map_err(|error| {
            log::warning!("{error}");
            fatal!("Failed to obtain all required {config_directory}/main.cf parameters")
        })?;
        Ok(Self {
            config_directory: config_directory.to_owned(),
            queue_directory: params.queue_directory,
            data_directory: params.data_directory,
            name: params.multi_instance_name,
            group: params.multi_instance_group,
            is_enabled: params.multi_instance_enable,
        })
    }
}

/// Which instances are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All.
    All,
    /// The one with this name, with or without its prefix, or this configuration directory; `-` is the primary one.
    Name(String),
    /// The members of a group.
    Group(String),
}

/// All instances, the primary one first.
#[derive(Debug)]
pub(crate) struct Instances {
    pub(crate) list: Vec<Instance>,
    pub(crate) claims: Claims,
}

impl Instances {
    /// The primary instance.
    pub(crate) fn of_primary(main: &MainCf, params: &PostmultiParams) -> Result<Self, Fatal> {
        let mut instances = Self { list: Vec::new(), claims: Claims::default() };
        let config_directory = main.path().to_string_lossy().into_owned();
        instances.claim_shared(&config_directory, params)?;
        let primary = Instance {
            config_directory,
            queue_directory: params.queue_directory.clone(),
            data_directory: params.data_directory.clone(),
            name: params.multi_instance_name.clone(),
            group: params.multi_instance_group.clone(),
            is_enabled: params.multi_instance_enable,
        };
        instances.claim(&primary)?;
        instances.list.push(primary);
        Ok(instances)
    }

    /// Adds the instances that the primary one names. Without any, the primary one counts as enabled.
    pub(crate) fn load_secondary(&mut self, params: &PostmultiParams) -> Result<(), Fatal> {
        let directories = bytes::list::split(&params.multi_instance_directories, bytes::list::SEPARATORS);
        for directory in directories {
            let instance = Instance::load(directory)?;
            self.claim(&instance)?;
            self.list.push(instance);
        }
        if let [primary] = self.list.as_mut_slice() {
            primary.is_enabled = true;
        }
        Ok(())
    }

    /// Refuses what another instance has already.
    pub(crate) fn claim(&mut self, instance: &Instance) -> Result<(), Fatal> {
        let own = &instance.config_directory;
        let mut claim = |parameter, value: &str| self.claims.claim(own, parameter, value);
        if !instance.name.is_empty() {
            claim("multi_instance_name", &instance.name)?;
        }
        claim("config_directory", own)?;
        claim("queue_directory", &instance.queue_directory)?;
        claim("data_directory", &instance.data_directory)
    }

    /// The directories that all instances share must be there, and belong to none. `meta_directory` commonly is one of
    /// the others.
    fn claim_shared(&mut self, own: &str, params: &PostmultiParams) -> Result<(), Fatal> {
        for (parameter, directory) in [
            ("command_directory", &params.command_directory),
            ("daemon_directory", &params.daemon_directory),
            ("meta_directory", &params.meta_directory),
            ("shlib_directory", &params.shlib_directory),
        ] {
            // Also "no".
            if !directory.starts_with('/') {
                continue;
            }
            let found = std::fs::metadata(directory).map_err(|error| {
                fatal!("{parameter} = '{directory}': directory not found: {}", conf::reason(&error))
            })?;
            if !found.is_dir() {
                return Err(fatal!("{parameter} = '{directory}' is not a directory"));
            }
            if parameter != "meta_directory" {
                self.claims.claim(own, parameter, directory)?;
            }
        }
        Ok(())
    }

    /// Whether the instance at a place in the list is meant.
    pub(crate) fn is_selected(&self, at: usize, selection: &Selection) -> bool {
        let Some(instance) = self.list.get(at) else { return false };
        match selection {
            Selection::All => true,
            Selection::Group(group) => !instance.group.is_empty() && *group == instance.group,
            Selection::Name(name) => {
                let own = if name.starts_with('/') || instance.name.is_empty() {
                    &instance.config_directory
                } else if name.starts_with(NAME_PREFIX) {
                    &instance.name
                } else {
                    instance.name.strip_prefix(NAME_PREFIX).unwrap_or(&instance.name)
                };
                name == own || (at == 0 && name == "-")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instances() -> Instances {
        let instance = |directory: &str, name: &str, group: &str| Instance {
            config_directory: directory.to_owned(),
            queue_directory: format!("{directory}/queue"),
            data_directory: format!("{directory}/data"),
            name: name.to_owned(),
            group: group.to_owned(),
            is_enabled: true,
        };
        let list = vec![
            instance("/etc/postfix", "", ""),
            instance("/etc/postfix-out", "postfix-out", "mta"),
            instance("/etc/else", "", "mta"),
        ];
        Instances { list, claims: Claims::default() }
    }

    #[test]
    fn selections() {
        let instances = instances();
        let selected = |selection: Selection| -> Vec<usize> {
            (0..instances.list.len()).filter(|&at| instances.is_selected(at, &selection)).collect()
        };
        let named = |name: &str| selected(Selection::Name(name.to_owned()));
        assert_eq!(named("-"), [0]);
        assert_eq!(named("/etc/postfix"), [0]);
        assert_eq!(named("postfix-out"), [1]);
        assert_eq!(named("out"), [1]);
        assert_eq!(named("/etc/postfix-out"), [1]);
        assert_eq!(named("/etc/else"), [2]);
        assert!(named("ut").is_empty());
        assert_eq!(selected(Selection::Group("mta".to_owned())), [1, 2]);
        assert!(selected(Selection::Group(String::new())).is_empty());
        assert_eq!(selected(Selection::All), [0, 1, 2]);
    }

    #[test]
    fn nothing_belongs_to_two() {
        let mut instances = instances();
        let list = instances.list.clone();
        for instance in &list {
            instances.claim(instance).unwrap();
            // Once more is no conflict with itself.
            instances.claim(instance).unwrap();
        }
        let intruder = Instance { config_directory: "/etc/new".to_owned(), ..list[1].clone() };
        assert_eq!(
            instances.claim(&intruder).unwrap_err().text,
            "instance /etc/new, multi_instance_name=postfix-out conflicts with instance /etc/postfix-out, \
             multi_instance_name=postfix-out"
        );
    }
}
