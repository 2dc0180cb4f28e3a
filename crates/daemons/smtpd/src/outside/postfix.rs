//! The services as Postfix has them: sockets in the queue directory.

use super::{Answer, Outside, Resolved, Space};
use crate::outgoing::Outgoing;
use crate::params::Settings;
use ipc::Client;
use ipc::anvil::{Counts, Event, Monitor};
use ipc::cleanup::Submitter;
use ipc::rewrite::{Rewriter, Rule};
use ipc::verify::AddressStatus;
use nix::sys::statvfs::statvfs;
use std::rc::Rc;
use tokio::sync::Mutex;

/// Clients of trivial-rewrite(8), anvil(8), flush(8) and cleanup(8).
pub struct Services {
    rewriter: Rewriter,
    anvil: Mutex<Monitor>,
    cleanup: Submitter,
    fast_flush: fast_flush::Sites,
    verify: Mutex<Client>,
}

impl Services {
    /// The sockets that main.cf names. Nothing is connected before it is needed.
    pub fn new(
        main: &conf::MainCf,
        env: &Rc<table::Env>,
        settings: &Settings,
    ) -> Result<Services, conf::Error> {
        Ok(Services {
            rewriter: Rewriter::with_limits(
                format!("private/{}", settings.rewrite_service_name),
                settings.ipc_timeout,
                settings.ipc_ttl,
            ),
            anvil: Mutex::new(Monitor::new("private/anvil")),
            cleanup: Submitter::new(format!("public/{}", settings.cleanup_service_name), settings.ipc_idle),
            fast_flush: fast_flush::Sites::open(main, env)?,
            verify: Mutex::new(
                Client::new(
                    format!("private/{}", settings.address_verify_service_name),
                    Some(ipc::verify::PROTOCOL),
                )
                .limits(settings.ipc_timeout, settings.ipc_ttl),
            ),
        })
    }
}

impl Outside for Services {
    fn resolve<'a>(&'a self, sender: Option<&'a [u8]>, address: &'a [u8]) -> Answer<'a, Resolved> {
        Box::pin(async move {
            let sender = match sender {
                Some(sender) if !sender.is_empty() => {
                    self.rewriter.rewrite_internal(Rule::Local, sender).await
                }
                _ => Vec::new(),
            };
            let address = self.rewriter.rewrite_internal(Rule::Local, address).await;
            self.rewriter.resolve(&sender, &address).await.into()
        })
    }

    fn rewrite<'a>(&'a self, address: &'a [u8]) -> Answer<'a, Vec<u8>> {
        Box::pin(self.rewriter.rewrite_internal(Rule::Local, address))
    }

    fn event<'a>(&'a self, event: Event, service: &'a str, client: &'a str) -> Answer<'a, Option<Counts>> {
        Box::pin(async move {
            let ident = format!("{service}:{client}");
            match self.anvil.lock().await.report(event, ident.as_bytes()).await {
                Ok(counts) => Some(counts),
                Err(error) => {
                    log::warning!("problem talking to server private/anvil: {error}");
                    None
                }
            }
        })
    }

    fn flush_site<'a>(&'a self, site: &'a str) -> Answer<'a, ipc::flush::Status> {
        Box::pin(self.fast_flush.send(site.as_bytes()))
    }

    fn open_mail(&self, flags: u32) -> Answer<'_, ipc::Result<Outgoing>> {
        Box::pin(async move { Ok(Outgoing::Cleanup(self.cleanup.open(flags).await?)) })
    }

    fn verify<'a>(&'a self, address: &'a [u8]) -> Answer<'a, Option<(AddressStatus, Vec<u8>)>> {
        Box::pin(async move {
            match ipc::verify::query(&mut *self.verify.lock().await, address).await {
                Ok(answer) => Some(answer),
                Err(error) => {
                    log::warning!("problem talking to verify: {error}");
                    None
                }
            }
        })
    }

    fn free_space(&self) -> Result<Space, std::io::Error> {
        let space = statvfs(".")?;
        Ok(Space { block_size: space.fragment_size(), free_blocks: space.blocks_available() })
    }
}
