//! One delivery request under way: who is left, why, and what was reported.

use ::delivery::{Job, Verdict};
use dsn::{Dsn, Status};
use ipc::Recipient;
use ipc::deliver;
use smtp::client::{Failure, RequireTls};
use smtp::ehlo::Keywords;
use smtp::{Protocol, Reply, Stage};

use crate::Client;
use crate::addresses::{LoopCheck, dsn as simple};
use crate::feature_status::FeatureStatus;
use crate::session::{Reuse, Session};
use crate::tls_policy::Policy;
use crate::wire::Broken;

/// What a session did with a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing yet.
    Open,
    /// Another server may take it.
    Keep,
    /// It is dealt with.
    Drop,
}

/// How a failure that concerns the whole message is taken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effect {
    /// The destination is held back.
    pub(crate) throttle: bool,
    /// A hard error is soft while there are other servers; the session is not used again.
    pub(crate) soft_if_not_last: bool,
}

impl Effect {
    pub(crate) const NONE: Self = Self { throttle: false, soft_if_not_last: false };
    pub(crate) const THROTTLE: Self = Self { throttle: true, soft_if_not_last: false };
    pub(crate) const SOFT: Self = Self { throttle: false, soft_if_not_last: true };
}

/// The state of a request.
pub(crate) struct Delivery<'a> {
    pub(crate) client: &'a Client,
    pub(crate) job: &'a mut Job,
    /// Recipients that are left.
    pub(crate) todo: Vec<(Recipient, Mark)>,
    /// The reason to give for those that are left in the end.
    pub(crate) why: Option<Dsn>,
    pub(crate) status: FeatureStatus,
    pub(crate) log_status: bool,
    /// Some recipient was not delivered.
    pub(crate) unfinished: bool,
    /// A session ended in good order: the destination is not dead.
    pub(crate) complete_session: bool,
    /// There is no next hop after this one.
    pub(crate) final_nexthop: bool,
    /// There is no server after this one.
    pub(crate) final_server: bool,
    pub(crate) loop_check: LoopCheck,
    pub(crate) policy: Option<Policy>,
    pub(crate) requiretls: RequireTls,
    /// Idle connections may be used.
    pub(crate) conn_load: bool,
    /// Connections are to be kept.
    pub(crate) conn_store: bool,
    /// The next hop under which a connection is kept, until one is.
    pub(crate) cache_hop: Option<String>,
    /// Addresses of cached connections that were tried.
    pub(crate) used: Vec<String>,
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(client: &'a Client, job: &'a mut Job) -> Self {
        let recipients = std::mem::take(&mut job.request.recipients);
        Self {
            client,
            todo: recipients.into_iter().map(|recipient| (recipient, Mark::Open)).collect(),
            why: None,
            status: FeatureStatus::default(),
            log_status: client.settings.params.smtp_log_tls_feature_status,
            unfinished: false,
            complete_session: false,
            final_nexthop: false,
            final_server: false,
            loop_check: LoopCheck::No,
            policy: None,
            requiretls: RequireTls::No,
            conn_load: false,
            conn_store: false,
            cache_hop: None,
            used: Vec::new(),
            job,
        }
    }

    pub(crate) fn queue_id(&self) -> &str {
        &self.job.request.queue_id
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.job.request.flags & deliver::FLAGS_TRACE_ONLY != 0
    }

    /// Whether mail has waited long enough to go without TLS after TLS failed.
    pub(crate) fn may_fall_back(&self) -> bool {
        let times = &self.job.request.times;
        let waited = times.active_arrival.saturating_sub(times.incoming_arrival);
        self.policy.as_ref().is_some_and(|policy| policy.level == tls::Level::May)
            && self.requiretls < RequireTls::OpportunisticTls
            && (self.is_probe() || waited >= self.client.settings.common.minimal_backoff_time)
    }

    /// The same server again, without TLS.
    pub(crate) fn retry_plain(&mut self, session: &mut Session) {
        session.retry_plain = true;
        self.final_server = false;
    }

    /// A session refused to open, or the message was not wanted.
    pub(crate) async fn fail(&mut self, failure: Failure, session: &mut Session) {
        let effect = if failure.soft_if_not_last { Effect::SOFT } else { Effect::THROTTLE };
        let why = self.reason(failure.status, failure.text, failure.reply.as_ref(), session);
        self.bulk_fail(why, effect, Some(session)).await;
    }

    /// The server refused the message for everybody who is left.
    pub(crate) async fn message_refused(&mut self, reply: &Reply, stage: Stage, session: &mut Session) {
        let why = self.said(reply, stage, session);
        self.bulk_fail(why, Effect::NONE, Some(session)).await;
    }

    /// The conversation broke.
    pub(crate) async fn broken(&mut self, broken: Broken, stage: Stage, session: &mut Session) {
        let (server, activity) = (&session.namaddr, stage.activity());
        let why = match broken {
            Broken::Lost => simple("4.4.2", format!("lost connection with {server} while {activity}")),
            Broken::TimedOut => {
                simple("4.4.2", format!("conversation with {server} timed out while {activity}"))
            }
            Broken::LocalData => {
                session.data_error = true;
                simple("4.3.0", format!("local data error while talking to {server}"))
            }
        };
        let has_open = self.todo.iter().any(|(_, mark)| *mark == Mark::Open);
        if broken != Broken::LocalData && session.tls.is_some() && has_open && self.may_fall_back() {
            self.retry_plain(session);
        }
        self.bulk_fail(why, Effect::THROTTLE, Some(session)).await;
    }

    /// Skips, defers or bounces everybody who is left without a verdict.
    pub(crate) async fn bulk_fail(&mut self, why: Dsn, effect: Effect, session: Option<&mut Session>) {
        let class = why.status.class();
        let mut is_soft = class == 4;
        if effect.soft_if_not_last && !is_soft {
            is_soft = !self.final_server;
        }
        let is_soft_bounce = class == 5 && self.client.settings.common.soft_bounce;
        if (is_soft || is_soft_bounce) && !self.final_server {
            log::info!("{}: {}", self.queue_id(), bytes::show(&why.reason));
            for (_, mark) in self.todo.iter_mut().filter(|(_, mark)| *mark == Mark::Open) {
                *mark = Mark::Keep;
            }
            self.why = Some(why);
        } else {
            self.note_end();
            let relay = session.as_ref().map_or("none", |session| session.namaddrport.as_str()).to_owned();
            let mut any_left = false;
            for index in 0..self.todo.len() {
                if self.todo.get(index).is_some_and(|(_, mark)| *mark == Mark::Open) {
                    any_left |=
                        self.report_failure(index, &relay, why.clone(), is_soft).await == Verdict::Keep;
                }
            }
            self.unfinished |= any_left;
            if !self.complete_session && effect.throttle && any_left && self.job.hop_status.is_none() {
                self.job.hop_status = Some(why.clone());
            }
            self.why = Some(why);
        }
        if let Some(session) = session {
            if effect.throttle {
                session.reuse = Reuse::Throttled;
            } else if effect.soft_if_not_last {
                session.discard();
            }
        }
    }

    /// The server refused one recipient.
    pub(crate) async fn recipient_refused(
        &mut self,
        index: usize,
        reply: &Reply,
        stage: Stage,
        session: &mut Session,
    ) {
        let why = self.said(reply, stage, session);
        let class = why.status.class();
        let is_soft_bounce = class == 5 && self.client.settings.common.soft_bounce;
        if (class == 4 || is_soft_bounce) && !self.final_server {
            log::info!("{}: {}", self.queue_id(), bytes::show(&why.reason));
            if let Some((_, mark)) = self.todo.get_mut(index) {
                *mark = Mark::Keep;
            }
        } else {
            let relay = session.namaddrport.clone();
            let verdict = self.report_failure(index, &relay, why.clone(), class == 4).await;
            self.unfinished |= verdict == Verdict::Keep;
        }
        self.why = Some(why);
    }

    /// A recipient has the message.
    pub(crate) async fn delivered(&mut self, index: usize, reply: &Reply, status: Status, session: &Session) {
        let settings = &self.client.settings;
        let server_reports = session.has(Keywords::DSN);
        let is_last = !server_reports && settings.protocol == Protocol::Lmtp && settings.flags.final_delivery;
        let Some((recipient, mark)) = self.todo.get_mut(index) else { return };
        *mark = Mark::Drop;
        if server_reports {
            // The next system sends the report that was asked for.
            recipient.dsn_notify &= !dsn::notify::SUCCESS;
        }
        let text = reply.one_line();
        let outcome = Dsn::new(status, text.clone())
            .action(if is_last { "delivered" } else { "relayed" })
            .remote("dns", session.host.as_bytes())
            .diagnostic("smtp", text);
        let recipient = recipient.clone();
        self.job.tls = self.tls_text();
        self.job.sent(&self.client.reporter, &recipient, &session.namaddrport, outcome).await;
    }

    /// Forgets who is dealt with; the rest is open again.
    pub(crate) fn clean_up(&mut self) {
        self.todo.retain(|(_, mark)| *mark != Mark::Drop);
        for (_, mark) in &mut self.todo {
            *mark = Mark::Open;
        }
        let times = &mut self.job.request.times;
        times.conn_setup_done = std::time::Duration::ZERO;
        times.deliver_done = std::time::Duration::ZERO;
        times.reuse_count = 0;
    }

    /// Nobody is left to try: defers or bounces the rest.
    pub(crate) async fn finish(&mut self) {
        if !self.todo.is_empty() {
            self.final_server = true;
            let why = self
                .why
                .take()
                .unwrap_or_else(|| simple("4.3.0", "server unavailable or unable to receive mail"));
            self.bulk_fail(why, Effect::THROTTLE, None).await;
            self.clean_up();
        }
    }

    /// A reply as the reason.
    fn said(&self, reply: &Reply, stage: Stage, session: &mut Session) -> Dsn {
        let text = reply.one_line();
        let start = format!("host {} said: ", session.namaddr).into_bytes();
        let end = format!(" (in reply to {})", stage.command()).into_bytes();
        self.reason(reply.status, [start, text, end].concat(), Some(reply), session)
    }

    fn reason(&self, status: Status, text: Vec<u8>, reply: Option<&Reply>, session: &mut Session) -> Dsn {
        let Some(reply) = reply else { return Dsn::new(status, text) };
        if reply.is_protocol_error() {
            session.protocol_error = true;
            session.discard();
        }
        let why = if matches!(status.class(), 4 | 5) {
            Dsn::new(status, text)
        } else {
            session.protocol_error = true;
            session.discard();
            simple("5.5.0", [b"Protocol error: ".as_slice(), &text].concat())
        };
        why.remote("dns", session.host.as_bytes()).diagnostic("smtp", reply.one_line())
    }

    async fn report_failure(&mut self, index: usize, relay: &str, why: Dsn, is_soft: bool) -> Verdict {
        let Some((recipient, mark)) = self.todo.get_mut(index) else { return Verdict::Keep };
        *mark = Mark::Drop;
        let recipient = recipient.clone();
        self.job.tls = self.tls_text();
        let (reporter, message) = (&self.client.reporter, self.job.message());
        let verdict = if is_soft {
            reporter.deferred(message, &recipient, relay, why).await
        } else {
            reporter.bounced(message, &recipient, relay, why).await
        };
        self.job.settle(&recipient, verdict);
        verdict
    }

    /// All who fail now show the same delays.
    fn note_end(&mut self) {
        let now = sys::time::unix_duration();
        let times = &mut self.job.request.times;
        if times.conn_setup_done.is_zero() {
            times.conn_setup_done = now;
        }
        times.deliver_done = now;
    }

    fn tls_text(&self) -> Option<String> {
        if self.log_status { self.status.text().map(str::to_owned) } else { None }
    }
}
