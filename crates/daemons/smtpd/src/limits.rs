//! Limits on what a client may do in a time unit, counted by anvil(8) for all processes.

use crate::session::Session;
use ipc::anvil::{Counts, Event};

impl Session {
    /// Counts an event; `None` when this client is not limited, or anvil(8) cannot be asked.
    pub(crate) async fn count(&self, event: Event) -> Option<Counts> {
        let limits = &self.server.settings;
        let is_limited = [
            limits.smtpd_client_connection_count_limit,
            limits.smtpd_client_connection_rate_limit,
            limits.smtpd_client_message_rate_limit,
            limits.smtpd_client_recipient_rate_limit,
            limits.smtpd_client_new_tls_session_rate_limit,
            limits.smtpd_client_auth_rate_limit,
        ]
        .iter()
        .any(|limit| *limit > 0);
        if !is_limited || self.xclient_allowed || self.stand_alone || self.is_exempt().await {
            return None;
        }
        self.server.outside.event(event, &self.service, &self.peer.anvil_range).await
    }

    async fn is_exempt(&self) -> bool {
        let (name, address) = (self.peer.name.as_bytes(), self.peer.address.as_bytes());
        self.server.lists.event_exceptions.matches(name, address).await.unwrap_or(false)
    }

    /// The rate of an event, if it is above the limit. Nothing is counted without a limit.
    pub(crate) async fn excess(&self, event: Event, limit: i64) -> Option<i64> {
        if limit <= 0 {
            return None;
        }
        let counts = self.count(event).await?;
        let rate = match event {
            Event::Message => counts.messages,
            Event::Recipient => counts.recipients,
            Event::NewTls | Event::NewTlsStatus => counts.new_tls,
            Event::Auth => counts.auths,
            Event::Connect | Event::Disconnect | Event::Lookup => counts.rate,
        };
        (rate > limit).then_some(rate)
    }

    /// Logs that a limit was exceeded.
    pub(crate) fn warn_excess(&self, what: &str, rate: i64) {
        log::warning!(
            "{what} limit exceeded: {rate} from {} for service {}",
            self.peer.namaddr,
            self.service
        );
    }
}
