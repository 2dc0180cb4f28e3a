//! postmulti(1) - manages several mail systems on one host.
//!
//! The primary instance is the one in the default configuration directory. Its `multi_instance_directories` name the
//! configuration directories of the others, which share its programs and have their own queue, data and configuration.
//! `-l` lists them, `-p` runs a command of postfix(1) for each, `-x` any command, and `-e` adds, removes or changes
//! one. Without other instances there is just the primary one, so that start-up scripts may always go through this
//! program, as Debian's do.
//!
//! Trust: the superuser, and every main.cf that the primary one names. Promise: names and directories that two
//! instances would have in common are refused before anything is done; a file is in place as a whole or not at all; an
//! instance is removed only when it is disabled and stopped, and only what a mail system makes itself is removed. What
//! fails is a `fatal: ` line and exit status 1; the exit status of `-p` and `-x` is 1 when a command failed for any
//! instance.

mod apply;
mod claims;
mod edit;
mod instance;
mod iterate;
mod options;

use command::{Fatal, Invocation, Log, Name, Program, Startup, fatal};

use crate::instance::Instances;
use crate::options::{Mode, Options};

conf::param_set! {
    /// What postmulti(1) reads of the primary instance.
    pub struct PostmultiParams {
        command_directory, daemon_directory, meta_directory, shlib_directory, queue_directory, data_directory,
        multi_instance_directories, multi_instance_name, multi_instance_group, multi_instance_enable,
        multi_instance_wrapper, postmulti_start_commands, postmulti_stop_commands, postmulti_control_commands
    }
}

/// What `command::run` needs to know.
pub const PROGRAM: Program = Program { name: Name::Base, log: Log::MailOrFile, failure: 1 };

/// The whole life of the program.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    let startup = Startup::read(invocation)?;
    let params = PostmultiParams::load(&startup.main)?;
    if let Some(directory) = std::env::var_os("MAIL_CONFIG")
        && directory != conf::DEFAULT_DIRECTORY
    {
        return Err(fatal!(
            "Non-default configuration directory: MAIL_CONFIG={}",
            directory.to_string_lossy()
        ));
    }
    let options = Options::parse(invocation)?;
    let mut instances = Instances::of_primary(&startup.main, &params)?;
    match options.mode {
        Mode::List => {
            instances.load_secondary(&params)?;
            iterate::list(&instances, &options)
        }
        Mode::Postfix => {
            instances.load_secondary(&params)?;
            iterate::postfix(&instances, &params, &options)
        }
        Mode::Command => {
            instances.load_secondary(&params)?;
            iterate::command(&instances, &params, &options)
        }
        Mode::Edit(action) => {
            let change = edit::plan(action, instances, &params, &options)?;
            let Some(change) = change else { return Ok(0) };
            startup.clean_environment()?;
            apply::apply(invocation, &params, &change)
        }
    }
}
