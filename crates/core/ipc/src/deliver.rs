//! Delivery requests: what the queue manager asks of a delivery agent, and what the agent answers.
//!
//! In Postfix a connection carries one request. Our queue manager offers to use it for more ([`FLAG_KEEP`]), and an agent
//! that agrees says so in its answer ([`stays`]). An agent that has to go while it waits for the next request says that
//! too ([`not_taken`]): what was sent to it in that moment can be given to another one, which after an unexplained end of
//! the connection would be a risk.

use std::time::Duration;

use dsn::Dsn;

use crate::recipient::{read_dsn, write_dsn};
use crate::{Attrs, Error, Recipient, Result, Stream};

/// The greeting.
pub const PROTOCOL: &str = "delivery_request_protocol";

/// Mark recipients that were delivered as done in the queue file.
pub const FLAG_SUCCESS: u32 = 1 << 0;
/// Bounce undeliverable recipients (always set together with the above, but for content filters).
pub const FLAG_BOUNCE: u32 = 1 << 1;
/// A probe for verify(8): go through the motions, deliver nothing.
pub const FLAG_MTA_VERIFY: u32 = 1 << 8;
/// `sendmail -bv`: go through the motions, deliver nothing, report.
pub const FLAG_USER_VERIFY: u32 = 1 << 9;
/// `sendmail -v`: deliver and report.
pub const FLAG_RECORD: u32 = 1 << 10;
/// Look for an open connection to the destination first.
pub const FLAG_CONN_LOAD: u32 = 1 << 11;
/// Leave the connection open for the next delivery.
pub const FLAG_CONN_STORE: u32 = 1 << 12;
/// Report a late delivery, since its delay was reported.
pub const FLAG_RECORD_DELAYED: u32 = 1 << 13;
/// Beyond Postfix: the queue manager will use the connection for another request, if the agent stays.
pub const FLAG_KEEP: u32 = 1 << 30;
/// Requests that end with the trace service.
pub const FLAGS_TRACE: u32 = FLAG_MTA_VERIFY | FLAG_USER_VERIFY | FLAG_RECORD | FLAG_RECORD_DELAYED;
/// Requests under which nothing is delivered.
pub const FLAGS_TRACE_ONLY: u32 = FLAG_MTA_VERIFY | FLAG_USER_VERIFY;

/// The most recipients that one request may carry.
const RECIPIENT_LIMIT: i64 = 100_000;

/// When a message passed which point, as time since 1970; zero: not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// It arrived in the incoming queue.
    pub incoming_arrival: Duration,
    /// It came into the active queue.
    pub active_arrival: Duration,
    /// A delivery agent took it.
    pub agent_handoff: Duration,
    /// The connection to the destination stood.
    pub conn_setup_done: Duration,
    /// It was delivered, or not.
    pub deliver_done: Duration,
    /// How many deliveries the connection had carried before, plus one; 0 for a new one.
    pub reuse_count: u32,
}

impl Times {
    // COMPAT: Postfix sends its C structure as it lies in memory: five timevals and an int, padded.
    // Test: `times_have_the_layout_of_a_c_structure`.
    fn encode(&self) -> Vec<u8> {
        let points = [
            self.incoming_arrival,
            self.active_arrival,
            self.agent_handoff,
            self.conn_setup_done,
            self.deliver_done,
        ];
        let mut out = Vec::with_capacity(88);
        for point in points {
            out.extend_from_slice(&(point.as_secs() as i64).to_ne_bytes());
            out.extend_from_slice(&i64::from(point.subsec_micros()).to_ne_bytes());
        }
        out.extend_from_slice(&self.reuse_count.to_ne_bytes());
        out.extend_from_slice(&[0; 4]);
        out
    }

    fn decode(data: &[u8]) -> Option<Self> {
        let mut points = [Duration::ZERO; 5];
        for (point, chunk) in points.iter_mut().zip(data.chunks_exact(16)) {
            let (seconds, micros) = chunk.split_at(8);
            let seconds = i64::from_ne_bytes(seconds.try_into().ok()?);
            let micros = i64::from_ne_bytes(micros.try_into().ok()?);
            *point = Duration::new(seconds.try_into().ok()?, u32::try_from(micros).ok()?.checked_mul(1000)?);
        }
        let [incoming_arrival, active_arrival, agent_handoff, conn_setup_done, deliver_done] = points;
        let reuse_count = u32::from_ne_bytes(data.get(80..84)?.try_into().ok()?);
        Some(Self {
            incoming_arrival,
            active_arrival,
            agent_handoff,
            conn_setup_done,
            deliver_done,
            reuse_count,
        })
    }
}

/// Who brought the message, for logging and XFORWARD; empty where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Host name.
    pub name: Vec<u8>,
    /// Address.
    pub address: Vec<u8>,
    /// TCP port.
    pub port: Vec<u8>,
    /// `SMTP`, `ESMTP`, or empty for local submission.
    pub protocol: Vec<u8>,
    /// HELO name.
    pub helo: Vec<u8>,
    /// SASL method.
    pub sasl_method: Vec<u8>,
    /// SASL user.
    pub sasl_username: Vec<u8>,
    /// SASL sender (RFC 4954 AUTH= parameter).
    pub sasl_sender: Vec<u8>,
}

/// A request to deliver one message to some recipients with the same transport and nexthop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `FLAG_` bits.
    pub flags: u32,
    /// The queue that the file is in, usually `active`.
    pub queue: String,
    /// The queue file.
    pub queue_id: String,
    /// Where the message content begins.
    pub data_offset: i64,
    /// How long it is.
    pub data_size: i64,
    /// Where to: a domain, `[host]:port`, a path, an alias, as the transport understands it.
    pub nexthop: Vec<u8>,
    /// Body encoding: `7bit`, `8bit` or empty.
    pub encoding: String,
    /// SMTPUTF8 and REQUIRETLS requests, as in the queue file.
    pub sendopts: u32,
    /// Envelope sender.
    pub sender: Vec<u8>,
    /// RFC 3461 ENVID, or empty.
    pub dsn_envid: Vec<u8>,
    /// See [`dsn::ret`].
    pub dsn_ret: u32,
    /// Its times so far.
    pub times: Times,
    /// Who brought it.
    pub client: Client,
    /// Its queue id on the first Postfix that saw it, or this one.
    pub log_ident: Vec<u8>,
    /// `local` or `remote`: how incomplete header addresses are to be completed.
    pub rewrite_context: Vec<u8>,
    /// To whom.
    pub recipients: Vec<Recipient>,
}

impl Request {
    /// Queues the request on a stream.
    pub fn write(&self, stream: &mut Stream) {
        let client = &self.client;
        let attrs = Attrs::new()
            .int("flags", self.flags)
            .str("queue_name", &self.queue)
            .str("queue_id", &self.queue_id)
            .int("offset", self.data_offset)
            .int("size", self.data_size)
            .str("nexthop", &self.nexthop)
            .str("encoding", &self.encoding)
            .int("sendopts", self.sendopts)
            .str("sender", &self.sender)
            .str("envelope_id", &self.dsn_envid)
            .int("ret_flags", self.dsn_ret)
            .data("time", &self.times.encode())
            .str("log_client_name", &client.name)
            .str("log_client_address", &client.address)
            .str("log_client_port", &client.port)
            .str("log_protocol_name", &client.protocol)
            .str("log_helo_name", &client.helo)
            .str("sasl_method", &client.sasl_method)
            .str("sasl_username", &client.sasl_username)
            .str("sasl_sender", &client.sasl_sender)
            .str("log_ident", &self.log_ident)
            .str("rewrite_context", &self.rewrite_context)
            .int("recipient_count", self.recipients.len() as i64);
        stream.queue(&attrs);
        for recipient in &self.recipients {
            stream.queue(&Attrs::new().with(|attrs| recipient.write(attrs)));
        }
    }

    /// Receives a request; `None` when the queue manager closed the connection instead.
    pub async fn read(stream: &mut Stream) -> Result<Option<Self>> {
        let Some(attrs) = stream.receive_or_end().await? else { return Ok(None) };
        let text = |name| attrs.text(name).map(<[u8]>::to_vec);
        let word = |name| String::from_utf8(attrs.text(name)?.to_vec()).map_err(|_| Error::Malformed(name));
        let mut request = Self {
            flags: attrs.flags("flags")?,
            queue: word("queue_name")?,
            queue_id: word("queue_id")?,
            data_offset: attrs.number("offset")?,
            data_size: attrs.number("size")?,
            nexthop: text("nexthop")?,
            encoding: word("encoding")?,
            sendopts: attrs.flags("sendopts")?,
            sender: text("sender")?,
            dsn_envid: text("envelope_id")?,
            dsn_ret: attrs.flags("ret_flags")?,
            times: Times::decode(&attrs.decoded("time")?).ok_or(Error::Malformed("time"))?,
            client: Client {
                name: text("log_client_name")?,
                address: text("log_client_address")?,
                port: text("log_client_port")?,
                protocol: text("log_protocol_name")?,
                helo: text("log_helo_name")?,
                sasl_method: text("sasl_method")?,
                sasl_username: text("sasl_username")?,
                sasl_sender: text("sasl_sender")?,
            },
            log_ident: text("log_ident")?,
            rewrite_context: text("rewrite_context")?,
            recipients: Vec::new(),
        };
        let count = attrs.number("recipient_count")?;
        if !(1..=RECIPIENT_LIMIT).contains(&count) {
            return Err(Error::Malformed("recipient_count"));
        }
        for _ in 0..count {
            request.recipients.push(Recipient::read(&stream.receive().await?)?);
        }
        Ok(Some(request))
    }
}

/// A delivery agent's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The whole destination is unusable, for this reason: the queue manager holds back other mail for it.
    pub hop_status: Option<Dsn>,
    /// Every recipient is marked done in the queue file. Anything else means that some may not be.
    pub is_final: bool,
}

impl Outcome {
    /// As it travels.
    pub fn to_attrs(&self) -> Attrs {
        let none = Dsn::default();
        let hop_status = self.hop_status.as_ref().unwrap_or(&none);
        let mut attrs = Attrs::new().with(|attrs| write_dsn(hop_status, attrs));
        attrs.push_number("status", if self.is_final { 0 } else { -1 });
        attrs
    }

    /// As it travels, with the word that the agent waits for another request; only for who offered [`FLAG_KEEP`].
    pub fn to_attrs_and_stay(&self) -> Attrs {
        self.to_attrs().int(STAYS, 1)
    }

    /// From the wire.
    pub fn from_attrs(attrs: &Attrs) -> Result<Self> {
        let dsn = read_dsn(attrs)?;
        // The list names `status` twice: the code of the hop's status, then the request's own.
        let own =
            attrs.iter().filter(|(name, _)| *name == b"status").nth(1).ok_or(Error::Missing("status"))?;
        Ok(Self { hop_status: (!dsn.reason.is_empty()).then_some(dsn), is_final: own.1 == b"0" })
    }
}

const STAYS: &str = "stays";
const NOT_TAKEN: &str = "not_taken";

/// Whether an agent that answered like this waits for another request.
pub fn stays(answer: &Attrs) -> bool {
    answer.number(STAYS).is_ok_and(|number| number == 1)
}

/// The last words of an agent that waited for another request.
pub fn not_taken() -> Attrs {
    Attrs::new().int(NOT_TAKEN, 1)
}

/// Whether an agent went before it took the request.
pub fn is_not_taken(answer: &Attrs) -> bool {
    answer.number(NOT_TAKEN).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_layout_of_a_c_structure() {
        let times = Times { active_arrival: Duration::new(5, 7000), reuse_count: 9, ..Times::default() };
        let data = times.encode();
        assert_eq!(data.len(), 88);
        assert_eq!((data[16], data[24], data[80]), (5, 7, 9));
        assert_eq!(Times::decode(&data), Some(times));
    }

    #[test]
    fn outcome_survives_the_wire() {
        let dead = Dsn::new(dsn::Status::new("4.4.1"), "connection refused");
        for outcome in [
            Outcome { hop_status: None, is_final: true },
            Outcome { hop_status: Some(dead), is_final: false },
        ] {
            assert_eq!(Outcome::from_attrs(&outcome.to_attrs()).unwrap(), outcome);
            assert!(!stays(&outcome.to_attrs()) && !is_not_taken(&outcome.to_attrs()));
            let staying = outcome.to_attrs_and_stay();
            assert_eq!(Outcome::from_attrs(&staying).unwrap(), outcome);
            assert!(stays(&staying) && is_not_taken(&not_taken()));
        }
    }
}
