//! spawn(8) - runs a command for each client, with the connection as its standard input, output and error output.
//!
//! `user=` and `argv=` in master.cf say whose command it is. Policy servers and filters are run this way. The command has
//! its user's rights, which are never root's nor the mail system's own, a clean environment and a time limit,
//! `SERVICE_time_limit`; all its children end with it when that is over.
//!
//! It trusts master.cf. What the client and the command say to each other is between them.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use daemon::{Clients, Connection, Control, Fatal, Service, Startup};
use mailbox::command::kill_group;
use mailbox::{Confinement, Identity, Rights, StartError, find_group, find_user};

conf::param_set! {
    /// What spawn(8) reads.
    pub struct SpawnParams { command_time_limit, mail_owner }
}

/// A service that runs a command.
pub struct Spawn {
    attributes: Attributes,
    time_limit: Duration,
    export: Vec<String>,
    rights: Rights,
}

impl Service for Spawn {
    const PROGRAM: &'static str = "spawn";
    const CLIENTS: Clients = Clients::OneByOne;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let main = &startup.main;
        let params = SpawnParams::load(main)?;
        let rights = Rights::load(main)?;
        let owner = find_user(params.mail_owner.as_bytes()).ok().flatten();
        // A private instance of an ordinary user has one identity for everything.
        let owner = owner.map(|owner| Identity::of(&owner)).filter(|_| rights.is_root());
        let (service, limit) = (&startup.options.service, params.command_time_limit);
        Ok(Self {
            attributes: Attributes::parse(&startup.options.arguments, owner).map_err(Fatal::new)?,
            time_limit: conf::transport_time(main, service, "_time_limit", limit, b's', Some(1))?,
            export: conf::environment::export_list(main)?,
            rights,
        })
    }

    async fn begin(self: &Rc<Self>, _control: &Control) -> Result<(), Fatal> {
        self.rights.enter();
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let client = match connection {
            Connection::Unix(socket) => Ok(OwnedFd::from(socket)),
            Connection::Tcp(socket, _) => socket.into_std().map(OwnedFd::from),
            _ => return,
        };
        let client = client.and_then(|client| {
            // Commands expect reads and writes to wait.
            sys::descriptor::set_blocking(std::os::fd::AsFd::as_fd(&client))?;
            Ok(client)
        });
        match client {
            Ok(client) => self.run(client).await,
            Err(error) => log::warning!("client: {}", sys::reason(&error)),
        }
    }
}

impl Spawn {
    async fn run(&self, client: OwnedFd) {
        let Attributes { argv, who } = &self.attributes;
        let name = argv.first().map(|name| name.to_string_lossy()).unwrap_or_default();
        if let Err(refusal) = self.rights.permit(*who) {
            return log::warning!("command {name}: {refusal}");
        }
        let mut child = match self.start(client) {
            Ok(child) => child,
            Err(error) => {
                match error {
                    StartError::Fork(error) => log::fatal!("fork: {}", sys::reason(&error)),
                    StartError::Confine(what, error) => log::fatal!("{what}: {}", sys::reason(&error)),
                    StartError::Exec(error) => {
                        log::fatal!("spawn_comand: execvp {name}: {}", sys::reason(&error));
                    }
                }
                return log::warning!("command {name} exit status 1");
            }
        };
        let status = match tokio::time::timeout(self.time_limit, child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                let id = child.id().unwrap_or_default();
                log::warning!("{name}: process id {id}: command time limit exceeded");
                if let Some(pid) = i32::try_from(id).ok().filter(|&pid| pid > 0) {
                    kill_group(&self.rights, pid, *who);
                }
                child.wait().await
            }
        };
        match status {
            Ok(status) => report(&name, status),
            Err(error) => log::warning!("wait: {}", sys::reason(&error)),
        }
    }

    fn start(&self, client: OwnedFd) -> Result<tokio::process::Child, StartError> {
        let confinement = Confinement::to(self.attributes.who);
        let [program, arguments @ ..] = self.attributes.argv.as_slice() else {
            return Err(StartError::Exec(std::io::ErrorKind::NotFound.into()));
        };
        let environment = mailbox::exported(&self.export).unwrap_or_else(|error| {
            log::warning!("{error}");
            Vec::new()
        });
        let twice = || client.try_clone().map_err(StartError::Fork);
        let mut command = std::process::Command::new(program);
        command.args(arguments).env_clear().envs(environment);
        command.stdin(twice()?).stdout(twice()?).stderr(Stdio::from(twice()?));
        confinement.apply(&self.rights, &mut command);
        // The connection is the child's alone from here on: it ends when the child closes it.
        drop(client);
        tokio::process::Command::from(command).spawn().map_err(|error| confinement.explain(error))
    }
}

fn report(name: &str, status: ExitStatus) {
    if let Some(code) = status.code().filter(|&code| code != 0) {
        log::warning!("command {name} exit status {code}");
    }
    if let Some(signal) = status.signal() {
        log::warning!("command {name} killed by signal {signal}");
    }
}

/// The service's arguments in master.cf.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attributes {
    argv: Vec<OsString>,
    who: Identity,
}

impl Attributes {
    fn parse(arguments: &[String], owner: Option<Identity>) -> Result<Self, String> {
        let (mut user, mut argv) = (None, Vec::new());
        let mut rest = arguments;
        while let [argument, tail @ ..] = rest {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            match name.to_ascii_lowercase().as_str() {
                "user" if argument.contains('=') => user = Some(identity(value)?),
                "argv" if argument.contains('=') => {
                    argv = std::iter::once(value)
                        .chain(tail.iter().map(String::as_str))
                        .map(Into::into)
                        .collect();
                    break;
                }
                _ => return Err(format!("unknown attribute name: {argument}")),
            }
            rest = tail;
        }
        let who = user.ok_or("missing user= attribute")?;
        if argv.is_empty() {
            return Err("missing argv= attribute".to_owned());
        }
        forbid(who, owner)?;
        Ok(Self { argv, who })
    }
}

fn forbid(who: Identity, owner: Option<Identity>) -> Result<(), String> {
    let Identity { uid, gid } = who;
    if uid == 0 {
        return Err("request to deliver as root".to_owned());
    }
    if owner.is_some_and(|owner| owner.uid == uid) {
        return Err("request to deliver as mail system owner".to_owned());
    }
    if gid == 0 {
        return Err(format!("request to use privileged group id {gid}"));
    }
    if owner.is_some_and(|owner| owner.gid == gid) {
        return Err(format!("request to use mail system owner group id {gid}"));
    }
    if uid == u32::MAX {
        return Err("user must not have user ID -1".to_owned());
    }
    if gid == u32::MAX {
        return Err("user must not have group ID -1".to_owned());
    }
    Ok(())
}

/// `user` or `user:group`.
fn identity(text: &str) -> Result<Identity, String> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let found = find_user(user.as_bytes()).ok().flatten();
    let who = Identity::of(&found.ok_or_else(|| format!("unknown user name: {user}"))?);
    if group.is_empty() {
        return Ok(who);
    }
    let gid = find_group(group.as_bytes()).ok().flatten();
    Ok(Identity { gid: gid.ok_or_else(|| format!("unknown group name: {group}"))?, ..who })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str, owner: Option<Identity>) -> Result<Attributes, String> {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Attributes::parse(&arguments, owner)
    }

    #[test]
    fn arguments() {
        let parsed = parse("user=daemon argv=/usr/bin/policy -v user=x", None).unwrap();
        assert_eq!(parsed.argv, ["/usr/bin/policy", "-v", "user=x"]);
        let owner = Some(parsed.who);
        for (line, text) in [
            ("argv=x", "missing user= attribute"),
            ("user=daemon", "missing argv= attribute"),
            ("user=root argv=x", "request to deliver as root"),
            ("user=daemon argv=x", "request to deliver as mail system owner"),
            ("user=nobody:root argv=x", "request to use privileged group id 0"),
            ("user=no-such argv=x", "unknown user name: no-such"),
            ("user=nobody:no-such argv=x", "unknown group name: no-such"),
            ("flags=x", "unknown attribute name: flags=x"),
            ("user", "unknown attribute name: user"),
        ] {
            assert_eq!(parse(line, owner).unwrap_err(), text);
        }
    }
}
