//! error(8) - a delivery agent that fails every delivery.
//!
//! The nexthop is the reason, which may begin with an enhanced status code. As the service `error` it bounces the
//! recipients, as `retry` it defers them; any other name is a configuration error. The queue manager uses both for
//! destinations that are known to be unusable, and transport(5) entries name them directly.
//!
//! It trusts the queue manager's requests and touches nothing but the recipients' marks in the queue file.

use std::rc::Rc;

use daemon::{Clients, Connection, Control, Fatal, Service, Startup};
use delivery::{Agent, Job, Reporter};
use dsn::{Dsn, Status};

conf::param_set! {
    /// What error(8) reads.
    pub struct ErrorParams { default_delivery_status_filter }
}

/// The error or the retry service.
pub struct Failure {
    kind: Kind,
    agent: Agent,
    reporter: Reporter,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bounce,
    Defer,
}

impl Service for Failure {
    const PROGRAM: &'static str = "error";
    const CLIENTS: Clients = Clients::Many;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let kind = match startup.options.service.as_str() {
            "error" => Kind::Bounce,
            "retry" => Kind::Defer,
            other => return Err(Fatal::new(format!("bad error service name: {other}"))),
        };
        let params = ErrorParams::load(&startup.main)?;
        let env = table::Env::load(&startup.main)?;
        let filter = &params.default_delivery_status_filter;
        let reporter = Reporter::new(&startup.main, &env, "default_delivery_status_filter", filter)?;
        Ok(Self { kind, agent: Agent::new(startup, &env)?, reporter })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        self.agent.begin(control);
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        self.agent.serve(connection, async |job: &mut Job| self.fail(job).await).await;
    }
}

impl Failure {
    async fn fail(&self, job: &mut Job) {
        for recipient in job.request.recipients.clone() {
            let nexthop = job.request.nexthop.clone();
            match self.kind {
                Kind::Bounce => {
                    let dsn = Dsn::with_text(Status::new("5.0.0"), &nexthop);
                    job.bounced(&self.reporter, &recipient, "none", dsn).await;
                }
                Kind::Defer => {
                    let dsn = Dsn::with_text(Status::new("4.0.0"), &nexthop);
                    job.deferred(&self.reporter, &recipient, "none", dsn).await;
                }
            }
        }
    }
}
