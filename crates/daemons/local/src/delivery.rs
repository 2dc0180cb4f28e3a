//! One recipient of one message: what its expansion shares, and how each leaf of it ends.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use delivery::{Job, Verdict};
use dsn::{Dsn, Status};
use ipc::Recipient;
use ipc::deliver::{FLAG_MTA_VERIFY, FLAGS_TRACE_ONLY};
use mailbox::{Failure, Message};
use message::copy::{CopyAddresses, CopyFlags};
use message::delivered::DeliveredTo;

use crate::Local;
use crate::config::Config;
use crate::duplicates::Duplicates;
use crate::forward::Forwards;
use crate::state::{State, UserRights};

/// A recipient being delivered to.
pub(crate) struct Delivery<'a> {
    pub(crate) local: &'a Local,
    pub(crate) config: &'a Config,
    pub(crate) job: &'a Job,
    pub(crate) loops: &'a DeliveredTo,
    pub(crate) forwards: RefCell<Forwards>,
    duplicates: RefCell<Duplicates>,
}

/// A step that lives on the heap. Expansions nest deeply, and every step that did not would be part of each level's stack.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Puts a step on the heap.
pub(crate) fn boxed<'a, T>(step: impl Future<Output = T> + 'a) -> Boxed<'a, T> {
    Box::pin(step)
}

/// The recipient stays if any part of its expansion does.
pub(crate) fn both(one: Verdict, other: Verdict) -> Verdict {
    if one == Verdict::Keep { one } else { other }
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(local: &'a Local, job: &'a Job, loops: &'a DeliveredTo) -> Self {
        let config = &local.config;
        Self {
            local,
            config,
            job,
            loops,
            forwards: RefCell::default(),
            duplicates: RefCell::new(Duplicates::new(config.params.duplicate_filter_limit)),
        }
    }

    /// Delivers, everything included.
    pub(crate) async fn run(&self, recipient: &Recipient) -> Verdict {
        let state = State::new(&self.job.request, recipient);
        let verdict = self.recipient(state.clone(), UserRights::default()).await;
        boxed(self.send_forwards(&state, verdict)).await
    }

    /// Whether this was done before for the recipient.
    pub(crate) fn been_here(&self, parts: &[&[u8]]) -> bool {
        self.duplicates.borrow_mut().been_here(&parts.concat())
    }

    /// As [`been_here`](Self::been_here), without noting it.
    pub(crate) fn was_here(&self, parts: &[&[u8]]) -> bool {
        self.duplicates.borrow().contains(&parts.concat())
    }

    /// Whether the request is only to say what would be done.
    pub(crate) fn is_trace_only(&self) -> bool {
        self.job.request.flags & FLAGS_TRACE_ONLY != 0
    }

    /// Whether the request is a probe, which does not go through aliases.
    pub(crate) fn is_probe(&self) -> bool {
        self.job.request.flags & FLAG_MTA_VERIFY != 0
    }

    /// Reports success.
    pub(crate) fn sent<'s>(&'s self, state: &'s State, reason: impl Into<Vec<u8>>) -> Boxed<'s, Verdict> {
        self.sent_as(state, Dsn::new(Status::new("2.0.0"), reason))
    }

    /// Reports success.
    pub(crate) fn sent_as<'s>(&'s self, state: &'s State, dsn: Dsn) -> Boxed<'s, Verdict> {
        let message = self.job.message();
        boxed(self.local.reporter.sent(message, &state.recipient, &self.config.service, dsn))
    }

    /// Reports a failure for good.
    pub(crate) fn bounced<'s>(
        &'s self,
        state: &'s State,
        code: &str,
        reason: impl Into<Vec<u8>>,
    ) -> Boxed<'s, Verdict> {
        self.failed(state, Dsn::new(status(code), reason))
    }

    /// Reports a failure for now.
    pub(crate) fn deferred<'s>(
        &'s self,
        state: &'s State,
        code: &str,
        reason: impl Into<Vec<u8>>,
    ) -> Boxed<'s, Verdict> {
        self.failed(state, Dsn::new(status(code), reason))
    }

    /// Reports a failure, by its class.
    pub(crate) fn failed<'s>(&'s self, state: &'s State, dsn: Dsn) -> Boxed<'s, Verdict> {
        let message = self.job.message();
        boxed(self.local.reporter.failed(message, &state.recipient, &self.config.service, dsn))
    }

    /// Reports that an alias or .forward file took the recipient's place, to the sender who asked for it.
    pub(crate) async fn expanded(&self, state: &State, action: &str) {
        let dsn = Dsn::new(Status::new("2.0.0"), "alias expanded").action(action);
        let message = self.job.message();
        let (reporter, relay) = (&self.local.reporter, &self.config.service);
        // The recipients of the expansion have it already: there is no going back.
        let _is_on_record = boxed(reporter.traced(message, &state.recipient, relay, &dsn)).await;
    }

    /// The end of an attempt to write the message somewhere.
    pub(crate) async fn unwritten(&self, state: &State, failure: Failure) -> Verdict {
        match failure {
            Failure::Failed(failed) => self.failed(state, *failed.dsn).await,
            Failure::Corrupt => self.corrupt(),
        }
    }

    /// The queue file is damaged.
    pub(crate) fn corrupt(&self) -> Verdict {
        mailbox::mark_corrupt(&self.job.file, &self.job.request.queue_id);
        Verdict::Keep
    }

    /// The message for one place.
    pub(crate) fn message<'m>(&'m self, state: &'m State, flags: CopyFlags) -> Message<'m> {
        let known = self.config.params.enable_original_recipient;
        Message {
            file: &self.job.file,
            offset: u64::try_from(self.job.request.data_offset).unwrap_or(0),
            flags,
            addresses: CopyAddresses {
                sender: &state.sender,
                original_recipient: if known { &state.recipient.original } else { b"" },
                delivered_to: state.delivered.as_ref().unwrap_or(&state.recipient.address),
            },
            eol: b"\n",
        }
    }

    /// With `frozen_delivered_to = no`, `Delivered-To:` names the last step rather than the first.
    pub(crate) fn thaw_delivered(&self, state: &mut State) {
        if !self.config.params.frozen_delivered_to {
            state.delivered = Some(state.recipient.address.clone());
        }
    }
}

fn status(code: &str) -> Status {
    Status::parse(code.as_bytes()).unwrap_or(Status::new("4.3.0"))
}
