//! master(8) - runs the other daemons.
//!
//! Reads master.cf, listens on every service's sockets, and starts a process for a service when a client comes and no
//! process is free. It counts processes, throttles commands that fail at start, sends wakeup triggers, and on SIGHUP
//! reads its configuration again: processes of the old configuration finish what they are at and end.
//!
//! master is the one program that stays root: it therefore does as little as possible. It reads configuration that
//! belongs to root, never reads from a client, and takes from its children only fixed-size status reports. It is a plain
//! poll(2) loop without an asynchronous runtime.
//!
//! What fails: a broken configuration at start is fatal; at reload it is fatal too, as in Postfix, since half a mail
//! system is worse than a missing one. Out of processes: the service is throttled and tried again later. When master
//! dies its children see their status pipe end and follow.
//!
//! Started by an ordinary user it runs everything as that user, says so once, and refuses services that need another
//! identity by leaving that to the programs concerned.

mod children;
mod instance;
mod listen;
mod options;
mod plan;
mod service;
mod supervisor;
mod wakeup;

use std::process::ExitCode;

use conf::MainCf;

use crate::instance::{Instance, Locked};
use crate::options::{Options, Ready};

conf::param_set! {
    /// What master(8) reads.
    pub struct MasterParams {
        queue_directory, data_directory, daemon_directory, mail_owner, mail_version, syslog_name, syslog_facility,
        myhostname, maillog_file, postlog_service_name, default_process_limit, service_throttle_time,
        inet_interfaces, inet_protocols, debugger_command, smtputf8_enable
    }
}

/// A reason to end, for the log.
#[derive(Debug)]
pub(crate) struct Fatal(String);

impl<E: std::fmt::Display> From<E> for Fatal {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// The whole life of the program.
pub fn main() -> ExitCode {
    // What the caller left open by mistake would stay open with us and all our processes. This comes first: a descriptor
    // of ours that is closed here would be closed once more when its number is somebody else's.
    let closed = sys::descriptor::close_from(3);
    log::init("postfix/master", log::Sinks::terminal("postfix/master"));
    match closed.map_err(Fatal::from).and_then(|()| live()) {
        Ok(code) => code,
        Err(Fatal(text)) => {
            log::fatal!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn live() -> Result<ExitCode, Fatal> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    sys::process::ignore_signal(nix::libc::SIGPIPE);
    let mut options = Options::parse(std::env::args().skip(1))?;
    log::set_verbose(options.verbose.max(u8::from(std::env::var_os("MAIL_VERBOSE").is_some())));
    options.debug |= std::env::var_os("MAIL_DEBUG").is_some();
    if let Some(directory) = &options.config_directory {
        sys::identity::change_environment([("MAIL_CONFIG", Some(directory.as_str()))]);
    }
    if sys::identity::is_set_id() {
        return Err(Fatal::from("the master command must not run as a set-uid process"));
    }
    let main = MainCf::read(&conf::config_directory())?;
    let params = MasterParams::load(&main)?;
    let queue_directory = &params.queue_directory;
    std::env::set_current_dir(queue_directory)
        .map_err(|error| format!("chdir {queue_directory}: {}", sys::reason(&error)))?;
    if options.test_lock {
        let running = instance::is_running();
        return Ok(if running { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    let mut ready = options.detach()?;
    run(options, params, main, &mut ready).inspect_err(|Fatal(text)| ready.give_up(text))
}

fn run(options: Options, params: MasterParams, main: MainCf, ready: &mut Ready) -> Result<ExitCode, Fatal> {
    let instance = match Instance::lock(&params)? {
        Locked::Ours(instance) => instance,
        Locked::Theirs(text) => return Err(Fatal(text)),
    };
    if options.debug {
        debug(main.clone(), &params)?;
    }
    supervisor::run(options, params, main, instance, ready)
}

fn debug(mut main: MainCf, params: &MasterParams) -> Result<(), Fatal> {
    if params.debugger_command.is_empty() {
        return Err(Fatal::from("no debugger_command variable set up"));
    }
    main.set("process_id", &std::process::id().to_string());
    main.set("process_name", "master");
    let command = MasterParams::load(&main)?.debugger_command;
    log::info!("running: {command}");
    std::process::Command::new("sh").args(["-c", &command]).status()?;
    Ok(())
}
