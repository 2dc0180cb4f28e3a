//! flush(8) - remembers which mail waits for which site.
//!
//! For each domain in `fast_flush_domains` the directory `flush` has a log of queue ids, so that ETRN, `sendmail -qR` and
//! `postqueue -s` deliver a site's mail without looking through the whole queue, and `sendmail -qI` one message. Delivery
//! agents add to the logs as they defer mail.
//!
//! Its clients are the mail system's own programs and, through postqueue(1), ordinary users: what they name is checked,
//! and becomes a file name only as letters, digits and underscores. The logs are hints. A lost entry delays mail until
//! the next queue run; an entry for mail that has gone does nothing.
//!
//! [`logs`] is the whole of it without sockets.

pub mod logs;

use std::rc::Rc;
use std::time::Duration;

use daemon::{Clients, Connection, Fatal, Service, Startup};
use fast_flush::Sites;
use ipc::Stream;
use ipc::flush::{PROTOCOL, Request, Status};
use ipc::trigger;
use table::Env;

use crate::logs::Logs;

conf::param_set! {
    /// What flush(8) reads.
    pub struct FlushParams {
        fast_flush_refresh_time, fast_flush_purge_time,
        queue_service_name
    }
}

/// The flush service.
pub struct Flush {
    params: FlushParams,
    sites: Sites,
    logs: Logs,
}

impl Service for Flush {
    const PROGRAM: &'static str = "flush";
    const CLIENTS: Clients = Clients::Many;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let params = FlushParams::load(&startup.main)?;
        let env = Env::load(&startup.main)?;
        let sites = Sites::open(&startup.main, &env)?;
        Ok(Self { params, sites, logs: Logs::new(startup.spool()?) })
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Some(mut stream) = connection.into_stream() else { return };
        if let Err(error) = self.converse(&mut stream).await {
            log::warning!("client: {error}");
        }
    }
}

impl Flush {
    async fn converse(&self, stream: &mut Stream) -> ipc::Result<()> {
        stream.greet(PROTOCOL).await?;
        if stream.fill().await? == 0 {
            return Ok(());
        }
        // Master's wakeup does not speak the protocol.
        if matches!(stream.pending(), [trigger::WAKEUP] | [trigger::WAKEUP, 0]) {
            self.refresh(self.params.fast_flush_refresh_time);
            return self.scan_incoming().await;
        }
        let attrs = stream.receive().await?;
        let status = match Request::from_attrs(&attrs) {
            Ok(request) => self.perform(request, stream).await?,
            Err(error) => {
                log::warning!("unrecognized request {attrs:?}: {error}");
                Some(Status::Bad)
            }
        };
        if let Some(status) = status {
            stream.send(&status.to_attrs()).await?;
        }
        Ok(())
    }

    // Requests that take long are answered before they are carried out.
    async fn perform(&self, request: Request, stream: &mut Stream) -> ipc::Result<Option<Status>> {
        match request {
            Request::Add { site, queue_id } => Ok(Some(self.add(&site, &queue_id).await)),
            Request::SendSite(site) => Ok(Some(self.send_site(&site).await?)),
            Request::SendFile(queue_id) => Ok(Some(self.send_file(&queue_id).await?)),
            Request::Refresh | Request::Purge => {
                stream.send(&Status::Ok.to_attrs()).await?;
                let is_purge = request == Request::Purge;
                self.refresh(if is_purge { Duration::ZERO } else { self.params.fast_flush_refresh_time });
                self.scan_incoming().await?;
                Ok(None)
            }
        }
    }

    async fn add(&self, site: &[u8], queue_id: &[u8]) -> Status {
        let Some(queue_id) = queue::QueueId::parse(queue_id) else { return Status::Bad };
        let name = match self.log_name(site).await {
            Ok(name) => name,
            Err(status) => return status,
        };
        match self.logs.add(&name, &queue_id) {
            Ok(()) => Status::Ok,
            Err(error) => {
                log::warning!("open fast flush logfile {}: {}", name.as_str(), queue::reason(&error));
                Status::Fail
            }
        }
    }

    async fn send_site(&self, site: &[u8]) -> ipc::Result<Status> {
        let name = match self.log_name(site).await {
            Ok(name) => name,
            Err(status) => return Ok(status),
        };
        self.notify(trigger::FLUSH_DEAD).await;
        match self.logs.send(&name) {
            Ok(0) => {}
            Ok(_) => self.notify(trigger::SCAN_INCOMING).await,
            Err(error) => {
                log::warning!("open fast flush logfile {}: {}", name.as_str(), queue::reason(&error));
                return Ok(Status::Fail);
            }
        }
        Ok(Status::Ok)
    }

    async fn send_file(&self, queue_id: &[u8]) -> ipc::Result<Status> {
        let Some(queue_id) = queue::QueueId::parse(queue_id) else { return Ok(Status::Bad) };
        if self.logs.send_file(&queue_id) {
            self.notify(trigger::SCAN_INCOMING).await;
        }
        Ok(Status::Ok)
    }

    fn refresh(&self, age: Duration) {
        self.logs.refresh(age, self.params.fast_flush_purge_time);
    }

    async fn scan_incoming(&self) -> ipc::Result<()> {
        self.notify(trigger::SCAN_INCOMING).await;
        Ok(())
    }

    async fn notify(&self, request: u8) {
        let path = format!("public/{}", self.params.queue_service_name);
        if let Err(error) = trigger::notify(&path, &[request]).await {
            log::debug!("{path}: {error}");
        }
    }

    // The log of a site that may have one.
    async fn log_name(&self, site: &[u8]) -> Result<queue::QueueId, Status> {
        match self.sites.contain(site).await {
            Ok(true) => {}
            Ok(false) => return Err(Status::Deny),
            Err(_) => return Err(Status::Fail),
        }
        let site = address::idn::to_ascii(site).map_err(|_| Status::Deny)?;
        logs::name(&site).ok_or(Status::Bad)
    }
}
