//! `|command` as a recipient, and `mailbox_command`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use delivery::Verdict;
use dsn::Status;
use ipc::deliver::Request;
use mailbox::command::{self, Command, Program};
use mailbox::{Confinement, Failed, Failure};
use message::copy::CopyFlags;

use crate::config::delivered_header;
use crate::delivery::Delivery;
use crate::state::{State, UserRights};

impl Delivery<'_> {
    /// Delivers to a command.
    pub(crate) async fn command(&self, state: State, rights: &UserRights, command: &[u8]) -> Verdict {
        let state = state.deeper();
        state.log("deliver_command");
        let uid = rights.uid.to_string();
        if self.been_here(&[b"command ", &state.user, b":", uid.as_bytes(), b" ", command]) {
            return Verdict::Done;
        }
        if self.is_trace_only() {
            return self.sent(&state, [b"delivers to command: ", command].concat()).await;
        }
        match self.run_command(&state, rights, command).await {
            Ok(()) => self.sent(&state, [b"delivered to command: ", command].concat()).await,
            Err(Failure::Failed(failed)) => self.failed_to_owner(state, *failed.dsn).await,
            Err(Failure::Corrupt) => self.corrupt(),
        }
    }

    async fn run_command(&self, state: &State, rights: &UserRights, line: &[u8]) -> Result<(), Failure> {
        let params = &self.config.params;
        let confinement = Confinement {
            directory: self.execution_directory(state, rights)?,
            ..Confinement::to(rights.identity_or(self.config.default))
        };
        let mut environment = mailbox::exported(&self.config.export).map_err(|error| {
            log::warning!("{error}");
            misconfigured()
        })?;
        let allowed = params.command_expansion_filter.as_bytes();
        environment.extend(variables(state, rights, &self.job.request).into_iter().map(|(name, value)| {
            // Nothing that means something to a shell.
            (name.into(), OsString::from_vec(bytes::keep_safe(&value, allowed)))
        }));
        let command = Command {
            program: Program::Line { command: line.to_vec(), shell: params.local_command_shell.clone() },
            confinement,
            environment,
            time_limit: params.command_time_limit,
        };
        let mut flags = CopyFlags::FROM | CopyFlags::RETURN_PATH | CopyFlags::ORIGINAL_RECIPIENT;
        if self.config.headers & delivered_header::COMMAND != 0 {
            flags |= CopyFlags::DELIVERED;
        }
        command::run(&self.config.rights, &command, &self.message(state, flags)).await.map(drop)
    }

    fn execution_directory(&self, state: &State, rights: &UserRights) -> Result<Option<PathBuf>, Failed> {
        let params = &self.config.params;
        let pattern = &params.command_execution_directory;
        let filter = Some(params.execution_directory_expansion_filter.as_str());
        let expanded = self.expand(pattern, state, rights, filter);
        if expanded.failed {
            log::warning!("bad parameter value syntax for command_execution_directory: {pattern}");
            return Err(misconfigured());
        }
        Ok((!expanded.text.is_empty()).then(|| OsStr::from_bytes(&expanded.text).into()))
    }
}

fn misconfigured() -> Failed {
    Failed::new(Status::new("4.3.5"), "mail system configuration error")
}

/// What a command learns about the message besides its text.
fn variables(state: &State, rights: &UserRights, request: &Request) -> Vec<(&'static str, Vec<u8>)> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.as_os_str().as_bytes().to_vec());
    let some = |text: &[u8]| (!text.is_empty()).then(|| text.to_vec());
    let client = &request.client;
    [
        ("HOME", path(&rights.home)),
        ("LOGNAME", Some(state.user.clone())),
        ("USER", Some(state.user.clone())),
        ("SENDER", Some(state.sender.clone())),
        ("RECIPIENT", Some(state.recipient.address.clone())),
        ("LOCAL", Some(state.local.clone())),
        ("SHELL", path(&rights.shell)),
        ("DOMAIN", state.domain.clone()),
        ("EXTENSION", state.extension.clone()),
        ("ORIGINAL_RECIPIENT", some(&state.recipient.original)),
        ("ENVID", some(&request.dsn_envid)),
        ("CLIENT_HOSTNAME", some(&client.name)),
        ("CLIENT_ADDRESS", some(&client.address)),
        ("CLIENT_HELO", some(&client.helo)),
        ("CLIENT_PROTOCOL", some(&client.protocol)),
        ("SASL_METHOD", some(&client.sasl_method)),
        ("SASL_SENDER", some(&client.sasl_sender)),
        ("SASL_USERNAME", some(&client.sasl_username)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_learn() {
        let state = State {
            user: b"bob".to_vec(),
            local: b"bob+x".to_vec(),
            extension: Some(b"x".to_vec()),
            ..State::default()
        };
        let rights = UserRights { home: Some("/home/bob".into()), ..UserRights::default() };
        let found = variables(&state, &rights, &Request::default());
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["HOME", "LOGNAME", "USER", "SENDER", "RECIPIENT", "LOCAL", "EXTENSION"]);
    }
}
