//! Settings of a database client, in a file of their own or in main.cf.

use std::fs;
use std::ops::{Bound, RangeBounds};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use crate::env::Env;
use crate::local::Owner;
use crate::open::{Opening, reason};

/// What the administrator wrote about one table: `name = value` in the file that the table is named after, or
/// `table_name = value` in main.cf.
///
/// Bounds and texts of errors are those of main.cf parameters. `$name` stands for something in main.cf only; a file is
/// taken as it is.
pub struct Settings {
    name: String,
    written: Written,
    owner: Owner,
}

enum Written {
    File(conf::MainCf),
    Main(Rc<Env>),
}

impl Settings {
    /// Reads the settings of a table. The error is Postfix's text.
    pub fn read(opening: &Opening<'_>) -> Result<Self, String> {
        let name = opening.name.to_owned();
        if !name.starts_with(['/', '.']) {
            let main = opening.env.config_directory.join("main.cf");
            let owner = fs::metadata(main).map_or(Owner::UNKNOWN, |status| Owner::of_file(status.uid()));
            return Ok(Self { name, written: Written::Main(Rc::clone(opening.env)), owner });
        }
        let mut file = conf::MainCf::default();
        file.read_file(Path::new(&name)).map_err(|error| error.to_string())?;
        let status = fs::metadata(&name).map_err(|error| format!("fstat {name}: {}", reason(&error)))?;
        for (setting, value) in file.settings() {
            if value.contains(char::REPLACEMENT_CHARACTER) {
                log::warning!("{name}: the value of {setting} is not UTF-8");
            }
        }
        Ok(Self { name, owner: Owner::of_file(status.uid()), written: Written::File(file) })
    }

    /// The file, or what precedes the settings in main.cf.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who can change the settings.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// A text with a length within the bounds.
    pub fn text(
        &self,
        setting: &str,
        default: &str,
        length: impl RangeBounds<usize>,
    ) -> Result<String, String> {
        let value = self.value(setting)?.unwrap_or_else(|| default.to_owned());
        let count = value.len();
        let (least, most) = bounds(&length, |bound| i64::try_from(bound).unwrap_or(i64::MAX));
        let wrong = match (least, most) {
            (Some(least), _) if (count as i64) < least => format!("{count} < {least}"),
            (_, Some(most)) if count as i64 > most => format!("{count} > {most}"),
            _ => return Ok(value),
        };
        Err(self.complaint(&format!("bad string length {wrong}: {} = {value}", self.parameter(setting))))
    }

    /// A text that may be missing; an empty one is missing as well.
    pub fn optional_text(
        &self,
        setting: &str,
        length: impl RangeBounds<usize>,
    ) -> Result<Option<String>, String> {
        Ok(Some(self.text(setting, "", length)?).filter(|value| !value.is_empty()))
    }

    /// A number within the bounds.
    pub fn number(&self, setting: &str, default: i32, within: impl RangeBounds<i32>) -> Result<i32, String> {
        let parameter = self.parameter(setting);
        let (least, most) = bounds(&within, i64::from);
        let number = match self.value(setting)? {
            Some(text) => conf::number(&parameter, &text, i32::MIN.into(), i32::MAX.into()),
            None => Ok(default.into()),
        };
        let number = number.and_then(|number| conf::within(&parameter, number, least, most));
        let number = number.map_err(|error| self.complaint(&error.to_string()))?;
        Ok(i32::try_from(number).unwrap_or(default))
    }

    /// A number of seconds within the bounds.
    pub fn seconds(
        &self,
        setting: &str,
        default: i32,
        within: impl RangeBounds<i32>,
    ) -> Result<std::time::Duration, String> {
        let seconds = self.number(setting, default, within)?;
        Ok(std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
    }

    /// `yes` or `no`; nothing when it is not set.
    pub fn flag(&self, setting: &str) -> Result<Option<bool>, String> {
        let Some(value) = self.value(setting)? else { return Ok(None) };
        let flag = conf::flag(&self.parameter(setting), &value);
        flag.map(Some).map_err(|error| self.complaint(&error.to_string()))
    }

    fn value(&self, setting: &str) -> Result<Option<String>, String> {
        match &self.written {
            Written::File(file) => Ok(file.written(setting).map(str::to_owned)),
            Written::Main(env) => {
                conf::named_text(&env.main, &self.parameter(setting)).map_err(|error| error.to_string())
            }
        }
    }

    /// The name of a setting as it is written.
    fn parameter(&self, setting: &str) -> String {
        match &self.written {
            Written::File(_) => setting.to_owned(),
            Written::Main(_) => format!("{}_{setting}", self.name),
        }
    }

    fn complaint(&self, why: &str) -> String {
        match &self.written {
            Written::File(_) => format!("{}: {why}", self.name),
            Written::Main(_) => why.to_owned(),
        }
    }
}

/// The least and the greatest value that a range holds.
fn bounds<T: Copy>(range: &impl RangeBounds<T>, widen: impl Fn(T) -> i64) -> (Option<i64>, Option<i64>) {
    let least = match range.start_bound() {
        Bound::Included(&bound) => Some(widen(bound)),
        Bound::Excluded(&bound) => Some(widen(bound) + 1),
        Bound::Unbounded => None,
    };
    let most = match range.end_bound() {
        Bound::Included(&bound) => Some(widen(bound)),
        Bound::Excluded(&bound) => Some(widen(bound) - 1),
        Bound::Unbounded => None,
    };
    (least, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Flags, Mode, OnFailure, Trust};

    fn read(env: &Rc<Env>, name: &str) -> Result<Settings, String> {
        let (mode, flags, on_failure) = (Mode::Read, Flags::LOOKUP, OnFailure::Report);
        Settings::read(&Opening { env, kind: "pgsql", name, mode, flags, on_failure })
    }

    #[test]
    fn settings_of_a_file() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("x.cf");
        let path = file.display().to_string();
        fs::write(
            &file,
            "# x\nuser = $me\nquery = SELECT a\n  FROM b\nlimit = 3x\nflag = YES\nother = maybe\n",
        )
        .unwrap();
        let settings = read(&Rc::new(Env::default()), &path).unwrap();
        assert_eq!(settings.text("user", "", ..).unwrap(), "$me");
        assert_eq!(settings.text("query", "", 1..).unwrap(), "SELECT a  FROM b");
        assert_eq!(settings.text("missing", "%s", 1..).unwrap(), "%s");
        assert_eq!(settings.optional_text("missing", ..).unwrap(), None);
        assert_eq!(settings.flag("flag").unwrap(), Some(true));
        assert_eq!(settings.flag("missing").unwrap(), None);
        assert_eq!(settings.number("missing", 60, 1..).unwrap(), 60);
        let error = |result: Result<i32, String>| result.unwrap_err();
        assert_eq!(
            error(settings.number("limit", 0, ..)),
            format!("{path}: bad numerical configuration: limit = 3x")
        );
        assert_eq!(
            error(settings.number("missing", 0, 1..)),
            format!("{path}: invalid missing parameter value 0 < 1")
        );
        assert_eq!(
            settings.flag("other").unwrap_err(),
            format!("{path}: bad boolean configuration: other = maybe")
        );
        assert_eq!(
            settings.text("user", "", 1..=2).unwrap_err(),
            format!("{path}: bad string length 3 > 2: user = $me")
        );
        let uid = nix::unistd::getuid().as_raw();
        assert_eq!(settings.owner(), Owner::of_file(uid));
    }

    #[test]
    fn settings_in_main_cf() {
        let mut main = conf::MainCf::empty(Path::new("/nonexistent"));
        main.set("db_user", "$me");
        main.set("me", "postfix");
        main.set("db_limit", "0");
        let env = Rc::new(Env { main, config_directory: "/nonexistent".into(), ..Env::default() });
        let settings = read(&env, "db").unwrap();
        assert_eq!(settings.text("user", "", ..).unwrap(), "postfix");
        assert_eq!(settings.number("limit", 60, 1..).unwrap_err(), "invalid db_limit parameter value 0 < 1");
        assert_eq!(settings.text("dbname", "", 1..).unwrap_err(), "bad string length 0 < 1: db_dbname = ");
        assert_eq!(settings.owner().trust, Trust::Unknown);
    }

    #[test]
    fn files_that_cannot_be_used() {
        let env = Rc::new(Env::default());
        let error = |name: &str| read(&env, name).map(drop).unwrap_err();
        assert_eq!(error("/nonexistent/x.cf"), "open /nonexistent/x.cf: No such file or directory");
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x.cf").display().to_string();
        fs::write(&path, "user = a\nnonsense\n").unwrap();
        assert_eq!(error(&path), format!("{path}, line 2: missing '=' after attribute name: \"nonsense\""));
    }
}
