//! What a change of one instance comes to, before anything is done.

use std::ffi::OsString;

use command::{Fatal, fatal};
use conf::lines::split_name_value;

use crate::PostmultiParams;
use crate::claims::Claims;
use crate::instance::{Instance, Instances, NAME_PREFIX, Selection};
use crate::options::{Action, Options};

/// A change that contradicts nothing.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) action: Action,
    /// The configuration directory of the primary instance.
    pub(crate) primary: String,
    /// The instance that changes, as it will be.
    pub(crate) target: Instance,
    /// The new `multi_instance_directories`, where instances are added or removed.
    pub(crate) directories: Option<Vec<String>>,
    /// The instance gets the name that it has now.
    pub(crate) renames: bool,
    /// The instance gets the group that it has now.
    pub(crate) regroups: bool,
}

/// Finds out what to do; none if everything is as it should be.
pub(crate) fn plan(
    action: Action,
    mut instances: Instances,
    params: &PostmultiParams,
    options: &Options,
) -> Result<Option<Change>, Fatal> {
    let primary = instances.list.first().cloned().unwrap_or_default();
    let mut change = Change {
        action,
        primary: primary.config_directory.clone(),
        target: primary,
        directories: None,
        renames: false,
        regroups: false,
    };
    if action == Action::Init {
        return Ok(Some(change));
    }
    instances.load_secondary(params)?;
    if action.adds() {
        check_names(options)?;
        change.target = new_instance(action, &instances, options)?;
        assign_names(&mut change, &mut instances.claims, options)?;
        insert(&mut instances, &change.target, options)?;
        change.directories = Some(secondary(&instances));
        return Ok(Some(change));
    }
    let Some(selection @ Selection::Name(name)) = &options.selection else {
        return Err(fatal!("Select an instance via '-i name'"));
    };
    let found = (0..instances.list.len()).find(|&at| instances.is_selected(at, selection));
    let Some(at) = found else { return Err(fatal!("No instance named {name}")) };
    change.target = instances.list.get(at).cloned().unwrap_or_default();
    match action {
        Action::Assign => {
            check_names(options)?;
            assign_names(&mut change, &mut instances.claims, options)?;
            if !change.renames && !change.regroups {
                return Ok(None);
            }
        }
        Action::Destroy | Action::Deport => {
            if at == 0 {
                return Err(fatal!("Cannot remove the primary instance"));
            }
            if change.target.is_enabled {
                return Err(fatal!("Cannot remove enabled instances"));
            }
            instances.list.remove(at);
            change.directories = Some(secondary(&instances));
        }
        Action::Create | Action::Import | Action::Enable | Action::Disable | Action::Init => {}
    }
    Ok(Some(change))
}

fn secondary(instances: &Instances) -> Vec<String> {
    instances.list.iter().skip(1).map(|instance| instance.config_directory.clone()).collect()
}

/// Puts a new instance before the one that is selected, or behind all others.
fn insert(instances: &mut Instances, new: &Instance, options: &Options) -> Result<(), Fatal> {
    instances.claim(new)?;
    let mut place = instances.list.len();
    if let Some(selection) = &options.selection {
        let found = (1..instances.list.len()).find(|&at| instances.is_selected(at, selection));
        match found {
            Some(at) => place = at,
            None if *selection == Selection::All => {}
            None => return Err(fatal!("No matching secondary instances")),
        }
    }
    instances.list.insert(place, new.clone());
    Ok(())
}

fn check_names(options: &Options) -> Result<(), Fatal> {
    if let Some(name) = options.name.as_deref().filter(|name| !name.is_empty()) {
        if !is_safe(name) {
            return Err(fatal!("Unsafe characters in new instance name: '{name}'"));
        }
        // It becomes part of paths.
        if name.contains('/') {
            return Err(fatal!("Illegal '/' character in new instance name: '{name}'"));
        }
        if !name.starts_with(NAME_PREFIX) {
            return Err(fatal!("New instance name must start with '{NAME_PREFIX}'"));
        }
    }
    match options.group.as_deref().filter(|group| !group.is_empty()) {
        Some(group) if !is_safe(group) => Err(fatal!("Unsafe characters in '-G {group}'")),
        _ => Ok(()),
    }
}

fn is_safe(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!@%-_=+:./".contains(&byte))
}

fn assign_names(change: &mut Change, claims: &mut Claims, options: &Options) -> Result<(), Fatal> {
    let target = &mut change.target;
    if let Some(name) = options.name.as_ref().filter(|name| **name != target.name) {
        if !name.is_empty() {
            claims.claim(&target.config_directory, "multi_instance_name", name)?;
        }
        target.name.clone_from(name);
        change.renames = true;
    }
    if let Some(group) = options.group.as_ref().filter(|group| **group != target.group) {
        target.group.clone_from(group);
        change.regroups = true;
    }
    Ok(())
}

/// A new instance: its directories are given, or follow from its name, or are in its main.cf if it exists.
fn new_instance(action: Action, instances: &Instances, options: &Options) -> Result<Instance, Fatal> {
    let mut new = Instance::default();
    for argument in &options.rest {
        set_directory(&mut new, action, argument)?;
    }
    let primary = instances.list.first().cloned().unwrap_or_default();
    let name = options.name.as_deref().unwrap_or_default();
    if new.config_directory.is_empty() {
        new.config_directory = beside("config_directory", &primary.config_directory, name)?;
    }
    let directory = &new.config_directory;
    if let Some(owner) = instances.claims.owner(directory) {
        return Err(fatal!(
            "new config_directory={directory} is already in use by instance {owner}={directory}"
        ));
    }
    if action == Action::Import {
        return Instance::load(directory);
    }
    if new.queue_directory.is_empty() {
        new.queue_directory = beside("queue_directory", &primary.queue_directory, name)?;
    }
    if new.data_directory.is_empty() {
        new.data_directory = beside("data_directory", &primary.data_directory, name)?;
    }
    Ok(new)
}

fn set_directory(new: &mut Instance, action: Action, argument: &OsString) -> Result<(), Fatal> {
    let argument = argument.to_string_lossy();
    let (name, value) =
        split_name_value(&argument).map_err(|_| fatal!("Malformed parameter setting '{argument}'"))?;
    let target = match name {
        "config_directory" => &mut new.config_directory,
        "queue_directory" if action == Action::Create => &mut new.queue_directory,
        "data_directory" if action == Action::Create => &mut new.data_directory,
        _ => return Err(fatal!("Parameter '{name}' not valid with action {}", action.name())),
    };
    if !value.starts_with('/') {
        return Err(fatal!("Parameter setting '{name}' is not an absolute path"));
    }
    // Shells complete names of directories with a slash.
    let value = value.trim_end_matches('/');
    if value.is_empty() {
        return Err(fatal!("Parameter setting '{name}' is the root directory"));
    }
    value.clone_into(target);
    Ok(())
}

/// The directory of that name beside the primary instance's.
fn beside(parameter: &str, primary: &str, name: &str) -> Result<String, Fatal> {
    if name.is_empty() {
        return Err(fatal!("Missing {parameter} parameter value"));
    }
    if !primary.starts_with('/') {
        return Err(fatal!(
            "Invalid default {parameter} parameter value: '{primary}': specify an absolute pathname"
        ));
    }
    let parent = primary.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
    Ok(format!("{}/{name}", parent.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_beside() {
        let of = |primary: &str| beside("queue_directory", primary, "postfix-out").unwrap();
        assert_eq!(of("/var/spool/postfix"), "/var/spool/postfix-out");
        assert_eq!(of("/var//spool//postfix//"), "/var//spool/postfix-out");
        assert_eq!(of("/postfix"), "/postfix-out");
        assert!(beside("queue_directory", "spool", "postfix-out").is_err());
        assert_eq!(
            beside("queue_directory", "/a", "").unwrap_err().text,
            "Missing queue_directory parameter value"
        );
    }

    #[test]
    fn directories_from_the_command_line() {
        let mut new = Instance::default();
        let mut set = |action, argument: &str| set_directory(&mut new, action, &argument.into());
        set(Action::Create, "config_directory=/etc/x//").unwrap();
        set(Action::Create, "queue_directory = /var/x").unwrap();
        for (action, argument, text) in [
            (Action::Create, "novalue", "Malformed parameter setting 'novalue'"),
            (Action::Create, "myhostname=x", "Parameter 'myhostname' not valid with action create"),
            (
                Action::Import,
                "queue_directory=/x",
                "Parameter 'queue_directory' not valid with action import",
            ),
            (
                Action::Create,
                "data_directory=x",
                "Parameter setting 'data_directory' is not an absolute path",
            ),
            (Action::Create, "data_directory=//", "Parameter setting 'data_directory' is the root directory"),
        ] {
            assert_eq!(set(action, argument).unwrap_err().text, text);
        }
        assert_eq!((new.config_directory.as_str(), new.queue_directory.as_str()), ("/etc/x", "/var/x"));
    }
}
