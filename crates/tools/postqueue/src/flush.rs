//! Deliver now.

use std::path::Path;

use command::{Fatal, fatal};
use ipc::flush::{Request, Status};
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
    let status = match is_eligible(tool, site)? {
        true => request(tool, &Request::SendSite(site.into()))?,
        false => Status::Deny,
    };
    match status {
        Status::Ok => Ok(()),
        Status::Bad => Err(fatal!("Invalid request: \"{site}\"")),
        Status::Fail => Err(down()),
        Status::Deny => Err(fatal!("Flush service is not configured for destination \"{site}\"")),
    }
}

/// One message.
pub(crate) fn file(tool: &Tool, id: &QueueId) -> Result<(), Fatal> {
    check_user(tool)?;
    match request(tool, &Request::SendFile(id.as_bytes().into()))? {
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

fn is_eligible(tool: &Tool, site: &str) -> Result<bool, Fatal> {
    let env = table::Env::load(&tool.startup.main)?;
    let parents = &tool.params.parent_domain_matches_subdomains;
    let flags = table::ListFlags::for_parameter("fast_flush_domains", parents);
    let domains = table::DomainList::open("fast_flush_domains", &tool.params.fast_flush_domains, &env, flags);
    domains.matches_blocking(site.as_bytes()).map_err(|why| {
        log::warning!("{why}");
        down()
    })
}

fn request(tool: &Tool, request: &Request) -> Result<Status, Fatal> {
    let path = format!("public/{}", tool.params.flush_service_name);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| fatal!("{}", queue::reason(&why)))?;
    Ok(runtime.block_on(ipc::flush::request(&path, request)))
}

fn down() -> Fatal {
    fatal!("Cannot flush mail queue - mail system is down")
}
