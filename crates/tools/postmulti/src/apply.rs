//! Carries out a change. What Postfix leaves to a shell script is done here; the log lines keep that script's name. main.cf
//! is edited by postconf(1), and directories are put in order by postfix(1).

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Stdio};

use command::{Fatal, Invocation, fatal};
use conf::{MainCf, reason};

use crate::PostmultiParams;
use crate::edit::Change;
use crate::iterate::search_path;
use crate::options::Action;

/// What a new instance takes over from the primary one where that has it in its main.cf. The rest is left to the
/// defaults.
const SHARED: [&str; 13] = [
    "command_directory",
    "daemon_directory",
    "meta_directory",
    "mail_owner",
    "setgid_group",
    "sendmail_path",
    "mailq_path",
    "newaliases_path",
    "html_directory",
    "manpage_directory",
    "sample_directory",
    "readme_directory",
    "shlib_directory",
];

/// The directories that a mail system makes in its queue directory.
const QUEUE_DIRECTORIES: [&str; 14] = [
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "pid",
    "private", "public", "saved", "trace",
];

/// Why a change stopped.
enum Stop {
    /// For this reason.
    Fatal(Fatal),
    /// A command failed, and has said why.
    Command,
}

impl From<Fatal> for Stop {
    fn from(fatal: Fatal) -> Self {
        Self::Fatal(fatal)
    }
}

impl From<conf::Error> for Stop {
    fn from(error: conf::Error) -> Self {
        Self::Fatal(error.into())
    }
}

/// Carries out a change; the exit status.
pub(crate) fn apply(invocation: &Invocation, params: &PostmultiParams, change: &Change) -> Result<u8, Fatal> {
    let path = search_path(params);
    sys::identity::change_environment([
        ("PATH", Some(path.as_str())),
        ("MAIL_CONFIG", Some(change.primary.as_str())),
    ]);
    let task = Task { params, change };
    if change.action != Action::Init {
        command::log_as_script(invocation, "postmulti-script")?;
    }
    match task.perform() {
        Ok(()) => Ok(0),
        Err(Stop::Command) => Ok(1),
        Err(Stop::Fatal(fatal)) => Err(fatal),
    }
}

struct Task<'a> {
    params: &'a PostmultiParams,
    change: &'a Change,
}

impl Task<'_> {
    fn perform(&self) -> Result<(), Stop> {
        let directory = &self.change.target.config_directory;
        if self.change.action != Action::Init {
            self.refuse_unprepared()?;
        }
        match self.change.action {
            Action::Init => self.set(
                directory,
                &[
                    "multi_instance_wrapper = ${command_directory}/postmulti -p --",
                    "multi_instance_enable = yes",
                ],
            ),
            Action::Create | Action::Import => self.add(),
            Action::Destroy => self.destroy(),
            Action::Deport => self.deport(),
            Action::Enable => self.set(directory, &["multi_instance_enable = yes"]),
            Action::Disable => self.set(directory, &["multi_instance_enable = no"]),
            Action::Assign => self.assign_names(),
        }
    }

    fn refuse_unprepared(&self) -> Result<(), Fatal> {
        if self.params.multi_instance_wrapper.is_empty() {
            return Err(fatal!("multi_instance_wrapper is empty, run 'postmulti -e init' first."));
        }
        if !self.params.multi_instance_enable {
            return Err(fatal!("multi_instance_enable!=yes, run 'postmulti -e init' first."));
        }
        Ok(())
    }

    fn add(&self) -> Result<(), Stop> {
        let directory = Path::new(&self.change.target.config_directory);
        let is_there = |name: &str| directory.join(name).is_file();
        if !is_there("main.cf") || !is_there("master.cf") {
            if self.change.action == Action::Import {
                let missing = if is_there("main.cf") { "master.cf" } else { "main.cf" };
                return Err(fatal!("'{}' lacks a {missing} file", directory.display()).into());
            }
            self.make_files(directory)?;
        }
        self.assign_names()?;
        // Before postfix(1) runs: it must know that the instance is one of several.
        self.update_directories(Alternative::No)?;
        run(self.postfix().arg("set-permissions"))
    }

    /// Makes main.cf and master.cf from what `meta_directory` has for the purpose. master.cf comes last: with it the
    /// instance is complete.
    fn make_files(&self, directory: &Path) -> Result<(), Stop> {
        let target = &self.change.target;
        let prototype = |name: &str| Path::new(&self.params.meta_directory).join(format!("{name}.proto"));
        for name in ["main.cf", "master.cf"] {
            let path = prototype(name);
            if !path.is_file() {
                return Err(fatal!("Missing {name} prototype: {}", path.display()).into());
            }
        }
        let new = directory.join(".tmp");
        make_directory(directory, 0o755)?;
        make_directory(Path::new(&target.queue_directory), 0o755)?;
        make_directory(Path::new(&target.data_directory), 0o700)?;
        make_directory(&new, 0o700)?;
        copy(&prototype("main.cf"), &new.join("main.cf"))?;
        let primary = MainCf::read(Path::new(&self.change.primary))?;
        let (shared, unset): (Vec<_>, Vec<_>) = SHARED
            .into_iter()
            .map(|name| (name, primary.written(name).unwrap_or_default()))
            .partition(|(_, value)| !value.is_empty());
        let place = new.to_string_lossy();
        let names = unset.iter().map(|(name, _)| *name);
        run(self.tool("postconf").args(["-c", &place, "-#"]).args(names))?;
        let mut settings = vec![
            format!("queue_directory = {}", target.queue_directory),
            format!("data_directory = {}", target.data_directory),
            // Not in business before somebody has looked at it.
            "authorized_submit_users =".to_owned(),
            "master_service_disable = inet".to_owned(),
        ];
        settings.extend(shared.iter().map(|(name, value)| format!("{name} = {value}")));
        self.set(&place, &settings)?;
        copy(&prototype("master.cf"), &new.join("master.cf"))?;
        for name in ["main.cf", "master.cf"] {
            let to = directory.join(name);
            fs::rename(new.join(name), &to)
                .map_err(|error| fatal!("create {}: {}", to.display(), reason(&error)))?;
        }
        if let Err(error) = fs::remove_dir(&new) {
            log::debug!("remove {}: {error}", new.display());
        }
        Ok(())
    }

    fn deport(&self) -> Result<(), Stop> {
        // An instance that somebody has removed already only leaves the list.
        if !Path::new(&self.change.target.config_directory).join("main.cf").is_file() {
            return self.update_directories(Alternative::No);
        }
        self.refuse_running()?;
        self.update_directories(Alternative::Yes)
    }

    /// Removes what a mail system has made, if nothing else is there.
    fn destroy(&self) -> Result<(), Stop> {
        let target = &self.change.target;
        let directory = Path::new(&target.config_directory);
        let main = directory.join("main.cf");
        if !main.is_file() {
            return Err(fatal!("{} file not found", main.display()).into());
        }
        self.refuse_running()?;
        self.update_directories(Alternative::No)?;
        for name in QUEUE_DIRECTORIES {
            remove_directory(&Path::new(&target.queue_directory).join(name));
        }
        remove_directory(Path::new(&target.data_directory));
        remove_directory(Path::new(&target.queue_directory));
        for name in ["master.cf", "main.cf"] {
            if let Err(error) = fs::remove_file(directory.join(name))
                && error.kind() != io::ErrorKind::NotFound
            {
                log::warning!("remove {}: {}", directory.join(name).display(), reason(&error));
            }
        }
        remove_directory(directory);
        Ok(())
    }

    fn refuse_running(&self) -> Result<(), Stop> {
        match run(self.postfix().arg("status").stdout(Stdio::null()).stderr(Stdio::null())) {
            Ok(()) => Err(fatal!("Instance '{}' is not stopped", self.change.target.config_directory).into()),
            Err(Stop::Command) => Ok(()),
            Err(fatal) => Err(fatal),
        }
    }

    fn assign_names(&self) -> Result<(), Stop> {
        let target = &self.change.target;
        let mut settings = Vec::new();
        if self.change.renames {
            settings.push(format!("multi_instance_name = {}", target.name));
        }
        if self.change.regroups {
            settings.push(format!("multi_instance_group = {}", target.group));
        }
        if settings.is_empty() { Ok(()) } else { self.set(&target.config_directory, &settings) }
    }

    /// Tells the primary instance of its others. One that is not managed may be one that tools accept with `-c`.
    fn update_directories(&self, alternative: Alternative) -> Result<(), Stop> {
        let Some(directories) = &self.change.directories else { return Ok(()) };
        let own = self.change.target.config_directory.as_str();
        let primary = MainCf::read(Path::new(&self.change.primary))?;
        let written = primary.written("alternate_config_directories").unwrap_or_default();
        let present: Vec<&str> = bytes::list::split(written, bytes::list::SEPARATORS).collect();
        let mut wanted = present.clone();
        wanted.retain(|directory| *directory != own);
        if alternative == Alternative::Yes {
            wanted.push(own);
        }
        let mut settings = vec![format!("multi_instance_directories = {}", directories.join(" "))];
        if present.contains(&own) != wanted.contains(&own) {
            settings.push(format!("alternate_config_directories = {}", wanted.join(" ")));
        }
        self.set(&self.change.primary, &settings)
    }

    fn set(&self, directory: &str, settings: &[impl AsRef<std::ffi::OsStr>]) -> Result<(), Stop> {
        run(self.tool("postconf").args(["-c", directory, "-e"]).args(settings))
    }

    fn tool(&self, name: &str) -> Command {
        Command::new(format!("{}/{name}", self.params.command_directory))
    }

    /// postfix(1) for the instance that changes.
    fn postfix(&self) -> Command {
        let mut command = self.tool("postfix");
        command.args(["-c", &self.change.target.config_directory]);
        command
    }
}

/// Whether an instance is to be in `alternate_config_directories`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alternative {
    Yes,
    No,
}

fn run(command: &mut Command) -> Result<(), Stop> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Stop::Command),
        Err(error) => {
            let program = command.get_program().to_string_lossy();
            Err(fatal!("{program}: {}", reason(&error)).into())
        }
    }
}

fn make_directory(path: &Path, mode: u32) -> Result<(), Fatal> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|error| fatal!("mkdir {}: {}", path.display(), reason(&error)))
}

fn copy(from: &Path, to: &Path) -> Result<(), Fatal> {
    fs::copy(from, to).map(drop).map_err(|error| fatal!("create {}: {}", to.display(), reason(&error)))
}

fn remove_directory(path: &Path) {
    if let Err(error) = fs::remove_dir(path) {
        log::debug!("rmdir {}: {error}", path.display());
        log::warning!("{}: please verify contents and remove by hand", path.display());
    }
}
