//! Opening a session: greeting, EHLO, TLS.

use dsn::Status;
use smtp::client::{Action, Failure, Hello, Pix, RequireTls, TlsWish};
use smtp::ehlo::Keywords;
use smtp::{Protocol, Stage};

use crate::addresses::{LoopCheck, dsn as simple};
use crate::delivery::{Delivery, Effect};
use crate::envelope::{SMTPUTF8_DERIVED, SMTPUTF8_REQUESTED};
use crate::feature_status::Verdict;
use crate::session::Session;
use crate::wire::Broken;

/// Whether a session is open, or the failure has been dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    Yes,
    No,
}

impl Delivery<'_> {
    /// Gets a new connection ready for mail. `nexthop` is the domain that certificates are matched with.
    pub(crate) async fn open(&mut self, session: &mut Session, nexthop: &str) -> Opened {
        let settings = &self.client.settings;
        let Some(mut hello) = self.hello(session).await else { return Opened::No };
        session.level = self.policy.as_ref().map_or(tls::Level::None, |policy| policy.level);
        let mut action = hello.begin(&settings.hello);
        loop {
            action = match action {
                Action::Ready => break,
                Action::Reply(stage) => {
                    session.note_commands(0);
                    match session.reply(self.client, stage, &self.job.request.queue_id).await {
                        Ok(reply) => {
                            let action = hello.reply(&settings.hello, &reply, &mut session.wire.out);
                            session.offer.keywords = hello.offer.keywords;
                            action
                        }
                        Err(broken) => {
                            self.broken(broken, stage, session).await;
                            return Opened::No;
                        }
                    }
                }
                Action::StartTls => {
                    if self.start_tls(session, nexthop).await == Opened::No {
                        return Opened::No;
                    }
                    hello.tls_started(&settings.hello, &mut session.wire.out)
                }
                Action::Refused(failure) => {
                    self.decide_failure(&failure);
                    session.offer = hello.offer;
                    self.fail(failure, session).await;
                    return Opened::No;
                }
            };
        }
        session.offer = std::mem::take(&mut hello.offer);
        self.note_pix(&hello, session);
        self.decide_success(&hello, session);
        if self.needs_password(session).await == Opened::No {
            return Opened::No;
        }
        Opened::Yes
    }

    /// The machine, with everything that tables say about this server.
    async fn hello(&mut self, session: &mut Session) -> Option<Hello> {
        let settings = &self.client.settings;
        let request = &self.job.request;
        let mut hello = Hello::new(&session.namaddr, &session.namaddrport, &request.nexthop)
            .tls(self.wish())
            .requiretls(self.requiretls);
        let mut discard = settings.discard;
        if let Some(maps) = &self.client.ehlo_discard {
            match maps.find(session.addr.as_bytes()).await {
                Ok(Some(found)) => discard = Keywords::parse(&String::from_utf8_lossy(&found.value)),
                Ok(None) => {}
                Err(_) => {
                    log::warning!(
                        "{}: {} map lookup error for {}",
                        request.queue_id,
                        maps.title(),
                        session.addr
                    );
                    self.broken(Broken::LocalData, Stage::Ehlo, session).await;
                    return None;
                }
            }
        }
        hello = hello.discard(discard);
        let mut pix = settings.params.smtp_pix_workarounds.clone();
        if let Some(maps) = &self.client.pix {
            // Best effort: a table that fails changes nothing.
            if let Ok(Some(found)) = maps.find(session.addr.as_bytes()).await {
                pix = String::from_utf8_lossy(&found.value).into_owned();
            }
        }
        hello = hello.pix(self.pix(&pix));
        if self.loop_check == LoopCheck::Yes {
            hello = hello.loop_check(session.best_mx);
        }
        let sendopts = self.job.request.sendopts;
        if sendopts & SMTPUTF8_REQUESTED != 0 && sendopts & SMTPUTF8_DERIVED != 0 {
            hello = hello.needs_smtputf8();
        }
        Some(hello)
    }

    fn wish(&self) -> TlsWish {
        let level = self.policy.as_ref().map_or(tls::Level::None, |policy| policy.level);
        let required = level.required() || self.requiretls >= RequireTls::OpportunisticTls;
        match (required, level >= tls::Level::May, self.client.tls.is_some()) {
            (true, _, true) => TlsWish::Required,
            (true, _, false) => TlsWish::RequiredUnavailable,
            (false, true, true) => TlsWish::IfOffered,
            _ => TlsWish::Never,
        }
    }

    fn pix(&self, text: &str) -> Pix {
        let params = &self.client.settings.params;
        let has = |name: &str| crate::settings::words(text).any(|word| word.eq_ignore_ascii_case(name));
        let age = sys::time::unix_duration().saturating_sub(self.job.request.times.incoming_arrival);
        Pix {
            disable_esmtp: has("disable_esmtp"),
            delay_dotcrlf: has("delay_dotcrlf") && age >= params.smtp_pix_workaround_threshold_time,
        }
    }

    fn note_pix(&self, hello: &Hello, session: &mut Session) {
        let Some(pix) = hello.active_pix else { return };
        log::info!(
            "{}: enabling PIX workarounds: {} for {}",
            self.queue_id(),
            pix.text(),
            session.namaddrport
        );
        session.pix_delay = pix.delay_dotcrlf;
    }

    fn decide_failure(&mut self, failure: &Failure) {
        let Some(policy) = &self.policy else { return };
        let is_tls = matches!(failure.status.as_str(), "4.7.4" | "4.7.5" | "5.7.10" | "5.7.30");
        if !is_tls && !failure.text.starts_with(b"TLS is required") {
            return;
        }
        if self.requiretls >= RequireTls::OpportunisticTls {
            let name = if failure.text.ends_with(b"supports REQUIRETLS.") { "none" } else { "nostarttls" };
            self.status.decide_requiretls(name, Verdict::Violation);
        }
        if policy.level.required() {
            self.status.decide_level(policy.level.name(), Verdict::Violation);
        }
    }

    fn decide_success(&mut self, hello: &Hello, session: &Session) {
        let settings = &self.client.settings;
        let level = self.policy.as_ref().map_or(tls::Level::None, |policy| policy.level);
        if hello.is_secure() {
            self.status.decide_level(level.name(), Verdict::Compliant);
        } else {
            if settings.params.smtp_tls_note_starttls_offer
                && session.has(Keywords::STARTTLS)
                && level <= tls::Level::None
            {
                log::info!("Host offered STARTTLS: [{}]", session.host);
            }
            self.status.decide_level("none", Verdict::Compliant);
        }
        if self.requiretls == RequireTls::No {
            return;
        }
        let is_matched = session.tls.as_ref().is_some_and(|tls| tls.standing == tls::Standing::Verified);
        if hello.is_secure() && session.has(Keywords::REQUIRETLS) {
            self.status
                .decide_requiretls(if is_matched { "requiretls" } else { "nocertmatch" }, Verdict::Compliant);
        } else {
            self.status.decide_requiretls("none", Verdict::Compliant);
            if hello.is_secure() {
                log::info!(
                    "{}: Sender requested REQUIRETLS, but REQUIRETLS support was not offered by host {}",
                    self.queue_id(),
                    session.namaddr
                );
            }
        }
    }

    async fn start_tls(&mut self, session: &mut Session, nexthop: &str) -> Opened {
        let (Some(policy), Some(client)) = (self.policy.clone(), self.client.tls_for(self.policy.as_ref()))
        else {
            session.forbidden = true;
            let why = simple("4.7.5", "TLS is required, but our TLS engine is unavailable");
            self.bulk_fail(why, Effect::THROTTLE, Some(session)).await;
            return Opened::No;
        };
        if !policy.reuse {
            session.discard();
        }
        let names = policy.names(nexthop, &session.host);
        let key = session.addr.clone();
        let host = session.host.clone();
        let target =
            tls::Target { host: &key, sni: policy.sni(nexthop, &host), level: policy.level, names: &names };
        let time = self.client.settings.params.smtp_starttls_timeout;
        match session.wire.start_tls(&client, &target, time).await {
            Ok(summary) => {
                // Where the certificate matters, so does what is wrong with it.
                let mask = self.client.settings.tls_log;
                let must_match = policy.level.must_match();
                let mask = if must_match { mask.with(tls::LogMask::UNTRUSTED) } else { mask };
                summary.log(mask, &session.namaddrport);
                let standing = summary.standing;
                session.tls = Some(summary);
                if policy.level.must_match() && standing < tls::Standing::Verified {
                    return self.not_verified(session, standing).await;
                }
                Opened::Yes
            }
            Err(error) => {
                match error {
                    Some(error) => error.log(tls::Role::Client, &session.namaddrport),
                    None => log::info!("SSL_connect error to {}: Connection timed out", session.namaddrport),
                }
                // Nobody knows what the other side thinks is going on.
                session.forbidden = true;
                if self.may_fall_back() {
                    self.retry_plain(session);
                }
                let effect = if policy.level == tls::Level::May { Effect::NONE } else { Effect::THROTTLE };
                self.bulk_fail(simple("4.7.5", "Cannot start TLS: handshake failure"), effect, Some(session))
                    .await;
                Opened::No
            }
        }
    }

    async fn not_verified(&mut self, session: &mut Session, standing: tls::Standing) -> Opened {
        self.status.decide_level(session.level.name(), Verdict::Violation);
        if self.requiretls == RequireTls::Enforce {
            self.status.decide_requiretls("nocertmatch", Verdict::Violation);
            let kind = if standing >= tls::Standing::Trusted { "matching" } else { "trusted" };
            let text = format!(
                "Sender requested REQUIRETLS, but no {kind} server certificate was found. \
                 The last attempted server was {}",
                session.namaddr
            );
            let why = dsn::Dsn::new(const { Status::new("5.7.10") }, text);
            self.bulk_fail(why, Effect::SOFT, Some(session)).await;
        } else {
            let why = simple("4.7.5", "Server certificate not verified");
            self.bulk_fail(why, Effect::THROTTLE, Some(session)).await;
        }
        Opened::No
    }

    /// Defers mail for a server at which there is an account: logging in is not possible yet, and without it mail would be refused.
    async fn needs_password(&mut self, session: &mut Session) -> Opened {
        let Some(maps) = self.client.passwords.as_ref().filter(|_| session.has(Keywords::AUTH)) else {
            return Opened::Yes;
        };
        let settings = &self.client.settings;
        let by_sender = settings.params.smtp_sender_dependent_authentication;
        let sender: &[u8] = if by_sender { &self.job.request.sender } else { b"" };
        let keys = [sender, session.host.as_bytes(), session.dest.as_bytes()];
        let mut text = None;
        for key in keys.into_iter().filter(|key| !key.is_empty()) {
            match maps.find(key).await {
                Ok(None) => continue,
                Ok(Some(_)) => {
                    let protocol = if settings.protocol == Protocol::Smtp { "SMTP" } else { "LMTP" };
                    let server = &session.namaddr;
                    text = Some(format!(
                        "SASL authentication in the {protocol} client is not supported: server {server}"
                    ));
                }
                Err(_) => text = Some(format!("{} lookup error", maps.title())),
            }
            break;
        }
        if let Some(text) = text {
            self.bulk_fail(simple("4.7.0", text), Effect::THROTTLE, Some(session)).await;
            return Opened::No;
        }
        Opened::Yes
    }
}
