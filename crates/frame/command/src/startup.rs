//! From a command line to a configured tool that logs.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::PathBuf;

use bytes::list;
use conf::MainCf;
use queue::{Layout, Spool};

use crate::{Fatal, Invocation, Log, Name, Program, fatal};

conf::param_set! {
    /// What the frame of the tools reads.
    pub struct CommandParams {
        queue_directory, daemon_directory, command_directory, mail_owner, setgid_group, mail_name,
        myhostname, syslog_name, syslog_facility, maillog_file, maillog_file_prefixes, postlog_service_name,
        import_environment, smtputf8_enable
    }
}

/// Where the configuration is, for this process and those that it starts.
const CONFIG_VARIABLE: &str = "MAIL_CONFIG";
/// The first part of the log tag, from a parent that knows better.
const TAG_VARIABLE: &str = "MAIL_LOGTAG";
const DEFAULT_TAG: &str = "postfix";

/// A configured tool.
#[derive(Debug)]
pub struct Startup {
    /// The configuration.
    pub main: MainCf,
    /// The frame's own parameters.
    pub params: CommandParams,
}

/// Who owns the mail system's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of `mail_owner`.
    pub uid: u32,
    /// Of `mail_owner`.
    pub gid: u32,
}

/// Takes another configuration directory, as `-c` asks. Call it before [`Startup::read`].
///
/// It goes through the environment, so that the programs that this one starts use it too, and so that there is one
/// place where a set-gid tool checks it.
pub fn use_config_directory(directory: &OsStr) {
    let directory = directory.to_string_lossy();
    sys::identity::change_environment([(CONFIG_VARIABLE, Some(&*directory))]);
}

/// Logs from now on by the name of a shell script that does in Postfix what this program does itself.
// COMPAT: off a terminal, standard error shows the name of the logging command that Postfix's scripts use;
// `tool::queue-down::status`.
pub fn log_as_script(invocation: &Invocation, script: &str) -> Result<(), Fatal> {
    let script = Invocation { name: format!("postfix/{script}"), ..invocation.clone() };
    let stderr = if std::io::stderr().is_terminal() { script.name.as_str() } else { "postfix/postlog" };
    Startup::read_with(&script, stderr).map(drop)
}

impl Startup {
    /// Reads main.cf in the directory that [`use_config_directory`], the environment or the default names, and starts
    /// logging as it says.
    pub fn read(invocation: &Invocation) -> Result<Startup, Fatal> {
        Self::read_with(invocation, &invocation.name)
    }

    /// As [`Startup::read`], with another name than the log's for what appears on standard error.
    pub fn read_with(invocation: &Invocation, stderr: &str) -> Result<Startup, Fatal> {
        let mut main = MainCf::read(&conf::config_directory())?;
        main.set("process_name", &invocation.name);
        let params = CommandParams::load(&main)?;
        let tag = sys::identity::safe_environment(TAG_VARIABLE);
        if tag.as_deref() != Some(&params.syslog_name) {
            sys::identity::change_environment([(TAG_VARIABLE, Some(params.syslog_name.as_str()))]);
        }
        let startup = Startup { main, params };
        startup.start_logging(invocation, stderr)?;
        Ok(startup)
    }

    /// Replaces the environment with what `import_environment` allows and sets: for set-gid tools.
    pub fn clean_environment(&self) -> Result<(), Fatal> {
        let wanted = self.imported("clean_env")?;
        let kept: Vec<(String, String)> = wanted
            .into_iter()
            .filter_map(|(name, value)| {
                let value = value.or_else(|| sys::identity::safe_environment(&name))?;
                Some((name, value))
            })
            .collect();
        let present: Vec<String> =
            std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
        sys::identity::change_environment(present.iter().map(|name| (name.as_str(), None)));
        sys::identity::change_environment(
            kept.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))),
        );
        Ok(())
    }

    /// Sets what `import_environment` sets, and leaves the rest alone: for the superuser's tools.
    pub fn update_environment(&self) -> Result<(), Fatal> {
        let wanted = self.imported("update_env")?;
        let set = wanted.iter().filter_map(|(name, value)| Some((name.as_str(), Some(value.as_deref()?))));
        sys::identity::change_environment(set);
        Ok(())
    }

    /// Makes the queue directory the current one: sockets and queue files have relative names.
    pub fn enter_queue_directory(&self) -> Result<(), Fatal> {
        let directory = &self.params.queue_directory;
        std::env::set_current_dir(directory)
            .map_err(|why| fatal!("chdir {directory}: {}", queue::reason(&why)))
    }

    /// The queue below the current directory.
    pub fn spool(&self) -> Result<Spool, Fatal> {
        Ok(Spool::new(&self.layout()?))
    }

    /// How the queue is laid out.
    pub fn layout(&self) -> Result<Layout, Fatal> {
        Layout::load(&self.main).map_err(|error| fatal!("{error}"))
    }

    /// The mail system's owner, checked as every Postfix program does it: an ordinary user that shares its id with none.
    pub fn owner(&self) -> Result<Identity, Fatal> {
        let name = &self.params.mail_owner;
        let user = sys::User::from_name(name)
            .ok()
            .flatten()
            .ok_or_else(|| self.refuse("mail_owner", &format!("unknown user name value: {name}")))?;
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        if uid == 0 {
            return Err(self.refuse("mail_owner", &format!("user {name} has privileged user ID")));
        }
        if gid == 0 {
            return Err(self.refuse("mail_owner", &format!("user {name} has privileged group ID")));
        }
        match sys::User::from_uid(user.uid) {
            Ok(Some(other)) if other.name != *name => {
                let text = format!("user {name} has the same user ID {uid} as user {}", other.name);
                Err(self.refuse("mail_owner", &text))
            }
            _ => Ok(Identity { uid, gid }),
        }
    }

    /// The group id of `setgid_group`, checked in the same way.
    pub fn setgid_group(&self) -> Result<u32, Fatal> {
        let name = &self.params.setgid_group;
        let group = sys::Group::from_name(name)
            .ok()
            .flatten()
            .ok_or_else(|| self.refuse("setgid_group", &format!("unknown group name: {name}")))?;
        let gid = group.gid.as_raw();
        if gid == 0 {
            return Err(self.refuse("setgid_group", &format!("group {name} has privileged group ID")));
        }
        match sys::Group::from_gid(group.gid) {
            Ok(Some(other)) if other.name != *name => {
                let text = format!("group {name} has the same group ID {gid} as group {}", other.name);
                Err(self.refuse("setgid_group", &text))
            }
            _ => Ok(gid),
        }
    }

    /// Becomes the mail system's owner for good. An ordinary user, whose own mail system it is, stays who they are.
    pub fn become_owner(&self) -> Result<Identity, Fatal> {
        let uid = sys::identity::effective_uid();
        if uid != 0 {
            return Ok(Identity { uid, gid: sys::identity::effective_gid() });
        }
        let owner = self.owner()?;
        sys::identity::become_user(owner.uid, owner.gid, &[owner.gid])
            .map_err(|why| fatal!("setuid({}): {}", owner.uid, queue::reason(&why)))?;
        Ok(owner)
    }

    fn refuse(&self, name: &str, why: &str) -> Fatal {
        fatal!("file {}/main.cf: parameter {name}: {why}", self.main.path().display())
    }

    /// `import_environment`: names to keep, and names with values to set.
    fn imported(&self, task: &str) -> Result<Vec<(String, Option<String>)>, Fatal> {
        list::split_braced(&self.params.import_environment, list::SEPARATORS)
            .map(|word| {
                let word =
                    word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).map_or(word, str::trim);
                let Some((name, value)) = word.split_once('=') else {
                    return Ok((word.to_owned(), None));
                };
                if name.trim().is_empty() {
                    return Err(fatal!("{task}: missing attribute name in: {word}"));
                }
                Ok((name.trim().to_owned(), Some(value.trim().to_owned())))
            })
            .collect()
    }

    fn start_logging(&self, invocation: &Invocation, stderr: &str) -> Result<(), Fatal> {
        let params = &self.params;
        let mut sinks = log::Sinks { stderr: Some(stderr.to_owned()), ..log::Sinks::default() };
        if invocation.program.log != Log::Terminal {
            let facility = log::facility(&params.syslog_facility).ok_or_else(|| {
                self.refuse("syslog_facility", &format!("unrecognized value: {}", params.syslog_facility))
            })?;
            if params.maillog_file.is_empty() {
                sinks.syslog = Some(facility);
            } else {
                sinks.postlog = Some(self.postlog(invocation.program.log)?);
            }
        }
        log::init(&tag(&invocation.program, &invocation.name, Some(&params.syslog_name)), sinks);
        if params.smtputf8_enable {
            log::allow_utf8();
        }
        Ok(())
    }

    fn postlog(&self, log: Log) -> Result<log::Postlog, Fatal> {
        let params = &self.params;
        let file = &params.maillog_file;
        let mut prefixes = list::split(&params.maillog_file_prefixes, list::SEPARATORS);
        if !prefixes.any(|prefix| file.starts_with(prefix)) {
            let text = "does not match any prefix in maillog_file_prefixes";
            return Err(fatal!("maillog_file value '{file}' {text}"));
        }
        let socket: PathBuf =
            [&params.queue_directory, "public", &params.postlog_service_name].iter().collect();
        let exported = [
            ("POSTLOG_SERVICE", Some(socket.display().to_string())),
            ("POSTLOG_HOSTNAME", Some(params.myhostname.clone())),
        ];
        sys::identity::change_environment(exported.iter().map(|(name, value)| (*name, value.as_deref())));
        let fallback = (log == Log::MailOrFile).then(|| PathBuf::from(file));
        Ok(log::Postlog { socket, hostname: params.myhostname.clone(), fallback })
    }
}

/// Logging until main.cf is read: as a parent process that read it says, or as by default.
pub(crate) fn log_before_main_cf(program: &Program, name: &str) {
    let mut sinks = log::Sinks { stderr: Some(name.to_owned()), ..log::Sinks::default() };
    if program.log != Log::Terminal {
        let exported = |name| sys::identity::safe_environment(name).filter(|value| !value.is_empty());
        match exported("POSTLOG_SERVICE") {
            Some(socket) => {
                let hostname = exported("POSTLOG_HOSTNAME").unwrap_or_else(|| "amnesiac".to_owned());
                sinks.postlog = Some(log::Postlog { socket: socket.into(), hostname, fallback: None });
            }
            None => sinks.syslog = log::Sinks::syslog().syslog,
        }
    }
    if sys::identity::safe_environment("MAIL_VERBOSE").is_some() {
        log::set_verbose(1);
    }
    log::init(&tag(program, name, None), sinks);
}

fn tag(program: &Program, name: &str, syslog_name: Option<&str>) -> String {
    let name = match program.name {
        Name::Logged(name) => name,
        _ => name.rsplit('/').next().filter(|base| !base.is_empty()).unwrap_or(name),
    };
    match sys::identity::safe_environment(TAG_VARIABLE) {
        Some(tag) => format!("{tag}/{name}"),
        None => format!("{}/{name}", syslog_name.unwrap_or(DEFAULT_TAG)),
    }
}
