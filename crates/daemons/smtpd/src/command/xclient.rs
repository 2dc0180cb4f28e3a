//! XCLIENT: an authorized client takes the place of another one, for tests and for proxies.

use super::xforward::attributes;
use crate::error_class::ErrorClass;
use crate::peer::{AddressFamily, NameStatus, UNKNOWN};
use crate::session::{Handled, Login, Outcome, Session, Stop};
use crate::text::{all_digits, neuter};
use crate::token::Token;
use address::mailhost::normalize_mailhost_addr;

const UNAVAILABLE: &str = "[UNAVAILABLE]";
const TEMPORARY: &str = "[TEMPUNAVAIL]";

impl Session {
    pub(super) async fn xclient(&mut self, tokens: &[Token]) -> Handled {
        if self.in_transaction() {
            return self.refuse(ErrorClass::PROTOCOL, "503 5.5.1 Error: MAIL transaction in progress").await;
        }
        if tokens.len() < 2 {
            return self.refuse(ErrorClass::PROTOCOL, "501 5.5.4 Syntax: XCLIENT attribute=value...").await;
        }
        self.know_who_may("XCLIENT", |server| &server.lists.xclient).await?;
        if !self.xclient_allowed {
            return self.refuse(ErrorClass::POLICY, "550 5.7.0 Error: insufficient authorization").await;
        }
        let mut given = Given::default();
        for attribute in attributes(&tokens[1..], self.server.encoding) {
            let result = match attribute {
                Ok((name, value)) => self.override_attribute(&name, value, &mut given),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = result {
                return self.refuse(ErrorClass::PROTOCOL, &fault).await;
            }
        }
        let server = self.server.clone();
        if given.address {
            self.peer.update_namaddr(&server);
        }
        self.xclient_allowed = self.is_in(|server| &server.lists.xclient).await;
        self.choose_bare_newline().await;
        if !given.helo {
            self.helo_reset();
        }
        if !given.protocol && self.protocol != "SMTP" {
            self.protocol = "SMTP".to_owned();
        }
        if !given.login {
            self.login = None;
        }
        self.end_history().await;
        self.mail_reset();
        self.rcpt_reset();
        self.access_denied = None;
        Ok(Outcome::Restart)
    }

    /// Ends the session when it cannot be found out who may use a command.
    pub(super) async fn know_who_may(
        &self,
        command: &str,
        list: impl Fn(&crate::server::Server) -> &table::HostList,
    ) -> Result<(), Stop> {
        let (name, address) = (self.peer.name.as_bytes(), self.peer.address.as_bytes());
        if list(&self.server).matches(name, address).await.is_err() {
            log::warning!("don't know if command {command} should be allowed from {}", self.peer.namaddr);
            return Err(Stop::LocalData);
        }
        Ok(())
    }

    fn override_attribute(&mut self, name: &str, value: String, given: &mut Given) -> Result<(), String> {
        let bad = |value: &str| format!("501 5.5.4 Bad {name} syntax: {value}");
        let families = self.server.families;
        let peer = &mut self.peer;
        let is_unavailable = value.eq_ignore_ascii_case(UNAVAILABLE);
        match name {
            "NAME" | "REVERSE_NAME" => {
                let (status, host) = if is_unavailable {
                    (NameStatus::Permanent, UNKNOWN.to_owned())
                } else if value.eq_ignore_ascii_case(TEMPORARY) {
                    (NameStatus::Temporary, UNKNOWN.to_owned())
                } else if address::valid_hostname(value.as_bytes()).is_ok() {
                    (NameStatus::Ok, value)
                } else {
                    return Err(bad(&value));
                };
                if name == "REVERSE_NAME" || status == NameStatus::Ok {
                    peer.reverse_name_status = status;
                    peer.reverse_name.clone_from(&host);
                }
                if name == "NAME" {
                    peer.name_status = status;
                    peer.name = host;
                    given.address = true;
                }
            }
            "ADDR" if is_unavailable => {
                peer.address = UNKNOWN.to_owned();
                peer.rfc_address = UNKNOWN.to_owned();
                given.address = true;
            }
            "ADDR" => {
                let value = neuter(&value);
                let address =
                    normalize_mailhost_addr(value.as_bytes(), families).ok_or_else(|| bad(&value))?;
                peer.family = match address.address.is_ipv4() {
                    true => AddressFamily::Inet,
                    false => AddressFamily::Inet6,
                };
                peer.rfc_address = address.mailhost;
                peer.address = address.bare;
                given.address = true;
            }
            "PORT" => {
                peer.port = port(value).map_err(|value| bad(&value))?;
                given.address = true;
            }
            "HELO" => {
                self.helo_name = if is_unavailable {
                    None
                } else if value.len() > address::hostname::MAX_HOSTNAME_LENGTH {
                    return Err(bad(&value));
                } else {
                    Some(neuter(&value))
                };
                given.helo = true;
            }
            "PROTO" => {
                let protocol = value.to_ascii_uppercase();
                if !matches!(protocol.as_str(), "SMTP" | "ESMTP") {
                    return Err(bad(&value));
                }
                self.protocol = protocol;
                given.protocol = true;
            }
            "LOGIN" => {
                if !is_unavailable {
                    self.login = Some(Login { method: "XCLIENT".to_owned(), username: value });
                    given.login = true;
                }
            }
            "DESTADDR" if is_unavailable => peer.server_address = UNKNOWN.to_owned(),
            "DESTADDR" => {
                let value = neuter(&value);
                let address =
                    normalize_mailhost_addr(value.as_bytes(), families).ok_or_else(|| bad(&value))?;
                peer.server_address = address.bare;
            }
            "DESTPORT" => peer.server_port = port(value).map_err(|value| bad(&value))?,
            _ => return Err(format!("501 5.5.4 Bad XCLIENT attribute name: {name}")),
        }
        Ok(())
    }
}

/// Which attributes a command had.
#[derive(Default)]
struct Given {
    /// The name, the address or the port.
    address: bool,
    helo: bool,
    protocol: bool,
    login: bool,
}

/// A port number, or `unknown`.
pub(super) fn port(value: String) -> Result<String, String> {
    if value.eq_ignore_ascii_case(UNAVAILABLE) {
        return Ok(UNKNOWN.to_owned());
    }
    if all_digits(value.as_bytes()) && value.len() <= 5 { Ok(value) } else { Err(value) }
}
