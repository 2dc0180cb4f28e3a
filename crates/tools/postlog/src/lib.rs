//! postlog(1) - writes to the mail log, for scripts.
//!
//! Logs its arguments as one line, or each line of standard input, with the severity of `-p` and the tag of `-t`.
//! Control characters are made harmless, as in every log line. The exit status is 0, or 1 for a wrong command line.

use std::io::{BufRead, IsTerminal};

use command::{Fatal, Getopt, Invocation, Log, Name, Program, Startup, fatal};
use log::Severity;

/// What `command::run` needs to know.
pub const PROGRAM: Program = Program { name: Name::Fixed("postlog"), log: Log::MailOrFile, failure: 1 };

/// The whole life of the program.
pub fn main(invocation: &Invocation) -> Result<u8, Fatal> {
    let mut options = Getopt::new(invocation, "c:ip:t:v");
    let mut severity = Severity::Info;
    let mut tag = None;
    for choice in options.by_ref() {
        let choice = choice
            .map_err(|_| fatal!("usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]"))?;
        match choice.letter {
            'c' => command::use_config_directory(&choice.value),
            'p' => severity = level(&choice.value.to_string_lossy())?,
            't' => {
                tag = Some(
                    String::from_utf8_lossy(&bytes::printable(choice.value.as_encoded_bytes(), b'?'))
                        .into_owned(),
                )
            }
            'v' => log::set_verbose(log::verbose().saturating_add(1)),
            _ => {}
        }
    }
    let mut startup_as = invocation.clone();
    if let Some(tag) = tag {
        startup_as.name = tag;
    }
    // COMPAT: on a terminal the tag is shown; elsewhere, as in a container's output, the program's own name is.
    let stderr = if std::io::stderr().is_terminal() { startup_as.name.as_str() } else { "postfix/postlog" };
    Startup::read_with(&startup_as, stderr)?;
    let words = options.rest();
    if words.is_empty() {
        for line in std::io::stdin().lock().split(b'\n') {
            let line = line.map_err(|error| fatal!("read: {error}"))?;
            log::write(severity, &bytes::show(&line).to_string());
        }
    } else {
        let text: Vec<_> =
            words.iter().map(|word| bytes::show(word.as_encoded_bytes()).to_string()).collect();
        log::write(severity, &text.join(" "));
    }
    if severity >= Severity::Fatal {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    Ok(0)
}

fn level(name: &str) -> Result<Severity, Fatal> {
    Ok(match name {
        "info" => Severity::Info,
        "warn" | "warning" => Severity::Warning,
        "error" => Severity::Error,
        "fatal" => Severity::Fatal,
        "panic" => Severity::Panic,
        _ => return Err(fatal!("bad severity: \"{name}\"")),
    })
}
