//! postkick(1) - sends a request to a service, for scripts: `postkick public qmgr D`.
//!
//! The request is a trigger: no answer comes. The exit status is 0 when it was sent, 1 when nobody listens.

use std::path::Path;
use std::time::Duration;

use command::{Fatal, Getopt, Invocation, Log, Name, Program, Startup, fatal};

/// What `command::run` needs to know.
pub const PROGRAM: Program = Program { name: Name::Base, log: Log::Terminal, failure: 1 };

const PATIENCE: Duration = Duration::from_secs(10);

/// The whole life of the program.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    let usage = || fatal!("usage: {} [-c config_dir] [-v] class service request", invocation.name);
    let mut options = Getopt::new(invocation, "c:v");
    for choice in options.by_ref() {
        let choice = choice.map_err(|_| usage())?;
        match choice.letter {
            'c' => command::use_config_directory(&choice.value),
            _ => log::set_verbose(log::verbose().saturating_add(1)),
        }
    }
    let [class, service, request] = options.rest() else { return Err(usage()) };
    let startup = Startup::read(invocation)?;
    startup.update_environment()?;
    startup.enter_queue_directory()?;
    let path = Path::new(class).join(service);
    if let Err(why) = std::fs::metadata(&path) {
        log::warning!("unable to look up {}: {}", path.display(), queue::reason(&why));
    }
    if let Err(error) = ipc::trigger::send(&path, request.as_encoded_bytes(), PATIENCE) {
        log::debug!("{}: {error}", path.display());
        let (class, service) = (class.to_string_lossy(), service.to_string_lossy());
        log::warning!("Cannot contact class {class} service {service} - perhaps the mail system is down");
        return Ok(1);
    }
    Ok(0)
}
