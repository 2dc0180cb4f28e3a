//! XFORWARD: an authorized client tells where it got the mail from, for logging.

use super::xclient::port;
use crate::error_class::ErrorClass;
use crate::peer::UNKNOWN;
use crate::session::{Handled, Session};
use crate::text::{Encoding, neuter, printable, show};
use crate::token::Token;
use crate::xforward::Forwarded;
use address::inet::Families;
use address::mailhost::normalize_mailhost_addr;

const UNAVAILABLE: &str = "[UNAVAILABLE]";

impl Session {
    pub(super) async fn xforward(&mut self, tokens: &[Token]) -> Handled {
        if self.in_transaction() {
            return self.refuse(ErrorClass::PROTOCOL, "503 5.5.1 Error: MAIL transaction in progress").await;
        }
        if tokens.len() < 2 {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.5.4 Syntax: XFORWARD attribute=value...").await;
        }
        self.know_who_may("XFORWARD", |server| &server.lists.xforward).await?;
        if !self.xforward_allowed {
            return self.refuse(ErrorClass::POLICY, "550 5.7.0 Error: insufficient authorization").await;
        }
        let server = self.server.clone();
        let mut fault = None;
        let forwarded = self.forwarded.get_or_insert_default();
        for attribute in attributes(&tokens[1..], server.encoding) {
            let result = attribute.and_then(|(name, value)| forwarded.set(&name, value, server.families));
            if let Err(text) = result {
                fault = Some(text);
                break;
            }
        }
        if let Some(text) = fault {
            return self.refuse(ErrorClass::PROTOCOL, &text).await;
        }
        forwarded.update_namaddr(&server);
        self.accept("250 2.0.0 Ok").await
    }
}

impl Forwarded {
    fn set(&mut self, name: &str, value: String, families: Families) -> Result<(), String> {
        let bad = |value: &str| format!("501 5.5.4 Bad {name} syntax: {value}");
        let is_unavailable = value.eq_ignore_ascii_case(UNAVAILABLE);
        match name {
            "NAME" if is_unavailable => self.name = UNKNOWN.to_owned(),
            "NAME" => {
                let host = neuter(&value);
                if address::valid_hostname(host.as_bytes()).is_err() {
                    return Err(bad(&host));
                }
                self.name = host;
            }
            "ADDR" if is_unavailable => self.address = UNKNOWN.to_owned(),
            "ADDR" => {
                let value = neuter(&value);
                let address =
                    normalize_mailhost_addr(value.as_bytes(), families).ok_or_else(|| bad(&value))?;
                self.rfc_address = address.mailhost;
                self.address = address.bare;
            }
            "PORT" => self.port = port(value).map_err(|value| bad(&value))?,
            "HELO" => self.helo_name = (!is_unavailable).then(|| neuter(&value)),
            "PROTO" if is_unavailable => self.protocol = UNKNOWN.to_owned(),
            "PROTO" => {
                if value.len() > 64 {
                    return Err(bad(&value));
                }
                self.protocol = neuter(&value);
            }
            "IDENT" => self.ident = (!is_unavailable).then(|| neuter(&value)),
            "SOURCE" => {
                self.domain = Some(match value.to_ascii_uppercase().as_str() {
                    "LOCAL" | UNAVAILABLE => "local",
                    "REMOTE" => "remote",
                    _ => return Err(bad(&value)),
                });
            }
            _ => return Err(format!("501 5.5.4 Bad XFORWARD attribute name: {name}")),
        }
        self.has_client |= !matches!(name, "IDENT" | "SOURCE");
        Ok(())
    }
}

/// The `name=value` pairs of a command: the name in upper case, the value decoded and printable.
pub(super) fn attributes(
    tokens: &[Token],
    encoding: Encoding,
) -> impl Iterator<Item = Result<(String, String), String>> {
    tokens.iter().map(move |token| {
        let pair = bytes::split_once(&token.text, b'=').filter(|(_, value)| !value.is_empty());
        let (name, raw) = pair.ok_or("501 5.5.4 Error: attribute=value expected")?;
        if raw.len() > 255 {
            return Err("501 5.5.4 Error: attribute value too long".to_owned());
        }
        // Old clients do not encode.
        let value = message::xtext::unquote(raw);
        let value = printable(value.as_deref().unwrap_or(raw), '?', encoding);
        Ok((show(name).to_ascii_uppercase(), value))
    })
}
