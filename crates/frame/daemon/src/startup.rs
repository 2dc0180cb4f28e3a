//! From the command line to a configured program that logs.

use std::path::{Path, PathBuf};

use conf::MainCf;
use queue::{Layout, Spool};

use crate::options::Options;
use crate::{Fatal, Service};

conf::param_set! {
    /// What the frame itself reads.
    pub struct FrameParams {
        queue_directory, mail_owner, syslog_name, syslog_facility, myhostname, maillog_file,
        postlog_service_name, max_idle, max_use, daemon_timeout, process_name, service_name
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
    /// How many clients this process may serve at once; `None`: any number.
    pub client_limit: Option<usize>,
}

impl Startup {
    pub(crate) fn prepare<S: Service>() -> Result<Self, Fatal> {
        log::init(&format!("postfix/{}", S::PROGRAM), log::Sinks::syslog());
        let mut arguments = std::env::args();
        let program = arguments.next().unwrap_or_default();
        let program =
            Path::new(&program).file_name().and_then(|name| name.to_str()).unwrap_or(S::PROGRAM).to_owned();
        let options = Options::parse(&program, arguments)?;
        log::set_verbose(options.verbose);

        let mut main = MainCf::read(&conf::config_directory())?;
        for name_and_value in &options.overrides {
            main.set_option(name_and_value)?;
        }
        main.set("process_name", &program);
        main.set("service_name", &options.service);
        let params = FrameParams::load(&main)?;
        start_logging(&params, &program, &options)?;
        let client_limit = client_limit::<S>(&options);
        Ok(Self { main, options, params, client_limit })
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

fn start_logging(params: &FrameParams, program: &str, options: &Options) -> Result<(), Fatal> {
    let mut sinks = conf_sinks(params)?;
    if options.log_to_stderr || (options.stand_alone && params.maillog_file.is_empty() && options.debug) {
        sinks.stderr = Some(program.to_owned());
    }
    log::init(&format!("{}/{program}", params.syslog_name), sinks);
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

// A program that serves one client at a time has no use for a share.
fn client_limit<S: Service>(options: &Options) -> Option<usize> {
    match S::CLIENTS {
        // A trigger is over before anybody could want to know that we are busy.
        crate::Clients::Triggers => return None,
        crate::Clients::OneByOne => return Some(1),
        crate::Clients::Many if options.stand_alone => return Some(1),
        crate::Clients::Many => {}
    }
    match std::env::var(ipc::master::CLIENT_LIMIT).ok().and_then(|text| text.parse().ok()) {
        Some(0) => None,
        Some(limit) => Some(limit),
        // Started by a master that does not share out: a process is a client's, as that master believes.
        None => Some(1),
    }
}
