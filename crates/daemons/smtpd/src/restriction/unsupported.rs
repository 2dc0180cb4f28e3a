//! Restrictions that need a service this server has no client for yet. They are never skipped: mail is deferred.

use super::{Check, Name, Verdict};
use crate::session::Session;

impl Session {
    /// Restrictions about logins: without SASL they do nothing and say so; with it, they cannot be done yet.
    pub(crate) fn login_restriction(&mut self, name: Name) -> Check {
        if !self.server.settings.smtpd_sasl_auth_enable {
            log::warning!("restriction `{}' ignored: no SASL support", name.text());
            return Ok(Verdict::Dunno);
        }
        log::warning!("restriction {}: SASL authentication is not available", name.text());
        Err(self.server_error())
    }
}
