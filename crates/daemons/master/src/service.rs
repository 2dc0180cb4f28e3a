//! A service's state, and the rule that says when it needs another process.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ipc::master::{Share, Sharing};

use crate::plan::Plan;

/// How long a warning about too many clients is good for.
const BUSY_WARNING: Duration = Duration::from_secs(1000);

/// A service that master runs.
#[derive(Debug)]
pub(crate) struct Service {
    /// Tells services apart that followed each other under the same name.
    pub(crate) id: u64,
    pub(crate) plan: Plan,
    pub(crate) sockets: Vec<OwnedFd>,
    /// Processes report through this pipe. It is replaced when the configuration changes, which tells them to go.
    pub(crate) status: StatusPipe,
    /// Where the processes count their clients, those of earlier configurations too.
    pub(crate) table: Rc<ClientTable>,
    /// Processes of the present configuration.
    pub(crate) processes: usize,
    /// Those of them that can take a client.
    pub(crate) available: usize,
    /// Processes of earlier configurations that finish what they are at.
    pub(crate) leaving: usize,
    throttled_until: Option<Instant>,
    /// When to wake it up next, if at all.
    pub(crate) wake_at: Option<Instant>,
    next_busy_warning: Option<Instant>,
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

/// The table of [`Share`], and who has which slot.
#[derive(Debug)]
pub(crate) struct ClientTable {
    memory: File,
    taken: RefCell<Vec<bool>>,
}

impl ClientTable {
    fn new() -> io::Result<Self> {
        let mut taken = vec![false; Share::WORDS];
        // The first word is not a slot.
        if let Some(first) = taken.first_mut() {
            *first = true;
        }
        Ok(Self { memory: sys::shared::create(Share::WORDS)?.into(), taken: RefCell::new(taken) })
    }

    pub(crate) fn memory(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    /// A slot for a new process, if one is left.
    pub(crate) fn take(&self) -> Option<usize> {
        let mut taken = self.taken.borrow_mut();
        let slot = taken.iter().position(|taken| !taken)?;
        *taken.get_mut(slot)? = true;
        Some(slot)
    }

    /// Clears the slot of a process that is no more.
    pub(crate) fn free(&self, slot: usize) {
        let cleared = self.memory.write_all_at(&0u32.to_ne_bytes(), (slot * size_of::<u32>()) as u64);
        if let Err(error) = cleared {
            log::warning!("clear client table: {error}");
        }
        if let Some(taken) = self.taken.borrow_mut().get_mut(slot) {
            *taken = false;
        }
    }

    /// How many clients all processes have.
    fn clients(&self) -> usize {
        let mut words = vec![0; Share::WORDS * size_of::<u32>()];
        if self.memory.read_exact_at(&mut words, 0).is_err() {
            return 0;
        }
        let (words, _) = words.as_chunks::<4>();
        words.iter().skip(1).map(|word| Share::clients(u32::from_ne_bytes(*word))).sum()
    }
}

impl Service {
    pub(crate) fn new(id: u64, plan: Plan, sockets: Vec<OwnedFd>, now: Instant) -> io::Result<Self> {
        let wake_at = (plan.wakeup > 0 && plan.wakeup_always).then_some(now);
        Ok(Self {
            id,
            plan,
            sockets,
            status: StatusPipe::new()?,
            table: Rc::new(ClientTable::new()?),
            processes: 0,
            available: 0,
            leaving: 0,
            throttled_until: None,
            wake_at,
            next_busy_warning: None,
        })
    }

    /// Whether a client that arrives should get a new process: none is free, and there may be more.
    pub(crate) fn wants_clients(&self) -> bool {
        // Where a process is a client's, one that is leaving still has one.
        let leaving = if self.plan.sharing == Sharing::Processes { self.leaving } else { 0 };
        let has_room = self.plan.process_limit.is_none_or(|limit| self.processes + leaving < limit);
        has_room && self.available == 0 && self.throttled_until.is_none()
    }

    /// Warns once in a while when clients of a service that is open to the network have to wait.
    pub(crate) fn warn_if_full(&mut self, now: Instant) {
        let Some(limit) = self.plan.client_limit.filter(|_| self.plan.is_stressable) else { return };
        let is_due = self.next_busy_warning.is_none_or(|at| at <= now);
        if !is_due || self.table.clients() < limit {
            return;
        }
        self.next_busy_warning = Some(now + BUSY_WARNING);
        log::warning!(
            "service \"{}\" ({}) has reached its process limit \"{limit}\": new clients may experience noticeable delays",
            self.plan.name,
            self.plan.identity
        );
        log::warning!(
            "to avoid this condition, increase the process count in master.cf or reduce the service time per client"
        );
        log::warning!(
            "see https://www.postfix.org/STRESS_README.html for examples of stress-adapting configuration settings"
        );
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

    /// Processes that wait for clients end, others when they have finished.
    pub(crate) fn tell_processes_to_go(&mut self) -> io::Result<()> {
        self.status = StatusPipe::new()?;
        self.leaving += self.processes;
        (self.processes, self.available) = (0, 0);
        Ok(())
    }

    /// Takes on the plan of a changed configuration, when the processes of the old one have been told to go. A service
    /// that is woken is woken now: what they had at hand waits for new ones.
    pub(crate) fn renew(&mut self, plan: Plan, now: Instant) {
        self.wake_at = (plan.wakeup > 0 && plan.wakeup_always).then_some(now);
        self.plan = plan;
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
            identity: "private/smtp".into(),
            sharing: Sharing::Processes,
            process_limit: limit,
            client_limit: None,
            is_stressable: false,
            wakeup: 60,
            wakeup_always: false,
            backlog: 1,
        };
        Service::new(1, plan, Vec::new(), Instant::now()).unwrap()
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
    fn who_is_leaving_still_has_a_client() {
        let now = Instant::now();
        let mut service = service(Some(1));
        service.started(now);
        service.tell_processes_to_go().unwrap();
        assert!(!service.wants_clients());
        service.leaving -= 1;
        assert!(service.wants_clients());
    }

    #[test]
    fn slots_are_used_again_when_cleared() {
        let table = ClientTable::new().unwrap();
        let counters = sys::shared::Counters::map(table.memory()).unwrap();
        let (one, two) = (table.take().unwrap(), table.take().unwrap());
        assert_eq!((one, two), (1, 2));
        counters.words()[one].store(Share::ACCEPTS | 5, std::sync::atomic::Ordering::SeqCst);
        counters.words()[two].store(7, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(table.clients(), 12);
        table.free(one);
        assert_eq!((table.clients(), table.take()), (7, Some(1)));
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
