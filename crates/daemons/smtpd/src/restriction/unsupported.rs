//! Restrictions that need a service this server has no client for yet. They are never skipped: mail is deferred.

use super::{Check, Cursor, Halt, Name, Verdict};
use crate::session::Session;

impl Session {
    pub(crate) fn policy_service(&mut self, cursor: &mut Cursor) -> Halt {
        match cursor.take() {
            Some(server) if server.text.contains(':') => {
                log::warning!(
                    "restriction check_policy_service {}: policy delegation is not available",
                    server.text
                );
            }
            _ => log::warning!("restriction check_policy_service must be followed by transport:server"),
        }
        self.server_error()
    }

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
