//! Asking the bounce, defer and trace services to report about a message.

use std::time::Duration;

use ipc::bounce::{self, FLAG_DELETE_RECIPIENT, Request};

use crate::manager::Manager;
use crate::scheduler::Envelope;

/// How long a report may take. Meanwhile other mail goes on.
const PATIENCE: Duration = Duration::from_secs(1000);

/// Returns the recipients in the bounce log to the sender. True: that is done, and the log is gone.
pub(crate) async fn flush(manager: &Manager, envelope: &Envelope) -> bool {
    let service = &manager.params.bounce_service_name;
    returned(manager, envelope, service, 0).await
}

/// Returns the recipients in the defer log to the sender, and crosses them off.
pub(crate) async fn flush_deferred(manager: &Manager, envelope: &Envelope) -> bool {
    let service = &manager.params.defer_service_name;
    returned(manager, envelope, service, FLAG_DELETE_RECIPIENT).await
}

/// Warns the sender that recipients are delayed.
pub(crate) async fn warn(manager: &Manager, envelope: &Envelope) -> bool {
    let request = Request::Warn { flags: 0, message: message(envelope) };
    ask(&manager.params.defer_service_name, envelope, &request, "delay warning").await
}

/// Sends the delivery record that somebody asked for, if there is one.
pub(crate) async fn trace(manager: &Manager, envelope: &Envelope) -> bool {
    let request = Request::Trace { flags: envelope.trace_flags, message: message(envelope) };
    ask(&manager.params.trace_service_name, envelope, &request, "trace").await
}

async fn returned(manager: &Manager, envelope: &Envelope, service: &str, flags: u32) -> bool {
    let message = message(envelope);
    match envelope.verp.filter(|_| !manager.params.disable_verp_bounces) {
        Some(verp) => {
            let delimiters = vec![verp.name, verp.at];
            ask(service, envelope, &Request::Verp { flags, message, delimiters }, "verp-bounce").await
        }
        None => ask(service, envelope, &Request::Flush { flags, message }, "bounce").await,
    }
}

/// A failure leaves the log where it is: the message is deferred, and the report is tried again with it.
async fn ask(service: &str, envelope: &Envelope, request: &Request, what: &str) -> bool {
    let path = format!("private/{service}");
    let is_done = match tokio::time::timeout(PATIENCE, bounce::request(&path, request)).await {
        Ok(Ok(is_done)) => is_done,
        Ok(Err(error)) => {
            log::warning!("connect to {path}: {error}");
            false
        }
        Err(_) => false,
    };
    if !is_done {
        log::info!("{}: status=deferred ({what} failed)", envelope.queue_id);
    }
    is_done
}

fn message(envelope: &Envelope) -> bounce::Message {
    bounce::Message {
        queue: "active".to_owned(),
        queue_id: envelope.queue_id.to_string(),
        encoding: envelope.encoding.clone(),
        sendopts: envelope.send_options,
        sender: envelope.sender.clone(),
        dsn_envid: envelope.dsn_envid.clone(),
        dsn_ret: envelope.dsn_ret,
    }
}
