//! The active queue: taking messages up, reading more of their recipients, and what becomes of them in the end.
//!
//! DURABILITY: a message is removed only when no recipient is left to try, and all that failed are in a notification
//! that the bounce service has put into the queue; on any doubt it goes to `deferred`, which at worst delivers twice.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ipc::Recipient;
use ipc::deliver::{self, Times};
use queue::{Access, QueueId, QueueName, RecordType, mode, reason};

use crate::bounce;
use crate::manager::Manager;
use crate::read::{self, Batch};
use crate::resolve::{Mode, routes};
use crate::scan::Wish;
use crate::scheduler::{Envelope, MessageId};

/// How long to leave a message alone that somebody still delivers: an agent of before our restart.
const STILL_BEING_DELIVERED: Duration = Duration::from_secs(60);

/// The times of a message that are known before its delivery.
pub(crate) fn times(envelope: &Envelope) -> Times {
    Times { incoming_arrival: envelope.arrival, active_arrival: envelope.activated, ..Times::default() }
}

/// Takes up a message that a scan found, if it is time. Whether it was.
pub(crate) fn feed(manager: &Rc<Manager>, from: QueueName, id: QueueId, wish: Wish) -> bool {
    match take_up(manager, from, &id, wish) {
        Ok(Some((file, bits))) => load(manager, Rc::new(file), id, bits, wish),
        Ok(None) => false,
        Err(text) => {
            manager.fatal(&text);
            false
        }
    }
}

/// Opens, locks and moves a file to `active`; an error is a reason to stop altogether.
fn take_up(
    manager: &Manager,
    from: QueueName,
    id: &QueueId,
    wish: Wish,
) -> Result<Option<(File, u32)>, String> {
    let spool = &manager.spool;
    let now = SystemTime::now();
    let is_early = |ready: &queue::Ready| !wish.all && ready.wake_at() > now + Duration::from_secs(1);
    // Most of the deferred queue is not due: looking is cheaper than opening.
    if from == QueueName::Deferred && spool.check(from, id).is_none_or(|ready| is_early(&ready)) {
        return Ok(None);
    }
    let (file, ready) = match spool.open_ready(from, id, Access::Update) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(fault) => return Err(format!("open {from} {id}: {}", reason(&fault))),
    };
    if is_early(&ready) {
        return Ok(None);
    }
    match sys::lock::flock(&file, sys::lock::Mode::Exclusive, sys::lock::Wait::No) {
        Ok(()) => {}
        Err(fault) if fault.kind() == ErrorKind::WouldBlock => {
            log::info!("{id}: skipped, still being delivered");
            set_aside(manager, from, id, now + STILL_BEING_DELIVERED)?;
            return Ok(None);
        }
        Err(fault) => return Err(format!("lock {from} {id}: {}", reason(&fault))),
    }
    match spool.activate(id, from) {
        Ok(()) => Ok(Some((file, ready.mode()))),
        Err(fault) => {
            let text = format!("qmgr_active_feed: {id}: rename from {from} to active: {}", reason(&fault));
            missing_or(fault, text).map(|()| None)
        }
    }
}

fn set_aside(manager: &Manager, from: QueueName, id: &QueueId, wake_at: SystemTime) -> Result<(), String> {
    let result = if from == QueueName::Incoming {
        manager.spool.set_wake_time(from, id, wake_at)
    } else {
        manager.spool.put_back(id, from, QueueName::Incoming, wake_at)
    };
    result.or_else(|fault| {
        let text = format!("qmgr_active_defer: rename {id} from {from} to incoming: {}", reason(&fault));
        missing_or(fault, text)
    })
}

/// A file that is gone is worth a warning; anything else that goes wrong is a reason to stop.
fn missing_or(fault: io::Error, text: String) -> Result<(), String> {
    if fault.kind() != ErrorKind::NotFound {
        return Err(text);
    }
    log::warning!("{text}");
    Ok(())
}

/// Reads a message that is in `active` now, and lets the scheduler have it when the routes are known.
fn load(manager: &Rc<Manager>, file: Rc<File>, id: QueueId, bits: u32, wish: Wish) -> bool {
    let limit = manager.scheduler.borrow().first_read_limit(manager.reserved.get());
    let now = sys::time::unix_duration();
    let opened = |sender: &[u8], size: i64, count: i64| {
        let sender = manager.log_address(sender);
        log::info!("{id}: from=<{sender}>, size={size}, nrcpt={count} (queue active)");
    };
    let (mut envelope, batch) = match read::message(&*file, &id, limit, now, manager.rules(&opened)) {
        Ok(found) => found,
        Err(read::Damaged) => {
            quarantine(manager, &id);
            return false;
        }
    };
    let is_flush = bits & mode::UNTHROTTLE != 0;
    if is_flush && let Err(fault) = file.set_permissions(Permissions::from_mode(bits & !mode::UNTHROTTLE)) {
        manager.fatal(&format!("fchmod active/{id}: {}", reason(&fault)));
        return false;
    }
    let Batch { recipients, mut unread, resume_at } = batch;
    envelope.resume_at = resume_at;
    if envelope.redirect.is_some() {
        (unread, envelope.resume_at) = (0, 0);
    }
    manager.probes.count(&envelope, 1);
    let mode = Mode { flush: wish.flush || is_flush, force_expire: bits & mode::EXPIRE != 0 };

    // What it was deferred for is told to the sender as it is; nobody is tried again.
    if mode.force_expire && log_size(manager, QueueName::Defer, &id).is_some_and(|size| size > 0) {
        drop(file);
        manager.schedule(|scheduler| {
            let message = scheduler.add(envelope, is_flush, 0, false);
            let found = scheduler.message_mut(message);
            (found.deferred, found.force_expire) = (true, true);
            found.envelope.resume_at = 0;
            scheduler.place(message, Vec::new());
        });
        return true;
    }
    // Its recipients are in the queue file still, and those that fail again are logged again.
    if let Err(fault) = manager.spool.remove(QueueName::Defer, &id)
        && fault.kind() != ErrorKind::NotFound
    {
        manager.fatal(&format!("qmgr_message_alloc: {id}: remove defer {id}: {}", reason(&fault)));
        return false;
    }
    let count = recipients.len() as i64;
    manager.loading.set(manager.loading.get() + 1);
    manager.reserved.set(manager.reserved.get() + count);
    let task = Rc::clone(manager);
    manager.spawn(async move {
        let manager = task;
        let envelope = Rc::new(envelope);
        let routed = routes(&manager, &envelope, &file, mode, recipients).await;
        // Closing the file ends the lock, which the agents' own would wait for.
        drop(file);
        let envelope = Rc::unwrap_or_clone(envelope);
        manager.loading.set(manager.loading.get() - 1);
        manager.reserved.set(manager.reserved.get() - count);
        manager.schedule(|scheduler| {
            let more = envelope.resume_at != 0;
            let message = scheduler.add(envelope, is_flush, unread, more);
            let found = scheduler.message_mut(message);
            (found.flush_transports, found.force_expire) = (mode.flush, mode.force_expire);
            found.deferred = routed.deferred;
            scheduler.place(message, routed.recipients);
        });
    });
    true
}

/// Reads more recipients of a message. False: the file cannot be used.
pub(crate) async fn refill(manager: &Rc<Manager>, message: MessageId) -> bool {
    let (envelope, unread, limit, mode) = {
        let scheduler = manager.scheduler.borrow();
        let found = scheduler.message(message);
        let mode = Mode { flush: found.flush_transports, force_expire: found.force_expire };
        (found.envelope.clone(), found.unread, scheduler.refill_limit(message), mode)
    };
    let id = envelope.queue_id.clone();
    let file = match manager.spool.open(QueueName::Active, &id, Access::Update) {
        Ok(file) => Rc::new(file),
        Err(fault) if fault.kind() == ErrorKind::NotFound => {
            log::warning!("open active {id}: {}", reason(&fault));
            return false;
        }
        Err(fault) => {
            manager.fatal(&format!("open active {id}: {}", reason(&fault)));
            return false;
        }
    };
    let opened = |_: &[u8], _: i64, _: i64| {};
    let Ok((batch, seen_all)) = read::more(&*file, &envelope, unread, limit, manager.rules(&opened)) else {
        return false;
    };
    let envelope = Rc::new(envelope);
    let routed = routes(manager, &envelope, &file, mode, batch.recipients).await;
    drop(file);
    manager.schedule(|scheduler| {
        let found = scheduler.message_mut(message);
        (found.unread, found.more) = (batch.unread, batch.resume_at != 0);
        (found.envelope.resume_at, found.envelope.seen_all) = (batch.resume_at, seen_all);
        found.deferred |= routed.deferred;
        scheduler.place(message, routed.recipients);
    });
    true
}

/// All recipients in memory were tried.
pub(crate) fn done(manager: &Rc<Manager>, message: MessageId) {
    let (id, is_simple) = {
        let scheduler = manager.scheduler.borrow();
        let found = scheduler.message(message);
        let is_simple = !found.deferred && !found.more && !wants_trace(&found.envelope);
        (found.envelope.queue_id.clone(), is_simple)
    };
    let bounces = log_size(manager, QueueName::Bounce, &id);
    if is_simple && bounces.is_none() {
        remove(manager, message, &id);
        return;
    }
    let task = Rc::clone(manager);
    manager.spawn(async move { conclude(&task, message, bounces).await });
}

fn wants_trace(envelope: &Envelope) -> bool {
    let reports = deliver::FLAG_USER_VERIFY | deliver::FLAG_RECORD | deliver::FLAG_RECORD_DELAYED;
    envelope.trace_flags & reports != 0 || envelope.read_flags & read::READ_NOTIFY_SUCCESS != 0
}

/// The size of a message's log, if it has one.
fn log_size(manager: &Manager, queue: QueueName, id: &QueueId) -> Option<u64> {
    std::fs::metadata(manager.spool.path(queue, id)).ok().map(|status| status.len())
}

/// Reports what failed, reads on, and in the end returns, defers or removes the message.
async fn conclude(manager: &Rc<Manager>, message: MessageId, bounces: Option<u64>) {
    let (envelope, mut deferred, more, force_expire) = {
        let scheduler = manager.scheduler.borrow();
        let found = scheduler.message(message);
        (found.envelope.clone(), found.deferred, found.more, found.force_expire)
    };
    let id = &envelope.queue_id;
    match bounces {
        // Making the bounce failed half-way, and the recipient was deferred.
        Some(0) => {
            if let Err(fault) = manager.spool.remove(QueueName::Bounce, id) {
                return manager.fatal(&format!("remove bounce {id}: {}", reason(&fault)));
            }
        }
        Some(_) => deferred |= !bounce::flush(manager, &envelope).await,
        None => {}
    }
    // An agent that cannot read the file says so by its mode, and defers.
    if deferred && manager.spool.check(QueueName::Active, id).is_none() {
        quarantine(manager, id);
        forget(manager, message);
        return;
    }
    if more {
        manager.scheduler.borrow_mut().message_mut(message).deferred = deferred;
        if !refill(manager, message).await && !manager.is_stopped() {
            quarantine(manager, id);
            forget(manager, message);
        }
        return;
    }
    if wants_trace(&envelope) {
        let is_sent = bounce::trace(manager, &envelope).await;
        if is_sent && envelope.trace_offset > 0 && !kill_record(manager, id, envelope.trace_offset) {
            return;
        }
        deferred |= !is_sent;
    }
    if !deferred {
        return remove(manager, message, id);
    }
    let now = sys::time::now();
    if let Some(status) = expired(manager, &envelope, force_expire, now) {
        log::info!(
            "{id}: from=<{}>, status={status}, returned to sender",
            manager.log_address(&envelope.sender)
        );
        if bounce::flush_deferred(manager, &envelope).await {
            return remove(manager, message, id);
        }
    } else if envelope.warn_time > 0
        && now >= envelope.warn_time - 1
        && bounce::warn(manager, &envelope).await
        && !mark_warned(manager, &envelope)
    {
        return;
    }
    defer(manager, message, &envelope);
}

fn expired(manager: &Manager, envelope: &Envelope, force: bool, now: i64) -> Option<&'static str> {
    let params = &manager.params;
    let lifetime =
        if envelope.sender.is_empty() { params.bounce_queue_lifetime } else { params.maximal_queue_lifetime };
    let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    if force {
        Some("force-expired")
    } else if now >= envelope.create_time.saturating_add(lifetime) {
        Some("expired")
    } else {
        None
    }
}

/// To be tried again after as long as it has been waiting, within limits.
fn defer(manager: &Manager, message: MessageId, envelope: &Envelope) {
    let (least, most) = (manager.params.minimal_backoff_time, manager.params.maximal_backoff_time);
    let age = u64::try_from(sys::time::now() - envelope.create_time).unwrap_or(0);
    let delay = if envelope.create_time > 0 { Duration::from_secs(age).min(most).max(least) } else { least };
    let id = &envelope.queue_id;
    log::debug!("wakeup {id} after {} secs", delay.as_secs());
    if let Err(fault) = manager.spool.defer(id, SystemTime::now() + delay) {
        let text = format!("qmgr_active_defer: rename {id} from active to deferred: {}", reason(&fault));
        if let Err(text) = missing_or(fault, text) {
            return manager.fatal(&text);
        }
    }
    forget(manager, message);
}

fn remove(manager: &Manager, message: MessageId, id: &QueueId) {
    match manager.spool.finish(QueueName::Active, id) {
        Ok(()) => log::info!("{id}: removed"),
        Err(fault) => {
            let text = format!("qmgr_active_done_3_generic: remove {id} from active: {}", reason(&fault));
            if let Err(text) = missing_or(fault, text) {
                return manager.fatal(&text);
            }
        }
    }
    forget(manager, message);
}

fn forget(manager: &Manager, message: MessageId) {
    if let Some(message) = manager.schedule(|scheduler| scheduler.remove(message)) {
        manager.probes.count(&message.envelope, -1);
    }
}

/// Keeps a file that cannot be used where a person may look at it.
fn quarantine(manager: &Manager, id: &QueueId) {
    match manager.spool.rename(id, QueueName::Active, QueueName::Corrupt) {
        Ok(()) => log::warning!("saving corrupt file \"{id}\" from queue \"active\" to queue \"corrupt\""),
        Err(fault) if fault.kind() == ErrorKind::NotFound => {}
        Err(fault) => {
            let why = reason(&fault);
            manager.fatal(&format!("qmgr_active_corrupt: save corrupt file queue active id {id}: {why}"));
        }
    }
}

/// The sender was warned, and is not to be again.
fn mark_warned(manager: &Manager, envelope: &Envelope) -> bool {
    update(manager, &envelope.queue_id, |file| {
        let data = queue::envelope::warn_data(-1);
        queue::overwrite(file, envelope.warn_offset, RecordType::Warn, data.as_bytes())
    })
}

/// The report that a record asked for was sent.
fn kill_record(manager: &Manager, id: &QueueId, offset: u64) -> bool {
    update(manager, id, |file| queue::set_kind(file, offset, RecordType::Killed))
}

fn update(manager: &Manager, id: &QueueId, change: impl FnOnce(&File) -> io::Result<()>) -> bool {
    let result = manager.spool.open(QueueName::Active, id, Access::Update).and_then(|file| change(&file));
    result
        .inspect_err(|fault| manager.fatal(&format!("update queue file active/{id}: {}", reason(fault))))
        .is_ok()
}

/// Defers recipients without the help of an agent.
pub(crate) async fn defer_recipients(
    manager: &Rc<Manager>,
    message: MessageId,
    recipients: Vec<Recipient>,
    dsn: dsn::Dsn,
) {
    let envelope = manager.scheduler.borrow().message(message).envelope.clone();
    let (times, id) = (times(&envelope), envelope.queue_id.as_str());
    let about = delivery::Message { flags: envelope.trace_flags, queue_id: id, times: &times, tls: None };
    let mut deferred = false;
    for recipient in recipients {
        let verdict = manager.reporter.deferred(about, &recipient, "none", dsn.clone()).await;
        // Only a probe is dealt with by that; its file is going anyway.
        deferred |= verdict == delivery::Verdict::Keep;
    }
    manager.schedule(|scheduler| scheduler.release(message, deferred));
}
