//! What the mail system can do: table types, locks, SASL, TLS; and the bounce templates, which bounce(8) shows.

use crate::mode::Mode;
use command::{Fatal, fatal};
use conf::{MainCf, reason};
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Shows the types of lookup tables. All are built in, but a main.cf that cannot be read is a fault all the same.
pub(crate) fn show_maps() -> Result<(), Fatal> {
    MainCf::read(&conf::config_directory())?;
    let mut types = [table::TYPES, table::LINKED_TYPES].concat();
    types.sort_unstable();
    show(&types);
    Ok(())
}

/// Shows the ways to lock a mailbox.
pub(crate) fn show_locks() {
    show(&["flock", "fcntl", "dotlock"]);
}

/// Shows what authenticates clients.
pub(crate) fn show_sasl_server() {
    show(&["cyrus", "dovecot"]);
}

/// Shows what authenticates to servers.
pub(crate) fn show_sasl_client() {
    show(&["cyrus"]);
}

/// Shows facts about TLS. Exit status 1 for what is not known.
pub(crate) fn show_tls(what: &str) -> u8 {
    match what {
        "compile-version" | "run-version" => show(&["rustls 0.23"]),
        "public-key-algorithms" => show(&["rsa", "ecdsa", "ed25519"]),
        _ => {
            log::warning!("unknown 'postconf -T' mode: {what}");
            return 1;
        }
    }
    0
}

/// Becomes bounce(8), which shows its templates as built in or expanded.
pub(crate) fn run_bounce(mode: Mode, names: &[String]) -> Fatal {
    match bounce_command(mode, names) {
        Ok(mut command) => {
            let error = command.exec();
            fatal!("execute {}: {}", command.get_program().display(), reason(&error))
        }
        Err(fatal) => fatal,
    }
}

fn bounce_command(mode: Mode, names: &[String]) -> Result<Command, Fatal> {
    let how = if mode.has(Mode::EXPAND_TEMPLATES) { "-SVnexpand_templates" } else { "-SVndump_templates" };
    let mut arguments: Vec<OsString> = vec![how.into()];
    match names {
        [] => {}
        [file] => arguments.extend(["-o".into(), format!("bounce_template_file={file}").into()]),
        _ => return Err(fatal!("options -b and -t require at most one template file")),
    }
    arguments.extend(["-o".into(), "queue_directory=.".into()]);
    let main = MainCf::read(&conf::config_directory())?;
    let directory = conf::load::<conf::params::daemon_directory>(&main)?;
    let mut command = Command::new(format!("{directory}/bounce"));
    command.args(arguments).arg0("bounce");
    Ok(command)
}

fn show(lines: &[&str]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    drop(std::io::stdout().write_all(text.as_bytes()));
}
