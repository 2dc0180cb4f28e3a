//! Handing a message to cleanup(8), which puts it into the queue: both ends of the conversation.
//!
//! The server greets with the queue id it has chosen; the client sends [`flags`] and then the message as queue file
//! records, of which `End` is the last; the server answers with a [`Status`] and a reason. The server reads everything up
//! to `End` even when it has long since given up, so a client may write without reading.
//!
//! In Postfix a connection carries one message. Our clients offer to use it for more ([`flags::KEEP`]); a server that
//! agrees says so with the status, and greets with another queue id when the client asks for one. What goes wrong on the
//! way there costs nothing: no message has been sent yet.

use std::time::Duration;

use queue::RecordType;
use queue::record::{self, Decoded};

use crate::{Attrs, Error, Result, Spare, Stream};

/// The greeting.
pub const PROTOCOL: &str = "cleanup_protocol";

/// Buffered output above this is sent before more is taken, and so much is read at once.
const CHUNK: usize = 64 * 1024;

/// So much is read first: the options and most messages come in one.
const FIRST_READ: usize = 16 * 1024;

/// The longest record that is accepted; longer than any line or header that our own programs send.
const RECORD_LIMIT: usize = 16 * 1024 * 1024;

/// What a client asks for, and what message content may ask for on the way.
pub mod flags {
    use bytes::NameMask;

    /// No special features.
    pub const NONE: u32 = 0;
    /// Return bad messages to the sender instead of refusing them.
    pub const BOUNCE: u32 = 1 << 0;
    /// Apply header_checks, body_checks and content restrictions.
    pub const FILTER: u32 = 1 << 1;
    /// Put the message on hold.
    pub const HOLD: u32 = 1 << 2;
    /// Throw the message away silently.
    pub const DISCARD: u32 = 1 << 3;
    /// Add automatic BCC recipients.
    pub const BCC_OK: u32 = 1 << 4;
    /// Apply canonical and virtual maps and masquerading.
    pub const MAP_OK: u32 = 1 << 5;
    /// Apply milters.
    pub const MILTER: u32 = 1 << 6;
    /// The client understands a complete SMTP reply as the reason.
    pub const SMTP_REPLY: u32 = 1 << 7;
    /// The sender asked for SMTPUTF8.
    pub const SMTPUTF8: u32 = 1 << 8;
    /// Ask for SMTPUTF8 when the message turns out to need it.
    pub const AUTOUTF8: u32 = 1 << 9;
    /// The sender asked for REQUIRETLS.
    pub const REQTLS: u32 = 1 << 10;
    /// Beyond Postfix: the client will use the connection for another message, if the server stays.
    pub const KEEP: u32 = 1 << 30;
    /// All content inspection.
    pub const FILTER_ALL: u32 = FILTER | MILTER;
    /// For mail from outside.
    pub const MASK_EXTERNAL: u32 = FILTER_ALL | BCC_OK | MAP_OK;
    /// For notices and forwarded mail.
    pub const MASK_INTERNAL: u32 = MAP_OK;
    /// What a `Flags` record inside the message may set.
    pub const MASK_EXTRA: u32 = HOLD | DISCARD;

    /// The names in verbose logs.
    pub const NAMES: NameMask = NameMask(&[
        ("enable_bad_mail_bounce", BOUNCE),
        ("enable_header_body_filter", FILTER),
        ("hold_message", HOLD),
        ("discard_message", DISCARD),
        ("enable_automatic_bcc", BCC_OK),
        ("enable_address_mapping", MAP_OK),
        ("enable_milters", MILTER),
        ("enable_smtp_reply", SMTP_REPLY),
        ("smtputf8_requested", SMTPUTF8),
        ("smtputf8_autodetect", AUTOUTF8),
        ("requiretls_requested", REQTLS),
    ]);
}

/// How processing ended: bits, of which the most serious counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status(pub u32);

/// What a [`Status`] means to an SMTP client and in a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusDetail {
    /// SMTP reply code.
    pub smtp: u16,
    /// Enhanced status code.
    pub dsn: &'static str,
    /// Text.
    pub text: &'static str,
}

impl Status {
    /// The message is in the queue.
    pub const OK: Self = Self(0);
    /// The client did not keep to the protocol.
    pub const BAD: Self = Self(1 << 0);
    /// The queue file could not be written.
    pub const WRITE: Self = Self(1 << 1);
    /// The message is larger than message_size_limit.
    pub const SIZE: Self = Self(1 << 2);
    /// The content was rejected.
    pub const CONT: Self = Self(1 << 3);
    /// More Received: headers than hopcount_limit.
    pub const HOPS: Self = Self(1 << 4);
    /// There is no recipient.
    pub const RCPT: Self = Self(1 << 6);
    /// A before-queue proxy refused.
    pub const PROXY: Self = Self(1 << 7);
    /// Come again later.
    pub const DEFER: Self = Self(1 << 8);
    /// Denied by a policy that is not about content.
    pub const NOPERM: Self = Self(1 << 9);
    /// A bare line feed was received (an SMTP server's own error).
    pub const BARE_LF: Self = Self(1 << 16);
    /// These keep us from returning the message to its sender.
    pub const CANNOT_BOUNCE: Self = Self(Self::BAD.0 | Self::WRITE.0 | Self::DEFER.0 | Self::RCPT.0);
    /// After these not every record of the message is looked at.
    pub const INCOMPLETE: Self = Self(Self::BAD.0 | Self::WRITE.0 | Self::SIZE.0 | Self::DEFER.0);
    /// Every bit.
    pub const ALL: Self = Self(u32::MAX);

    const DETAILS: [(Self, StatusDetail); 10] = {
        const fn detail(smtp: u16, dsn: &'static str, text: &'static str) -> StatusDetail {
            StatusDetail { smtp, dsn, text }
        }
        [
            (Self::DEFER, detail(451, "4.7.1", "service unavailable")),
            (Self::PROXY, detail(451, "4.3.0", "queue file write error")),
            (Self::BAD, detail(451, "4.3.0", "internal protocol error")),
            (Self::RCPT, detail(550, "5.1.0", "no recipients specified")),
            (Self::HOPS, detail(554, "5.4.0", "too many hops")),
            (Self::SIZE, detail(552, "5.3.4", "message file too big")),
            (Self::CONT, detail(550, "5.7.1", "message content rejected")),
            (Self::WRITE, detail(451, "4.3.0", "queue file write error")),
            (Self::NOPERM, detail(550, "5.7.1", "service denied")),
            (Self::BARE_LF, detail(521, "5.5.2", "bare <LF> received")),
        ]
    };

    /// Whether nothing went wrong.
    pub fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether any bit of `other` is set.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What the most serious bit means. Unknown bits count as a protocol error.
    pub fn detail(self) -> StatusDetail {
        if self.is_ok() {
            return StatusDetail { smtp: 250, dsn: "2.0.0", text: "Success" };
        }
        let found = Self::DETAILS.iter().find(|(status, _)| self.intersects(*status));
        found.map_or(
            StatusDetail { smtp: 451, dsn: "4.3.0", text: "internal protocol error" },
            |(_, detail)| *detail,
        )
    }
}

impl std::ops::BitOrAssign for Status {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl std::ops::BitOr for Status {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The server's last word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How it ended.
    pub status: Status,
    /// Why, in words: empty, text with an enhanced status code, or (when asked for) an SMTP reply.
    pub reason: Vec<u8>,
}

/// The sending end: a message on its way to the queue.
///
/// Dropping it before [`finish`](Self::finish) leaves nothing in the queue.
#[derive(Debug)]
pub struct Submission {
    stream: Stream,
    queue_id: String,
    /// Where the connection goes when the message is done.
    spare: Option<Spare>,
}

/// A program's way to hand many messages to cleanup(8), over connections that it uses again. Clones share them.
#[derive(Clone, Debug)]
pub struct Submitter {
    path: String,
    spare: Spare,
}

impl Submitter {
    /// Over the service socket (usually `public/cleanup`), with connections that wait for `idle` (`ipc_idle`) for their
    /// next message.
    pub fn new(path: impl Into<String>, idle: Duration) -> Self {
        Self { path: path.into(), spare: Spare::new(idle) }
    }

    /// Starts a message.
    pub async fn open(&self, flags: u32) -> Result<Submission> {
        let flags = flags | flags::KEEP;
        while let Some(mut stream) = self.spare.take() {
            stream.queue(&Attrs::new().int(ANOTHER, 1));
            if stream.flush().await.is_ok()
                && let Ok(mut submission) = Submission::start(stream, flags).await
            {
                submission.spare = Some(self.spare.clone());
                return Ok(submission);
            }
        }
        let mut submission = Submission::open(&self.path, flags).await?;
        submission.spare = Some(self.spare.clone());
        Ok(submission)
    }
}

impl Submission {
    /// Connects to the service socket (`public/cleanup`), and learns the queue id.
    pub async fn open(path: &str, flags: u32) -> Result<Self> {
        Self::start(Stream::connect(path).await?, flags).await
    }

    /// As [`open`](Self::open), over a connection.
    pub async fn start(mut stream: Stream, flags: u32) -> Result<Self> {
        let greeting = stream.receive().await?;
        let got = greeting.text("protocol")?;
        if got != PROTOCOL.as_bytes() {
            return Err(Error::Protocol { got: bytes::show(got).to_string(), expected: PROTOCOL });
        }
        let queue_id = String::from_utf8(greeting.text("queue_id")?.to_vec());
        let queue_id = queue_id.ok().filter(|id| queue::QueueId::parse(id).is_some());
        stream.queue(&Attrs::new().int("flags", flags));
        Ok(Self { stream, queue_id: queue_id.ok_or(Error::Malformed("queue_id"))?, spare: None })
    }

    /// The message's queue id.
    pub fn queue_id(&self) -> &str {
        &self.queue_id
    }

    /// Adds a record. It may wait in the buffer until there is more, or for [`flush`](Self::flush).
    pub async fn record(&mut self, kind: RecordType, data: &[u8]) -> Result<()> {
        record::encode(self.stream.output(), kind, data);
        if self.stream.output().len() < CHUNK {
            return Ok(());
        }
        self.stream.flush().await
    }

    /// Adds a `name=value` record.
    pub async fn attribute(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.record(RecordType::Attr, &[name.as_bytes(), b"=", value].concat()).await
    }

    /// The buffer, for callers that encode many records at a stretch; see [`queue::encode_record`].
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.stream.output()
    }

    /// Sends what is buffered.
    pub async fn flush(&mut self) -> Result<()> {
        self.stream.flush().await
    }

    /// Whether the server has answered already, or gone: it has given up on the message.
    pub fn has_ended(&self) -> bool {
        !self.stream.pending().is_empty()
    }

    /// Sends what is buffered, which must end with the `End` record, and waits for the outcome.
    ///
    /// `Ok` with [`Status::OK`] means that the message is on disk and that the queue manager will be told.
    pub async fn finish(mut self) -> Result<Reply> {
        self.stream.flush().await?;
        let reply = self.stream.receive().await?;
        let status = Status(reply.flags("status")?);
        let reason = reply.text("reason")?.to_vec();
        if let Some(spare) = self.spare.filter(|_| reply.number(STAYS).is_ok_and(|number| number == 1)) {
            spare.put(self.stream);
        }
        Ok(Reply { status, reason })
    }

    /// Changes how long a single read or write may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.stream.set_timeout(timeout);
    }
}

/// The receiving end.
#[derive(Debug)]
pub struct Intake {
    stream: Stream,
    /// The size of the record that was handed out last; it is still in the stream's buffer.
    taken: usize,
    offers_more: bool,
}

impl Intake {
    /// Greets a client with the queue id. The client's [`flags`] come next.
    pub async fn greet(mut stream: Stream, queue_id: &str) -> Result<Self> {
        stream.send(&Attrs::new().str("protocol", PROTOCOL).str("queue_id", queue_id)).await?;
        Ok(Self { stream, taken: 0, offers_more: false })
    }

    /// What the client asks for.
    pub async fn flags(&mut self) -> Result<u32> {
        if self.stream.pending().is_empty() {
            self.stream.fill_up_to(FIRST_READ).await?;
        }
        let flags = self.stream.receive().await?.flags("flags")?;
        self.offers_more = flags & flags::KEEP != 0;
        Ok(flags & !flags::KEEP)
    }

    /// Whether the client will use the connection for another message.
    pub fn offers_more(&self) -> bool {
        self.offers_more
    }

    /// The next record, which stays valid until the next call.
    pub async fn next(&mut self) -> Result<(RecordType, &[u8])> {
        self.stream.consume(std::mem::take(&mut self.taken));
        let (kind, head, total) = loop {
            match record::decode(self.stream.pending(), RECORD_LIMIT) {
                Err(_) => return Err(Error::TooLong(RECORD_LIMIT)),
                Ok(Decoded::Record(record, total)) => break (record.kind, total - record.data.len(), total),
                Ok(Decoded::Partial { .. }) => {}
            }
            if self.stream.fill_up_to(CHUNK).await? == 0 {
                return Err(Error::Closed("cleanup".to_owned()));
            }
        };
        self.taken = total;
        Ok((kind, self.stream.pending().get(head..total).unwrap_or_default()))
    }

    /// Tells the client how it ended.
    pub async fn reply(mut self, reply: &Reply) -> Result<()> {
        self.stream.send(&reply.to_attrs()).await
    }

    /// The same, and that the server waits for another message; only for a client that [offers](Self::offers_more) it.
    pub async fn reply_and_stay(mut self, reply: &Reply) -> Result<Stream> {
        self.stream.consume(self.taken);
        self.stream.send(&reply.to_attrs().int(STAYS, 1)).await?;
        Ok(self.stream)
    }

    /// Changes how long a single read or write may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.stream.set_timeout(timeout);
    }
}

const STAYS: &str = "stays";
const ANOTHER: &str = "another";

impl Reply {
    fn to_attrs(&self) -> Attrs {
        Attrs::new().int("status", self.status.0).str("reason", &self.reason)
    }
}

/// Receives a client's wish for another queue id; whether one came.
pub async fn wants_another(stream: &mut Stream) -> Result<bool> {
    match stream.receive_or_end().await? {
        Some(wish) => wish.number(ANOTHER).map(|number| number == 1),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_serious_status_counts() {
        assert_eq!((Status::CONT | Status::SIZE).detail().text, "message file too big");
        assert_eq!((Status::CONT | Status::DEFER).detail().smtp, 451);
        assert_eq!(Status::OK.detail().smtp, 250);
        assert_eq!(Status(1 << 20).detail().dsn, "4.3.0");
    }

    #[test]
    fn a_message_travels() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, server) = tokio::net::UnixStream::pair().unwrap();
            let client = async {
                let mut message =
                    Submission::start(Stream::new(client).unwrap(), flags::MASK_EXTERNAL).await.unwrap();
                assert_eq!(message.queue_id(), "ABCDEF12");
                message.record(RecordType::Sender, b"a@b").await.unwrap();
                message.record(RecordType::Norm, &vec![b'x'; 100_000]).await.unwrap();
                message.record(RecordType::End, b"").await.unwrap();
                message.finish().await.unwrap()
            };
            let server = async {
                let mut intake = Intake::greet(Stream::new(server).unwrap(), "ABCDEF12").await.unwrap();
                assert_eq!(intake.flags().await.unwrap(), flags::MASK_EXTERNAL);
                let mut seen = Vec::new();
                loop {
                    let (kind, data) = intake.next().await.unwrap();
                    seen.push((kind, data.len()));
                    if kind == RecordType::End {
                        break;
                    }
                }
                intake.reply(&Reply { status: Status::CONT, reason: b"5.7.1 no".to_vec() }).await.unwrap();
                seen
            };
            let (reply, seen) = tokio::join!(client, server);
            assert_eq!(seen, [(RecordType::Sender, 3), (RecordType::Norm, 100_000), (RecordType::End, 0)]);
            assert_eq!((reply.status, reply.reason.as_slice()), (Status::CONT, &b"5.7.1 no"[..]));
        });
    }

    /// Takes a message on a connection.
    async fn take(stream: Stream, queue_id: &str) -> Result<Stream> {
        let mut intake = Intake::greet(stream, queue_id).await?;
        assert_eq!(intake.flags().await?, flags::MASK_EXTERNAL);
        assert!(intake.offers_more());
        while intake.next().await?.0 != RecordType::End {}
        intake.reply_and_stay(&Reply { status: Status::OK, reason: Vec::new() }).await
    }

    #[test]
    fn a_connection_carries_more_messages_while_its_server_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cleanup");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let listener = tokio::net::UnixListener::bind(&path).unwrap();
            let server = tokio::task::spawn_local(async move {
                for ids in [["A1", "A2"], ["B1", "B2"]] {
                    let (socket, _) = listener.accept().await.unwrap();
                    let mut stream = take(Stream::new(socket).unwrap(), ids[0]).await.unwrap();
                    assert!(wants_another(&mut stream).await.unwrap());
                    stream = take(stream, ids[1]).await.unwrap();
                    // It goes when it is asked for a third.
                    assert!(wants_another(&mut stream).await.unwrap());
                }
            });
            let submitter = Submitter::new(path.to_str().unwrap(), Duration::from_secs(5));
            for id in ["A1", "A2", "B1", "B2"] {
                let mut submission = submitter.open(flags::MASK_EXTERNAL).await.unwrap();
                assert_eq!(submission.queue_id(), id);
                submission.record(RecordType::End, b"").await.unwrap();
                assert!(submission.finish().await.unwrap().status.is_ok());
            }
            // The fifth finds nobody.
            assert!(submitter.open(flags::MASK_EXTERNAL).await.is_err());
            server.await.unwrap();
        });
    }
}
