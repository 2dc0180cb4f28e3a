//! What a policy server is told about a request.

use super::LAST_RESORT;
use crate::restriction::{Check, Subject};
use crate::session::Session;
use crate::text::show;
use std::rc::Rc;

impl Session {
    /// Asks a policy server and does what it says.
    pub(crate) async fn check_policy(&mut self, spec: &str, about: Subject<'_>) -> Check {
        let server = self.server.clone();
        let Some(client) = server.rules.policies.get(spec).map(Rc::clone) else {
            log::warning!("check_policy_service: no client endpoint for server {spec}");
            return Err(self.server_error());
        };
        let request = self.policy_request(&client.options.context);
        if let Some(action) = client.ask(&request, &server.dns).await {
            let shown = show(&action);
            if !server.settings.smtputf8_enable || address::valid_utf8(&action) {
                return self.table_result(spec, &shown, "policy query", about).await;
            }
            log::warning!("malformed UTF-8 in policy server {spec} response: \"{shown}\"");
        }
        // A default action that asks a policy server in turn gets one chance.
        let is_nested = std::mem::replace(&mut self.checks.in_default_action, true);
        let action = if is_nested { LAST_RESORT } else { &client.options.default_action };
        let result = self.table_result(spec, action, "policy query", about).await;
        self.checks.in_default_action = is_nested;
        result
    }

    fn policy_request(&self, context: &str) -> Vec<u8> {
        let server = &self.server;
        let mail = self.mail.as_deref();
        let peer = &self.peer;
        let is_whole_message = matches!(self.stage_name, "DATA" | "BDAT" | "END-OF-MESSAGE");
        let size = mail
            .map_or(0, |mail| if mail.received_size > 0 { mail.received_size } else { mail.announced_size });
        let login = self.login.as_ref();
        let tls = self.tls.as_deref();
        let certificate = tls.and_then(|tls| tls.peer.as_ref());
        let trusted = certificate.filter(|_| tls.is_some_and(|tls| tls.standing >= tls::Standing::Trusted));
        let encoded = |name: &str| message::xtext::quote(name.as_bytes(), b"");
        let mut request = Vec::with_capacity(800);
        let mut put = |name: &str, value: &[u8]| {
            request.extend_from_slice(name.as_bytes());
            request.push(b'=');
            // A line end in a value would be the start of another attribute.
            request.extend(value.iter().map(|&byte| if matches!(byte, b'\n' | 0) { b'?' } else { byte }));
            request.push(b'\n');
        };
        put("request", b"smtpd_access_policy");
        put("protocol_state", if self.stage_name == "BDAT" { b"DATA" } else { self.stage_name.as_bytes() });
        put("protocol_name", self.protocol.as_bytes());
        put("client_address", peer.address.as_bytes());
        put("client_name", peer.name.as_bytes());
        put("client_port", peer.port.as_bytes());
        put("reverse_client_name", peer.reverse_name.as_bytes());
        put("server_address", peer.server_address.as_bytes());
        put("server_port", peer.server_port.as_bytes());
        put("helo_name", self.helo_name.as_deref().unwrap_or_default().as_bytes());
        put("sender", self.sender.as_deref().unwrap_or_default());
        put("recipient", self.recipient.as_deref().unwrap_or_default());
        put("recipient_count", if is_whole_message { self.recipients } else { 0 }.to_string().as_bytes());
        put("queue_id", mail.and_then(|mail| mail.queue_id.as_deref()).unwrap_or_default().as_bytes());
        put("instance", mail.map_or("", |mail| &mail.instance).as_bytes());
        put("size", size.to_string().as_bytes());
        put("etrn_domain", self.etrn_name.as_deref().unwrap_or_default().as_bytes());
        put("stress", server.settings.stress.as_bytes());
        put("sasl_method", login.map_or("", |login| &login.method).as_bytes());
        put("sasl_username", login.map_or("", |login| &login.username).as_bytes());
        put("sasl_sender", mail.and_then(|mail| mail.sasl_sender.as_deref()).unwrap_or_default().as_bytes());
        put("ccert_subject", &trusted.map(|peer| encoded(&peer.subject)).unwrap_or_default());
        put("ccert_issuer", &trusted.map(|peer| encoded(&peer.issuer)).unwrap_or_default());
        put("ccert_fingerprint", certificate.map_or("", |peer| &peer.certificate_digest).as_bytes());
        put("ccert_pubkey_fingerprint", certificate.map_or("", |peer| &peer.key_digest).as_bytes());
        put("encryption_protocol", tls.map_or("", |tls| tls.protocol).as_bytes());
        put("encryption_cipher", tls.map_or("", |tls| tls.cipher).as_bytes());
        put("encryption_keysize", tls.map_or(0, |tls| tls.bits).to_string().as_bytes());
        put("policy_context", context.as_bytes());
        put("compatibility_level", server.settings.compatibility_level.as_bytes());
        put("mail_version", server.settings.mail_version.as_bytes());
        request.push(b'\n');
        request
    }
}
