//! Fast flush: which sites have a list of the mail that waits for them, and how flush(8) is asked about it.
//!
//! Most sites have none, and a program finds that out by itself: the service is only asked about sites in
//! `fast_flush_domains`, and is not even started when there are none.
//!
//! Trust: the configuration. Promises: a list of domains that cannot be looked up is [`Status::Fail`], never "no list".

use std::rc::Rc;

pub use ipc::flush::Status;
use ipc::flush::{Request, request};
use table::{DomainList, Env, ListFlags};

conf::param_set! {
    struct Params { fast_flush_domains, flush_service_name, parent_domain_matches_subdomains }
}

/// The sites that have a list.
pub struct Sites {
    domains: DomainList,
    service: String,
    /// Which sites these are depends on an old default, whose use is logged.
    is_legacy: bool,
}

impl Sites {
    /// What main.cf says. Call it before the jail, since tables may be opened here.
    pub fn open(main: &conf::MainCf, env: &Rc<Env>) -> Result<Self, conf::Error> {
        let params = Params::load(main)?;
        let title = "fast_flush_domains";
        let flags = ListFlags::for_parameter(title, &params.parent_domain_matches_subdomains);
        Ok(Self {
            domains: DomainList::open(title, &params.fast_flush_domains, env, flags),
            service: format!("public/{}", params.flush_service_name),
            is_legacy: conf::compat::is_legacy_default(main, title),
        })
    }

    /// Whether a site has a list.
    pub async fn contain(&self, site: &[u8]) -> Result<bool, table::Error> {
        self.domains.matches(site).await
    }

    /// A message waits for a site.
    pub async fn add(&self, site: &[u8], queue_id: &str) -> Status {
        let request = Request::Add { site: site.to_vec(), queue_id: queue_id.into() };
        self.ask(site, "update fast-flush logfile", request).await
    }

    /// Try all mail for a site now.
    pub async fn send(&self, site: &[u8]) -> Status {
        self.ask(site, "flush mail", Request::SendSite(site.to_vec())).await
    }

    /// Try one message now, whatever site it is for.
    pub async fn send_file(&self, queue_id: &[u8]) -> Status {
        request(&self.service, &Request::SendFile(queue_id.to_vec())).await
    }

    async fn ask(&self, site: &[u8], purpose: &str, question: Request) -> Status {
        match self.contain(site).await {
            Ok(true) => {}
            Ok(false) => return Status::Deny,
            Err(_logged) => return Status::Fail,
        }
        if self.is_legacy {
            let notice = conf::compat::legacy_notice("relay_domains", "$mydestination");
            let site = String::from_utf8_lossy(site);
            log::info!("{notice} to {purpose} for domain \"{site}\"");
        }
        request(&self.service, &question).await
    }
}
