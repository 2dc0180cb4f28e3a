//! The daemon: clients come, each with one message.

use std::rc::Rc;
use std::time::Duration;

use daemon::{Clients, Connection, Control, Fatal, Service, Startup};
use ipc::Stream;
use ipc::cleanup::{self, Intake as Session, Status};
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
        let Some(mut stream) = connection.into_stream() else { return };
        loop {
            self.retire_when_tables_change();
            if let Some(flow) = &self.flow {
                flow.take().await;
            }
            let Some(kept) = serve(&self.cx, stream, self.control.get()).await else { return };
            stream = kept;
        }
    }
}

impl Cleanup {
    fn retire_when_tables_change(&self) {
        if let (Some(table), Some(control)) = (self.env.changed_table(), self.control.get())
            && !control.is_retiring()
        {
            log::info!("table {table} has changed -- restarting");
            control.retire();
        }
    }
}

/// Takes one message from a client, and gives back the connection if the client has another. Without `control` it is
/// for one message.
pub async fn serve(cx: &Rc<Context>, stream: Stream, control: Option<&Control>) -> Option<Stream> {
    let mut stream = take(cx, stream, control).await?;
    match control?.rest(stream.closed()).await {
        Some(()) => cleanup::wants_another(&mut stream).await.ok()?.then_some(stream),
        None => None,
    }
}

async fn take(cx: &Rc<Context>, stream: Stream, control: Option<&Control>) -> Option<Stream> {
    let _session = cx.intake.enter();
    let draft = create(cx).await;
    let mut message = Message::new(Rc::clone(cx), draft);
    let mut session = match Session::greet(stream, message.queue_id()).await {
        Ok(session) => session,
        Err(fault) => {
            log::debug!("{}: client went away: {fault}", message.queue_id());
            return None;
        }
    };
    session.set_timeout(cx.config.params.ipc_timeout);
    let is_complete = receive(&mut session, &mut message).await;
    let reply = message.finish().await;
    let is_kept =
        is_complete && session.offers_more() && control.is_some_and(|control| !control.is_retiring());
    let sent = match is_kept {
        true => session.reply_and_stay(&reply).await.map(Some),
        false => session.reply(&reply).await.map(|()| None),
    };
    sent.unwrap_or_else(|fault| {
        log::debug!("client went away: {fault}");
        None
    })
}

/// Whether the client said all there is, so that what comes next is another message.
async fn receive(session: &mut Session, message: &mut Message) -> bool {
    match session.flags().await {
        Ok(flags) => message.control(flags),
        Err(_) => {
            message.control(0);
            message.fail(Status::BAD);
            return false;
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
                return false;
            }
        };
        if message.is_ok() {
            message.record(kind, data).await;
        }
        if kind == RecordType::End || message.is_out_of_step() {
            return kind == RecordType::End && !message.is_out_of_step();
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
