//! What only one instance can have: its name, and directories.

use std::collections::HashMap;

use command::{Fatal, fatal};

/// Who has what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims(HashMap<String, String>);

impl Claims {
    /// Gives `value` to a parameter of the instance in a configuration directory, unless another has it.
    pub(crate) fn claim(&mut self, directory: &str, parameter: &str, value: &str) -> Result<(), Fatal> {
        let owner = self.0.entry(value.to_owned()).or_insert_with(|| format!("{directory}, {parameter}"));
        if *owner == format!("{directory}, {parameter}") {
            return Ok(());
        }
        Err(fatal!("instance {directory}, {parameter}={value} conflicts with instance {owner}={value}"))
    }

    /// Who has a value.
    pub(crate) fn owner(&self, value: &str) -> Option<&str> {
        self.0.get(value).map(String::as_str)
    }
}
