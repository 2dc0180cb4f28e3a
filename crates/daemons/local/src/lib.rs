//! local(8) - the delivery agent for the accounts of this machine.
//!
//! Each recipient goes through these steps until one takes it: aliases (`alias.rs`), the account's .forward
//! file (`dotforward.rs`), its mailbox by whatever way is configured (`account.rs`), and what is configured for unknown
//! users (`unknown.rs`). What aliases and .forward files list (`token.rs`) is an address, which goes through the same steps
//! or becomes a new message (`forward.rs`), a `|command`, a `/file/name`, or an `:include:` file with more of these.
//!
//! Trust: the queue manager's requests and root's tables. Users own their .forward and :include: files and may own alias
//! tables; what such a file names is done with that user's rights, and with those of `default_privs` when the file is
//! root's. Root's own rights are in reserve to take those of others, and are used themselves only to create mailboxes in
//! a directory that is root's alone. Nothing from the network gets near a shell unless `command_expansion_filter` lets
//! its characters through.
//!
//! Promise: a recipient is reported as delivered when the message is on disk, when the command says so, or when the new
//! message is in the queue. A loop of aliases is broken by counting, a loop through other machines by `Delivered-To:`.
//!
//! Failure: a table or a service that does not answer defers the recipient. When part of an alias's recipients fails for
//! the moment, the whole alias is tried again later, and some get the message twice; `owner-` aliases avoid that, since
//! they make a new message.

mod account;
mod alias;
mod biff;
mod command;
mod config;
mod delivery;
mod dotforward;
mod duplicates;
mod expand;
mod file;
mod forward;
mod include;
mod owner;
mod recipient;
mod resolve;
mod state;
#[cfg(test)]
mod testing;
mod token;
mod unknown;

use std::rc::Rc;

use ::delivery::{Agent, Job, Reporter};
use address::casefold;
use daemon::{Clients, Connection, Control, Fatal, Service, Startup};
use mailbox::limit;
use message::Ending;
use message::delivered::DeliveredTo;
use queue::{RecordReader, RecordType};
use table::Env;

use crate::config::Config;
use crate::delivery::Delivery;

/// The local service.
pub struct Local {
    pub(crate) config: Config,
    pub(crate) reporter: Reporter,
    agent: Agent,
}

impl Service for Local {
    const PROGRAM: &'static str = "local";
    const CLIENTS: Clients = Clients::OneByOne;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let main = &startup.main;
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        let env = Env::load(main)?;
        let config = Config::load(main, &env, &startup.options.service)?;
        let params = &config.params;
        limit::impose("mailbox_size_limit", params.mailbox_size_limit, params.message_size_limit)
            .map_err(Fatal::new)?;
        let filter = &params.local_delivery_status_filter;
        let reporter = Reporter::new(main, &env, "local_delivery_status_filter", filter)?;
        Ok(Self { agent: Agent::new(startup, &env)?, reporter, config })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        self.agent.begin(control);
        self.config.rights.enter();
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        self.agent.serve(connection, async |job: &mut Job| self.deliver(job).await).await;
    }
}

impl Local {
    async fn deliver(&self, job: &mut Job) {
        let request = &job.request;
        log::debug!("local_deliver: {} from {}", request.queue_id, bytes::show(&request.sender));
        let loops = delivered_to(job);
        for recipient in job.request.recipients.clone() {
            let verdict = Delivery::new(self, job, &loops).run(&recipient).await;
            // What was handed to a content filter comes back as another message; this one's recipients stay.
            let marks = job.request.flags & ipc::deliver::FLAG_SUCCESS != 0;
            if marks || verdict == ::delivery::Verdict::Keep {
                job.settle(&recipient, verdict);
            }
        }
    }
}

/// Where the message has been before.
fn delivered_to(job: &Job) -> DeliveredTo {
    let mut found = DeliveredTo::new(casefold);
    let mut reader = RecordReader::new(&job.file);
    reader.seek(u64::try_from(job.request.data_offset).unwrap_or(0));
    // A file that cannot be read is found out when it is copied.
    while let Ok(Some(record)) = reader.next() {
        let ending = match record.kind {
            RecordType::Norm => Ending::Line,
            RecordType::Cont => Ending::Part,
            _ => break,
        };
        if found.record(ending, record.data).is_break() {
            break;
        }
    }
    found
}
