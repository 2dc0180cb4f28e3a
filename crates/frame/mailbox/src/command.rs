//! A message into a command: its standard input is the message, its exit status and output are the outcome.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use dsn::{Dsn, Status, sys_exits};
use nix::libc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, ChildStdin};
use tokio::time::timeout;

use crate::content::{ContentError, Message};
use crate::{Confinement, Failed, Failure, Identity, Rights, StartError, program_name};

/// So much of a command's output gets into a report.
const OUTPUT_LIMIT: usize = 4096;

/// Commands of these characters and blanks need no shell.
const SHELL_FREE: &[u8] = b"1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \t";

/// What to run.
#[derive(Clone, Debug)]
pub enum Program {
    /// A program and its arguments.
    Argv(Vec<OsString>),
    /// A command line, for `shell` (a command line too, to which it is added) or, if that is empty, for `/bin/sh` when
    /// it needs a shell.
    Line {
        /// The command.
        command: Vec<u8>,
        /// `local_command_shell`
        shell: String,
    },
}

/// A command to deliver to.
#[derive(Clone, Debug)]
pub struct Command {
    /// What to run.
    pub program: Program,
    /// As whom and where.
    pub confinement: Confinement,
    /// All of its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// How long it may keep us waiting, each time.
    pub time_limit: Duration,
}

/// One way to start a program: its name, what it is called, its arguments, and what it is called in errors.
struct Start {
    file: OsString,
    arguments: Vec<OsString>,
    arg0: Option<&'static str>,
    call: &'static str,
}

enum Fed {
    All,
    Late,
    Refused(io::Error),
    Content(ContentError),
}

impl Program {
    /// What reports call it.
    fn name(&self) -> Vec<u8> {
        match self {
            Self::Argv(argv) => argv.first().map(|word| word.as_bytes().to_vec()).unwrap_or_default(),
            Self::Line { command, .. } => command.clone(),
        }
    }

    fn starts(&self) -> Vec<Start> {
        let plain = |words: Vec<OsString>, call| {
            let mut words = words.into_iter();
            words.next().map(|file| Start { file, arguments: words.collect(), arg0: None, call })
        };
        match self {
            Self::Argv(argv) => plain(argv.clone(), "pipe_command: execvp").into_iter().collect(),
            Self::Line { command, shell } if !shell.trim().is_empty() => {
                let mut words: Vec<OsString> = shell.split_whitespace().map(Into::into).collect();
                words.push(OsStr::from_bytes(command).to_owned());
                plain(words, "pipe_command: execvp").into_iter().collect()
            }
            Self::Line { command, .. } => {
                let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
                let mut starts = Vec::new();
                if command.iter().all(|byte| SHELL_FREE.contains(byte)) {
                    let words = command.split(is_blank).filter(|word| !word.is_empty());
                    starts.extend(plain(
                        words.map(|word| OsStr::from_bytes(word).to_owned()).collect(),
                        "execvp",
                    ));
                }
                let arguments = vec!["-c".into(), OsStr::from_bytes(command).to_owned()];
                starts.push(Start { file: "/bin/sh".into(), arguments, arg0: Some("sh"), call: "execl" });
                starts
            }
        }
    }
}

/// Runs a command with a message as its input. Success is its output, cleaned for a log line.
pub async fn run(rights: &Rights, command: &Command, message: &Message<'_>) -> Result<Vec<u8>, Failure> {
    let who = command.confinement.who;
    rights.permit(who)?;
    let name = command.program.name();
    let (mut child, output) = match start(rights, command) {
        Ok(started) => started,
        Err(failed) => return Err(failed.into()),
    };
    let ended = converse(rights, command, &mut child, output, message).await;
    let Ended { fed, status, output, is_late } = ended;
    match fed {
        Fed::Content(ContentError::Corrupt) => return Err(Failure::Corrupt),
        Fed::Content(ContentError::Read(error)) => {
            return Err(unfinished(Failed::reading(&error), &name).into());
        }
        Fed::All | Fed::Late | Fed::Refused(_) => {}
    }
    if is_late {
        return Err(verdict(b"Command time limit exceeded", "5.3.0", 70, &name, &output).into());
    }
    if !status.success() {
        return Err(judge(status, &name, &output).into());
    }
    match fed {
        // A command may well know without reading it all.
        Fed::Refused(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(unfinished(Failed::writing(&error), &name).into())
        }
        _ => Ok(output),
    }
}

fn unfinished(failed: Failed, name: &[u8]) -> Failed {
    let mut failed = failed.prefixed("Command failed: ");
    failed.dsn.reason.extend([b": \"", name, b"\""].concat());
    failed
}

/// What a command's end that is not success means.
fn judge(status: ExitStatus, name: &[u8], output: &[u8]) -> Failed {
    if let Some(signal) = status.signal() {
        return verdict(format!("Command died with signal {signal}").as_bytes(), "4.3.0", 70, name, output);
    }
    let code = status.code().unwrap_or(sys_exits::SOFTWARE);
    exited(code, name, output)
}

fn exited(code: i32, name: &[u8], output: &[u8]) -> Failed {
    // The command may say itself what it means.
    if dsn::enhanced_status(output).is_some() {
        let (status, text) = dsn::split_status(Status::new("5.3.0"), output);
        return unix(status, text.to_vec(), text);
    }
    match sys_exits::detail(code) {
        Some((status, text)) => {
            let reason = [text.as_bytes(), &with_output(output)].concat();
            unix(status, reason, if output.is_empty() { text.as_bytes() } else { output })
        }
        None => {
            let text = format!("unknown mail system error {code}");
            let reason = format!("Command died with status {code}: \"");
            let reason = [reason.as_bytes(), name, b"\"", &with_output(output)].concat();
            unix(Status::new("5.3.0"), reason, if output.is_empty() { text.as_bytes() } else { output })
        }
    }
}

fn verdict(text: &[u8], status: &str, code: i32, name: &[u8], output: &[u8]) -> Failed {
    let reason = [text, b": \"", name, b"\"", &with_output(output)].concat();
    let detail = sys_exits::detail(code).map_or("", |(_, text)| text).as_bytes();
    let status = Status::parse(status.as_bytes()).unwrap_or_default();
    unix(status, reason, if output.is_empty() { detail } else { output })
}

fn with_output(output: &[u8]) -> Vec<u8> {
    if output.is_empty() { Vec::new() } else { [b". Command output: ", output].concat() }
}

fn unix(status: Status, reason: Vec<u8>, diagnostic: &[u8]) -> Failed {
    Failed { dsn: Box::new(Dsn::new(status, reason).diagnostic("x-unix", diagnostic)), errno: None }
}

fn start(rights: &Rights, command: &Command) -> Result<(Child, Receiver), Failed> {
    let confinement = &command.confinement;
    let no_process = |error: &io::Error| {
        let reason = format!("Delivery failed: {}", sys::reason(error));
        let detail = sys_exits::detail(sys_exits::OSERR).map_or("", |(_, text)| text);
        unix(Status::new("4.3.0"), reason.into_bytes(), detail.as_bytes())
    };
    // What a child would say on its way to failing is what a report shows.
    let last_words = |text: String| {
        log::fatal!("{text}");
        let said = format!("{}: fatal: {text} ", program_name());
        exited(sys_exits::TEMPFAIL, &command.program.name(), said.as_bytes())
    };
    let mut starts = command.program.starts().into_iter().peekable();
    while let Some(way) = starts.next() {
        let error = match spawn(rights, command, &way) {
            Ok(started) => return Ok(started),
            Err(error) => error,
        };
        return Err(match confinement.explain(error) {
            StartError::Fork(error) => {
                log::warning!("fork: {}", sys::reason(&error));
                no_process(&error)
            }
            StartError::Confine(what, error) => last_words(format!("{what}: {}", sys::reason(&error))),
            StartError::Exec(error) => {
                let has_path = way.file.as_bytes().contains(&b'/');
                if error.kind() == io::ErrorKind::NotFound && !has_path && starts.peek().is_some() {
                    // Perhaps the shell knows it.
                    continue;
                }
                let file = way.file.to_string_lossy();
                last_words(format!("{} {file}: {}", way.call, sys::reason(&error)))
            }
        });
    }
    Err(last_words("no command".to_owned()))
}

fn spawn(rights: &Rights, command: &Command, way: &Start) -> io::Result<(Child, Receiver)> {
    let (output, end) = io::pipe()?;
    let mut child = std::process::Command::new(&way.file);
    child.args(&way.arguments).env_clear().envs(command.environment.iter().cloned());
    if let Some(name) = way.arg0 {
        child.arg0(name);
    }
    child.stdin(Stdio::piped()).stdout(end.try_clone()?).stderr(end);
    command.confinement.apply(rights, &mut child);
    let receiver = Receiver::from_owned_fd(OwnedFd::from(output))?;
    // With the builder goes our copy of the output's writing end.
    let child = tokio::process::Command::from(child).spawn()?;
    Ok((child, receiver))
}

struct Ended {
    fed: Fed,
    status: ExitStatus,
    output: Vec<u8>,
    is_late: bool,
}

async fn converse(
    rights: &Rights,
    command: &Command,
    child: &mut Child,
    output: Receiver,
    message: &Message<'_>,
) -> Ended {
    let limit = command.time_limit;
    let who = command.confinement.who;
    let stdin = child.stdin.take();
    let collected = RefCell::new(Vec::new());
    let mut drain = pin!(drain(output, &collected));
    let fed = {
        let mut feed = pin!(feed(stdin, message, limit));
        let mut is_drained = false;
        loop {
            tokio::select! {
                biased;
                fed = &mut feed => break (fed, is_drained),
                () = &mut drain, if !is_drained => is_drained = true,
            }
        }
    };
    let ((fed, open_end), is_drained) = fed;
    let mut is_late = matches!(fed, Fed::Late);
    if is_late {
        log::warning!("pipe_command_write: write time limit exceeded");
    }
    let is_stopped = is_late || matches!(fed, Fed::Content(_));
    if is_stopped {
        kill(rights, child, who);
    }
    drop(open_end);
    if !is_drained {
        let patience = if is_stopped { Duration::from_millis(100) } else { limit };
        if timeout(patience, &mut drain).await.is_err() && !is_stopped {
            log::warning!("pipe_command_read: read time limit exceeded");
            is_late = true;
            kill(rights, child, who);
        }
    }
    let patience = if is_late || is_stopped { Duration::from_secs(1) } else { limit };
    let status = match timeout(patience, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            if !is_late {
                log::warning!("pipe_command_wait_or_kill: child wait time limit exceeded");
                is_late = !is_stopped;
            }
            kill(rights, child, who);
            child.wait().await
        }
    };
    let status = status.unwrap_or_else(|error| {
        log::warning!("wait: {}", sys::reason(&error));
        ExitStatus::from_raw(sys_exits::TEMPFAIL << 8)
    });
    let output = clean(&collected.borrow());
    Ended { fed, status, output, is_late }
}

/// Writes the message. Unless all is written, the open end comes back: a command that is about to be killed must not take
/// the end of its input for the end of the message.
async fn feed(
    stdin: Option<ChildStdin>,
    message: &Message<'_>,
    limit: Duration,
) -> (Fed, Option<ChildStdin>) {
    let Some(mut stdin) = stdin else { return (Fed::Refused(io::ErrorKind::BrokenPipe.into()), None) };
    let mut chunks = match message.chunks() {
        Ok(chunks) => chunks,
        Err(error) => return (Fed::Content(error), Some(stdin)),
    };
    loop {
        let chunk = match chunks.next_chunk() {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return (Fed::All, None),
            Err(error) => return (Fed::Content(error), Some(stdin)),
        };
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            match timeout(limit, stdin.write(rest)).await {
                Ok(Ok(count)) => rest = rest.get(count..).unwrap_or_default(),
                Ok(Err(error)) => return (Fed::Refused(error), None),
                Err(_) => return (Fed::Late, Some(stdin)),
            }
        }
    }
}

async fn drain(mut output: Receiver, collected: &RefCell<Vec<u8>>) {
    let mut buffer = [0; OUTPUT_LIMIT];
    while let Ok(count) = output.read(&mut buffer).await {
        if count == 0 {
            return;
        }
        let mut collected = collected.borrow_mut();
        let room = OUTPUT_LIMIT - collected.len();
        collected.extend_from_slice(buffer.get(..count.min(room)).unwrap_or_default());
    }
}

fn kill(rights: &Rights, child: &Child, who: Identity) {
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
    kill_group(rights, pid, who);
}

/// Ends a program and all its children.
pub fn kill_group(rights: &Rights, pid: i32, who: Identity) {
    // As the user: a group whose id was taken by others meanwhile must be out of reach.
    let result = rights.act_as(who, || {
        sys::process::kill(-pid, libc::SIGKILL).or_else(|_| sys::process::kill(pid, libc::SIGKILL))
    });
    if let Ok(Err(error)) = result {
        log::warning!("cannot kill process (group) {pid}: {}", sys::reason(&error));
    }
}

fn clean(output: &[u8]) -> Vec<u8> {
    let blanks: Vec<u8> =
        output.iter().map(|&byte| if matches!(byte, b'\t' | b'\n') { b' ' } else { byte }).collect();
    bytes::printable(&blanks, b'_')
}

#[cfg(test)]
mod tests;
