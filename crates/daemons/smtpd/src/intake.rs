//! The start of a message: envelope records, and our own Received: header.

use crate::session::Session;
use ipc::cleanup::flags;
use message::received::{Client, Server as By, smtp_lines};
use queue::{RecordType, encode_record};
use std::time::{SystemTime, UNIX_EPOCH};
use tls::AskCertificate;

impl Session {
    /// Opens a message and sends what is known so far. False: it cannot be done now.
    pub(crate) async fn open_message(&mut self) -> bool {
        let server = self.server.clone();
        let mut intake = match server.outside.open_mail(self.cleanup_flags()).await {
            Ok(intake) => intake,
            Err(error) => {
                log::warning!(
                    "unable to connect to the public {} service: {error}",
                    server.settings.cleanup_service_name
                );
                return false;
            }
        };
        let id = intake.queue_id().to_owned();
        self.put_envelope(&id, intake.buffer());
        let mut line = format!("{id}: client={}", self.peer.namaddr);
        if let Some(login) = &self.login {
            line += &format!(", sasl_method={}, sasl_username={}", login.method, login.username);
        }
        if let Some(sender) = self.mail.as_ref().and_then(|mail| mail.sasl_sender.as_deref()) {
            line += &format!(", sasl_sender={sender}");
        }
        if let Some(forwarded) = &self.forwarded {
            if let Some(ident) = &forwarded.ident {
                line += &format!(", orig_queue_id={ident}");
            }
            if forwarded.has_client {
                line += &format!(", orig_client={}", forwarded.namaddr);
            }
        }
        log::info!("{line}");
        if let Some(mail) = &mut self.mail {
            mail.queue_id = Some(id);
            mail.intake = Some(intake);
        }
        true
    }

    fn cleanup_flags(&self) -> u32 {
        let overrides = self.server.overrides;
        let mut wanted = flags::MASK_EXTERNAL | flags::SMTP_REPLY;
        // Without mail filters of our own, cleanup(8) must not take this for local mail and apply its own.
        wanted &= !flags::MILTER;
        if overrides.no_address_mappings {
            wanted &= !(flags::BCC_OK | flags::MAP_OK);
        }
        if overrides.no_header_body_checks {
            wanted &= !flags::FILTER;
        }
        if self.smtputf8 {
            wanted |= flags::SMTPUTF8;
        } else if self.server.is_autodetect {
            wanted |= flags::AUTOUTF8;
        }
        wanted
    }

    /// The envelope records, in the order in which Postfix writes them.
    fn put_envelope(&self, id: &str, out: &mut Vec<u8>) {
        let Some(mail) = &self.mail else {
            return;
        };
        let mut put = |kind, text: &[u8]| encode_record(out, kind, text);
        let pair = |name: &str, value: &[u8]| [name.as_bytes(), b"=", value].concat();
        if self.stand_alone {
            put(RecordType::Sender, self.sender.as_deref().unwrap_or_default());
            if let Some(encoding) = mail.encoding {
                put(RecordType::Attr, &pair("encoding", encoding.as_bytes()));
            }
            return;
        }
        let arrival = mail.arrival.duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = format!("{} {}", arrival.as_secs(), arrival.subsec_micros());
        put(RecordType::Time, time.as_bytes());
        let filter = &self.server.settings.content_filter;
        if !filter.is_empty() {
            put(RecordType::FILTER, filter.as_bytes());
        }
        let forwarded = self.forwarded.as_deref();
        let ident = forwarded.and_then(|forwarded| forwarded.ident.as_deref()).unwrap_or(id);
        let context = forwarded.and_then(|forwarded| forwarded.domain).unwrap_or(self.rewrite_context);
        put(RecordType::Attr, &pair("log_ident", ident.as_bytes()));
        put(RecordType::Attr, &pair("rewrite_context", context.as_bytes()));
        if let Some(login) = &self.login {
            put(RecordType::Attr, &pair("sasl_method", login.method.as_bytes()));
            put(RecordType::Attr, &pair("sasl_username", login.username.as_bytes()));
        }
        if let Some(sender) = &mail.sasl_sender {
            put(RecordType::Attr, &pair("sasl_sender", sender.as_bytes()));
        }
        if let Some(envid) = &mail.envid {
            put(RecordType::Attr, &pair("envelope_id", envid));
        }
        if mail.ret != 0 {
            put(RecordType::Attr, &pair("ret_flags", mail.ret.to_string().as_bytes()));
        }
        put(RecordType::Sender, self.sender.as_deref().unwrap_or_default());
        if let Some(encoding) = mail.encoding {
            put(RecordType::Attr, &pair("encoding", encoding.as_bytes()));
        }
        let origin = self.origin();
        let peer = &self.peer;
        let family = peer.family.number().to_string();
        let attributes = [
            ("log_client_name", Some(origin.name)),
            ("log_client_address", Some(origin.rfc_address)),
            ("log_client_port", Some(origin.port)),
            ("log_message_origin", Some(origin.namaddr)),
            ("log_helo_name", origin.helo_name),
            ("log_protocol_name", Some(origin.protocol)),
            ("client_name", Some(peer.name.as_str())),
            ("reverse_client_name", Some(&peer.reverse_name)),
            ("client_address", Some(&peer.address)),
            ("client_port", Some(&peer.port)),
            ("server_address", Some(&peer.server_address)),
            ("server_port", Some(&peer.server_port)),
            ("helo_name", self.helo_name.as_deref()),
            ("protocol_name", Some(&self.protocol)),
            ("client_address_type", Some(&family)),
        ];
        for (name, value) in attributes {
            if let Some(value) = value {
                put(RecordType::Attr, &pair(name, value.as_bytes()));
            }
        }
        if let Some(verp) = &mail.verp {
            put(RecordType::Verp, verp);
        }
    }

    /// Ends the envelope and starts the content with our own headers.
    pub(crate) fn begin_content(&mut self) {
        let headers = self.received_lines();
        let actions = self.actions.as_deref();
        let flags = actions.map_or(0, |actions| actions.flags);
        let prepend: Vec<String> = actions.map(|actions| actions.prepend.clone()).unwrap_or_default();
        if flags != 0 {
            self.put_record(RecordType::Flags, flags.to_string().as_bytes());
        }
        self.put_record(RecordType::Content, b"");
        for line in prepend {
            self.put_record(RecordType::Norm, line.as_bytes());
        }
        for line in headers {
            self.put_record(RecordType::Norm, &line);
        }
    }

    fn received_lines(&self) -> Vec<Vec<u8>> {
        let settings = &self.server.settings;
        let is_plain_esmtp = self.protocol == "ESMTP";
        let mut protocol = if self.smtputf8 { "UTF8SMTP".to_owned() } else { self.protocol.clone() };
        let mut lines = Vec::new();
        let mut authenticated = None;
        if let Some(tls) = &self.tls {
            if settings.smtpd_tls_received_header {
                let asked = match settings.smtpd_tls_ask_ccert {
                    true => AskCertificate::Yes,
                    false => AskCertificate::No,
                };
                lines = tls.received(asked);
            }
            if is_plain_esmtp {
                protocol.push('S');
            }
        }
        if let Some(login) = &self.login {
            if settings.smtpd_sasl_authenticated_header {
                authenticated = Some(login.username.as_bytes());
            }
            if is_plain_esmtp {
                protocol.push('A');
            }
        }
        let client = Client {
            helo: self.helo_name.as_deref().unwrap_or(&self.peer.name).as_bytes(),
            name: self.peer.name.as_bytes(),
            address: self.peer.rfc_address.as_bytes(),
            tls: lines.iter().map(|line| line.trim_start_matches('\t').as_bytes().to_vec()).collect(),
            authenticated_sender: authenticated,
        };
        let only = match (self.recipients, &self.recipient) {
            (1, Some(recipient)) => Some(address::quote_822_local(recipient)),
            _ => None,
        };
        let mail = self.mail.as_deref();
        let arrival = mail.map_or_else(SystemTime::now, |mail| mail.arrival);
        let by = By {
            hostname: &settings.myhostname,
            mail_name: &settings.mail_name,
            protocol: &protocol,
            queue_id: mail.and_then(|mail| mail.queue_id.as_deref()),
            only_recipient: only.as_deref(),
            arrival: arrival.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64),
        };
        smtp_lines((!settings.smtpd_hide_client_session).then_some(&client), &by)
    }
}
