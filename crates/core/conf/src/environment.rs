//! The environment of programs: `import_environment` at the start, `export_environment` for commands of others.

use crate::lines::{split_list, split_name_value};
use crate::{Error, MainCf, params};

/// The environment that remains under a list of names to keep and `name=value` settings.
///
/// `lookup` gives the values of the present environment, of which nothing else remains.
pub fn kept(
    list: &[String],
    mut lookup: impl FnMut(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, Error> {
    let mut kept = Vec::new();
    for element in list {
        if element.contains('=') {
            kept.push(setting("clean_env", element)?);
        } else if let Some(value) = lookup(element) {
            kept.push((element.clone(), value));
        }
    }
    Ok(kept)
}

/// Only the `name=value` settings of a list; what a program whose environment is trusted applies.
pub fn settings(list: &[String]) -> Result<Vec<(String, String)>, Error> {
    list.iter()
        .filter(|element| element.contains('='))
        .map(|element| setting("update_env", element))
        .collect()
}

/// `import_environment` as a list.
pub fn import_list(main: &MainCf) -> Result<Vec<String>, Error> {
    split_list("import_environment", &crate::load::<params::import_environment>(main)?)
}

/// `export_environment` as a list.
pub fn export_list(main: &MainCf) -> Result<Vec<String>, Error> {
    split_list("export_environment", &crate::load::<params::export_environment>(main)?)
}

fn setting(caller: &str, element: &str) -> Result<(String, String), Error> {
    match split_name_value(element) {
        Ok((name, value)) => Ok((name.to_owned(), value.to_owned())),
        Err(problem) => Err(Error::Value(format!("{caller}: {problem} in: {element}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let mut main = MainCf::empty(std::path::Path::new("/etc/postfix"));
        main.set("import_environment", "TZ MISSING { LESS=-m -C } A=b");
        let list = import_list(&main).unwrap();
        let kept = kept(&list, |name| (name == "TZ").then(|| "UTC".to_owned())).unwrap();
        let kept: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(kept, [("TZ", "UTC"), ("LESS", "-m -C"), ("A", "b")]);
        assert_eq!(settings(&list).unwrap().len(), 2);
    }
}
