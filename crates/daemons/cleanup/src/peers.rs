//! The services that cleanup(8) asks while it works on a message.

use dsn::Dsn;
use ipc::bounce;
use ipc::deliver::{self, Times};
use ipc::rewrite::{Rewriter, Rule};
use table::LocalFuture;

/// Which service keeps a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogService {
    /// Returned mail.
    Bounce,
    /// Delivery records.
    Trace,
}

/// The message that an outcome is about.
#[derive(Clone, Debug)]
pub struct About {
    /// Its queue id.
    pub queue_id: String,
    /// Its times.
    pub times: Times,
}

/// The services, so that a test can take their place.
pub trait Peers {
    /// The canonical form of an address in external form. It waits for the service as long as that takes.
    fn rewrite<'a>(&'a self, rule: Rule, address: &'a [u8]) -> LocalFuture<'a, Vec<u8>>;

    /// Makes a request of the bounce or trace service; whether it was done.
    fn request<'a>(&'a self, service: LogService, request: &'a bounce::Request) -> LocalFuture<'a, bool>;

    /// Logs that a recipient cannot get the message, for the report to its sender; whether it was done.
    fn bounced<'a>(
        &'a self,
        about: &'a About,
        recipient: &'a ipc::Recipient,
        dsn: Dsn,
    ) -> LocalFuture<'a, bool>;

    /// Tells verify(8) that a recipient is deliverable; whether it listened.
    fn verified<'a>(
        &'a self,
        about: &'a About,
        recipient: &'a ipc::Recipient,
        dsn: Dsn,
    ) -> LocalFuture<'a, bool>;
}

/// The real services.
pub struct Services {
    rewriter: Rewriter,
    reporter: delivery::Reporter,
    bounce_path: String,
    trace_path: String,
}

impl Services {
    /// The services that the parameters name.
    pub fn new(params: &crate::config::CleanupParams, reporter: delivery::Reporter) -> Self {
        let private = |service: &str| format!("private/{service}");
        Self {
            rewriter: Rewriter::with_limits(
                private(&params.rewrite_service_name),
                params.ipc_timeout,
                params.ipc_ttl,
            ),
            reporter,
            bounce_path: private(&params.bounce_service_name),
            trace_path: private(&params.trace_service_name),
        }
    }
}

impl Peers for Services {
    fn rewrite<'a>(&'a self, rule: Rule, address: &'a [u8]) -> LocalFuture<'a, Vec<u8>> {
        Box::pin(self.rewriter.rewrite(rule, address))
    }

    fn request<'a>(&'a self, service: LogService, request: &'a bounce::Request) -> LocalFuture<'a, bool> {
        let path = match service {
            LogService::Bounce => &self.bounce_path,
            LogService::Trace => &self.trace_path,
        };
        Box::pin(async move {
            bounce::request(path, request).await.unwrap_or_else(|fault| {
                log::warning!("connect to {path}: {fault}");
                false
            })
        })
    }

    fn bounced<'a>(
        &'a self,
        about: &'a About,
        recipient: &'a ipc::Recipient,
        dsn: Dsn,
    ) -> LocalFuture<'a, bool> {
        Box::pin(async move {
            let verdict =
                self.reporter.bounced(about.message(bounce::FLAG_CLEAN), recipient, "none", dsn).await;
            verdict == delivery::Verdict::Done
        })
    }

    fn verified<'a>(
        &'a self,
        about: &'a About,
        recipient: &'a ipc::Recipient,
        dsn: Dsn,
    ) -> LocalFuture<'a, bool> {
        Box::pin(async move {
            let message = about.message(deliver::FLAG_MTA_VERIFY);
            self.reporter.sent(message, recipient, "none", dsn).await == delivery::Verdict::Done
        })
    }
}

impl About {
    fn message(&self, flags: u32) -> delivery::Message<'_> {
        delivery::Message { flags, queue_id: &self.queue_id, times: &self.times, tls: None }
    }
}
