//! The loop: clients, reports, signals and time.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use conf::MainCf;
use conf::master::{Kind, MasterCf};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::WaitStatus;
use sys::watchdog::Watchdog;

use crate::children::{Child, Children, Key};
use crate::instance::Instance;
use crate::options::{Options, Ready};
use crate::plan::{Plan, Surroundings};
use crate::service::Service;
use crate::{Fatal, MasterParams, listen, plan, wakeup};

/// How long one turn of the loop may take.
const WATCHDOG_TIME: Duration = Duration::from_secs(1000);

/// The longest sleep between two turns, in milliseconds; the watchdog must hear from us.
const LONGEST_WAIT: u128 = 200_000;

pub(crate) fn run(
    options: Options,
    params: MasterParams,
    main: MainCf,
    instance: Instance,
    ready: &mut Ready,
) -> Result<ExitCode, Fatal> {
    let signals = signals()?;
    start_logging(&params)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut supervisor = Supervisor {
        children: Children::new(environment(&main)?)?,
        services: BTreeMap::new(),
        last_service: 0,
        surroundings: Surroundings { cores, debug: options.attached.then_some("-d") },
        fixed: Fixed::of(&main, &params),
        params,
        ends_at: options.exit_after.map(|after| Instant::now() + after),
        init: options.init,
        _instance: instance,
    };
    supervisor.configure(&main)?;
    log::info!(
        "daemon started -- version {}, configuration {}",
        supervisor.params.mail_version,
        main.path().display()
    );
    if sys::identity::effective_uid() != 0 {
        log::info!("not started by root: all services run as user {}", sys::identity::effective_uid());
    }
    ready.announce();
    let watchdog = Watchdog::start(WATCHDOG_TIME, || log::fatal!("watchdog timeout"))?;
    supervisor.turn(&signals, &watchdog)
}

struct Supervisor {
    params: MasterParams,
    services: BTreeMap<Key, Service>,
    children: Children,
    last_service: u64,
    surroundings: Surroundings,
    fixed: Fixed,
    ends_at: Option<Instant>,
    init: bool,
    _instance: Instance,
}

/// What a descriptor that poll found ready stands for.
enum Source {
    Signals,
    Status(Key),
    Clients(Key),
}

impl Supervisor {
    fn turn(&mut self, signals: &SignalFd, watchdog: &Watchdog) -> Result<ExitCode, Fatal> {
        loop {
            watchdog.pat();
            let ready = self.wait(signals)?;
            let now = Instant::now();
            if self.ends_at.is_some_and(|end| end <= now) {
                log::info!("master exit time has arrived");
                return Ok(ExitCode::SUCCESS);
            }
            for source in ready {
                match source {
                    Source::Signals => {
                        self.signalled(signals)?;
                    }
                    Source::Status(key) => self.reports(&key),
                    Source::Clients(key) => self.client(&key, now),
                }
            }
            self.tick(now);
        }
    }

    fn wait(&self, signals: &SignalFd) -> Result<Vec<Source>, Fatal> {
        let mut sources = vec![Source::Signals];
        let mut polled = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        for (key, service) in &self.services {
            sources.push(Source::Status(key.clone()));
            polled.push(PollFd::new(service.status.reader.as_fd(), PollFlags::POLLIN));
            if service.wants_clients() {
                for socket in &service.sockets {
                    sources.push(Source::Clients(key.clone()));
                    polled.push(PollFd::new(socket.as_fd(), PollFlags::POLLIN));
                }
            }
        }
        let deadline = self.services.values().filter_map(Service::deadline).chain(self.ends_at).min();
        let timeout = match deadline {
            // Rounded up: a deadline must have passed when we look.
            Some(at) => {
                at.saturating_duration_since(Instant::now()).as_millis().saturating_add(1).min(LONGEST_WAIT)
            }
            None => LONGEST_WAIT,
        };
        let timeout = PollTimeout::try_from(timeout as i32).unwrap_or(PollTimeout::NONE);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(Fatal(format!("event_loop: poll: {}", error.desc()))),
        }
        let is_ready = |polled: &PollFd<'_>| polled.revents().is_some_and(|events| !events.is_empty());
        let ready: Vec<bool> = polled.iter().map(is_ready).collect();
        drop(polled);
        Ok(sources.into_iter().zip(ready).filter(|(_, ready)| *ready).map(|(source, _)| source).collect())
    }

    fn client(&mut self, key: &str, now: Instant) {
        let Some(service) = self.services.get_mut(key) else { return };
        // Another socket of the same service may have got it a process a moment ago.
        if !service.wants_clients() {
            return;
        }
        match self.children.spawn(key, service) {
            Ok(()) => service.started(now),
            Err(error) => {
                let path = &service.plan.path;
                let reason = sys::reason(&error);
                match error.raw_os_error().map(nix::errno::Errno::from_raw) {
                    None => log::warning!("master_spawn: {path}: {reason} -- throttling"),
                    Some(nix::errno::Errno::EAGAIN | nix::errno::Errno::ENOMEM) => {
                        log::warning!("master_spawn: fork: {reason} -- throttling");
                    }
                    Some(_) => {
                        // COMPAT: what Postfix's child says that could not become the program. The line about its
                        // exit status cannot follow: there is no such process here.
                        log::fatal!("master_spawn: exec {path}: {reason}");
                        log::warning!("{path}: bad command startup -- throttling");
                    }
                }
                service.throttle(now, self.params.service_throttle_time);
            }
        }
    }

    fn reports(&mut self, key: &str) {
        let Some(service) = self.services.get_mut(key) else { return };
        let mut buffer = [0; ipc::master::Status::LENGTH];
        loop {
            match (&service.status.reader).read(&mut buffer) {
                Ok(length) if length == buffer.len() => {}
                Ok(0) => return,
                Ok(length) => {
                    log::warning!(
                        "service {}({}): child sent partial status update ({length} bytes)",
                        service.plan.name,
                        service.plan.identity
                    );
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return service.warn_if_full(Instant::now());
                }
                Err(error) => return log::warning!("service {}: read status: {error}", service.plan.name),
            }
            let Some(report) = ipc::master::Status::decode(&buffer) else {
                log::warning!("service {}: malformed status report", service.plan.name);
                continue;
            };
            let Some(child) = self.children.reporter(&report) else { continue };
            // A process that is busy may yet show that it is not up to its work.
            child.was_used |= report.available;
            match (child.is_available, report.available) {
                (true, false) => service.available -= 1,
                (false, true) => service.available += 1,
                _ => {}
            }
            child.is_available = report.available;
        }
    }

    fn signalled(&mut self, signals: &SignalFd) -> Result<(), Fatal> {
        let mut reload = false;
        while let Ok(Some(signal)) = signals.read_signal() {
            match Signal::try_from(signal.ssi_signo as i32) {
                Ok(Signal::SIGCHLD) => {}
                Ok(Signal::SIGHUP) => reload = true,
                Ok(ending) => self.end(ending),
                Err(_) => {}
            }
        }
        self.reap();
        if reload {
            self.reload()?;
        }
        Ok(())
    }

    // The whole group gets the signal, us included; by then it is blocked here. The group of process 1 is everything
    // in its container. At a terminal the group is not ours, and our processes are told one by one.
    fn end(&self, signal: Signal) -> ! {
        let own = std::process::id() as i32;
        // postlogd will not write our last line: it is told to go as well.
        if let Err(Fatal(why)) = start_logging_alone(&self.params) {
            log::warning!("{why}");
        }
        if sys::process::kill(-own, nix::libc::SIGTERM).is_err() {
            for pid in self.children.pids() {
                if let Err(error) = sys::process::kill(pid, nix::libc::SIGTERM) {
                    log::debug!("kill {pid}: {error}");
                }
            }
        }
        log::info!("terminating on signal {}", signal as i32);
        if !self.init {
            // Whoever waits for us shall know what ended us. Our own SIGTERM may be there first.
            sys::process::default_signal(signal as i32);
            let mut set = SigSet::empty();
            set.add(signal);
            if let Err(error) =
                sys::process::kill(own, signal as i32).and_then(|()| Ok(set.thread_unblock()?))
            {
                log::warning!("kill myself: {error}");
            }
        }
        std::process::exit(0)
    }

    fn reap(&mut self) {
        while let Some((pid, child, status)) = self.children.reap() {
            match child {
                Some(child) => self.bury(pid, &child, status),
                // Process 1 inherits strangers' children.
                None if self.init => {}
                None => log::warning!("unknown process {pid} ended"),
            }
        }
    }

    fn bury(&mut self, pid: i32, child: &Child, status: WaitStatus) {
        let failed = match status {
            WaitStatus::Exited(_, 0) => false,
            WaitStatus::Exited(_, code) => {
                log::warning!("process {} pid {pid} exit status {code}", child.path);
                true
            }
            WaitStatus::Signaled(_, signal, _) => {
                if !(child.dismissed && signal == Signal::SIGTERM) {
                    log::warning!("process {} pid {pid} killed by signal {}", child.path, signal as i32);
                }
                true
            }
            _ => false,
        };
        let Some(service) = self.services.get_mut(&child.service) else { return };
        if service.id != child.service_id {
            return;
        }
        if child.epoch != self.children.epoch {
            service.leaving -= 1;
            if service.leaving == 0 && service.processes == 0 && service.plan.wakeup_always {
                // It may have taken a trigger with it, the one of the reload too.
                service.wake_at = Some(Instant::now());
            }
            return;
        }
        service.processes -= 1;
        if child.is_available {
            service.available -= 1;
        }
        if failed && !child.was_used && !service.is_throttled() {
            log::warning!("{}: bad command startup -- throttling", child.path);
            service.throttle(Instant::now(), self.params.service_throttle_time);
        }
    }

    fn tick(&mut self, now: Instant) {
        for service in self.services.values_mut() {
            service.release(now);
            if service.wake_at.is_none_or(|at| at > now) {
                continue;
            }
            service.wake_at = Some(now + Duration::from_secs(service.plan.wakeup.max(1).into()));
            if service.is_throttled() {
                continue;
            }
            if let Err(error) = wakeup::send(&service.plan, &self.params.mail_owner) {
                log::warning!(
                    "master_wakeup_timer_event: service {}({}): {}",
                    service.plan.name,
                    service.plan.identity,
                    sys::reason(&error)
                );
            }
        }
    }

    fn reload(&mut self) -> Result<(), Fatal> {
        let directory = conf::config_directory();
        // Told first: a client that comes after the log line finds a process of the new configuration.
        for service in self.services.values_mut() {
            service.tell_processes_to_go()?;
        }
        log::info!("reload -- version {}, configuration {}", self.params.mail_version, directory.display());
        let mut main = MainCf::read(&directory)?;
        self.params = MasterParams::load(&main)?;
        self.fixed.keep(&mut main, &mut self.params);
        self.children.set_environment(environment(&main)?);
        self.configure(&main)?;
        start_logging(&self.params)
    }

    /// Makes the services what master.cf says: new ones begin, gone ones end, the others' processes are renewed.
    fn configure(&mut self, main: &MainCf) -> Result<(), Fatal> {
        let table = MasterCf::read(main)?;
        let now = Instant::now();
        let mut plans: BTreeMap<Key, Plan> = BTreeMap::new();
        for entry in &table.entries {
            if entry.kind == Kind::Inet {
                self.fixed.warn_of_interfaces(&entry.name);
            }
            let key = format!("{} {}", entry.kind.name(), plan::identity(entry));
            let known = self.services.get(&key).map(|service| &service.plan.endpoint);
            let plan = Plan::new(entry, main, &self.params, &self.surroundings, known)?;
            if plans.contains_key(&key) {
                log::warning!(
                    "duplicate master.cf entry for service \"{}\" ({}) -- using the last entry",
                    plan.name,
                    plan.identity
                );
            }
            plans.insert(key, plan);
        }
        self.children.epoch += 1;
        let gone: Vec<Key> = self.services.keys().filter(|key| !plans.contains_key(*key)).cloned().collect();
        for key in gone {
            self.services.remove(&key);
            self.children.dismiss(&key);
        }
        for (key, plan) in plans {
            if let Some(service) = self.services.get_mut(&key) {
                service.renew(plan, now);
                continue;
            }
            let sockets = listen::open(&plan, &self.params.mail_owner)?;
            self.last_service += 1;
            self.services.insert(key, Service::new(self.last_service, plan, sockets, now)?);
        }
        Ok(())
    }
}

/// What cannot be changed while master runs: its processes have the sockets, and the directories are where it is.
struct Fixed {
    values: [(&'static str, String); 3],
    interfaces: String,
    interfaces_changed: bool,
}

impl Fixed {
    fn of(main: &MainCf, params: &MasterParams) -> Self {
        let interfaces = params.inet_interfaces.clone();
        Self { values: Self::values(main, params), interfaces, interfaces_changed: false }
    }

    fn values(main: &MainCf, params: &MasterParams) -> [(&'static str, String); 3] {
        [
            ("config_directory", main.path().display().to_string()),
            ("queue_directory", params.queue_directory.clone()),
            ("inet_protocols", params.inet_protocols.clone()),
        ]
    }

    /// Puts back what changed, and says so.
    fn keep(&mut self, main: &mut MainCf, params: &mut MasterParams) {
        for ((name, old), (_, new)) in self.values.iter().zip(Self::values(main, params)) {
            if *old != new {
                log::warning!("ignoring {name} parameter value change");
                log::warning!("old value: \"{old}\", new value: \"{new}\"");
                log::warning!("to change {name}, stop and start Postfix");
                main.set(name, old);
            }
        }
        self.interfaces_changed = self.interfaces != params.inet_interfaces;
        main.set("inet_interfaces", &self.interfaces);
        params.inet_interfaces.clone_from(&self.interfaces);
    }

    fn warn_of_interfaces(&self, service: &str) {
        if self.interfaces_changed {
            log::warning!("service {service}: ignoring inet_interfaces change");
            log::warning!("to change inet_interfaces, stop and start Postfix");
        }
    }
}

fn signals() -> Result<SignalFd, Fatal> {
    let mut set = SigSet::empty();
    for signal in
        [Signal::SIGHUP, Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGILL]
    {
        set.add(signal);
    }
    // Blocked here only; see `Children::spawn`.
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

// What a process finds around it: what import_environment lets through of ours, and nothing else.
fn environment(main: &MainCf) -> Result<Vec<(String, String)>, Fatal> {
    let names = conf::environment::import_list(main)?;
    let mut environment = conf::environment::kept(&names, |name| std::env::var(name).ok())?;
    environment.retain(|(name, _)| name != "MAIL_CONFIG");
    environment.push(("MAIL_CONFIG".to_owned(), main.path().display().to_string()));
    Ok(environment)
}

fn start_logging(params: &MasterParams) -> Result<(), Fatal> {
    let socket = [&params.queue_directory, "public", &params.postlog_service_name].iter().collect();
    start_logging_by(params, socket)
}

fn start_logging_alone(params: &MasterParams) -> Result<(), Fatal> {
    start_logging_by(params, PathBuf::new())
}

fn start_logging_by(params: &MasterParams, socket: PathBuf) -> Result<(), Fatal> {
    let facility = log::facility(&params.syslog_facility)
        .ok_or_else(|| format!("unknown facility: {}", params.syslog_facility))?;
    let tag = format!("{}/master", params.syslog_name);
    if params.smtputf8_enable {
        log::allow_utf8();
    }
    if params.maillog_file.is_empty() {
        log::init(&tag, log::Sinks { syslog: Some(facility), ..log::Sinks::default() });
        return Ok(());
    }
    // postlogd is our own child: until it runs, and when it does not, we write the file ourselves.
    let fallback = Some(params.maillog_file.clone().into());
    let postlog = log::Postlog { socket, hostname: params.myhostname.clone(), fallback };
    log::init(&tag, log::Sinks { postlog: Some(postlog), ..log::Sinks::default() });
    Ok(())
}
