//! The log lines that say who did what.

use crate::session::Session;
use crate::text::show;
use std::borrow::Cow;

impl Session {
    /// `QID: reject: RCPT from name[addr]: text; from=<> to=<> proto=ESMTP helo=<>`
    pub(crate) fn log_whatsup(&self, what: &str, text: &str) {
        let mut line =
            format!("{}: {what}: {} from {}: {text};", self.queue_id(), self.stage_name, self.peer.namaddr);
        if let Some(sender) = &self.sender {
            line.push_str(&format!(" from=<{}>", self.logged_address(sender)));
        }
        if let Some(recipient) = &self.recipient {
            line.push_str(&format!(" to=<{}>", self.logged_address(recipient)));
        }
        line.push_str(&format!(" proto={}", self.protocol));
        if let Some(helo) = &self.helo_name {
            line.push_str(&format!(" helo=<{helo}>"));
        }
        if let Some(login) = &self.login {
            line.push_str(&format!(" sasl_method={} sasl_username={}", login.method, login.username));
        }
        if let Some(sender) = self.mail.as_ref().and_then(|mail| mail.sasl_sender.as_deref()) {
            line.push_str(&format!(" sasl_sender={sender}"));
        }
        log::info!("{line}");
    }

    /// An address as `info_log_address_format` wants it.
    pub(crate) fn logged_address<'a>(&self, address: &'a [u8]) -> Cow<'a, str> {
        if address.is_empty() || self.server.internal_addresses_in_log {
            return show(address);
        }
        Cow::Owned(show(&address::quote_822_local(address)).into_owned())
    }

    /// The lines about an abnormal end and about the commands of the session.
    pub(crate) fn log_end(&self, unread: usize) {
        let peer = &self.peer.namaddr;
        if let Some(reason) = self.reason {
            let id = self.queue_id();
            let received = self.mail.as_ref().map_or(0, |mail| mail.received_size);
            match self.stage_name {
                "DATA content" => {
                    log::info!("{id}: {reason} after DATA ({} bytes) from {peer}", received + unread as i64);
                }
                "BDAT content" => {
                    let partial = (self.bdat_line.len() + unread) as i64;
                    log::info!("{id}: {reason} after BDAT ({} bytes) from {peer}", received + partial);
                }
                "END-OF-MESSAGE" if reason == "lost connection" => {}
                stage => log::info!("{id}: {reason} after {stage} from {peer}"),
            }
        }
    }

    /// `disconnect from name[addr] ehlo=1 quit=1 commands=2`
    pub(crate) fn log_disconnect(&self) {
        let notes = if self.bare_noted { " notes=bare_lf" } else { "" };
        log::info!("disconnect from {}{}{notes}", self.peer.namaddr, self.stats.summary());
    }
}
