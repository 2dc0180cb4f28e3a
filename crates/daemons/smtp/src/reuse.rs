//! Deliveries over idle connections, and what becomes of a connection after a delivery.

use smtp::client::RequireTls;
use smtp::ehlo::Keywords;

use crate::addresses::Target;
use crate::cache::{Endpoint, Needs};
use crate::delivery::Delivery;
use crate::destination::Destination;
use crate::envelope::{SMTPUTF8_DERIVED, SMTPUTF8_REQUESTED};
use crate::session::{Reuse, Session};
use crate::transfer::Proof;

impl Delivery<'_> {
    /// Uses idle connections, by next hop and then to the best servers; counts them.
    pub(crate) async fn reuse_sessions(
        &mut self,
        destination: &Destination,
        targets: &mut Vec<Target>,
        best: u16,
    ) -> i64 {
        let mut count = 0;
        if !targets.is_empty()
            && !self.todo.is_empty()
            && self.cache_hop.is_some()
            && self.tls_level(&destination.text, "").await
        {
            while let Some(session) = self.reuse_hop().await {
                let before = (targets.clone(), self.final_server);
                self.leave_out(targets, &session.addr, 1);
                self.final_server |= self.final_nexthop && targets.is_empty();
                if self.use_session(session, &destination.host).await == Proof::Alive {
                    count = 1;
                    break;
                }
                (*targets, self.final_server) = before;
            }
        }
        let mut index = 0;
        while let Some(target) = targets.get(index).filter(|target| target.preference == best).cloned() {
            if self.todo.is_empty() {
                break;
            }
            index += 1;
            if !self.tls_level(&destination.text, &target.host).await {
                continue;
            }
            let Some(mut session) = self.reuse_address(destination, &target).await else { continue };
            let before = (targets.clone(), self.final_server);
            session.best_mx = true;
            index -= 1;
            self.leave_out(targets, &session.addr, count + 1);
            self.final_server |= self.final_nexthop && targets.get(index).is_none();
            match self.use_session(session, &destination.host).await {
                Proof::Alive => count += 1,
                Proof::Dead => (*targets, self.final_server) = before,
            }
        }
        count
    }

    fn leave_out(&self, targets: &mut Vec<Target>, addr: &str, count: i64) {
        let params = &self.client.settings.params;
        if count == params.smtp_mx_session_limit || count == params.smtp_mx_address_limit {
            targets.clear();
            return;
        }
        if let Some(at) = targets.iter().position(|target| target.address.to_string() == addr) {
            targets.remove(at);
        }
    }

    /// Notifies, keeps or closes a session that is done with.
    pub(crate) async fn put_away(&mut self, mut session: Session) {
        crate::notify::postmaster(self.client, &session, &self.job.request.sender).await;
        session.protocol_error = false;
        session.data_error = false;
        if let Some(history) = &mut session.history {
            history.clear();
        }
        let is_throttled = session.reuse == Reuse::Throttled;
        if session.is_expired(self.client) {
            session.quit(self.client, &self.job.request.queue_id).await;
        }
        if session.is_reusable() && session.can_speak() {
            let time = self.client.settings.params.smtp_connection_cache_time_limit;
            let needs = self.needs(session.level);
            let hop = self.cache_hop.clone().map(|hop| (hop, self.needs(tls::Level::None)));
            let endpoint = endpoint(&session.addr, session.port, needs, &session.dest);
            self.client.cache.save(endpoint, hop, session, time);
        } else if !session.forbidden {
            session.wire.close().await;
        }
        if !is_throttled {
            self.cache_hop = None;
        }
        self.clean_up();
    }

    pub(crate) async fn cache_rules(&mut self, destination: &str) {
        let always = match &self.client.cache_destinations {
            Some(list) => list.matches(destination.as_bytes()).await.unwrap_or(false),
            None => false,
        };
        let flags = self.job.request.flags;
        let on_demand = self.client.settings.params.smtp_connection_cache_on_demand;
        self.conn_load = always || (on_demand && flags & ipc::deliver::FLAG_CONN_LOAD != 0);
        self.conn_store = always || (on_demand && flags & ipc::deliver::FLAG_CONN_STORE != 0);
    }

    fn needs(&self, level: tls::Level) -> Needs {
        let sendopts = self.job.request.sendopts;
        Needs {
            level,
            smtputf8: sendopts & SMTPUTF8_REQUESTED != 0 && sendopts & SMTPUTF8_DERIVED != 0,
            requiretls: self.requiretls > RequireTls::No,
        }
    }

    pub(crate) async fn reuse_hop(&mut self) -> Option<Session> {
        let hop = (self.cache_hop.clone()?, self.needs(tls::Level::None));
        while let Some(session) = self.client.cache.take_hop(&hop) {
            if let Some(session) = self.revive(session).await {
                return Some(session);
            }
        }
        None
    }

    pub(crate) async fn reuse_address(
        &mut self,
        destination: &Destination,
        target: &Target,
    ) -> Option<Session> {
        let level = self.policy.as_ref().map_or(tls::Level::None, |policy| policy.level);
        let wanted =
            endpoint(&target.address.to_string(), destination.port, self.needs(level), &destination.text);
        while let Some(session) = self.client.cache.take(&wanted) {
            if let Some(session) = self.revive(session).await {
                return Some(session);
            }
        }
        None
    }

    /// Probes a session. The answer is not waited for where it can come together with those to the next commands.
    async fn revive(&mut self, mut session: Session) -> Option<Session> {
        session.from_cache = true;
        session.best_mx = false;
        session.reuse_count += 1;
        if session.wire.is_stale() {
            return None;
        }
        session.probe();
        if session.has(Keywords::PIPELINING) || self.proves_alive(&mut session).await == Proof::Alive {
            return Some(session);
        }
        None
    }

    /// Waits for the answer to the probe.
    pub(crate) async fn proves_alive(&mut self, session: &mut Session) -> Proof {
        if !session.is_alive(self.client, &self.job.request.queue_id).await {
            return Proof::Dead;
        }
        self.used.push(session.addr.clone());
        // What held for the session when it was made holds still.
        let level = if session.tls.is_some() { session.level.name() } else { "none" };
        self.status.decide_level(level, crate::feature_status::Verdict::Compliant);
        let logged = self.client.settings.tls_log.has_any(tls::LogMask::SUMMARY);
        if let Some(summary) = session.tls.as_ref().filter(|_| logged) {
            log::info!("{}", summary.reuse_line(&session.namaddrport));
        }
        Proof::Alive
    }
}

fn endpoint(addr: &str, port: u16, needs: Needs, dest: &str) -> Endpoint {
    let nexthop = needs.level.must_match().then(|| dest.to_owned());
    Endpoint { addr: addr.to_owned(), port, needs, nexthop }
}
