//! Requests to the bounce, defer and trace services, which log delivery problems and send reports about them.

use dsn::Dsn;

use crate::recipient::{read_dsn, write_dsn};
use crate::{Attrs, Error, Recipient, Result, Stream};

/// The greeting.
pub const PROTOCOL: &str = "delivery_status_protocol";

/// Remove the log when the request fails.
pub const FLAG_CLEAN: u32 = 1;
/// Delete the recipient from the queue file.
pub const FLAG_DELETE_RECIPIENT: u32 = 2;

/// The message that a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The queue it is in, usually `active`.
    pub queue: String,
    /// Its queue id.
    pub queue_id: String,
    /// Its body encoding: `7bit`, `8bit` or empty.
    pub encoding: String,
    /// SMTPUTF8 and REQUIRETLS requests, as in the queue file.
    pub sendopts: u32,
    /// Its envelope sender, to whom the report goes.
    pub sender: Vec<u8>,
    /// The sender's name for it (RFC 3461 ENVID), or empty.
    pub dsn_envid: Vec<u8>,
    /// What to return, see [`dsn::ret`].
    pub dsn_ret: u32,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Log a recipient's status for a later report.
    Append {
        /// `FLAG_` bits.
        flags: u32,
        /// The message.
        queue_id: String,
        /// Who.
        recipient: Recipient,
        /// What.
        dsn: Dsn,
    },
    /// Send the report about all logged recipients and remove the log.
    Flush {
        /// `FLAG_` bits.
        flags: u32,
        /// The message.
        message: Message,
    },
    /// Send a warning about delayed recipients; the log stays.
    Warn {
        /// `FLAG_` bits.
        flags: u32,
        /// The message.
        message: Message,
    },
    /// Send one report for each logged recipient, VERP style.
    Verp {
        /// `FLAG_` bits.
        flags: u32,
        /// The message.
        message: Message,
        /// The two VERP delimiters.
        delimiters: Vec<u8>,
    },
    /// Send a report about one recipient, without a log.
    One {
        /// `FLAG_` bits.
        flags: u32,
        /// The message.
        message: Message,
        /// Who.
        recipient: Box<Recipient>,
        /// What.
        dsn: Box<Dsn>,
    },
    /// Send a delivery record about all logged recipients and remove the log.
    Trace {
        /// `FLAG_` bits.
        flags: u32,
        /// The message.
        message: Message,
    },
}

const APPEND: i32 = 0;
const FLUSH: i32 = 1;
const WARN: i32 = 2;
const VERP: i32 = 3;
const ONE: i32 = 4;
const TRACE: i32 = 5;

impl Request {
    /// As it travels.
    pub fn to_attrs(&self) -> Attrs {
        let start = |command: i32, flags: &u32| Attrs::new().int("nrequest", command).int("flags", *flags);
        match self {
            Self::Append { flags, queue_id, recipient, dsn } => start(APPEND, flags)
                .str("queue_id", queue_id)
                .with(|attrs| recipient.write(attrs))
                .with(|attrs| write_dsn(dsn, attrs)),
            Self::Flush { flags, message } => start(FLUSH, flags).with(|attrs| message.write(attrs)),
            Self::Warn { flags, message } => start(WARN, flags).with(|attrs| message.write(attrs)),
            Self::Verp { flags, message, delimiters } => {
                start(VERP, flags).with(|attrs| message.write(attrs)).str("verp_delimiters", delimiters)
            }
            Self::One { flags, message, recipient, dsn } => start(ONE, flags)
                .with(|attrs| message.write(attrs))
                .with(|attrs| recipient.write(attrs))
                .with(|attrs| write_dsn(dsn, attrs)),
            Self::Trace { flags, message } => start(TRACE, flags).with(|attrs| message.write(attrs)),
        }
    }

    /// From the wire.
    pub fn from_attrs(attrs: &Attrs) -> Result<Self> {
        let flags = attrs.flags("flags")?;
        Ok(match attrs.int32("nrequest")? {
            APPEND => Self::Append {
                flags,
                queue_id: word(attrs, "queue_id")?,
                recipient: Recipient::read(attrs)?,
                dsn: read_dsn(attrs)?,
            },
            FLUSH => Self::Flush { flags, message: Message::read(attrs)? },
            WARN => Self::Warn { flags, message: Message::read(attrs)? },
            VERP => Self::Verp {
                flags,
                message: Message::read(attrs)?,
                delimiters: attrs.text("verp_delimiters")?.to_vec(),
            },
            ONE => Self::One {
                flags,
                message: Message::read(attrs)?,
                recipient: Box::new(Recipient::read(attrs)?),
                dsn: Box::new(read_dsn(attrs)?),
            },
            TRACE => Self::Trace { flags, message: Message::read(attrs)? },
            _ => return Err(Error::Malformed("nrequest")),
        })
    }
}

impl Message {
    fn write(&self, attrs: &mut Attrs) {
        attrs.push("queue_name", self.queue.as_bytes());
        attrs.push("queue_id", self.queue_id.as_bytes());
        attrs.push("encoding", self.encoding.as_bytes());
        attrs.push_number("sendopts", self.sendopts.into());
        attrs.push("sender", &self.sender);
        attrs.push("envelope_id", &self.dsn_envid);
        attrs.push_number("ret_flags", self.dsn_ret.into());
    }

    fn read(attrs: &Attrs) -> Result<Self> {
        Ok(Self {
            queue: word(attrs, "queue_name")?,
            queue_id: word(attrs, "queue_id")?,
            encoding: word(attrs, "encoding")?,
            // A trace request does not carry them.
            sendopts: attrs.flags("sendopts").unwrap_or(0),
            sender: attrs.text("sender")?.to_vec(),
            dsn_envid: attrs.text("envelope_id")?.to_vec(),
            dsn_ret: attrs.flags("ret_flags")?,
        })
    }
}

/// Makes one request of the service socket `path`. `Ok(true)` means done, `Ok(false)` that the service could not.
pub async fn request(path: &str, request: &Request) -> Result<bool> {
    let mut stream = Stream::connect(path).await?;
    stream.expect_greeting(PROTOCOL).await?;
    stream.send(&request.to_attrs()).await?;
    Ok(stream.receive().await?.int32("status")? == 0)
}

fn word(attrs: &Attrs, name: &'static str) -> Result<String> {
    String::from_utf8(attrs.text(name)?.to_vec()).map_err(|_| Error::Malformed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        let message =
            Message { queue: "active".into(), queue_id: "ABC".into(), sendopts: 3, ..Message::default() };
        let recipient =
            Recipient { address: b"a@b".to_vec(), offset: 77, dsn_notify: 4, ..Recipient::default() };
        let dsn = Dsn::new(dsn::Status::new("4.4.1"), "no route");
        let requests = [
            Request::Flush { flags: 0, message: message.clone() },
            Request::Verp { flags: 1, message: message.clone(), delimiters: b"+=".to_vec() },
            Request::Append {
                flags: 1,
                queue_id: "ABC".into(),
                recipient: recipient.clone(),
                dsn: dsn.clone(),
            },
            Request::One { flags: 0, message, recipient: recipient.into(), dsn: dsn.into() },
        ];
        for request in requests {
            assert_eq!(Request::from_attrs(&request.to_attrs()).unwrap(), request);
        }
    }
}
