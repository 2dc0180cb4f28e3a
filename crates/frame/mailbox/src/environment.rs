//! The environment of programs that are not ours.

use std::ffi::OsString;

/// The system's search path for commands.
const PATH: &str = "/usr/bin:/bin";

/// What `export_environment` lets through or sets, and the system's `PATH`.
pub fn exported(list: &[String]) -> Result<Vec<(OsString, OsString)>, conf::Error> {
    let kept = conf::environment::kept(list, |name| std::env::var(name).ok())?;
    let mut environment: Vec<(OsString, OsString)> =
        kept.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    environment.push(("PATH".into(), PATH.into()));
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_gets_through() {
        let environment = exported(&["A=b".to_owned(), "NO_SUCH_VARIABLE".to_owned()]).unwrap();
        assert_eq!(environment, [("A".into(), "b".into()), ("PATH".into(), OsString::from(PATH))]);
    }
}
