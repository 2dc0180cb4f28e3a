//! A service's state, and the rule that says when it needs another process.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::plan::Plan;

/// A service that master runs.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) plan: Plan,
    pub(crate) sockets: Vec<OwnedFd>,
    /// Processes report through this pipe. It is replaced when the configuration changes, which tells them to go.
    pub(crate) status: StatusPipe,
    /// Processes of the present configuration.
    pub(crate) processes: usize,
    /// Those of them that can take a client.
    pub(crate) available: usize,
    throttled_until: Option<Instant>,
    /// When to wake it up next, if at all.
    pub(crate) wake_at: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct StatusPipe {
    pub(crate) reader: File,
    pub(crate) writer: OwnedFd,
}

impl StatusPipe {
    pub(crate) fn new() -> io::Result<Self> {
        use nix::fcntl::OFlag;
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { reader: reader.into(), writer })
    }
}

impl Service {
    pub(crate) fn new(plan: Plan, sockets: Vec<OwnedFd>, now: Instant) -> io::Result<Self> {
        let wake_at = (plan.wakeup > 0 && plan.wakeup_always).then_some(now);
        let status = StatusPipe::new()?;
        Ok(Self { plan, sockets, status, processes: 0, available: 0, throttled_until: None, wake_at })
    }

    /// Whether a client that arrives should get a new process: none is free, and there may be more.
    pub(crate) fn wants_clients(&self) -> bool {
        let has_room = self.plan.process_limit.is_none_or(|limit| self.processes < limit);
        has_room && self.available == 0 && self.throttled_until.is_none()
    }

    /// Stops process creation for a while.
    pub(crate) fn throttle(&mut self, now: Instant, delay: Duration) {
        if self.throttled_until.is_none() {
            self.throttled_until = Some(now + delay);
        }
    }

    pub(crate) fn is_throttled(&self) -> bool {
        self.throttled_until.is_some()
    }

    /// Ends a throttle whose time has come.
    pub(crate) fn release(&mut self, now: Instant) {
        if self.throttled_until.is_some_and(|until| until <= now) {
            self.throttled_until = None;
        }
    }

    /// Takes note of a new process. A service that is woken only when in use begins to be.
    pub(crate) fn started(&mut self, now: Instant) {
        self.processes += 1;
        self.available += 1;
        if self.plan.wakeup > 0 && self.wake_at.is_none() {
            self.wake_at = Some(now + Duration::from_secs(self.plan.wakeup.into()));
        }
    }

    /// The next moment at which time alone changes something.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.throttled_until, self.wake_at].into_iter().flatten().min()
    }

    /// Takes on the plan of a changed configuration. Processes of the old one are told to go and no longer counted.
    pub(crate) fn renew(&mut self, plan: Plan, now: Instant) -> io::Result<()> {
        self.status = StatusPipe::new()?;
        (self.processes, self.available) = (0, 0);
        self.throttled_until = None;
        self.wake_at = match self.wake_at {
            _ if plan.wakeup == 0 => None,
            Some(at) => Some(at.min(now + Duration::from_secs(plan.wakeup.into()))),
            None => plan.wakeup_always.then_some(now),
        };
        self.plan = plan;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Endpoint;
    use conf::master::Kind;

    fn service(limit: Option<usize>) -> Service {
        let plan = Plan {
            name: "smtp".into(),
            kind: Kind::Unix,
            endpoint: Endpoint::Path("private/smtp".into()),
            path: String::new(),
            arguments: Vec::new(),
            process_limit: limit,
            client_limit: None,
            wakeup: 60,
            wakeup_always: false,
            backlog: 1,
        };
        Service::new(plan, Vec::new(), Instant::now()).unwrap()
    }

    #[test]
    fn a_process_is_wanted_when_none_is_free_and_the_limit_allows() {
        let now = Instant::now();
        let mut service = service(Some(2));
        assert!(service.wants_clients());
        service.started(now);
        assert!(!service.wants_clients());
        service.available = 0;
        assert!(service.wants_clients());
        service.started(now);
        service.available = 0;
        assert!(!service.wants_clients());
    }

    #[test]
    fn a_throttle_ends_by_itself() {
        let now = Instant::now();
        let mut service = service(None);
        service.throttle(now, Duration::from_secs(60));
        assert!(!service.wants_clients());
        service.release(now + Duration::from_secs(59));
        assert!(service.is_throttled());
        service.release(now + Duration::from_secs(60));
        assert!(service.wants_clients());
    }

    #[test]
    fn wakeup_begins_with_the_first_process() {
        let now = Instant::now();
        let mut service = service(None);
        assert_eq!(service.deadline(), None);
        service.started(now);
        assert_eq!(service.deadline(), Some(now + Duration::from_secs(60)));
    }
}
