//! The program around the scheduler: one task that drives it, one task for each delivery and each report.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::File;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use address::AddressForm;
use daemon::{Clients, Connection, Control, Fatal, OnReload, Service, Startup};
use delivery::Reporter;
use ipc::rewrite::Rewriter;
use ipc::{Recipient, Spare};
use queue::{QueueName, Spool, reason};
use tokio::sync::Notify;

use crate::flow::Flow;
use crate::params::Params;
use crate::resolve::ProbeCount;
use crate::scan::{Scan, Wish, Wishes};
use crate::scheduler::{Action, Scheduler, TransportId};
use crate::{active, deliver, moved, read};

/// How many messages are taken up before others get their turn.
const FEED: usize = 8;
/// How many files are looked at before others get their turn.
const LOOK: usize = 128;
/// How many messages may wait for their routes at a time.
const LOADING: usize = 50;

const INCOMING: usize = 0;
const DEFERRED: usize = 1;

/// The queue manager.
pub struct Manager {
    pub(crate) params: Params,
    pub(crate) scheduler: RefCell<Scheduler>,
    pub(crate) spool: Spool,
    pub(crate) rewriter: Rewriter,
    /// Agents that wait for another request, by transport.
    agents: RefCell<HashMap<TransportId, Spare>>,
    pub(crate) reporter: Reporter,
    pub(crate) deferred_transports: Vec<Vec<u8>>,
    pub(crate) probes: ProbeCount,
    /// Messages whose routes are being found.
    pub(crate) loading: Cell<usize>,
    /// Their recipients.
    pub(crate) reserved: Cell<i64>,
    log_form: AddressForm,
    scans: RefCell<[Scan; 2]>,
    /// Which queue is looked at first.
    turn: Cell<usize>,
    flow: RefCell<Option<Flow>>,
    started: (Duration, Instant),
    changed: Notify,
    stopped: Cell<bool>,
    /// A transport's settings are wrong.
    bad_settings: Rc<RefCell<Option<String>>>,
    control: RefCell<Option<Control>>,
}

impl Manager {
    fn new(startup: &Startup) -> Result<Self, Fatal> {
        let main = Rc::new(startup.main.clone());
        let mut params = Params::load(&main)?;
        params.adjust(&main);
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        let log_form = AddressForm::for_log(&params.info_log_address_format).map_err(Fatal::new)?;
        let tokens = usize::try_from(params.default_process_limit).unwrap_or(0);
        let has_flow = !startup.options.stand_alone && !params.in_flow_delay.is_zero();
        // First of all: its descriptor numbers must not have become something else's.
        let flow = if has_flow { Flow::inherit(tokens) } else { None };
        let env = table::Env::load(&main)?;
        let rewrite = format!("private/{}", params.rewrite_service_name);
        let bad_settings = Rc::new(RefCell::new(None));
        Ok(Self {
            scheduler: RefCell::new(scheduler(&params, &main, Rc::clone(&bad_settings))),
            spool: startup.spool()?,
            rewriter: Rewriter::with_limits(rewrite, params.qmgr_ipc_timeout, params.ipc_ttl),
            agents: RefCell::default(),
            reporter: Reporter::new(&main, &env, "", "")?,
            deferred_transports: params.deferred_transports(),
            probes: ProbeCount::new(),
            loading: Cell::new(0),
            reserved: Cell::new(0),
            log_form,
            scans: RefCell::new([Scan::new(QueueName::Incoming), Scan::new(QueueName::Deferred)]),
            turn: Cell::new(INCOMING),
            flow: RefCell::new(flow),
            started: (sys::time::unix_duration(), Instant::now()),
            changed: Notify::new(),
            stopped: Cell::new(false),
            bad_settings,
            control: RefCell::new(None),
            params,
        })
    }

    /// Tells the scheduler something, and sees to it that what it wants is done.
    pub(crate) fn schedule<T>(&self, tell: impl FnOnce(&mut Scheduler) -> T) -> T {
        let mut scheduler = self.scheduler.borrow_mut();
        scheduler.advance(self.now());
        let result = tell(&mut scheduler);
        self.changed.notify_one();
        result
    }

    /// Agents of a transport that wait for another request.
    pub(crate) fn agents(&self, transport: TransportId) -> Spare {
        let mut agents = self.agents.borrow_mut();
        agents.entry(transport).or_insert_with(|| Spare::new(self.params.ipc_idle)).clone()
    }

    /// Starts a task. If it panics, the process ends: the scheduler waits for news that would never come.
    pub(crate) fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) {
        let guard = Guard(Rc::clone(self));
        // Boxed, since a task's future is moved several times before it runs, and these are large.
        let task = Box::pin(task);
        tokio::task::spawn_local(async move {
            let _guard = guard;
            task.await;
        });
    }

    /// Something is so wrong that only a new start, or an administrator, can help. Mail is safe in the queue.
    pub(crate) fn fatal(&self, text: &str) {
        log::fatal!("{text}");
        self.stop();
    }

    /// Whether [`fatal`](Self::fatal) was called.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    fn stop(&self) {
        self.stopped.set(true);
        self.changed.notify_one();
    }

    /// An address as it is logged (`info_log_address_format`).
    pub(crate) fn log_address(&self, address: &[u8]) -> String {
        self.log_form.logged(address)
    }

    /// How queue files are read.
    pub(crate) fn rules<'a>(&'a self, opened: &'a dyn Fn(&[u8], i64, i64)) -> read::Rules<'a> {
        read::Rules {
            verp_filter: self.params.verp_delimiter_filter.as_bytes(),
            confirm_delay_cleared: self.params.confirm_delay_cleared,
            opened,
        }
    }

    /// Crosses off a recipient that was dealt with without an agent.
    pub(crate) fn mark_done(&self, file: &File, recipient: &Recipient, queue_id: &str) {
        let Ok(offset) = u64::try_from(recipient.offset) else { return };
        if let Err(fault) = queue::mark_done(file, offset) {
            self.fatal(&format!("update queue file active/{queue_id}: {}", reason(&fault)));
        }
    }

    /// A clock that never goes back.
    fn now(&self) -> Duration {
        self.started.0 + self.started.1.elapsed()
    }

    async fn drive(self: Rc<Self>) {
        let _guard = Guard(Rc::clone(&self));
        let mut next_run = self.now();
        let mut alarm = pin!(tokio::time::sleep(Duration::ZERO));
        let mut alarm_at = Duration::ZERO;
        loop {
            let now = self.now();
            if now >= next_run {
                self.request(DEFERRED, Wish::START);
                next_run = now + self.params.queue_run_delay;
            }
            self.scheduler.borrow_mut().advance(now);
            self.act();
            let is_busy = self.feed();
            if let Some(text) = self.bad_settings.borrow_mut().take() {
                self.fatal(&text);
            }
            if self.stopped.get() {
                break;
            }
            if is_busy {
                tokio::task::yield_now().await;
                continue;
            }
            let timer = self.scheduler.borrow().next_timer();
            let deadline = timer.unwrap_or(next_run).min(next_run);
            if deadline != alarm_at {
                alarm_at = deadline;
                let wait = deadline.saturating_sub(self.now());
                alarm.as_mut().reset(tokio::time::Instant::now() + wait);
            }
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = alarm.as_mut() => alarm_at = Duration::ZERO,
            }
        }
        // Master would start another at once.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.end_process();
    }

    fn end_process(&self) {
        if let Some(control) = &*self.control.borrow() {
            control.retire();
        }
    }

    /// Does what the scheduler wants.
    fn act(self: &Rc<Self>) {
        loop {
            let Some(action) = self.scheduler.borrow_mut().next_action() else { return };
            let manager = Rc::clone(self);
            match action {
                Action::Connect(transport) => self.spawn(deliver::deliver(manager, transport)),
                Action::Done(message) => active::done(self, message),
                Action::Refill(message) => self.spawn(async move {
                    if !active::refill(&manager, message).await {
                        manager.schedule(|scheduler| scheduler.refill_failed(message));
                    }
                }),
                Action::Defer { message, recipients, dsn } => self.spawn(async move {
                    active::defer_recipients(&manager, message, recipients, dsn).await;
                }),
            }
        }
    }

    /// Whether `qmgr_message_active_limit` is reached.
    fn is_full(&self) -> bool {
        let count = self.scheduler.borrow().message_count() + self.loading.get();
        count as i64 >= self.params.qmgr_message_active_limit
    }

    fn has_room(&self) -> bool {
        !self.is_full() && self.loading.get() < LOADING && !self.stopped.get()
    }

    /// Looks at some files in turn from both queues, and takes up what is due. Whether there may be more right now.
    fn feed(self: &Rc<Self>) -> bool {
        let (mut looked, mut fed, mut fed_incoming) = (0, 0, 0);
        let had_incoming = self.scans.borrow()[INCOMING].is_active();
        let mut is_busy = false;
        while looked < LOOK && fed < FEED && self.has_room() {
            let first = self.turn.get();
            let Some((at, taken)) = [first, 1 - first].into_iter().find_map(|at| Some((at, self.look(at)?)))
            else {
                break;
            };
            looked += 1;
            fed += usize::from(taken);
            fed_incoming += usize::from(taken && at == INCOMING);
            self.turn.set(1 - at);
            is_busy = looked == LOOK || fed == FEED;
        }
        is_busy &= self.has_room();
        if self.is_full() {
            // When there is room again, new mail goes first.
            self.turn.set(INCOMING);
        }
        if had_incoming && let Some(flow) = &mut *self.flow.borrow_mut() {
            flow.refill(fed_incoming, !self.scans.borrow()[INCOMING].is_active());
        }
        is_busy
    }

    /// Looks at the next file of a queue, if there is one; whether it was taken up.
    fn look(self: &Rc<Self>, at: usize) -> Option<bool> {
        let (queue, mode, found) = {
            let scan = &mut self.scans.borrow_mut()[at];
            let found = scan.next(&self.spool);
            (scan.queue(), scan.mode(), found)
        };
        match found {
            Ok(id) => Some(active::feed(self, queue, id?, mode)),
            Err(fault) => {
                self.fatal(&format!("scan {queue}: {}", reason(&fault)));
                None
            }
        }
    }

    fn request(&self, at: usize, wish: Wish) {
        self.scans.borrow_mut()[at].request(wish);
    }

    fn triggered(&self, requests: &[u8]) {
        let wishes = Wishes::of(requests);
        if wishes.enable_all {
            self.schedule(Scheduler::enable_all);
        }
        self.request(INCOMING, wishes.incoming);
        self.request(DEFERRED, wishes.deferred);
        self.changed.notify_one();
    }
}

fn scheduler(params: &Params, main: &Rc<conf::MainCf>, bad: Rc<RefCell<Option<String>>>) -> Scheduler {
    let (params, main) = (params.clone(), Rc::clone(main));
    Scheduler::new(params.limits(), move |name| {
        let name = String::from_utf8_lossy(name);
        params.transport(&main, &name).unwrap_or_else(|error| {
            *bad.borrow_mut() = Some(error.to_string());
            crate::scheduler::Settings::fallback()
        })
    })
}

/// Ends the process when a task panics.
struct Guard(Rc<Manager>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
            self.0.end_process();
        }
    }
}

impl Service for Manager {
    const PROGRAM: &'static str = "qmgr";
    const CLIENTS: Clients = Clients::Triggers;
    const ON_RELOAD: OnReload = OnReload::EndNow;
    const PERMANENT: bool = true;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        Self::new(startup)
    }

    fn watchdog(&self, _startup: &Startup) -> Duration {
        self.params.qmgr_daemon_timeout
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        *self.control.borrow_mut() = Some(control.clone());
        moved::move_back(&self.spool, SystemTime::now())?;
        self.request(INCOMING, Wish::START);
        tokio::task::spawn_local(Rc::clone(self).drive());
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        if let Connection::Triggers(requests) = connection {
            self.triggered(&requests);
        }
    }
}
