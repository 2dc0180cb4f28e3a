//! trivial-rewrite(8) - the standard form of addresses, and where mail for them goes.
//!
//! Two kinds of question arrive on the socket `rewrite`. *Rewrite*: an address as somebody wrote it becomes complete,
//! `user` → `user@$myorigin`, `user@host` → `user@host.$mydomain`, `site!user` → `user@site`, `user%site` → `user@site`
//! ([`rewrite`]). *Resolve* (and *verify*, with the destinations of address verification probes): an address becomes a
//! delivery service, a destination for it, a recipient, and the class of its domain ([`resolve`]).
//!
//! It trusts main.cf and its tables. It does not trust addresses: they come from the network, may hold any bytes, and
//! may nest routing as deep as they like. A question that makes no sense ends the conversation; a table that cannot be
//! asked gives an answer that says "try again later", never one as if the table had no entry.
//!
//! It remembers nothing that can go stale but the `*` entry of `transport_maps`, for half a minute. When the file of a
//! table was replaced, the process ends as soon as the questions that it has are answered, and master starts another,
//! which opens the new file; clients reconnect without a word.

pub mod classes;
pub mod params;
pub mod personality;
pub mod resolve;
pub mod rewrite;
mod setup;
pub mod transport;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::show;
use daemon::{Clients, Connection, Control, Fatal, OnReload, Service, Startup};
use ipc::rewrite::{PROTOCOL, Request, for_whole_domain, rewritten, wants_whole_domain};
use ipc::{Attrs, Stream};
use table::Env;
use tokio::sync::Notify;

use crate::resolve::{Resolver, Scope};

/// How often the files of tables are looked at.
const TABLE_CHECK: Duration = Duration::from_secs(10);

/// The trivial-rewrite service.
pub struct TrivialRewrite {
    resolver: Resolver,
    env: Rc<Env>,
    is_ending: Cell<bool>,
    ending: Notify,
}

impl Service for TrivialRewrite {
    const PROGRAM: &'static str = "trivial-rewrite";
    const CLIENTS: Clients = Clients::Many;
    const ON_RELOAD: OnReload = OnReload::EndNow;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        let env = Env::load(&startup.main)?;
        let resolver = Resolver::open(&startup.main, &env)?;
        Ok(Self { resolver, env, is_ending: Cell::new(false), ending: Notify::new() })
    }

    async fn begin(self: &Rc<Self>, control: &Control) -> Result<(), Fatal> {
        let (service, control) = (Rc::clone(self), control.clone());
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(TABLE_CHECK).await;
                if let Some(table) = service.env.changed_table() {
                    log::info!("table {table} has changed -- restarting");
                    service.is_ending.set(true);
                    service.ending.notify_waiters();
                    return control.retire();
                }
            }
        });
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Some(mut stream) = connection.into_stream() else { return };
        if let Err(error) = self.converse(&mut stream).await {
            log::warning!("client: {error}");
        }
    }
}

impl TrivialRewrite {
    async fn converse(&self, stream: &mut Stream) -> ipc::Result<()> {
        stream.greet(PROTOCOL).await?;
        while !self.is_ending.get() {
            let question = tokio::select! {
                biased;
                question = stream.receive_or_end() => question?,
                () = self.ending.notified() => return Ok(()),
            };
            let Some(question) = question else { return Ok(()) };
            let Some(request) = understand(&question) else { return Ok(()) };
            let scope = if wants_whole_domain(&question) { Scope::Domain } else { Scope::Address };
            stream.send(&self.answer(request, scope).await).await?;
        }
        Ok(())
    }

    async fn answer(&self, request: Request, widest: Scope) -> Attrs {
        match request {
            Request::Rewrite { rule, address } => {
                if address.is_empty() {
                    log::warning!("rewrite_addr: null address");
                    return rewritten(self.flags(), b"");
                }
                let result = self.resolver.rewrite(rule, &address).await;
                log::debug!("`{}' `{}' -> `{}'", rule.name(), show(&address), show(&result));
                rewritten(self.flags(), &result)
            }
            Request::Resolve { purpose, sender, address } => {
                let resolved = self.resolver.resolve(purpose, &sender, &address).await;
                log::debug!(
                    "`{}' -> `{}' -> (`{}' `{}' `{}' `{}')",
                    show(&sender),
                    show(&address),
                    show(&resolved.transport),
                    show(&resolved.nexthop),
                    show(&resolved.recipient),
                    resolved.flags.bits(),
                );
                let reply = resolved.to_attrs(self.flags());
                match self.resolver.scope(purpose, &address, &resolved).min(widest) {
                    Scope::Domain => for_whole_domain(reply),
                    Scope::Address => reply,
                }
            }
        }
    }

    /// 1 when the client should reconnect before its next question.
    fn flags(&self) -> u32 {
        u32::from(self.is_ending.get())
    }
}

fn understand(question: &Attrs) -> Option<Request> {
    let error = match Request::from_attrs(question) {
        Ok(request) => return Some(request),
        Err(error) => error,
    };
    match error {
        ipc::Error::Malformed("request") => {
            let command = question.find("request").unwrap_or_default();
            log::warning!("bad command {}", bytes::show_limited(command, 30));
        }
        ipc::Error::Malformed("rule") => {
            log::warning!("unknown context: {}", show(question.find("rule").unwrap_or_default()));
        }
        error => log::warning!("{error}"),
    }
    None
}
