//! What an upstream server told about the client it got the mail from (XFORWARD).

use crate::peer::{UNKNOWN, name_and_address};
use crate::server::Server;
use crate::session::Session;

/// Forwarded client attributes. Those of the session are not mixed with those forwarded.
#[derive(Debug, Clone)]
pub(crate) struct Forwarded {
    /// At least one of name, address, port, protocol and HELO was given.
    pub(crate) has_client: bool,
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) rfc_address: String,
    pub(crate) port: String,
    pub(crate) namaddr: String,
    pub(crate) protocol: String,
    pub(crate) helo_name: Option<String>,
    /// The message's id there.
    pub(crate) ident: Option<String>,
    /// `local` or `remote`: how addresses are to be completed.
    pub(crate) domain: Option<&'static str>,
}

impl Default for Forwarded {
    fn default() -> Self {
        let unknown = || UNKNOWN.to_owned();
        Forwarded {
            has_client: false,
            name: unknown(),
            address: unknown(),
            rfc_address: unknown(),
            port: unknown(),
            namaddr: unknown(),
            protocol: unknown(),
            helo_name: None,
            ident: None,
            domain: None,
        }
    }
}

impl Forwarded {
    /// Puts `name[address]` together; only the name when there is no address.
    pub(crate) fn update_namaddr(&mut self, server: &Server) {
        self.namaddr = if self.address == UNKNOWN {
            self.name.clone()
        } else {
            name_and_address(server, &self.name, &self.address, &self.port)
        };
    }
}

/// The client as logged with the message: the forwarded one, or that of the session.
pub(crate) struct Origin<'a> {
    pub(crate) name: &'a str,
    pub(crate) rfc_address: &'a str,
    pub(crate) port: &'a str,
    pub(crate) namaddr: &'a str,
    pub(crate) protocol: &'a str,
    pub(crate) helo_name: Option<&'a str>,
}

impl Session {
    /// The client attributes to store with a message.
    pub(crate) fn origin(&self) -> Origin<'_> {
        match self.forwarded.as_deref() {
            Some(forwarded) if forwarded.has_client => Origin {
                name: &forwarded.name,
                rfc_address: &forwarded.rfc_address,
                port: &forwarded.port,
                namaddr: &forwarded.namaddr,
                protocol: &forwarded.protocol,
                helo_name: forwarded.helo_name.as_deref(),
            },
            _ => Origin {
                name: &self.peer.name,
                rfc_address: &self.peer.rfc_address,
                port: &self.peer.port,
                namaddr: &self.peer.namaddr,
                protocol: &self.protocol,
                helo_name: self.helo_name.as_deref(),
            },
        }
    }
}
