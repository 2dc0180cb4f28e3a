//! The greeting.

use super::Step;
use crate::ehlo::Keywords;
use crate::error_class::ErrorClass;
use crate::input::{Input, Source};
use crate::line::BareNewline;
use crate::restriction::Hangup;
use crate::session::{Session, Stage, Stop};
use crate::text::show;
use ipc::anvil::Event;

impl Session {
    /// Finds out what the client may do. Its own command XCLIENT must not give it more.
    pub async fn authorize(&mut self) {
        self.xclient_allowed = self.is_in(|server| &server.lists.xclient).await;
        self.xforward_allowed = self.is_in(|server| &server.lists.xforward).await;
        self.choose_bare_newline().await;
    }

    pub(crate) async fn choose_bare_newline(&mut self) {
        self.bare = match self.stand_alone || self.is_in(|server| &server.lists.bare_exclusions).await {
            true => BareNewline::default(),
            false => self.server.bare_newline,
        };
    }

    pub(crate) async fn is_in(&self, list: impl Fn(&crate::server::Server) -> &table::HostList) -> bool {
        let (name, address) = (self.peer.name.as_bytes(), self.peer.address.as_bytes());
        !self.stand_alone && list(&self.server).matches(name, address).await.unwrap_or(false)
    }

    /// Greets, or says why not.
    pub(crate) async fn start(&mut self, input: &mut Input, source: &mut dyn Source) -> Step {
        let server = self.server.clone();
        let settings = &server.settings;
        if self.peer.hang_up {
            let text = format!("421 4.3.0 {} Server local error", settings.myhostname);
            self.reply(&text).await;
            self.stage = Stage::Ended;
            return Ok(None);
        }
        if settings.smtpd_tls_wrappermode && self.tls.is_none() && !self.stand_alone {
            return self.start_wrapper().await;
        }
        if !self.stand_alone && !self.passed && self.is_out_of_step(input, source) {
            self.reply("554 5.5.0 Error: SMTP protocol synchronization").await;
            self.stage = Stage::Ended;
            return Ok(None);
        }
        if let Some(counts) = self.count(Event::Connect).await {
            self.counted_by_anvil = true;
            let excess = [
                ("Connection concurrency", counts.connections, settings.smtpd_client_connection_count_limit),
                ("Connection rate", counts.rate, settings.smtpd_client_connection_rate_limit),
            ];
            for (what, count, limit) in excess {
                if limit > 0 && count > limit {
                    self.error_mask.add(ErrorClass::POLICY);
                    self.warn_excess(what, count);
                    let text = format!(
                        "421 4.7.0 {} Error: too many connections from {}",
                        settings.myhostname, self.peer.address
                    );
                    self.reply(&text).await;
                    self.stage = Stage::Ended;
                    return Ok(None);
                }
            }
        }
        self.discard = match &server.maps.discard_keywords {
            None => server.discard_keywords,
            Some(maps) => match maps.find(self.peer.address.as_bytes()).await {
                Ok(Some(found)) => Keywords::parse(&show(&found.value)),
                Ok(None) => server.discard_keywords,
                Err(_) => {
                    self.unknown_keywords = true;
                    server.discard_keywords
                }
            },
        };
        self.stage = Stage::Command;
        if let Some(denied) = self.denied_at_connect().await? {
            self.error_mask.add(ErrorClass::POLICY);
            self.access_denied = Some(denied.clone());
            self.reply(&denied).await;
            self.errors += 1;
            return Ok(None);
        }
        let text = format!("220 {}", settings.smtpd_banner);
        self.reply(&text).await;
        Ok(None)
    }

    async fn denied_at_connect(&mut self) -> Result<Option<String>, Stop> {
        if self.stand_alone {
            return Ok(None);
        }
        self.wants_milters = self.is_filtered().await;
        if self.server.settings.smtpd_delay_reject {
            return Ok(None);
        }
        self.check_client().await.map_err(|Hangup| Stop::Quiet)
    }

    /// Whether mail from this client must pass mail filters.
    async fn is_filtered(&self) -> bool {
        let server = &self.server;
        if server.overrides.no_milters {
            return false;
        }
        let mut milters = server.settings.smtpd_milters.clone();
        if let Some(maps) = &server.maps.milters
            && let Ok(Some(found)) = maps.find(self.peer.address.as_bytes()).await
        {
            milters = show(&found.value).into_owned();
        }
        !milters.is_empty() && !milters.eq_ignore_ascii_case("DISABLE")
    }
}
