//! discard(8) - a delivery agent that pretends to deliver.
//!
//! Every recipient succeeds and nothing is written anywhere; the nexthop is the text of the delivery line. It trusts the
//! queue manager's requests and touches nothing but the recipients' marks in the queue file.

use std::rc::Rc;

use daemon::{Clients, Connection, Control, Fatal, Service, Startup};
use delivery::{Agent, Job, Reporter};
use dsn::{Dsn, Status};

conf::param_set! {
    /// What discard(8) reads.
    pub struct DiscardParams { default_delivery_status_filter }
}

/// The discard service.
pub struct Discard {
    agent: Agent,
    reporter: Reporter,
}

impl Service for Discard {
    const PROGRAM: &'static str = "discard";
    const CLIENTS: Clients = Clients::Many;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let params = DiscardParams::load(&startup.main)?;
        let env = table::Env::load(&startup.main)?;
        let filter = &params.default_delivery_status_filter;
        let reporter = Reporter::new(&startup.main, &env, "default_delivery_status_filter", filter)?;
        Ok(Self { agent: Agent::new(startup, &env)?, reporter })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        self.agent.begin(control);
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let deliver = async |job: &mut Job| {
            for recipient in job.request.recipients.clone() {
                let dsn = Dsn::with_text(Status::new("2.0.0"), &job.request.nexthop);
                job.sent(&self.reporter, &recipient, "none", dsn).await;
            }
        };
        self.agent.serve(connection, deliver).await;
    }
}
