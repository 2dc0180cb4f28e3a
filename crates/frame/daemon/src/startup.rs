//! From the command line to a configured program that logs.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use conf::MainCf;
use queue::{Layout, Spool};

use crate::options::Options;
use crate::{Clients, Fatal, Service};

conf::param_set! {
    /// What the frame itself reads.
    pub struct FrameParams {
        queue_directory, mail_owner, syslog_name, syslog_facility, myhostname, maillog_file,
        postlog_service_name, max_idle, max_use, daemon_timeout, process_name, service_name, smtputf8_enable
    }
}

/// What a service finds when it starts.
#[derive(Debug)]
pub struct Startup {
    /// The configuration, with the command line's overrides in place.
    pub main: MainCf,
    /// The command line.
    pub options: Options,
    /// The frame's own parameters.
    pub params: FrameParams,
    /// How many clients the service may serve at once, all its processes together; `None`: any number.
    pub client_limit: Option<usize>,
    /// How its processes keep to that.
    pub share: Option<ipc::master::Share>,
}

impl Startup {
    pub(crate) fn prepare<S: Service>() -> Result<Self, Fatal> {
        log::init(&format!("postfix/{}", S::PROGRAM), log::Sinks::syslog());
        let mut arguments = std::env::args();
        let program = arguments.next().unwrap_or_default();
        let program =
            Path::new(&program).file_name().and_then(|name| name.to_str()).unwrap_or(S::PROGRAM).to_owned();
        let options = Options::parse(&program, arguments)?;
        log::set_verbose(options.verbose.max(u8::from(std::env::var_os("MAIL_VERBOSE").is_some())));
        if !options.debug && !options.stand_alone && std::io::stdin().is_terminal() {
            log::init(&format!("postfix/{program}"), log::Sinks::terminal(&program));
            return Err(Fatal::new("do not run this command by hand"));
        }

        let mut main = MainCf::read(&conf::config_directory())?;
        for name_and_value in &options.overrides {
            main.set_option(name_and_value)?;
        }
        main.set("process_name", &program);
        main.set("service_name", &options.service);
        let params = FrameParams::load(&main)?;
        start_logging(&params, &program, &options)?;
        check_entry(S::PROGRAM, &options)?;
        let (share, client_limit) = share::<S>(&options);
        Ok(Self { main, options, params, client_limit, share })
    }

    /// The configuration as it is while the service has as many clients as it may have, if that can happen to it:
    /// `${stress?...}` in main.cf says what is different then. See [`crate::Control::is_stressed`].
    pub fn stressed(&self) -> Option<MainCf> {
        self.can_be_stressed().then(|| {
            let mut main = self.main.clone();
            main.set("stress", "yes");
            main
        })
    }

    // Master says so of services that are open to the network.
    pub(crate) fn can_be_stressed(&self) -> bool {
        self.options.overrides.iter().any(|setting| setting == ipc::master::CALM)
    }

    /// The queue as main.cf lays it out. It is below the current directory once the process is confined.
    pub fn spool(&self) -> Result<Spool, Fatal> {
        Ok(Spool::new(&Layout::load(&self.main)?))
    }

    /// The queue directory, where the process lives from the end of its start on.
    pub fn queue_directory(&self) -> &Path {
        Path::new(&self.params.queue_directory)
    }
}

// Programs that would do harm when they run with another kind of entry in master.cf.
fn check_entry(program: &str, options: &Options) -> Result<(), Fatal> {
    let service = &options.service;
    let refuse = |what: &str| Err(Fatal::new(format!("service {service} requires {what}")));
    match program {
        "local" | "pipe" | "spawn" | "virtual" if options.unprivileged => refuse("privileged operation"),
        _ if options.stand_alone => Ok(()),
        "anvil" | "pickup" | "postlogd" | "postscreen" | "qmgr" | "scache" | "tlsmgr" | "verify"
            if !options.solitary =>
        {
            refuse("a process limit of 1")
        }
        "bounce" | "cleanup" | "dnsblog" | "flush" | "tlsproxy" if !options.unlimited => {
            refuse("a process limit of 0")
        }
        _ => Ok(()),
    }
}

fn start_logging(params: &FrameParams, program: &str, options: &Options) -> Result<(), Fatal> {
    let mut sinks = conf_sinks(params)?;
    if options.log_to_stderr {
        // Before main.cf is read, Postfix knows no other name for itself.
        let tag = sys::identity::safe_environment("MAIL_LOGTAG");
        sinks.stderr = Some(format!("{}/{program}", tag.as_deref().unwrap_or("postfix")));
    } else if options.stand_alone && params.maillog_file.is_empty() && options.debug {
        sinks.stderr = Some(program.to_owned());
    }
    log::init(&format!("{}/{program}", params.syslog_name), sinks);
    if params.smtputf8_enable {
        log::allow_utf8();
    }
    sys::time::load_zone();
    Ok(())
}

fn conf_sinks(params: &FrameParams) -> Result<log::Sinks, Fatal> {
    let facility = log::facility(&params.syslog_facility)
        .ok_or_else(|| Fatal::new(format!("unknown facility: {}", params.syslog_facility)))?;
    if params.maillog_file.is_empty() {
        return Ok(log::Sinks { syslog: Some(facility), ..log::Sinks::default() });
    }
    let socket: PathBuf = [&params.queue_directory, "public", &params.postlog_service_name].iter().collect();
    let postlog = log::Postlog { socket, hostname: params.myhostname.clone(), fallback: None };
    Ok(log::Sinks { postlog: Some(postlog), ..log::Sinks::default() })
}

// Only programs that serve many clients have something to share. Without a master that shares out, a process is a client's,
// as that master believes.
fn share<S: Service>(options: &Options) -> (Option<ipc::master::Share>, Option<usize>) {
    match S::CLIENTS {
        // A trigger is over before anybody could want to know that we are busy.
        Clients::Triggers => return (None, None),
        Clients::OneByOne => return (None, Some(1)),
        Clients::Many if options.stand_alone => return (None, Some(1)),
        Clients::Many => {}
    }
    let share = std::env::var(ipc::master::SHARE).ok().and_then(|text| ipc::master::Share::decode(&text));
    (share, share.map_or(Some(1), |share| share.limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_would_do_harm() {
        let check = |program: &str, words: &str| {
            let options = Options::parse(program, words.split(' ').map(str::to_owned)).unwrap();
            check_entry(program, &options).map_err(|fatal| fatal.to_string())
        };
        assert_eq!(check("qmgr", "-t unix"), Err("service qmgr requires a process limit of 1".to_owned()));
        assert_eq!(check("qmgr", "-l -t unix"), Ok(()));
        assert_eq!(
            check("bounce", "-n defer -t unix"),
            Err("service defer requires a process limit of 0".to_owned())
        );
        assert_eq!(
            check("local", "-t unix -u"),
            Err("service local requires privileged operation".to_owned())
        );
        assert_eq!(check("cleanup", "-z -t unix -u -c"), Ok(()));
    }
}
