//! Requests to flush(8), which remembers which queued mail waits for which site (ETRN, `sendmail -qR`, `-qI`).

use crate::{Attrs, Error, Result};

/// The greeting.
pub const PROTOCOL: &str = "queue_flush_protocol";

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Remember that a message waits for a site.
    Add {
        /// A domain.
        site: Vec<u8>,
        /// A queue id.
        queue_id: Vec<u8>,
    },
    /// Try all mail for a site now.
    SendSite(Vec<u8>),
    /// Try one message now.
    SendFile(Vec<u8>),
    /// Look through logs that have not been read for a while.
    Refresh,
    /// Forget everything that is out of date and retry the rest.
    Purge,
}

impl Request {
    /// As it travels.
    pub fn to_attrs(&self) -> Attrs {
        let request = |name: &str| Attrs::new().str("request", name);
        match self {
            Self::Add { site, queue_id } => request("add").str("site", site).str("queue_id", queue_id),
            Self::SendSite(site) => request("send_site").str("site", site),
            Self::SendFile(queue_id) => request("send_file").str("queue_id", queue_id),
            Self::Refresh => request("rfrsh"),
            Self::Purge => request("purge"),
        }
    }

    /// From the wire.
    pub fn from_attrs(attrs: &Attrs) -> Result<Self> {
        let text = |name| attrs.text(name).map(<[u8]>::to_vec);
        Ok(match attrs.text("request")? {
            b"add" => Self::Add { site: text("site")?, queue_id: text("queue_id")? },
            b"send_site" => Self::SendSite(text("site")?),
            b"send_file" => Self::SendFile(text("queue_id")?),
            b"rfrsh" => Self::Refresh,
            b"purge" => Self::Purge,
            _ => return Err(Error::Malformed("request")),
        })
    }
}

/// The answers of flush(8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// Could not be done now.
    Fail,
    /// The request makes no sense.
    Bad,
    /// The site is not in `fast_flush_domains`.
    Deny,
}

impl Status {
    const CODES: [(Self, i32); 4] = [(Self::Ok, 0), (Self::Bad, 3), (Self::Fail, -1), (Self::Deny, 4)];

    /// As it travels.
    pub fn to_attrs(self) -> Attrs {
        let code = Self::CODES.iter().find(|(status, _)| *status == self).map_or(-1, |(_, code)| *code);
        Attrs::new().int("status", code)
    }

    /// From the wire.
    pub fn from_attrs(attrs: &Attrs) -> Result<Self> {
        let code = attrs.int32("status")?;
        let known = Self::CODES.iter().find(|(_, known)| *known == code);
        known.map(|(status, _)| *status).ok_or(Error::Malformed("status"))
    }
}

/// Makes one request of the service socket `path`; failures to talk are logged and answer [`Status::Fail`].
pub async fn request(path: &str, request: &Request) -> Status {
    let mut client = crate::Client::new(path, Some(PROTOCOL));
    let reply = match client.request(&request.to_attrs()).await {
        Ok(reply) => Status::from_attrs(&reply),
        Err(error) => Err(error),
    };
    reply.unwrap_or_else(|error| {
        log::warning!("connect to {path}: {error}");
        Status::Fail
    })
}
