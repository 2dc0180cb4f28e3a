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
    let mut stream = match connect(&manager, &path, &name).await {
        Ok(stream) => stream,
        Err(Failed::Agent) => {
            manager.schedule(|scheduler| scheduler.unavailable(transport));
            return;
        }
        Err(Failed::Us) => return,
    };
    let delay = manager.schedule(|scheduler| scheduler.ready(transport));
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    // Only now: while the agent was being waited for, something more urgent may have come.
    let Some(entry) = manager.schedule(|scheduler| scheduler.select(transport)) else { return };
    request(&manager, entry).write(&mut stream);
    if let Err(error) = stream.flush().await {
        log::warning!("write to process ({name}): {}", cause(&error));
        manager.schedule(|scheduler| scheduler.undelivered(entry));
        return;
    }
    stream.set_timeout(manager.params.daemon_timeout);
    let report = match stream.receive().await.and_then(|attrs| Outcome::from_attrs(&attrs)) {
        Ok(outcome) => Report::Answer(outcome),
        Err(Error::Timeout) => {
            let queue_id = manager.scheduler.borrow().delivery(entry).2.envelope.queue_id.clone();
            let what = "timeout receiving delivery status from transport";
            return manager.fatal(&format!("{queue_id}: {what}: {name}"));
        }
        Err(error) => {
            complain(&path, &error);
            Report::Crash
        }
    };
    // The agent is let go first: it may be the one that the next delivery waits for.
    drop(stream);
    manager.schedule(|scheduler| scheduler.finish(entry, report));
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
        flags: envelope.trace_flags | queue.connection_flags() | marks,
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
