//! The processes that master started.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::rc::Rc;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use ipc::master::{Share, Sharing};

use crate::service::{ClientTable, Service};

/// A running process.
#[derive(Debug)]
pub(crate) struct Child {
    /// The service it belongs to, by name and kind.
    pub(crate) service: Key,
    pub(crate) path: String,
    pub(crate) generation: u32,
    /// Whether it can take a client.
    pub(crate) is_available: bool,
    /// Whether it ever took one: a process that fails before it did is not worth starting again at once.
    pub(crate) was_used: bool,
    /// [`Service::id`] of its service.
    pub(crate) service_id: u64,
    /// The configuration that it was started under; see [`Children::epoch`].
    pub(crate) epoch: u64,
    slot: Option<(Rc<ClientTable>, usize)>,
    /// master has told it to end.
    pub(crate) dismissed: bool,
}

/// What tells services apart: the socket.
pub(crate) type Key = String;

/// What started processes have in common.
#[derive(Debug)]
pub(crate) struct Children {
    by_pid: HashMap<i32, Child>,
    flow: (OwnedFd, OwnedFd),
    environment: Vec<(String, String)>,
    generation: u32,
    /// Grows with each configuration; reports of an earlier one count no more.
    pub(crate) epoch: u64,
}

impl Children {
    pub(crate) fn new(environment: Vec<(String, String)>) -> io::Result<Self> {
        use nix::fcntl::OFlag;
        let flow = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { by_pid: HashMap::new(), flow, environment, generation: 0, epoch: 0 })
    }

    /// Starts a process for a service.
    pub(crate) fn spawn(&mut self, key: &str, service: &Service) -> io::Result<()> {
        self.generation += 1;
        let plan = &service.plan;
        let mut command = Command::new(&plan.path);
        let (name, arguments) = plan.arguments.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        command.arg0(name).args(arguments);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env(ipc::master::GENERATION, format!("{:o}", self.generation));
        let mut descriptors = sys::process::Descriptors::default();
        descriptors.give(self.flow.0.as_fd(), ipc::master::FLOW_READ);
        descriptors.give(self.flow.1.as_fd(), ipc::master::FLOW_WRITE);
        descriptors.give(service.status.writer.as_fd(), ipc::master::STATUS);
        for (number, socket) in (0..).zip(&service.sockets) {
            descriptors.give(socket.as_fd(), ipc::master::LISTEN + number);
        }
        let mut slot = None;
        if plan.sharing != Sharing::Processes {
            let number = service.table.take().ok_or_else(|| io::Error::other("too many processes"))?;
            let descriptor = ipc::master::LISTEN + service.sockets.len() as i32;
            let share = Share { descriptor, slot: number, limit: plan.client_limit };
            command.env(ipc::master::SHARE, share.encode());
            descriptors.give(service.table.memory(), descriptor);
            slot = Some((Rc::clone(&service.table), number));
        }
        descriptors.apply(&mut command);
        // Ours are blocked, to be read from a descriptor.
        sys::process::unblock_signals(&mut command);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                free(slot);
                return Err(error);
            }
        };
        let child_entry = Child {
            service: key.to_owned(),
            path: plan.path.clone(),
            generation: self.generation,
            is_available: true,
            was_used: false,
            service_id: service.id,
            epoch: self.epoch,
            slot,
            dismissed: false,
        };
        log::debug!("spawn command {}; pid {}", plan.path, child.id());
        self.by_pid.insert(child.id() as i32, child_entry);
        Ok(())
    }

    /// The process that a report came from, if it is still what it was.
    pub(crate) fn reporter(&mut self, report: &ipc::master::Status) -> Option<&mut Child> {
        let epoch = self.epoch;
        self.by_pid
            .get_mut(&report.pid)
            .filter(|child| child.generation == report.generation && child.epoch == epoch)
    }

    /// The next process that has ended, with the way it ended.
    pub(crate) fn reap(&mut self) -> Option<(i32, Option<Child>, WaitStatus)> {
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => None,
            Ok(status) => {
                let pid = status.pid()?.as_raw();
                let mut child = self.by_pid.remove(&pid);
                // The dead have no clients.
                free(child.as_mut().and_then(|child| child.slot.take()));
                Some((pid, child, status))
            }
        }
    }

    /// Ends all processes of a service that is no more.
    pub(crate) fn dismiss(&mut self, key: &str) {
        for (pid, child) in self.by_pid.iter_mut().filter(|(_, child)| child.service == key) {
            child.dismissed = true;
            if let Err(error) = sys::process::kill(*pid, nix::libc::SIGTERM) {
                log::debug!("kill {pid}: {error}");
            }
        }
    }

    /// All of them.
    pub(crate) fn pids(&self) -> impl Iterator<Item = i32> {
        self.by_pid.keys().copied()
    }

    /// Replaces the environment that processes start with.
    pub(crate) fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.environment = environment;
    }
}

fn free(slot: Option<(Rc<ClientTable>, usize)>) {
    if let Some((table, number)) = slot {
        table.free(number);
    }
}
