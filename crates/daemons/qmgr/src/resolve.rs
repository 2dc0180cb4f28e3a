//! Where each recipient's mail goes: redirection, content filters, the resolver, and what overrides them.

use std::cell::Cell;
use std::fs::File;
use std::rc::Rc;

use delivery::Verdict;
use dsn::{Dsn, Status};
use ipc::rewrite::{Flags, Purpose, Resolved, Rewriter, Rule};
use ipc::{Recipient, deliver};

use crate::active::times;
use crate::manager::Manager;
use crate::scheduler::{ERROR, Envelope, RETRY, Route};

/// How many recipients make it worth while to ask the resolver about several at a time.
const MANY: usize = 16;
/// About how many then.
const PARALLEL: usize = 4;

/// What routes depend on, beside the recipient.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mode {
    /// Deliver also by `defer_transports`.
    pub(crate) flush: bool,
    /// The administrator wants the message returned.
    pub(crate) force_expire: bool,
}

/// Recipients with their routes.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    /// Those to deliver.
    pub(crate) recipients: Vec<(Recipient, Route)>,
    /// Whether one that was dealt with here must be tried again.
    pub(crate) deferred: bool,
}

/// Finds the routes of recipients of the message in `file`. A redirected message has one only.
pub(crate) async fn routes(
    manager: &Rc<Manager>,
    envelope: &Rc<Envelope>,
    file: &Rc<File>,
    mode: Mode,
    mut recipients: Vec<Recipient>,
) -> Routed {
    if let Some(redirect) = &envelope.redirect {
        recipients.truncate(1);
        if let Some(recipient) = recipients.first_mut() {
            recipient.address = manager.rewriter.rewrite_internal(Rule::Local, redirect).await;
        }
    }
    if recipients.len() < MANY {
        return some_routes(Rc::clone(manager), Rc::clone(envelope), Rc::clone(file), mode, recipients).await;
    }
    let share = recipients.len().div_ceil(PARALLEL);
    let mut tasks = Vec::new();
    while !recipients.is_empty() {
        let rest = recipients.split_off(share.min(recipients.len()));
        let part = std::mem::replace(&mut recipients, rest);
        let (manager, envelope, file) = (Rc::clone(manager), Rc::clone(envelope), Rc::clone(file));
        tasks.push(tokio::task::spawn_local(some_routes(manager, envelope, file, mode, part)));
    }
    let mut routed = Routed::default();
    for task in tasks {
        match task.await {
            Ok(part) => {
                routed.recipients.extend(part.recipients);
                routed.deferred |= part.deferred;
            }
            // A panic: these recipients stay in the file.
            Err(error) => {
                log::warning!("{}: resolve recipients: {error}", envelope.queue_id);
                routed.deferred = true;
            }
        }
    }
    routed
}

async fn some_routes(
    manager: Rc<Manager>,
    envelope: Rc<Envelope>,
    file: Rc<File>,
    mode: Mode,
    recipients: Vec<Recipient>,
) -> Routed {
    let mut routed = Routed { recipients: Vec::with_capacity(recipients.len()), deferred: false };
    for mut recipient in recipients {
        let resolved = resolve(&manager, &envelope, &recipient).await;
        if resolved.recipient != recipient.address {
            recipient.address = resolved.recipient;
        }
        let mut route = Route { transport: resolved.transport, nexthop: resolved.nexthop };
        let mut is_local = resolved.flags.has(Flags::CLASS_LOCAL);
        // Cannot happen; most likely another program's fault, and no reason to stop all mail.
        if recipient.address.is_empty() {
            route = Route::problem(ERROR, "5.1.3 null recipient address");
            is_local = false;
        }
        // To retry rather than error: if bouncing fails, the defer log should not talk about that.
        if mode.force_expire {
            route = Route::problem(RETRY, "4.7.0 message is administratively expired");
            is_local = false;
        }
        if is_local && is_double_bounce(&manager, &recipient.address) {
            routed.deferred |= discard(&manager, &envelope, &file, &recipient).await == Verdict::Keep;
            continue;
        }
        if !mode.flush && manager.deferred_transports.contains(&route.transport) {
            route = Route::problem(RETRY, "4.3.2 deferred transport");
        }
        let is_probe = envelope.trace_flags & deliver::FLAG_MTA_VERIFY != 0;
        if is_probe && manager.probes.get() > manager.params.address_verify_pending_request_limit {
            route = Route::problem(RETRY, "4.3.2 Too many address verification requests");
        }
        routed.recipients.push((recipient, route));
    }
    routed
}

async fn resolve(manager: &Manager, envelope: &Envelope, recipient: &Recipient) -> Resolved {
    let address = &recipient.address;
    if envelope.redirect.is_none()
        && envelope.trace_flags & deliver::FLAGS_TRACE_ONLY == 0
        && let Some(filter) = &envelope.filter
    {
        return filtered(manager, filter, address);
    }
    let purpose = if envelope.trace_flags & deliver::FLAG_MTA_VERIFY == 0 {
        Purpose::Delivery
    } else {
        Purpose::Verification
    };
    let rewriter: &Rewriter = &manager.rewriter;
    let mut resolved = rewriter.resolve_for(purpose, &envelope.sender, address).await;
    let problem = if resolved.flags.has(Flags::FAIL) {
        Route::problem(RETRY, "4.3.0 address resolver failure")
    } else if resolved.flags.has(Flags::ERROR) {
        Route::problem(ERROR, "5.1.3 bad address syntax")
    } else {
        return resolved;
    };
    (resolved.transport, resolved.nexthop) = (problem.transport, problem.nexthop);
    resolved.flags = Flags::NONE;
    resolved
}

/// `transport:nexthop`; without a nexthop `default_filter_nexthop`, or the recipient's domain.
fn filtered(manager: &Manager, filter: &[u8], address: &[u8]) -> Resolved {
    let (transport, nexthop) = bytes::split_once(filter, b':').unwrap_or((filter, b""));
    let default = manager.params.default_filter_nexthop.as_bytes();
    let nexthop = [nexthop, default, address::domain(address).unwrap_or_default()]
        .into_iter()
        .find(|nexthop| !nexthop.is_empty())
        .unwrap_or(manager.params.myhostname.as_bytes());
    Resolved {
        transport: transport.to_vec(),
        nexthop: nexthop.to_vec(),
        recipient: address.to_vec(),
        flags: Flags::NONE,
    }
}

fn is_double_bounce(manager: &Manager, address: &[u8]) -> bool {
    address::eq_fold(address::local_part(address), manager.params.double_bounce_sender.as_bytes())
}

/// Mail to the address that undeliverable notifications come from ends here, so that no local delivery is needed for it.
async fn discard(manager: &Manager, envelope: &Envelope, file: &File, recipient: &Recipient) -> Verdict {
    let times = times(envelope);
    let queue_id = envelope.queue_id.as_str();
    let message = delivery::Message { flags: envelope.trace_flags, queue_id, times: &times, tls: None };
    let dsn = Dsn::new(Status::new("2.0.0"), "undeliverable postmaster notification discarded");
    let verdict = manager.reporter.sent(message, recipient, "none", dsn).await;
    if verdict == Verdict::Done {
        manager.mark_done(file, recipient, queue_id);
    }
    verdict
}

/// Counts a probe of an address as long as it is in memory.
#[derive(Debug)]
pub(crate) struct ProbeCount(Cell<i64>);

impl ProbeCount {
    /// None.
    pub(crate) const fn new() -> Self {
        Self(Cell::new(0))
    }

    /// How many.
    pub(crate) fn get(&self) -> i64 {
        self.0.get()
    }

    /// Counts a message if it is a probe: `by` is 1 or -1.
    pub(crate) fn count(&self, envelope: &Envelope, by: i64) {
        if envelope.trace_flags & deliver::FLAG_MTA_VERIFY != 0 {
            self.0.set(self.0.get() + by);
        }
    }
}
