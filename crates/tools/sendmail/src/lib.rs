//! sendmail(1) - the submission command that every program knows, also as mailq(1) and newaliases(1).
//!
//! Reads a message from standard input, finds its recipients on the command line or in its headers, and hands both to
//! postdrop(1), which alone may write to the maildrop. Everything else it can do is another command's work, which it
//! runs in its place: `mailq` is `postqueue -p`, `newaliases` is postalias(1), `-bs` is smtpd(8) on standard input.
//!
//! It has no rights of its own and trusts no more than its caller does. A message is accepted when postdrop says that it
//! is on disk; otherwise the exit status says so and nothing stays behind.

mod enqueue;
mod options;
mod recipients;
mod user;

use std::os::unix::process::CommandExt;
use std::process::Command;

use command::{Fatal, Invocation, Log, Name, Program, Startup, fatal};

use crate::options::{Mode, Options};

/// What `command::run` needs to know.
///
/// COMPAT: every failure exits with 75. The reference names other statuses too, but its clean-up handler runs first and
/// exits with this one. Tests: `tests/scenarios/sendmail.rs`.
pub const PROGRAM: Program =
    Program { name: Name::Logged("sendmail"), log: Log::Mail, failure: command::exit::TEMPORARY };

conf::param_set! {
    /// What sendmail(1) reads.
    pub struct SendmailParams {
        command_directory, daemon_directory, alias_database, line_length_limit, header_size_limit, message_size_limit,
        authorized_submit_users, sendmail_fix_line_endings, default_verp_delimiters, verp_delimiter_filter,
        smtputf8_enable, requiretls_enable
    }
}

/// The whole life of the program.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    sys::process::ignore_signal(nix::libc::SIGPIPE);
    drop_set_uid()?;
    if let Some(directory) = options::config_directory(invocation) {
        command::use_config_directory(&directory);
    }
    let as_sendmail = Invocation { name: invocation.base_name().to_owned(), ..invocation.clone() };
    let startup = Startup::read(&as_sendmail)?;
    startup.update_environment()?;
    let params = SendmailParams::load(&startup.main)?;
    let options = Options::parse(invocation, &params)?;
    startup.enter_queue_directory()?;
    if options.is_daemon_interval && options.mode != Mode::Daemon {
        return Ok(0);
    }
    match options.mode {
        Mode::Ignore => Ok(0),
        Mode::Enqueue => deliver(&startup, &params, &options),
        Mode::FlushQueue => {
            options.refuse_recipients("flush queue mode requires no recipient")?;
            run(&params.command_directory, "postqueue", &["-f"], &options)
        }
        Mode::Mailq => {
            options.refuse_recipients("display queue mode requires no recipient")?;
            run(&params.command_directory, "postqueue", &["-p"], &options)
        }
        Mode::Daemon => {
            options.refuse_recipients("daemon mode requires no recipient")?;
            start_daemon(&params)
        }
        Mode::NewAliases => new_aliases(&params, &options),
        Mode::StandAlone => {
            options.refuse_recipients("stand-alone mode requires no recipient")?;
            refuse_user(&startup, &params)?;
            run(&params.daemon_directory, "smtpd", &["-S"], &options)
        }
    }
}

fn deliver(startup: &Startup, params: &SendmailParams, options: &Options) -> Result<u8, Fatal> {
    if let Some(site) = &options.site {
        options.refuse_recipients("flush site requires no recipient")?;
        return run(&params.command_directory, "postqueue", &["-s", site], options);
    }
    if let Some(queue_id) = &options.queue_id {
        options.refuse_recipients("flush queue_id requires no recipient")?;
        return run(&params.command_directory, "postqueue", &["-i", queue_id], options);
    }
    refuse_user(startup, params)?;
    enqueue::enqueue(startup, params, options)?;
    Ok(0)
}

fn new_aliases(params: &SendmailParams, options: &Options) -> Result<u8, Fatal> {
    options.refuse_recipients("alias initialization mode requires no recipient")?;
    let tables: Vec<&str> = match &options.alias_table {
        Some(table) => vec![table],
        None => bytes::list::split(&params.alias_database, bytes::list::SEPARATORS).collect(),
    };
    if tables.is_empty() {
        return Ok(0);
    }
    let arguments = [vec!["--"], tables].concat();
    run(&params.command_directory, "postalias", &arguments, options)
}

// Replaces this process by one of the mail system's own commands.
fn run(directory: &str, program: &str, arguments: &[&str], options: &Options) -> Result<u8, Fatal> {
    let path = format!("{directory}/{program}");
    let mut command = Command::new(&path);
    command.arg0(program);
    if arguments.first() == Some(&"--") {
        command.args(options.verbosity()).args(arguments);
    } else {
        command.args(arguments).args(options.verbosity());
    }
    Err(fatal!("execvp {path}: {}", queue::reason(&command.exec())))
}

fn start_daemon(params: &SendmailParams) -> Result<u8, Fatal> {
    let path = format!("{}/postfix", params.command_directory);
    let status = Command::new(&path).arg("start").status();
    let status = status.map_err(|error| fatal!("execvp {path}: {}", queue::reason(&error)))?;
    Ok(u8::from(!status.success()))
}

fn refuse_user(startup: &Startup, params: &SendmailParams) -> Result<(), Fatal> {
    match startup.refused_user("authorized_submit_users", &params.authorized_submit_users)? {
        None => Ok(()),
        Some(user) => Err(fatal!("User {}({}) is not allowed to submit mail", user.name, user.uid)),
    }
}

// Installed set-uid root by mistake, or called by a program that is: go on as who called.
fn drop_set_uid() -> Result<(), Fatal> {
    let (uid, gid) = (sys::identity::real_uid(), nix::unistd::getgid().as_raw());
    if sys::identity::effective_uid() != 0 || uid == 0 {
        return Ok(());
    }
    log::warning!("the Postfix sendmail command has set-uid root file permissions");
    log::warning!("or the command is run from a set-uid root process");
    log::warning!("the Postfix sendmail command must be installed without set-uid root file permissions");
    sys::identity::become_user(uid, gid, &[gid])
        .map_err(|error| fatal!("setuid({uid}): {}", queue::reason(&error)))
}
