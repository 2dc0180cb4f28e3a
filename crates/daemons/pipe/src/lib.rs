//! pipe(8) - a delivery agent that hands messages to a command of master.cf.
//!
//! The command, its user and its flags are arguments in master.cf ([`attributes`]); addresses of the message become part
//! of the command line ([`arguments`]), one argument a recipient where an argument has them. The command's exit status
//! and output decide about all recipients of the request alike.
//!
//! It trusts master.cf and the queue manager. No shell is involved, so what addresses contain is harmless to us; whether
//! it is harmless to the command is the command's business. The command has its user's rights, which are never root's nor
//! the mail system's own, a clean environment and a time limit.
//!
//! A macro that does not exist, or a flag that needs single recipients with a request that has many, defers the mail.

pub mod arguments;
pub mod attributes;

use std::rc::Rc;
use std::time::Duration;

use address::{Splitter, casefold};
use daemon::{Clients, Connection, Control, Fatal, Service, Startup};
use delivery::{Agent, Job, Reporter, Verdict};
use dsn::{Dsn, Status};
use ipc::deliver::FLAGS_TRACE_ONLY;
use mailbox::command::{self, Command, Program};
use mailbox::{Confinement, Failure, Message, Rights};
use message::Ending;
use message::copy::{CopyAddresses, CopyFlags};
use message::delivered::DeliveredTo;
use queue::{RecordReader, RecordType};
use table::Env;

use crate::arguments::{BadMacro, expand};
use crate::attributes::{Action, Attributes, SystemIds};

conf::param_set! {
    /// What pipe(8) reads.
    pub struct PipeParams {
        command_time_limit, pipe_delivery_status_filter, enable_original_recipient, recipient_delimiter,
        double_bounce_sender, owner_request_special, mail_owner, setgid_group
    }
}

const MISCONFIGURED: &str = "mail system configuration error";

/// A service that runs a command.
pub struct Pipe {
    service: String,
    master_cf: String,
    params: PipeParams,
    attributes: Attributes,
    time_limit: Duration,
    export: Vec<String>,
    splitter: Splitter,
    rights: Rights,
    agent: Agent,
    reporter: Reporter,
}

impl Service for Pipe {
    const PROGRAM: &'static str = "pipe";
    const CLIENTS: Clients = Clients::OneByOne;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let main = &startup.main;
        let params = PipeParams::load(main)?;
        let service = startup.options.service.clone();
        let rights = Rights::load(main)?;
        // A private instance of an ordinary user has one identity for everything.
        let system = match rights.is_root() {
            true => SystemIds::find(&params.mail_owner, &params.setgid_group),
            false => SystemIds::default(),
        };
        let attributes = Attributes::parse(&startup.options.arguments, &system).map_err(Fatal::new)?;
        let limit = params.command_time_limit;
        let env = Env::load(main)?;
        let filter = &params.pipe_delivery_status_filter;
        Ok(Self {
            time_limit: conf::transport_time(main, &service, "_time_limit", limit, b's', Some(1))?,
            master_cf: main.path().join("master.cf").display().to_string(),
            export: conf::environment::export_list(main)?,
            splitter: Splitter::new(params.recipient_delimiter.as_str())
                .with_double_bounce_sender(params.double_bounce_sender.as_str())
                .with_owner_request_special(params.owner_request_special),
            rights,
            agent: Agent::new(startup, &env)?,
            reporter: Reporter::new(main, &env, "pipe_delivery_status_filter", filter)?,
            service,
            params,
            attributes,
        })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        self.agent.begin(control);
        self.rights.enter();
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        self.agent.serve(connection, async |job: &mut Job| self.deliver(job).await).await;
    }
}

/// How a request ended.
enum Outcome {
    Sent(Dsn),
    Failed(Dsn),
    Corrupt,
}

impl Pipe {
    async fn deliver(&self, job: &mut Job) {
        let (outcome, warning) = self.attempt(job).await;
        for recipient in job.request.recipients.clone() {
            let (reporter, relay) = (&self.reporter, self.service.as_str());
            match &outcome {
                Outcome::Sent(dsn) => job.sent(reporter, &recipient, relay, dsn.clone()).await,
                Outcome::Failed(dsn) => job.failed(reporter, &recipient, relay, dsn.clone()).await,
                Outcome::Corrupt => job.settle(&recipient, Verdict::Keep),
            }
        }
        if let Some(warning) = warning {
            log::warning!("{warning}");
        }
    }

    /// What becomes of all recipients, and what to say after that.
    async fn attempt(&self, job: &Job) -> (Outcome, Option<String>) {
        let (attributes, request) = (&self.attributes, &job.request);
        let failed =
            |code: &str, reason: &str| Outcome::Failed(Dsn::new(status(code), reason.as_bytes().to_vec()));
        if request.nexthop.is_empty() {
            return (failed("4.3.5", MISCONFIGURED), Some("empty nexthop hostname".to_owned()));
        }
        // These name one recipient, and a command has one input.
        for (flag, letter) in [(CopyFlags::DELIVERED, 'D'), (CopyFlags::ORIGINAL_RECIPIENT, 'O')] {
            if attributes.copy.contains(flag) && request.recipients.len() > 1 {
                let needs = format!("requires {}_destination_recipient_limit = 1", self.service);
                return (failed("4.3.5", MISCONFIGURED), Some(format!("pipe flag `{letter}' {needs}")));
            }
        }
        if attributes.size_limit != 0 && request.data_size > attributes.size_limit {
            return (failed("5.2.3", "message too large"), None);
        }
        if request.flags & FLAGS_TRACE_ONLY != 0 {
            let program = attributes.argv.first().map(String::as_str).unwrap_or_default();
            return (
                Outcome::Sent(Dsn::new(status("2.0.0"), format!("delivers to command: {program}"))),
                None,
            );
        }
        if let Some(address) = self.looping_recipient(job) {
            let reason = [b"mail forwarding loop for ", address].concat();
            return (Outcome::Failed(Dsn::new(status("5.4.6"), reason)), None);
        }
        match self.run(job).await {
            Ok(output) => (Outcome::Sent(self.delivered(&output)), None),
            Err(Failure::Failed(failed)) => (Outcome::Failed(*failed.dsn), None),
            Err(Failure::Corrupt) => {
                mailbox::mark_corrupt(&job.file, &request.queue_id);
                (Outcome::Corrupt, None)
            }
        }
    }

    fn looping_recipient<'j>(&self, job: &'j Job) -> Option<&'j [u8]> {
        if !self.attributes.copy.contains(CopyFlags::DELIVERED) {
            return None;
        }
        let recipient = job.request.recipients.first()?;
        let mut found = DeliveredTo::new(casefold);
        let mut reader = RecordReader::new(&job.file);
        reader.seek(data_offset(job));
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
        found.contains(&recipient.address).then_some(recipient.address.as_slice())
    }

    async fn run(&self, job: &Job) -> Result<Vec<u8>, Failure> {
        let (attributes, request) = (&self.attributes, &job.request);
        let misconfigured = || mailbox::Failed::new(status("4.3.5"), MISCONFIGURED);
        let argv = expand(attributes, &self.splitter, request).map_err(|BadMacro(name)| {
            let (file, service) = (&self.master_cf, &self.service);
            log::warning!("file {file}: service {service}: unknown macro name: \"{name}\"");
            misconfigured()
        })?;
        let environment = mailbox::exported(&self.export).map_err(|error| {
            log::warning!("{error}");
            misconfigured()
        })?;
        let command = Command {
            program: Program::Argv(argv),
            confinement: Confinement {
                who: attributes.who,
                root: attributes.chroot.clone(),
                directory: attributes.directory.clone(),
            },
            environment,
            time_limit: self.time_limit,
        };
        let first = request.recipients.first().ok_or_else(misconfigured)?;
        let known = self.params.enable_original_recipient;
        let sender = attributes.sender(&request.sender);
        let message = Message {
            file: &job.file,
            offset: data_offset(job),
            flags: attributes.copy,
            addresses: CopyAddresses {
                sender,
                original_recipient: if known { &first.original } else { b"" },
                delivered_to: &first.address,
            },
            eol: &attributes.eol,
        };
        command::run(&self.rights, &command, &message).await
    }

    fn delivered(&self, output: &[u8]) -> Dsn {
        let mut reason = format!("delivered via {} service", self.service).into_bytes();
        let output = bytes::trim_end(output);
        if !output.is_empty() {
            reason.extend([b" (", output.get(..100).unwrap_or(output), b")"].concat());
        }
        let action = match self.attributes.action {
            Action::Relayed => "relayed",
            Action::Delivered => "delivered",
        };
        Dsn::new(status("2.0.0"), reason).action(action)
    }
}

fn data_offset(job: &Job) -> u64 {
    u64::try_from(job.request.data_offset).unwrap_or(0)
}

fn status(code: &str) -> Status {
    Status::parse(code.as_bytes()).unwrap_or(Status::new("4.3.0"))
}
