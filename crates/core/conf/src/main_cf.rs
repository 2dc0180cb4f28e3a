//! main.cf: what is written, and the values that follow from it.

use crate::lines::{LogicalLines, split_name_value};
use crate::{Error, Spec, computed, expand, params};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io, thread};

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
#[derive(Debug, Default, Clone)]
pub struct MainCf {
    directory: PathBuf,
    written: HashMap<String, String>,
}

impl MainCf {
    /// Reads `main.cf` in the directory.
    ///
    /// A process that runs with the rights of a set-user-ID or set-group-ID file reads only a directory that the
    /// default main.cf lists.
    pub fn read(directory: &Path) -> Result<MainCf, Error> {
        if directory != Path::new(DEFAULT_DIRECTORY) && sys::identity::is_set_id() {
            authorize_directory(directory)?;
        }
        let mut main = MainCf::empty(directory);
        main.read_file(&directory.join("main.cf"))?;
        Ok(main)
    }

    /// A configuration in which nothing is set.
    pub fn empty(directory: &Path) -> MainCf {
        let mut main = MainCf { directory: directory.to_owned(), ..MainCf::default() };
        main.set("config_directory", &directory.display().to_string());
        main
    }

    /// Adds what a file says. For postconf, which reads main.cf without conditions, and for files of the same format.
    #[doc(hidden)]
    pub fn read_file(&mut self, file: &Path) -> Result<(), Error> {
        let path = file.display().to_string();
        for line in LogicalLines::new(&path, &read_settled(file)?) {
            let text = bytes::escape::to_text(&line.text);
            let text = text.split('\0').next().unwrap_or_default();
            let (name, value) = split_name_value(text).map_err(|problem| Error::Syntax {
                path: path.clone(),
                line: line.first,
                problem,
                text: text.to_owned(),
            })?;
            match self.written(name) {
                Some(earlier) if earlier != value => {
                    log::warning!("{path}, line {}: overriding earlier entry: {name}={earlier}", line.first);
                }
                _ => {}
            }
            self.set(name, value);
        }
        Ok(())
    }

    /// Sets a parameter, as `-o name=value` does.
    pub fn set(&mut self, name: &str, value: &str) {
        self.written.insert(name.to_owned(), value.to_owned());
    }

    /// Sets a parameter from the argument of a `-o` option.
    pub fn set_option(&mut self, argument: &str) -> Result<(), Error> {
        match split_name_value(argument) {
            Ok((name, value)) => {
                self.set(name, value);
                Ok(())
            }
            Err(problem) => Err(Error::Value(format!("invalid \"-o {argument}\" option value: {problem}"))),
        }
    }

    /// Forgets a setting. For postconf.
    #[doc(hidden)]
    pub fn unset(&mut self, name: &str) {
        self.written.remove(name);
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

    /// What main.cf or the command line says, unexpanded. For postconf and for files of the same format; programs declare
    /// what they read.
    #[doc(hidden)]
    pub fn written(&self, name: &str) -> Option<&str> {
        self.written.get(name).map(String::as_str)
    }

    /// Every name that is set, in no order. For postconf and for files of the same format.
    #[doc(hidden)]
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.written.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a declared parameter before expansion.
    #[doc(hidden)]
    pub fn unexpanded(&self, spec: &Spec) -> Result<String, Error> {
        match self.written(spec.name) {
            Some(value) => Ok(value.to_owned()),
            None => self.default_of(spec),
        }
    }

    /// The default of a declared parameter before expansion, as this configuration has it.
    #[doc(hidden)]
    pub fn default_of(&self, spec: &Spec) -> Result<String, Error> {
        match spec.computed {
            Some(compute) => Ok(computed::find(self, spec.name, compute)?.unwrap_or_default()),
            None => Ok(spec.default.to_owned()),
        }
    }

    /// The value of a declared parameter.
    pub(crate) fn expanded(&self, spec: &Spec) -> Result<String, Error> {
        self.expand(&self.unexpanded(spec)?)
    }

    /// What `$name` stands for: what is written, or the default of a declared parameter.
    pub(crate) fn lookup(&self, name: &str) -> Result<Option<String>, Error> {
        if let Some(value) = self.written(name) {
            return Ok(Some(value.to_owned()));
        }
        match params::computed(name) {
            Some((name, compute)) => computed::find(self, name, compute),
            None => Ok(params::default_text(name).map(str::to_owned)),
        }
    }
}

/// Refuses a configuration directory that the default main.cf lists neither in `alternate_config_directories` nor in
/// `multi_instance_directories`.
pub fn authorize_directory(directory: &Path) -> Result<(), Error> {
    let file = format!("{DEFAULT_DIRECTORY}/main.cf");
    let text = fs::read(&file).map_err(|source| Error::OpenFile { path: file.clone(), source })?;
    let wanted = directory.display().to_string();
    for line in LogicalLines::new(&file, &text) {
        let text = String::from_utf8_lossy(&line.text);
        let Ok((name, value)) = split_name_value(&text) else { continue };
        let is_list = matches!(name, "alternate_config_directories" | "multi_instance_directories");
        if is_list && value.split([',', ' ', '\t', '\r', '\n']).any(|listed| listed == wanted) {
            return Ok(());
        }
    }
    log::error!("unauthorized configuration directory name: {wanted}");
    Err(Error::Value(format!(
        "specify \"alternate_config_directories = {wanted}\" or \"multi_instance_directories = {wanted}\" in {file}"
    )))
}

/// Reads a file that nobody is writing at the moment: one changed within the last second is read until it stays the same.
fn read_settled(file: &Path) -> Result<Vec<u8>, Error> {
    let path = || file.display().to_string();
    let read = || fs::read(file).map_err(|source| open_or_read(path(), source));
    let mut text = read()?;
    for _ in 0..20 {
        let changed = fs::metadata(file).and_then(|meta| meta.modified());
        let age = changed.map_err(|source| Error::Read { path: path(), source })?.elapsed();
        if !matches!(age, Ok(age) if age < Duration::from_secs(1)) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
        let again = read()?;
        if again == text {
            break;
        }
        text = again;
    }
    Ok(text)
}

fn open_or_read(path: String, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Error::Open { path, source },
        _ => Error::Read { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn read(text: &str) -> Result<MainCf, Error> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("main.cf");
        fs::write(&file, text).unwrap();
        let old = SystemTime::now() - Duration::from_secs(10);
        fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
        MainCf::read(directory.path())
    }

    #[test]
    fn lines_of_main_cf() {
        let main = read("# x\na = b\n  c\n# y\n d\nempty =\na2=$a\na2 = ${a}!\n").unwrap();
        assert_eq!(main.written("a"), Some("b  c d"));
        assert_eq!(main.expand("$a2 $empty.").unwrap(), "b  c d! .");
        assert!(main.is_set("empty") && !main.is_set("b"));
    }

    #[test]
    fn bad_lines() {
        let error = read("a = b\n\nnonsense here\n more\n").map(drop).unwrap_err().to_string();
        assert!(
            error.ends_with("/main.cf, line 3: missing '=' after attribute name: \"nonsense here more\""),
            "{error}"
        );
        let error = MainCf::read(Path::new("/nonexistent")).map(drop).unwrap_err().to_string();
        assert_eq!(error, "open /nonexistent/main.cf: No such file or directory");
    }

    #[test]
    fn options() {
        let mut main = MainCf::empty(Path::new("/etc/postfix"));
        main.set_option("a = b c ").unwrap();
        assert_eq!(main.written("a"), Some("b c"));
        let error = main.set_option("a").unwrap_err().to_string();
        assert_eq!(error, "invalid \"-o a\" option value: missing '=' after attribute name");
        assert_eq!(main.expand("$config_directory/x").unwrap(), "/etc/postfix/x");
    }
}
