//! Questions to and reports for verify(8), which remembers what probes found out about addresses.

use crate::{Attrs, Client, Error, Result};

/// The greeting, with the spelling that every Postfix release sends.
pub const PROTOCOL: &str = "address_verification_prrotocol";

/// What is known about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressStatus {
    /// A probe was delivered.
    Ok,
    /// No answer yet.
    Todo,
    /// A probe was deferred.
    Defer,
    /// A probe bounced.
    Bounce,
}

impl AddressStatus {
    const CODES: [(Self, i32); 4] = [(Self::Ok, 0), (Self::Defer, 1), (Self::Bounce, 2), (Self::Todo, 3)];

    /// The number that travels and that the cache holds.
    pub fn code(self) -> i32 {
        Self::CODES.iter().find(|(status, _)| *status == self).map_or(3, |(_, code)| *code)
    }

    /// The inverse of [`code`](Self::code).
    pub fn from_code(code: i32) -> Option<Self> {
        Self::CODES.iter().find(|(_, known)| *known == code).map(|(status, _)| *status)
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// What is known about an address?
    Query(Vec<u8>),
    /// A probe to `address` ended.
    Update {
        /// The probed address.
        address: Vec<u8>,
        /// How it ended.
        status: AddressStatus,
        /// Why.
        reason: Vec<u8>,
    },
}

impl Request {
    /// As it travels.
    pub fn to_attrs(&self) -> Attrs {
        match self {
            Self::Query(address) => Attrs::new().str("request", "query").str("address", address),
            Self::Update { address, status, reason } => Attrs::new()
                .str("request", "update")
                .str("address", address)
                .int("recipient_status", status.code())
                .str("reason", reason),
        }
    }

    /// From the wire.
    pub fn from_attrs(attrs: &Attrs) -> Result<Self> {
        let address = attrs.text("address")?.to_vec();
        match attrs.text("request")? {
            b"query" => Ok(Self::Query(address)),
            b"update" => Ok(Self::Update {
                address,
                status: AddressStatus::from_code(attrs.int32("recipient_status")?)
                    .ok_or(Error::Malformed("recipient_status"))?,
                reason: attrs.text("reason")?.to_vec(),
            }),
            _ => Err(Error::Malformed("request")),
        }
    }
}

/// The reply to a request: `answer` for a query, none for an update.
pub fn reply(ok: Result<Option<(AddressStatus, &[u8])>>) -> Attrs {
    match ok {
        Ok(None) => Attrs::new().int("status", 0),
        Ok(Some((status, reason))) => {
            Attrs::new().int("status", 0).int("recipient_status", status.code()).str("reason", reason)
        }
        Err(_) => Attrs::new().int("status", -2),
    }
}

/// Asks what is known about an address.
pub async fn query(client: &mut Client, address: &[u8]) -> Result<(AddressStatus, Vec<u8>)> {
    let reply = client.request(&Request::Query(address.to_vec()).to_attrs()).await?;
    if reply.int32("status")? != 0 {
        return Err(Error::Malformed("status"));
    }
    let status = AddressStatus::from_code(reply.int32("recipient_status")?);
    Ok((status.ok_or(Error::Malformed("recipient_status"))?, reply.text("reason")?.to_vec()))
}
