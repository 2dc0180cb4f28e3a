//! The connection and request counts that anvil(8) keeps for each client.

use crate::{Attrs, Client, Error, Result};

/// The greeting.
pub const PROTOCOL: &str = "anvil_protocol";

/// What a client of an internet service did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Opened a connection.
    Connect,
    /// Closed it.
    Disconnect,
    /// Asked for a message delivery.
    Message,
    /// Named a recipient.
    Recipient,
    /// Began a TLS session that resumes none.
    NewTls,
    /// Tried to authenticate.
    Auth,
    /// Nothing: only the new TLS rate is asked for.
    NewTlsStatus,
    /// Nothing: all counts are asked for.
    Lookup,
}

impl Event {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Connect, "connect"),
        (Self::Disconnect, "disconnect"),
        (Self::Message, "message"),
        (Self::Recipient, "recipient"),
        (Self::NewTls, "newtls"),
        (Self::Auth, "auth"),
        (Self::NewTlsStatus, "newtls_status"),
        (Self::Lookup, "lookup"),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(event, _)| *event == self).map_or("", |(_, name)| name)
    }
}

/// A question: an event of the client `ident`, which is `service:address`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What happened.
    pub event: Event,
    /// Whose counts it adds to.
    pub ident: Vec<u8>,
}

impl Request {
    /// As it travels.
    pub fn to_attrs(&self) -> Attrs {
        Attrs::new().str("request", self.event.name()).str("ident", &self.ident)
    }

    /// From the wire.
    pub fn from_attrs(attrs: &Attrs) -> Result<Self> {
        let name = attrs.text("request")?;
        let known = Event::NAMES.iter().find(|(_, known)| known.as_bytes() == name);
        let (event, _) = known.ok_or(Error::Malformed("request"))?;
        Ok(Self { event: *event, ident: attrs.text("ident")?.to_vec() })
    }
}

/// Simultaneous connections, and events within `anvil_rate_time_unit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are open now.
    pub connections: i64,
    /// Connections opened.
    pub rate: i64,
    /// Messages asked for.
    pub messages: i64,
    /// Recipients named.
    pub recipients: i64,
    /// TLS sessions begun.
    pub new_tls: i64,
    /// Authentications tried.
    pub auths: i64,
}

impl Counts {
    /// The reply to a request: each event is answered with the counts that concern it.
    pub fn reply(&self, event: Event) -> Attrs {
        let ok = Attrs::new().int("status", 0);
        match event {
            Event::Connect => ok.int("count", self.connections).int("rate", self.rate),
            Event::Disconnect => ok,
            Event::Message => ok.int("rate", self.messages),
            Event::Recipient => ok.int("rate", self.recipients),
            Event::NewTls | Event::NewTlsStatus => ok.int("rate", self.new_tls),
            Event::Auth => ok.int("rate", self.auths),
            Event::Lookup => ok
                .int("count", self.connections)
                .int("rate", self.rate)
                .int("mail", self.messages)
                .int("rcpt", self.recipients)
                .int("newtls", self.new_tls)
                .int("auth", self.auths),
        }
    }
}

/// The reply to a request that makes no sense.
pub fn refusal() -> Attrs {
    Attrs::new().int("status", -1)
}

/// A program's connection to anvil(8).
///
/// anvil forgets the connections that were reported over this one when it ends, so that a program that dies leaves no
/// count behind; that is why it never expires by itself.
#[derive(Debug)]
pub struct Monitor(Client);

impl Monitor {
    /// Over the socket `path`, usually `private/anvil`.
    pub fn new(path: impl Into<String>) -> Self {
        Self(Client::new(path, Some(PROTOCOL)).limits(crate::Stream::TIMEOUT, std::time::Duration::MAX))
    }

    /// Reports an event; the counts that the reply carries, 0 for those it does not.
    pub async fn report(&mut self, event: Event, ident: &[u8]) -> Result<Counts> {
        let request = Request { event, ident: ident.to_vec() };
        let reply = self.0.request(&request.to_attrs()).await?;
        if reply.int32("status")? != 0 {
            return Err(Error::Malformed("status"));
        }
        let number = |name: &'static str| reply.number(name).unwrap_or(0);
        let rate = number("rate");
        let mut counts = Counts { connections: number("count"), ..Counts::default() };
        match event {
            Event::Message => counts.messages = rate,
            Event::Recipient => counts.recipients = rate,
            Event::NewTls | Event::NewTlsStatus => counts.new_tls = rate,
            Event::Auth => counts.auths = rate,
            Event::Connect | Event::Disconnect => counts.rate = rate,
            Event::Lookup => {
                counts.rate = rate;
                counts.messages = number("mail");
                counts.recipients = number("rcpt");
                counts.new_tls = number("newtls");
                counts.auths = number("auth");
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        for (event, _) in Event::NAMES {
            let request = Request { event, ident: b"smtp:192.0.2.1".to_vec() };
            assert_eq!(Request::from_attrs(&request.to_attrs()).unwrap(), request);
        }
        assert!(Request::from_attrs(&Attrs::new().str("request", "x").str("ident", "y")).is_err());
    }
}
