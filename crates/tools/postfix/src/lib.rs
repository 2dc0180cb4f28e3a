//! postfix(1) - starts, stops and checks the mail system.
//!
//! `postfix start|start-fg|stop|quick-stop|abort|drain|reload|flush|status|check|set-permissions|logrotate`. What Postfix leaves to a shell
//! script is done here; the log lines keep that script's name, `postfix/postfix-script`, since monitoring knows it.
//!
//! Trust: the superuser, or the owner of the queue directory, who then runs a mail system of their own without the
//! rights to change identity. Promise: `start` refuses while another master has the lock, `stop` returns when master has
//! gone (with force after five seconds), `check` changes nothing but missing directories. Failures are `fatal: ` lines
//! and exit status 1.

mod action;
mod check;
mod layout;
mod rotate;

use command::{Fatal, Getopt, Invocation, Log, Name, Program, Startup, fatal};

use crate::action::Action;

/// What `command::run` needs to know.
pub const PROGRAM: Program = Program { name: Name::Base, log: Log::MailOrFile, failure: 1 };

conf::param_set! {
    /// What postfix(1) reads.
    pub struct PostfixParams {
        queue_directory, data_directory, config_directory, daemon_directory, command_directory, meta_directory,
        mail_owner, setgid_group, mail_version, maillog_file, multi_instance_directories, multi_instance_wrapper
    }
}

/// The last compatibility level; a lower one gets a notice at each start.
const LAST_COMPATIBILITY_LEVEL: conf::CompatLevel = conf::CompatLevel::V3_11;

/// The whole life of the program.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    if sys::identity::is_set_id() {
        return Err(fatal!("the postfix command must not run as a set-uid process"));
    }
    let mut options = Getopt::new(invocation, "c:Dv");
    for choice in options.by_ref() {
        let Ok(choice) = choice else { return Err(usage(invocation)) };
        match choice.letter {
            'c' => {
                let directory = choice.value;
                if !directory.to_string_lossy().starts_with('/') {
                    return Err(fatal!("-c requires absolute pathname"));
                }
                command::use_config_directory(&directory);
            }
            'D' => sys::identity::change_environment([("MAIL_DEBUG", Some(""))]),
            _ => {
                log::set_verbose(log::verbose().saturating_add(1));
                sys::identity::change_environment([("MAIL_VERBOSE", Some(""))]);
            }
        }
    }
    let Some((word, arguments)) = options.rest().split_first() else { return Err(usage(invocation)) };
    let action = Action::parse(&word.to_string_lossy());

    // An instance that is named is managed alone.
    let is_named = std::env::var_os("MAIL_CONFIG").is_some();
    let startup = Startup::read(invocation)?;
    let params = PostfixParams::load(&startup.main)?;
    refuse_strangers(&startup)?;
    refuse_bad_values(&startup)?;
    notice_old_defaults(&startup)?;
    let instances = bytes::list::split(&params.multi_instance_directories, bytes::list::SEPARATORS);
    if !is_named && instances.count() > 0 {
        return Err(hand_over(&params, options.rest()));
    }
    let Some(action) = action else {
        command::log_as_script(invocation, "postfix-script")?;
        log::fatal!(
            "unknown command: '{}'. Usage: postfix start (or stop, reload, abort, flush, check, status, \
             set-permissions, upgrade-configuration, logrotate, tls, non-bdb)",
            word.to_string_lossy()
        );
        return Ok(1);
    };
    if !arguments.is_empty() && action != Action::SetPermissions {
        return Err(usage(invocation));
    }
    for directory in [&params.command_directory, &params.daemon_directory, &params.queue_directory] {
        std::env::set_current_dir(directory)
            .map_err(|error| fatal!("chdir({directory}): {}", queue::reason(&error)))?;
    }
    command::log_as_script(invocation, "postfix-script")?;
    action.perform(&startup, &params)
}

/// The manager of several instances does what is asked for to each of them.
fn hand_over(params: &PostfixParams, words: &[std::ffi::OsString]) -> Fatal {
    use std::os::unix::process::CommandExt;
    let mut wrapper = bytes::list::split(&params.multi_instance_wrapper, bytes::list::SEPARATORS);
    let Some(program) = wrapper.next() else {
        return fatal!("multi-instance support is requested, but multi_instance_wrapper is empty");
    };
    command::use_config_directory(params.config_directory.as_ref());
    let error = std::process::Command::new(program).args(wrapper).args(words).exec();
    fatal!("{program}: {}", queue::reason(&error))
}

fn usage(invocation: &Invocation) -> Fatal {
    fatal!("usage: {} [-c config_dir] [-Dv] command", invocation.name)
}

/// What no program could work with is said before any of them is started.
fn refuse_bad_values(startup: &Startup) -> Result<(), Fatal> {
    let common = conf::common::CommonParams::load(&startup.main)?;
    conf::interfaces::protocols(&startup.main)?;
    if sys::identity::real_uid() == 0 {
        common.check(&startup.main)?;
    }
    conf::interfaces::own_addresses(&startup.main)?;
    Ok(())
}

fn refuse_strangers(startup: &Startup) -> Result<(), Fatal> {
    if startup.is_manager() {
        return Ok(());
    }
    log::error!("to submit mail, use the Postfix sendmail command");
    Err(fatal!("the postfix command is reserved for the superuser"))
}

fn notice_old_defaults(startup: &Startup) -> Result<(), Fatal> {
    if conf::compat_level(&startup.main)? < LAST_COMPATIBILITY_LEVEL {
        log::info!("Postfix is using backwards-compatible default settings");
        log::info!("See https://www.postfix.org/COMPATIBILITY_README.html for details");
        log::info!(
            "To disable backwards compatibility use \"postconf compatibility_level={LAST_COMPATIBILITY_LEVEL}\" and \
             \"postfix reload\""
        );
    }
    Ok(())
}
