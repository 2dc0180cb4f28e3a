//! Serving the queue manager.

use std::cell::OnceCell;
use std::fs::File;
use std::rc::Rc;

use daemon::{Connection, Control, Fatal, Startup};
use ipc::Stream;
use ipc::deliver::{self, Outcome, PROTOCOL, Request};
use queue::{QueueId, QueueName, Spool};
use table::Env;

use crate::Job;

/// A delivery agent's side of the conversation with the queue manager.
pub struct Agent {
    spool: Spool,
    env: Rc<Env>,
    control: OnceCell<Control>,
}

impl Agent {
    /// An agent that opens its tables through `env`. Call it before the jail.
    pub fn new(startup: &Startup, env: &Rc<Env>) -> Result<Self, Fatal> {
        Ok(Self { spool: startup.spool()?, env: Rc::clone(env), control: OnceCell::new() })
    }

    /// Gets to know the process; once, before the first connection. An agent that does not takes one request a connection.
    pub fn begin(&self, control: &Control) {
        // Set once, here.
        drop(self.control.set(control.clone()));
    }

    /// Serves one connection: greets, receives a request, runs `deliver`, sends the outcome, and goes on with the next
    /// request if the queue manager wants that. Between two requests the connection takes no client's place.
    ///
    /// A request that cannot be understood, or whose file has gone, is answered "not final"; the queue manager sees to it.
    pub async fn serve(&self, connection: Connection, deliver: impl AsyncFnMut(&mut Job)) {
        let Some(stream) = connection.into_stream() else { return };
        if let Err(error) = self.converse(stream, deliver).await {
            log::warning!("delivery request: {error}");
        }
    }

    async fn converse(&self, mut stream: Stream, mut deliver: impl AsyncFnMut(&mut Job)) -> ipc::Result<()> {
        stream.greet(PROTOCOL).await?;
        while let Some(mut request) = Request::read(&mut stream).await? {
            let is_kept = request.flags & deliver::FLAG_KEEP != 0;
            request.flags &= !deliver::FLAG_KEEP;
            if request.times.agent_handoff.is_zero() {
                request.times.agent_handoff = sys::time::unix_duration();
            }
            self.retire_when_tables_change();
            let outcome = match open(&self.spool, &request) {
                Some(file) => {
                    let mut job = Job::new(request, file);
                    deliver(&mut job).await;
                    job.outcome()
                }
                None => Outcome { hop_status: None, is_final: false },
            };
            let Some(control) = self.control.get().filter(|control| is_kept && !control.is_retiring()) else {
                stream.send(&outcome.to_attrs()).await?;
                // The queue manager closes first, so that it never writes to a socket that has gone.
                stream.closed().await;
                break;
            };
            stream.send(&outcome.to_attrs_and_stay()).await?;
            if control.rest(stream.closed()).await.is_none() {
                stream.send(&deliver::not_taken()).await?;
                break;
            }
        }
        Ok(())
    }

    fn retire_when_tables_change(&self) {
        if let (Some(table), Some(control)) = (self.env.changed_table(), self.control.get())
            && !control.is_retiring()
        {
            log::info!("table {table} has changed -- restarting");
            control.retire();
        }
    }
}

fn open(spool: &Spool, request: &Request) -> Option<File> {
    let queue_id = QueueId::parse(&request.queue_id);
    let (Some(queue), Some(id)) = (QueueName::parse(&request.queue), queue_id) else {
        log::warning!("delivery request: bad queue file name: {} {}", request.queue, request.queue_id);
        return None;
    };
    let file = match spool.open_ready(queue, &id, queue::Access::Update) {
        Ok(Some((file, _))) => file,
        Ok(None) => {
            log::warning!("open {} {}: No such file or directory", request.queue, request.queue_id);
            return None;
        }
        Err(error) => {
            log::warning!("open {} {}: {}", request.queue, request.queue_id, queue::reason(&error));
            return None;
        }
    };
    // Shared with the other agents of this message; the queue manager takes it alone, so it never doubles a delivery.
    match sys::lock::flock(&file, sys::lock::Mode::Shared, sys::lock::Wait::No) {
        Ok(()) => Some(file),
        Err(error) => {
            log::warning!("shared lock {} {}: {}", request.queue, request.queue_id, sys::reason(&error));
            None
        }
    }
}
