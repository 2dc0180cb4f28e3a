//! Deliver now.

use std::path::Path;

use command::{Fatal, fatal};
use fast_flush::{Sites, Status};
use ipc::trigger;
use queue::QueueId;

use crate::{Tool, user};

/// Everything: the queue manager forgets what is down and looks at all mail whatever its time; pickup at the maildrop.
pub(crate) fn all(tool: &Tool) -> Result<(), Fatal> {
    check_user(tool)?;
    let everything = [trigger::FLUSH_DEAD, trigger::SCAN_ALL, trigger::SCAN_DEFERRED, trigger::SCAN_INCOMING];
    wake(tool, &tool.params.queue_service_name, &everything)?;
    wake(tool, &tool.params.pickup_service_name, &[trigger::WAKEUP])
}

/// Mail for a site, if it has a fast flush log.
pub(crate) fn site(tool: &Tool, site: &str) -> Result<(), Fatal> {
    check_user(tool)?;
    match ask(tool, async |sites| sites.send(site.as_bytes()).await)? {
        Status::Ok => Ok(()),
        Status::Bad => Err(fatal!("Invalid request: \"{site}\"")),
        Status::Fail => Err(down()),
        Status::Deny => Err(fatal!("Flush service is not configured for destination \"{site}\"")),
    }
}

/// One message.
pub(crate) fn file(tool: &Tool, id: &QueueId) -> Result<(), Fatal> {
    check_user(tool)?;
    match ask(tool, async |sites| sites.send_file(id.as_bytes()).await)? {
        Status::Ok => Ok(()),
        Status::Bad => Err(fatal!("Invalid request: \"{id}\"")),
        Status::Fail => Err(down()),
        Status::Deny => Err(fatal!("Unexpected flush server reply status 4")),
    }
}

fn check_user(tool: &Tool) -> Result<(), Fatal> {
    match user::refused(tool, "authorized_flush_users", &tool.params.authorized_flush_users)? {
        None => Ok(()),
        Some((name, uid)) => Err(fatal!("User {name}({uid}) is not allowed to flush the mail queue")),
    }
}

fn wake(tool: &Tool, service: &str, requests: &[u8]) -> Result<(), Fatal> {
    let path = format!("public/{service}");
    if let Err(why) = std::fs::metadata(&path) {
        log::warning!("unable to look up {path}: {}", queue::reason(&why));
        return Err(down());
    }
    trigger::send(Path::new(&path), requests, tool.params.trigger_timeout).map_err(|why| {
        log::warning!("connect to {path}: {}", queue::reason(&why));
        down()
    })
}

fn ask(tool: &Tool, question: impl AsyncFnOnce(&Sites) -> Status) -> Result<Status, Fatal> {
    let main = &tool.startup.main;
    let sites = Sites::open(main, &table::Env::load(main)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| fatal!("{}", queue::reason(&why)))?;
    Ok(runtime.block_on(question(&sites)))
}

fn down() -> Fatal {
    fatal!("Cannot flush mail queue - mail system is down")
}
