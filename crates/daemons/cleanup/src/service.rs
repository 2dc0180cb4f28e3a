//! The daemon: clients come, each with one message.

use std::rc::Rc;
use std::time::Duration;

use daemon::{Clients, Connection, Control, Fatal, Service, Startup};
use ipc::cleanup::{Intake as Session, Status};
use queue::{Draft, QueueName, RecordType};

use crate::config::{CleanupParams, Config, Tables};
use crate::finish::Intake;
use crate::flow::Flow;
use crate::notify::Notifier;
use crate::peers::Services;
use crate::site::LocalSite;
use crate::state::{Context, Message};

/// The pause between attempts to create a queue file when the disk is full.
const CREATE_PAUSE: Duration = Duration::from_secs(10);

/// The cleanup service.
pub struct Cleanup {
    cx: Rc<Context>,
    env: Rc<table::Env>,
    flow: Option<Flow>,
    control: std::cell::OnceCell<Control>,
}

impl Service for Cleanup {
    const PROGRAM: &'static str = "cleanup";
    const CLIENTS: Clients = Clients::Many;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        let main = &startup.main;
        let config = Config::new(CleanupParams::load(main)?)?;
        let env = table::Env::load(main)?;
        let reporter = delivery::Reporter::new(main, &env, "delivery_status_filter", "")?;
        let params = &config.params;
        let flow = if startup.options.stand_alone { None } else { Flow::inherit(params.in_flow_delay) };
        let notifier = Notifier::new(format!("public/{}", params.queue_service_name));
        let cx = Context {
            tables: Tables::open(params, &env),
            site: LocalSite::load(main, &env)?,
            peers: Rc::new(Services::new(params, reporter)),
            intake: Intake::new(startup.spool()?, Some(notifier)),
            config,
        };
        Ok(Self { cx: Rc::new(cx), env, flow, control: std::cell::OnceCell::new() })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        // Set once, here.
        drop(self.control.set(control.clone()));
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Some(stream) = connection.into_stream() else { return };
        self.retire_when_tables_change();
        if let Some(flow) = &self.flow {
            flow.take().await;
        }
        serve(&self.cx, stream).await;
    }
}

impl Cleanup {
    fn retire_when_tables_change(&self) {
        if let (Some(table), Some(control)) = (self.env.changed_table(), self.control.get()) {
            log::info!("table {table} has changed -- restarting");
            control.retire();
        }
    }
}

/// Takes one message from a client.
pub async fn serve(cx: &Rc<Context>, stream: ipc::Stream) {
    let _session = cx.intake.enter();
    let draft = create(cx).await;
    let mut message = Message::new(Rc::clone(cx), draft);
    let mut session = match Session::greet(stream, message.queue_id()).await {
        Ok(session) => session,
        Err(fault) => return log::debug!("{}: client went away: {fault}", message.queue_id()),
    };
    session.set_timeout(cx.config.params.ipc_timeout);
    receive(&mut session, &mut message).await;
    let reply = message.finish().await;
    if let Err(fault) = session.reply(&reply).await {
        log::debug!("client went away: {fault}");
    }
}

async fn receive(session: &mut Session, message: &mut Message) {
    match session.flags().await {
        Ok(flags) => message.control(flags),
        Err(_) => {
            message.control(0);
            message.fail(Status::BAD);
            return;
        }
    }
    // What is left of a message that will not be accepted is read nevertheless: the client does not listen before.
    loop {
        let (kind, data) = match session.next().await {
            Ok(record) => record,
            Err(fault) => {
                if matches!(fault, ipc::Error::Timeout) {
                    log::warning!("{}: read timeout on cleanup socket", message.queue_id());
                }
                if message.is_ok() {
                    message.fail(Status::BAD);
                }
                return;
            }
        };
        if message.is_ok() {
            message.record(kind, data).await;
        }
        if kind == RecordType::End || message.is_out_of_step() {
            return;
        }
    }
}

async fn create(cx: &Context) -> Draft {
    loop {
        match cx.intake.spool.create(QueueName::Incoming) {
            Ok(draft) => return draft,
            Err(fault) => {
                let (queue, reason) = (QueueName::Incoming, queue::reason(&fault));
                log::warning!("mail_queue_enter: create file {queue}/: {reason}");
                tokio::time::sleep(CREATE_PAUSE).await;
            }
        }
    }
}
