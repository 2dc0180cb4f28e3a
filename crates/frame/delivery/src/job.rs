//! One delivery request and the queue file it is about.

use std::fs::File;

use dsn::Dsn;
use ipc::Recipient;
use ipc::deliver::{Outcome, Request};

#[cfg(doc)]
use crate::Agent;
use crate::{Message, Reporter, Verdict};

/// A request with its open queue file.
#[derive(Debug)]
pub struct Job {
    /// What the queue manager asks for.
    pub request: Request,
    /// The queue file, open for reading and marking, with a shared lock.
    pub file: File,
    /// Set it when the whole destination is unusable: the queue manager then spares it further requests for a while.
    pub hop_status: Option<Dsn>,
    /// The TLS feature summary for the delivery line, where it is logged.
    pub tls: Option<String>,
    unfinished: bool,
}

impl Job {
    /// A job for an open file; [`Agent::serve`] makes them from requests.
    pub fn new(request: Request, file: File) -> Self {
        Self { request, file, hop_status: None, tls: None, unfinished: false }
    }

    /// The message, as the reporter wants it. Of the request's flags it needs those that ask for a record.
    pub fn message(&self) -> Message<'_> {
        let request = &self.request;
        let flags = request.flags & ipc::deliver::FLAGS_TRACE;
        Message { flags, queue_id: &request.queue_id, times: &request.times, tls: self.tls.as_deref() }
    }

    /// Reports a delivery and crosses the recipient off.
    pub async fn sent(&mut self, reporter: &Reporter, recipient: &Recipient, relay: &str, dsn: Dsn) {
        let verdict = reporter.sent(self.message(), recipient, relay, dsn).await;
        // What was handed to a content filter comes back as another message; this one's recipients stay as they are.
        let hands_over = self.request.flags & ipc::deliver::FLAG_SUCCESS == 0;
        if verdict == Verdict::Keep || !hands_over {
            self.settle(recipient, verdict);
        }
    }

    /// Reports a permanent failure and crosses the recipient off.
    pub async fn bounced(&mut self, reporter: &Reporter, recipient: &Recipient, relay: &str, dsn: Dsn) {
        let verdict = reporter.bounced(self.message(), recipient, relay, dsn).await;
        self.settle(recipient, verdict);
    }

    /// Reports a temporary failure; the recipient stays, unless it was a probe.
    pub async fn deferred(&mut self, reporter: &Reporter, recipient: &Recipient, relay: &str, dsn: Dsn) {
        let verdict = reporter.deferred(self.message(), recipient, relay, dsn).await;
        self.settle(recipient, verdict);
    }

    /// Reports a failure by the class of its status.
    pub async fn failed(&mut self, reporter: &Reporter, recipient: &Recipient, relay: &str, dsn: Dsn) {
        if dsn.status.class() == 5 {
            self.bounced(reporter, recipient, relay, dsn).await;
        } else {
            self.deferred(reporter, recipient, relay, dsn).await;
        }
    }

    /// Crosses a recipient off whose outcome is on record, or notes that it stays.
    ///
    /// DURABILITY: the mark comes after the delivery and its record, and is not synced: after a crash the recipient is
    /// delivered to again, which beats not at all.
    pub fn settle(&mut self, recipient: &Recipient, verdict: Verdict) {
        if verdict == Verdict::Keep {
            self.unfinished = true;
            return;
        }
        // Some recipients have no record of their own.
        if recipient.offset <= 0 {
            return;
        }
        if let Err(error) = queue::mark_done(&self.file, recipient.offset as u64) {
            log::warning!("{}: update queue file: {error}", self.request.queue_id);
            self.unfinished = true;
        }
    }

    /// What to answer the queue manager.
    pub fn outcome(&self) -> Outcome {
        Outcome { hop_status: self.hop_status.clone(), is_final: !self.unfinished }
    }
}
