//! The conversation with a delivery agent: connect, greeting, request, answer.

use std::rc::Rc;

use ipc::deliver::{self, Outcome, PROTOCOL, Request};
use ipc::{Error, Stream};
use queue::envelope::send_options;

use crate::active::times;
use crate::manager::Manager;
use crate::scheduler::{EntryId, Report, TransportId};

/// Gets hold of a delivery agent and lets it make whatever delivery is the next.
pub(crate) async fn deliver(manager: Rc<Manager>, transport: TransportId) {
    let name = bytes::show(manager.scheduler.borrow().transport_name(transport)).to_string();
    let path = format!("private/{name}");
    let agents = manager.agents(transport);
    let (mut stream, mut is_known) = match agents.take() {
        Some(stream) => (stream, true),
        None => match connect(&manager, &path, &name).await {
            Ok(stream) => (stream, false),
            Err(Failed::Agent) => {
                manager.schedule(|scheduler| scheduler.unavailable(transport));
                return;
            }
            Err(Failed::Us) => return,
        },
    };
    let delay = manager.schedule(|scheduler| scheduler.ready(transport));
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    // Only now: while the agent was being waited for, something more urgent may have come.
    let Some(entry) = manager.schedule(|scheduler| scheduler.select(transport)) else {
        if is_known {
            agents.put(stream);
        }
        return;
    };
    let (report, stays) = loop {
        match ask(&manager, &mut stream, entry).await {
            Ok((outcome, stays)) => break (Report::Answer(outcome), stays),
            // It went while we came. A new one gets the same request, which nobody has seen.
            Err(Trouble::NotTaken | Trouble::NotSent(_)) if is_known => {
                match connect(&manager, &path, &name).await {
                    Ok(another) => (stream, is_known) = (another, false),
                    Err(Failed::Agent) => return manager.schedule(|scheduler| scheduler.undelivered(entry)),
                    Err(Failed::Us) => return,
                }
            }
            Err(Trouble::NotTaken) => {
                complain(&path, &Error::Malformed("status"));
                break (Report::Crash, false);
            }
            Err(Trouble::NotSent(error)) => {
                log::warning!("write to process ({name}): {}", cause(&error));
                return manager.schedule(|scheduler| scheduler.undelivered(entry));
            }
            Err(Trouble::NoAnswer(Error::Timeout)) => {
                let queue_id = manager.scheduler.borrow().delivery(entry).2.envelope.queue_id.clone();
                let what = "timeout receiving delivery status from transport";
                return manager.fatal(&format!("{queue_id}: {what}: {name}"));
            }
            Err(Trouble::NoAnswer(error)) => {
                complain(&path, &error);
                break (Report::Crash, false);
            }
        }
    };
    // The agent is ready first: it may be the one that the next delivery waits for.
    if stays {
        agents.put(stream);
    } else {
        drop(stream);
    }
    manager.schedule(|scheduler| scheduler.finish(entry, report));
}

/// What came of a request that was not answered.
enum Trouble {
    /// The agent had gone, or went, before it took the request.
    NotTaken,
    /// The request could not be sent.
    NotSent(Error),
    /// What the agent did with it is not known.
    NoAnswer(Error),
}

/// Sends a request and receives the outcome, and whether the agent stays for another.
async fn ask(manager: &Manager, stream: &mut Stream, entry: EntryId) -> Result<(Outcome, bool), Trouble> {
    stream.set_timeout(manager.params.qmgr_ipc_timeout);
    request(manager, entry).write(stream);
    stream.flush().await.map_err(Trouble::NotSent)?;
    stream.set_timeout(manager.params.daemon_timeout);
    let answer = stream.receive().await.map_err(Trouble::NoAnswer)?;
    if deliver::is_not_taken(&answer) {
        return Err(Trouble::NotTaken);
    }
    let outcome = Outcome::from_attrs(&answer).map_err(Trouble::NoAnswer)?;
    Ok((outcome, deliver::stays(&answer)))
}

enum Failed {
    Agent,
    Us,
}

async fn connect(manager: &Manager, path: &str, name: &str) -> Result<Stream, Failed> {
    let mut stream = Stream::connect(path).await.map_err(|error| {
        log::warning!("connect to transport {path}: {}", cause(&error));
        Failed::Agent
    })?;
    stream.set_timeout(manager.params.daemon_timeout);
    match stream.expect_greeting(PROTOCOL).await {
        Ok(()) => {
            stream.set_timeout(manager.params.qmgr_ipc_timeout);
            Ok(stream)
        }
        Err(Error::Timeout) => {
            manager.fatal(&format!("timeout connecting to transport: {name}"));
            Err(Failed::Us)
        }
        Err(error) => {
            complain(path, &error);
            Err(Failed::Agent)
        }
    }
}

fn complain(path: &str, error: &Error) {
    match error {
        Error::Closed(_) | Error::Io(_) => log::warning!("{path}: premature disconnect"),
        _ => log::warning!("{path}: malformed response"),
    }
}

fn cause(error: &Error) -> String {
    match error {
        Error::Io(error) => queue::reason(error),
        other => other.to_string(),
    }
}

fn request(manager: &Manager, entry: EntryId) -> Request {
    let scheduler = manager.scheduler.borrow();
    let (entry, queue, message) = scheduler.delivery(entry);
    let envelope = &message.envelope;
    let mut sendopts = envelope.send_options;
    let wants_utf8 = |address: &[u8]| !address.is_ascii() && std::str::from_utf8(address).is_ok();
    if manager.params.smtputf8_enable && entry.recipients.iter().any(|found| wants_utf8(&found.address)) {
        sendopts |= send_options::SMTPUTF8_RECIPIENT as u32;
        if envelope.verp.is_some() {
            sendopts |= send_options::SMTPUTF8_SENDER as u32;
        }
    }
    let sender = match (envelope.verp, entry.recipients.first()) {
        (Some(delimiters), Some(recipient)) => {
            // What the sender knows the recipient by.
            let known_as =
                if recipient.original.is_empty() { &recipient.address } else { &recipient.original };
            address::verp::verp_sender(delimiters, &envelope.sender, known_as)
        }
        _ => envelope.sender.clone(),
    };
    // An inspecting transport leaves its recipients unmarked: what it hands back is delivered to them.
    let marks =
        if envelope.inspected { deliver::FLAG_BOUNCE } else { deliver::FLAG_SUCCESS | deliver::FLAG_BOUNCE };
    Request {
        flags: envelope.trace_flags | queue.connection_flags() | marks | deliver::FLAG_KEEP,
        queue: "active".to_owned(),
        queue_id: envelope.queue_id.to_string(),
        data_offset: envelope.data_offset,
        data_size: envelope.content_length,
        nexthop: queue.nexthop().to_vec(),
        encoding: envelope.encoding.clone(),
        sendopts,
        sender,
        dsn_envid: envelope.dsn_envid.clone(),
        dsn_ret: envelope.dsn_ret,
        times: times(envelope),
        client: envelope.client.clone(),
        log_ident: envelope.log_ident.clone(),
        rewrite_context: envelope.rewrite_context.clone(),
        recipients: entry.recipients.clone(),
    }
}
