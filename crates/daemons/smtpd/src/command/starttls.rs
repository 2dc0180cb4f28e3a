//! STARTTLS, and TLS from the first byte on.

use super::Step;
use crate::ehlo::Keywords;
use crate::error_class::ErrorClass;
use crate::session::{Handled, Next, Outcome, Session, Stage, Stop};
use crate::token::Token;
use ipc::anvil::Event;

impl Session {
    pub(super) async fn starttls(&mut self, tokens: &[Token]) -> Handled {
        if tokens.len() != 1 {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.5.4 Syntax: STARTTLS").await;
        }
        if self.tls.is_some() {
            return self.refuse(ErrorClass::PROTOCOL, "554 5.5.1 Error: TLS already active").await;
        }
        if !self.server.tls.offered || self.stand_alone || self.discard.has(Keywords::STARTTLS) {
            return self.refuse(ErrorClass::PROTOCOL, "502 5.5.1 Error: command not implemented").await;
        }
        if !self.server.has_tls_context {
            return self
                .refuse(ErrorClass::SOFTWARE, "454 4.7.0 TLS not available due to local problem")
                .await;
        }
        if self.has_too_many_sessions().await {
            log::warning!(
                "Refusing STARTTLS request from {} for service {}",
                self.peer.namaddr,
                self.service
            );
            let text = format!("454 4.7.0 Error: too many new TLS sessions from {}", self.peer.namaddr);
            return self.refuse(ErrorClass::POLICY, &text).await;
        }
        self.reply("220 2.0.0 Ready to start TLS").await;
        self.helo_reset();
        self.mail_reset();
        self.rcpt_reset();
        self.start_tls = true;
        Ok(Outcome::Done)
    }

    /// Asks for a handshake before the greeting.
    pub(super) async fn start_wrapper(&mut self) -> Step {
        if !self.server.has_tls_context {
            log::warning!(
                "Wrapper-mode request dropped from {} for service {}. TLS context initialization failed. \
                 For details see earlier warnings in your logs.",
                self.peer.namaddr,
                self.service
            );
            self.stage = Stage::Ended;
            return Ok(Some(Next::Close));
        }
        if self.has_too_many_sessions().await {
            self.error_mask.add(ErrorClass::POLICY);
            log::warning!(
                "Refusing TLS service request from {} for service {}",
                self.peer.namaddr,
                self.service
            );
            self.stage = Stage::Ended;
            return Ok(Some(Next::Close));
        }
        Ok(Some(Next::StartTls))
    }

    async fn has_too_many_sessions(&self) -> bool {
        let limit = self.server.settings.smtpd_client_new_tls_session_rate_limit;
        self.excess(Event::NewTlsStatus, limit).await.is_some()
    }

    /// Counts a new session and checks the client certificate.
    pub(crate) async fn after_handshake(&mut self) -> Result<(), Stop> {
        let server = self.server.clone();
        let settings = &server.settings;
        let limit = settings.smtpd_client_new_tls_session_rate_limit;
        let is_new = self.tls.as_ref().is_none_or(|tls| !tls.resumed);
        if is_new && let Some(rate) = self.excess(Event::NewTls, limit).await {
            self.error_mask.add(ErrorClass::POLICY);
            self.warn_excess("New TLS session rate", rate);
            let text = format!(
                "421 4.7.0 {} Error: too many new TLS sessions from {}",
                settings.myhostname, self.peer.namaddr
            );
            self.reply(&text).await;
            return Err(Stop::Quiet);
        }
        let requires = settings.smtpd_tls_req_ccert && server.tls.required;
        let Some(tls) = self.tls.as_ref().filter(|_| requires) else {
            return Ok(());
        };
        if tls.standing >= tls::Standing::Trusted {
            return Ok(());
        }
        let why = match tls.peer {
            Some(_) => "Client certificate not trusted",
            None => "No client certificate presented",
        };
        log::info!("NOQUEUE: abort: TLS from {}: {why}", self.peer.namaddr);
        self.error_mask.add(ErrorClass::POLICY);
        self.rejected_certificate = Some(why);
        if settings.smtpd_tls_wrappermode {
            self.reply_rejected_certificate().await;
        }
        Ok(())
    }

    /// Says why the certificate is not good enough, and hangs up.
    pub(crate) async fn reply_rejected_certificate(&mut self) {
        if let Some(why) = self.rejected_certificate.take() {
            let text = format!("421 4.7.1 {} Error: {why}", self.server.settings.myhostname);
            self.reply(&text).await;
            self.stage = Stage::Ended;
        }
    }
}
