//! verify(8) - finds out by probes which addresses exist, and remembers it.
//!
//! smtpd(8) asks what is known about an address (`reject_unverified_sender`, `reject_unverified_recipient`); delivery
//! agents report how probes ended. A probe is a message without content that goes through the queue like other mail, to
//! the point where the next host has said what it thinks of the recipient; it is never delivered.
//!
//! It trusts the mail system's own programs to report truthfully. What they say is made printable before it is kept. A
//! cache that fails makes every address "try again later", never good or bad. Memory is bounded by what clients ask
//! about and `address_verify_negative_expire_time`; without a table (`address_verify_map =`) results last as long as the
//! process. Should the process die, the clients ask again.
//!
//! [`entry`] and [`cache`] are the logic without clock and sockets, [`sender`] makes the probes' sender, [`place`] keeps
//! the cache file out of other people's directories.

pub mod cache;
pub mod entry;
pub mod place;
pub mod sender;

use std::rc::Rc;

use daemon::{Clients, Connection, Control, Fatal, OnReload, Service, Startup};
use delivery::post::{Envelope, Poster, Source};
use ipc::deliver::FLAG_MTA_VERIFY;
use ipc::rewrite::{Rewriter, Rule};
use ipc::verify::{PROTOCOL, Request, reply};
use ipc::{Attrs, Stream};
use table::{Env, Flags, Mode, Table};

use crate::cache::{Cache, Negative};
use crate::entry::Lifetimes;
use crate::place::Home;
use crate::sender::ProbeSender;

conf::param_set! {
    /// What verify(8) reads.
    pub struct VerifyParams {
        address_verify_map, address_verify_sender, address_verify_sender_ttl,
        address_verify_positive_expire_time, address_verify_positive_refresh_time,
        address_verify_negative_expire_time, address_verify_negative_refresh_time,
        address_verify_negative_cache, address_verify_cache_cleanup_interval,
        data_directory, default_database_type, ipc_timeout, ipc_ttl, rewrite_service_name
    }
}

/// The address verification service.
pub struct Verify {
    params: VerifyParams,
    cache: Cache,
    sender: ProbeSender,
    poster: Poster,
    rewriter: Rewriter,
}

impl Service for Verify {
    const PROGRAM: &'static str = "verify";
    const CLIENTS: Clients = Clients::Many;
    // There is one such process, and the next one waits for this one's end; clients make their request again.
    const ON_RELOAD: OnReload = OnReload::EndNow;
    // A cache in memory would be lost.
    const PERMANENT: bool = true;

    fn start(startup: &Startup) -> Result<Self, Fatal> {
        if let Some(argument) = startup.options.arguments.first() {
            return Err(Fatal::new(format!("unexpected command-line argument: {argument}")));
        }
        let params = VerifyParams::load(&startup.main)?;
        let sender = ProbeSender::new(&params.address_verify_sender, params.address_verify_sender_ttl)
            .map_err(Fatal::new)?;
        let lifetimes = Lifetimes::new(
            [params.address_verify_positive_expire_time, params.address_verify_positive_refresh_time],
            [params.address_verify_negative_expire_time, params.address_verify_negative_refresh_time],
        );
        let negative =
            if params.address_verify_negative_cache { Negative::Remember } else { Negative::Forget };
        let table = open_as_owner(startup, &params)?;
        let rewriter = Rewriter::with_limits(
            format!("private/{}", params.rewrite_service_name),
            params.ipc_timeout,
            params.ipc_ttl,
        );
        let poster = Poster::new(&startup.main)?;
        Ok(Self { cache: Cache::new(table, lifetimes, negative), params, sender, poster, rewriter })
    }

    async fn begin(self: &Rc<Self>, _control: &Control) -> Result<(), Fatal> {
        let interval = self.params.address_verify_cache_cleanup_interval;
        if interval.is_zero() {
            return Ok(());
        }
        let verify = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let mut wait = verify.cache.until_cleanup(interval, sys::time::now()).await;
            loop {
                tokio::time::sleep(wait).await;
                verify.cache.clean_up(sys::time::now, tokio::task::yield_now).await;
                wait = interval;
            }
        });
        Ok(())
    }

    async fn serve(self: Rc<Self>, connection: Connection) {
        let Some(stream) = connection.into_stream() else { return };
        if let Err(error) = self.converse(stream).await {
            log::warning!("client: {error}");
        }
    }

    async fn end(self: &Rc<Self>) {
        self.cache.end();
    }
}

impl Verify {
    async fn converse(self: &Rc<Self>, mut stream: Stream) -> ipc::Result<()> {
        stream.greet(PROTOCOL).await?;
        while let Some(attrs) = stream.receive_or_end().await? {
            let reply = match Request::from_attrs(&attrs) {
                Ok(request) => self.answer(&request).await,
                Err(error) => {
                    log::warning!("unrecognized request {attrs:?}: {error}");
                    reply(Err(error))
                }
            };
            stream.send(&reply).await?;
        }
        Ok(())
    }

    async fn answer(self: &Rc<Self>, request: &Request) -> Attrs {
        let now = sys::time::now();
        match request {
            Request::Query(address) => {
                let address = cache::key(address);
                let answer = self.cache.query(&address, now).await;
                if answer.probe {
                    let verify = Rc::clone(self);
                    tokio::task::spawn_local(async move { verify.probe(&address).await });
                }
                reply(Ok(Some((answer.status, &answer.reason))))
            }
            Request::Update { address, status, reason } => {
                let is_sane = self.cache.update(&cache::key(address), *status, reason, now).await;
                reply(if is_sane { Ok(None) } else { Err(ipc::Error::Malformed("recipient_status")) })
            }
        }
    }

    // A probe that does not get into the queue is sent again when it counts as lost.
    async fn probe(&self, address: &[u8]) {
        log::debug!("PROBE {}", bytes::show(address));
        let now = sys::time::unix_duration().as_secs();
        let sender = match self.sender.at(now) {
            Some(sender) => self.rewriter.rewrite_internal(Rule::Local, sender.as_bytes()).await,
            None => Vec::new(),
        };
        let envelope = Envelope {
            sender: &sender,
            recipient: address,
            source: Source::Verify,
            trace_flags: FLAG_MTA_VERIFY,
            send_options: 0,
        };
        match self.poster.open(&envelope).await {
            Ok(posting) => {
                let status = posting.finish().await;
                if status != ipc::cleanup::Status::OK {
                    log::warning!("probe for {}: {}", bytes::show(address), status.detail().text);
                }
            }
            Err(error) => log::warning!("{error}"),
        }
    }
}

// The file belongs to the mail system, also when it is created: nothing that outsiders say gets into a file of root's.
fn open_as_owner(startup: &Startup, params: &VerifyParams) -> Result<Table, Fatal> {
    let env = Env::load(&startup.main)?;
    let flags = Flags::DUP_REPLACE | Flags::SYNC_UPDATE | Flags::LOCK | Flags::UTF8_REQUEST;
    if params.address_verify_map.is_empty() {
        return Ok(Table::open_mode("internal:verify", &env, Mode::Create, flags));
    }
    let name = &startup.params.mail_owner;
    let owner = sys::User::from_name(name)
        .map_err(std::io::Error::from)?
        .ok_or_else(|| Fatal::new(format!("unknown mail_owner: {name}")))?;
    let uid = owner.uid.as_raw();
    let home = Home { directory: &params.data_directory, owner: name, uid };
    let spec = place::redirect(&params.address_verify_map, &params.default_database_type, home);
    let open = || Table::open_mode(&spec, &env, Mode::Create, flags);
    if sys::identity::effective_uid() != 0 {
        return Ok(open());
    }
    let gid = owner.gid.as_raw();
    sys::identity::assume_user(uid, gid, &[gid])?;
    let table = open();
    sys::identity::regain_root()?;
    Ok(table)
}
