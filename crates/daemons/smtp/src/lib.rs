//! smtp(8), lmtp(8) - mail to other hosts.
//!
//! **What it does.** It takes delivery requests from the queue manager, finds the servers of the next hop (MX and address
//! records, or a list in the configuration), and gives them the message: in one session if it can, over several servers if it must. By the
//! name `lmtp` it speaks LMTP and reads the `lmtp_` parameters. Many deliveries run in one process, and connections that the
//! queue manager asks to keep stay open in it for the next.
//!
//! **What it trusts.** The queue manager's requests. Not servers: what they say is limited, cleaned and never interpreted beyond the
//! protocol; nothing read before TLS survives it.
//!
//! **What it promises.** A recipient is crossed off only after a server took the message for it with a positive reply to its
//! end, or after a bounce is on record. Mail that must go over TLS never goes without. A server that greets with our own name
//! is a loop and is not fed.
//!
//! **When it fails.** A soft error tries the next server, then the next hop, then the fallback relays, and in the end
//! defers; a hard error bounces. When the process dies, recipients that were not yet crossed off get the message again.

mod addresses;
mod cache;
mod connect;
mod content;
mod delivery;
mod destination;
mod envelope;
mod feature_status;
mod handshake;
mod levels;
mod notify;
mod requiretls;
mod reuse;
mod rewrite;
mod session;
mod settings;
#[cfg(test)]
mod testing;
mod tls_policy;
mod transfer;
mod wire;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ::address::Splitter;
use ::delivery::post::Poster;
use ::delivery::{Agent, Job, Reporter};
use daemon::{Clients, Connection, Control, Fatal, Service, Startup};
use ipc::rewrite::Rewriter;
use message::header::HeaderTable;
use table::address::Extension;
use table::{Env, Flags, ListFlags, Maps, StringList, Table};

use crate::cache::Cache;
use crate::content::Checks;
use crate::delivery::Delivery;
use crate::requiretls::RequireTlsPolicy;
use crate::rewrite::Generic;
use crate::settings::Settings;
use crate::tls_policy::Policy;

conf::param_set! {
    mirrored struct PolicyParams { smtp_requiretls_policy }
}

/// The service.
pub struct Client {
    settings: Settings,
    resolver: dns::Resolver,
    dns_filter: Option<(String, dns::Filter)>,
    reporter: Reporter,
    poster: Poster,
    agent: Agent,
    cache: Cache,
    cache_destinations: Option<StringList>,
    tls: Option<tls::Client>,
    tls_variants: RefCell<HashMap<(String, String), Option<tls::Client>>>,
    tls_policy: Option<Maps>,
    requiretls: Option<RequireTlsPolicy>,
    ehlo_discard: Option<Maps>,
    pix: Option<Maps>,
    passwords: Option<Maps>,
    reply_filter: Option<Table>,
    generic: Option<Generic>,
    checks: Checks,
    header_table: Rc<HeaderTable>,
}

impl Service for Client {
    const PROGRAM: &'static str = "smtp";
    const CLIENTS: Clients = Clients::Many;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        let main = &startup.main;
        let settings = Settings::load(main, &startup.options.service, &startup.options.arguments)?;
        let params = &settings.params;
        let env = Env::load(main)?;
        let maps = |rest: &str, specs: &str, flags: Flags| {
            (!specs.is_empty()).then(|| Maps::open(&settings.name(rest), specs, &env, flags))
        };
        let checks = |rest: &str, specs: &str| Maps::open(&settings.name(rest), specs, &env, Flags::LOCK);
        let filter_title = settings.name("delivery_status_filter");
        let mirror =
            if settings.protocol == smtp::Protocol::Lmtp { conf::Mirror::Lmtp } else { conf::Mirror::Smtp };
        let policy = PolicyParams::load_as(main, mirror)?.smtp_requiretls_policy;
        let wants_tls = settings.tls_level > tls::Level::None || !params.smtp_tls_policy_maps.is_empty();
        Ok(Self {
            resolver: dns::Resolver::system(),
            dns_filter: dns_filter(&settings, &env),
            reporter: Reporter::new(main, &env, &filter_title, &params.smtp_delivery_status_filter)?,
            poster: Poster::new(main)?,
            agent: Agent::new(startup, &env)?,
            cache: Cache::default(),
            cache_destinations: list(&settings.name("connection_cache_destinations"), params, &env),
            tls: if wants_tls { tls_context(&settings) } else { None },
            tls_variants: RefCell::default(),
            tls_policy: maps("tls_policy_maps", &params.smtp_tls_policy_maps, Flags::LOOKUP),
            requiretls: settings.common.requiretls_enable.then(|| RequireTlsPolicy::open(&policy, &env)),
            ehlo_discard: maps(
                "discard_ehlo_keyword_address_maps",
                &params.smtp_discard_ehlo_keyword_address_maps,
                Flags::LOCK,
            ),
            pix: maps("pix_workaround_maps", &params.smtp_pix_workaround_maps, Flags::LOCK),
            passwords: if params.smtp_sasl_auth_enable {
                maps("sasl_password_maps", &params.smtp_sasl_password_maps, Flags::LOOKUP)
            } else {
                None
            },
            reply_filter: (!params.smtp_reply_filter.is_empty())
                .then(|| Table::open(&params.smtp_reply_filter, &env, Flags::LOCK | Flags::FOLD_FIX)),
            generic: generic(&settings, &env),
            checks: Checks {
                header: checks("header_checks", &params.smtp_header_checks),
                mime: checks("mime_header_checks", &params.smtp_mime_header_checks),
                nested: checks("nested_header_checks", &params.smtp_nested_header_checks),
                body: checks("body_checks", &params.smtp_body_checks),
            },
            header_table: content::header_table(),
            settings,
        })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        self.agent.begin(control);
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let client = Rc::clone(&self);
        self.agent.serve(connection, async |job: &mut Job| client.deliver(job).await).await;
    }
}

impl Client {
    /// Uses another name service than the system's.
    pub fn use_resolver(&mut self, resolver: dns::Resolver) {
        self.resolver = resolver;
    }

    async fn deliver(&self, job: &mut Job) {
        let mut delivery = Delivery::new(self, job);
        if let Some(why) = self.refusal(&delivery).await {
            delivery.final_server = true;
            delivery.bulk_fail(why, crate::delivery::Effect::NONE, None).await;
            delivery.clean_up();
            delivery.finish().await;
            return;
        }
        delivery.run().await;
    }

    /// What the service's flags have against a request.
    async fn refusal(&self, delivery: &Delivery<'_>) -> Option<dsn::Dsn> {
        let flags = self.settings.flags;
        let count = delivery.todo.len();
        if delivery.job.request.nexthop.is_empty() {
            log::warning!("{}: empty nexthop hostname", delivery.queue_id());
            return Some(addresses::dsn("4.3.5", "mail system configuration error"));
        }
        for (letter, on) in [('D', flags.delivered_to), ('O', flags.original_to)] {
            if on && count > 1 {
                let service = &self.settings.service;
                log::warning!("flag `{letter}' requires {service}_destination_recipient_limit = 1");
                return Some(addresses::dsn("4.3.5", "mail system configuration error"));
            }
        }
        let (recipient, _) = delivery.todo.first().filter(|_| flags.delivered_to)?;
        let mapped = match &self.generic {
            Some(generic) => generic.map(&recipient.address).await.ok().flatten(),
            None => None,
        };
        let address = mapped.as_deref().unwrap_or(&recipient.address);
        if !content::has_delivered_to(delivery.job, address) {
            return None;
        }
        let text = [b"mail forwarding loop for ".as_slice(), &recipient.address].concat();
        Some(addresses::dsn("5.4.6", text))
    }

    /// The TLS context for a policy; contexts are kept, since sessions are resumed through them.
    fn tls_for(&self, policy: Option<&Policy>) -> Option<tls::Client> {
        let (base, policy) = (self.tls.as_ref()?, policy?);
        let params = &self.settings.params;
        let is_mandatory = policy.level.required();
        let default =
            if is_mandatory { &params.smtp_tls_mandatory_protocols } else { &params.smtp_tls_protocols };
        let protocols = policy.protocols.as_ref().unwrap_or(default).clone();
        let exclude = policy.exclude.clone().unwrap_or_else(|| {
            let more = if is_mandatory { params.smtp_tls_mandatory_exclude_ciphers.as_str() } else { "" };
            format!("{} {more}", params.smtp_tls_exclude_ciphers).trim().to_owned()
        });
        let mut variants = self.tls_variants.borrow_mut();
        let made = variants.entry((protocols, exclude)).or_insert_with_key(|(protocols, exclude)| {
            base.variant(protocols, exclude).map_err(|error| error.warn()).ok()
        });
        made.clone()
    }
}

fn tls_context(settings: &Settings) -> Option<tls::Client> {
    let params = &settings.params;
    let made = tls::Client::new(&tls::ClientSettings {
        chain_files: settings::words(&params.smtp_tls_chain_files).map(Into::into).collect(),
        cert_file: (&params.smtp_tls_cert_file).into(),
        key_file: (&params.smtp_tls_key_file).into(),
        eccert_file: (&params.smtp_tls_eccert_file).into(),
        eckey_file: (&params.smtp_tls_eckey_file).into(),
        ca_file: (&params.smtp_tls_CAfile).into(),
        ca_path: (&params.smtp_tls_CApath).into(),
        append_default_ca: settings.common.tls_append_default_CA,
        protocols: params.smtp_tls_protocols.clone(),
        exclude_ciphers: params.smtp_tls_exclude_ciphers.clone(),
        fingerprint_digest: params.smtp_tls_fingerprint_digest.clone(),
        resume: !params.smtp_tls_session_cache_database.is_empty(),
    });
    made.map_err(|error| error.warn()).ok()
}

fn list(title: &str, params: &settings::Params, env: &Rc<Env>) -> Option<StringList> {
    let patterns = &params.smtp_connection_cache_destinations;
    (!patterns.is_empty()).then(|| StringList::open(title, patterns, env, ListFlags::default()))
}

fn generic(settings: &Settings, env: &Rc<Env>) -> Option<Generic> {
    let specs = &settings.params.smtp_generic_maps;
    if specs.is_empty() {
        return None;
    }
    let common = &settings.common;
    let propagates = settings::words(&common.propagate_unmatched_extensions).any(|word| word == "generic");
    let splitter = Splitter::new(common.recipient_delimiter.as_bytes())
        .with_double_bounce_sender(common.double_bounce_sender.as_bytes())
        .with_owner_request_special(common.owner_request_special);
    Some(Generic::new(
        Maps::open(&settings.name("generic_maps"), specs, env, Flags::LOOKUP),
        if propagates { Extension::Propagate } else { Extension::Drop },
        splitter,
        &common.myorigin,
        StringList::open("mydestination", &common.mydestination, env, ListFlags::default()),
        settings.own.iter().chain(&settings.proxies).copied().collect(),
        Rewriter::new(format!("private/{}", common.rewrite_service_name)),
    ))
}

fn dns_filter(settings: &Settings, env: &Rc<Env>) -> Option<(String, dns::Filter)> {
    let specs = &settings.params.smtp_dns_reply_filter;
    if specs.is_empty() {
        return None;
    }
    let title = settings.name("dns_reply_filter");
    let maps = Rc::new(Maps::open(&title, specs, env, Flags::LOCK | Flags::FOLD_FIX));
    let filter: dns::Filter = Rc::new(move |text: String| {
        let maps = Rc::clone(&maps);
        Box::pin(async move {
            let found = maps.find(text.as_bytes()).await.map_err(|_| ())?;
            Ok(found.map(|found| String::from_utf8_lossy(&found.value).into_owned()))
        })
    });
    Some((title, filter))
}
