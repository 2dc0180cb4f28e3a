//! The loop: clients, reports, signals and time.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use conf::MainCf;
use conf::master::{MasterCf, ServiceList};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::WaitStatus;

use crate::children::{Child, Children, Key};
use crate::instance::Instance;
use crate::options::{Options, Ready};
use crate::plan::{Endpoint, Plan};
use crate::service::Service;
use crate::{Fatal, MasterParams, listen, wakeup};

pub(crate) fn run(
    options: Options,
    params: MasterParams,
    main: MainCf,
    instance: Instance,
    ready: Ready,
) -> Result<ExitCode, Fatal> {
    let signals = signals()?;
    start_logging(&params)?;
    let mut supervisor = Supervisor {
        children: Children::new(environment(&main)?)?,
        services: BTreeMap::new(),
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
    supervisor.turn(&signals)
}

struct Supervisor {
    params: MasterParams,
    services: BTreeMap<Key, Service>,
    children: Children,
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
    fn turn(&mut self, signals: &SignalFd) -> Result<ExitCode, Fatal> {
        loop {
            let ready = self.wait(signals)?;
            let now = Instant::now();
            if self.ends_at.is_some_and(|end| end <= now) {
                log::info!("master exit time has arrived");
                return Ok(ExitCode::SUCCESS);
            }
            for source in ready {
                match source {
                    Source::Signals => {
                        if let Some(code) = self.signalled(signals)? {
                            return Ok(code);
                        }
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
                at.saturating_duration_since(Instant::now()).as_millis().saturating_add(1).min(1_000_000)
            }
            None => 1_000_000,
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
                log::warning!("{}: {} -- throttling", service.plan.path, sys::reason(&error));
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
                    log::warning!("service {}: status report with {length} bytes", service.plan.name);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return log::warning!("service {}: read status: {error}", service.plan.name),
            }
            let Some(report) = ipc::master::Status::decode(&buffer) else {
                log::warning!("service {}: malformed status report", service.plan.name);
                continue;
            };
            let Some(child) = self.children.reporter(&report) else { continue };
            child.was_used = true;
            match (child.is_available, report.available) {
                (true, false) => service.available -= 1,
                (false, true) => service.available += 1,
                _ => {}
            }
            child.is_available = report.available;
        }
    }

    fn signalled(&mut self, signals: &SignalFd) -> Result<Option<ExitCode>, Fatal> {
        let mut reload = false;
        while let Ok(Some(signal)) = signals.read_signal() {
            match Signal::try_from(signal.ssi_signo as i32) {
                Ok(Signal::SIGCHLD) => {}
                Ok(Signal::SIGHUP) => reload = true,
                Ok(ending) => {
                    self.end(ending);
                    return Ok(Some(ExitCode::SUCCESS));
                }
                Err(_) => {}
            }
        }
        self.reap();
        if reload {
            self.reload()?;
        }
        Ok(None)
    }

    // The whole group gets the signal, us included; by then it is blocked here.
    fn end(&self, signal: Signal) {
        log::info!("terminating on signal {}", signal as i32);
        let group = nix::unistd::getpgrp().as_raw();
        if let Err(error) = sys::process::kill(-group, nix::libc::SIGTERM) {
            log::warning!("kill process group: {error}");
        }
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
        if child.epoch != self.children.epoch {
            return;
        }
        let Some(service) = self.services.get_mut(&child.service) else { return };
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
            if let Err(error) = wakeup::send(&service.plan) {
                log::warning!("wakeup: service {}: {}", service.plan.name, sys::reason(&error));
            }
        }
    }

    fn reload(&mut self) -> Result<(), Fatal> {
        let main = MainCf::read(&conf::config_directory())?;
        self.params = MasterParams::load(&main)?;
        log::info!("reload -- version {}, configuration {}", self.params.mail_version, main.path().display());
        self.children.set_environment(environment(&main)?);
        self.configure(&main)?;
        start_logging(&self.params)
    }

    /// Makes the services what master.cf says: new ones begin, gone ones end, the others' processes are renewed.
    fn configure(&mut self, main: &MainCf) -> Result<(), Fatal> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let disabled = ServiceList::parse(&self.params.master_service_disable);
        let file = main.path().join("master.cf");
        let table = MasterCf::read(main)?;
        let now = Instant::now();
        let mut plans: BTreeMap<Key, (Plan, usize)> = BTreeMap::new();
        for entry in table.entries.iter().filter(|entry| !disabled.matches(&entry.name, entry.kind.name())) {
            let plan = Plan::new(entry, main, &self.params, cores)?;
            let key = key(&plan);
            if let Some((earlier, line)) = plans.get(&key) {
                let (file, name) = (file.display(), &earlier.name);
                log::warning!(
                    "{file}: line {}: duplicate entry for {name} (line {line}) -- ignored",
                    entry.line
                );
                continue;
            }
            plans.insert(key, (plan, entry.line));
        }
        self.children.epoch += 1;
        let gone: Vec<Key> = self.services.keys().filter(|key| !plans.contains_key(*key)).cloned().collect();
        for key in gone {
            self.services.remove(&key);
            self.children.dismiss(&key);
        }
        for (key, (plan, _)) in plans {
            match self.services.get_mut(&key) {
                Some(service) if service.plan.endpoint == plan.endpoint => service.renew(plan, now)?,
                _ => {
                    let sockets = listen::open(&plan)?;
                    self.services.insert(key, Service::new(plan, sockets, now)?);
                }
            }
        }
        Ok(())
    }
}

fn key(plan: &Plan) -> Key {
    match &plan.endpoint {
        Endpoint::Inet(_) => format!("inet:{}", plan.name),
        Endpoint::Path(path) => path.clone(),
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
    let facility = log::facility(&params.syslog_facility)
        .ok_or_else(|| format!("unknown facility: {}", params.syslog_facility))?;
    let tag = format!("{}/master", params.syslog_name);
    if params.maillog_file.is_empty() {
        log::init(&tag, log::Sinks { syslog: Some(facility), ..log::Sinks::default() });
        return Ok(());
    }
    let socket = [&params.queue_directory, "public", &params.postlog_service_name].iter().collect();
    // postlogd is our own child: until it runs, and when it does not, we write the file ourselves.
    let fallback = Some(params.maillog_file.clone().into());
    let postlog = log::Postlog { socket, hostname: params.myhostname.clone(), fallback };
    log::init(&tag, log::Sinks { postlog: Some(postlog), ..log::Sinks::default() });
    Ok(())
}
