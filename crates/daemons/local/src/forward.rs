//! New messages for forwarded mail, one for each `Delivered-To:` address and sender.

use delivery::Verdict;
use dsn::{Dsn, Status};
use ipc::cleanup::{Submission, flags};
use message::date::mail_date;
use queue::{ReadError, RecordReader, RecordType};

use crate::alias::without_success;
use crate::config::delivered_header;
use crate::delivery::Delivery;
use crate::state::State;

/// SMTPUTF8 was requested for the message.
const SENDOPT_SMTPUTF8: u32 = 1 << 0;
/// REQUIRETLS was requested for the message.
const SENDOPT_REQUIRETLS: u32 = 1 << 5;

/// Messages on their way to the queue: their envelopes are being written while the list is expanded.
#[derive(Debug, Default)]
pub(crate) struct Forwards(Vec<Forward>);

#[derive(Debug)]
struct Forward {
    delivered: Vec<u8>,
    sender: Vec<u8>,
    submission: Submission,
    posted: std::time::Duration,
}

/// Why a message was not forwarded.
enum Unsent {
    /// The message is damaged.
    Corrupt,
    /// cleanup(8) did not take it.
    Refused(String),
}

impl From<ipc::Error> for Unsent {
    fn from(error: ipc::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

impl Forwards {
    fn take(&mut self, delivered: &[u8], sender: &[u8]) -> Option<Forward> {
        let at = self.0.iter().position(|one| one.delivered == delivered && one.sender == sender)?;
        Some(self.0.remove(at))
    }
}

impl Delivery<'_> {
    /// Adds the recipient to a new message.
    pub(crate) async fn forward(&self, state: &State) -> ipc::Result<()> {
        let recipient = &state.recipient;
        let delivered = state.delivered.as_ref().unwrap_or(&recipient.address);
        log::debug!(
            "forward delivered={} sender={} recip={}",
            bytes::show(delivered),
            bytes::show(&state.sender),
            bytes::show(&recipient.address)
        );
        let known = self.forwards.borrow_mut().take(delivered, &state.sender);
        let mut forward = match known {
            Some(forward) => forward,
            None => self.open_forward(state, delivered).await?,
        };
        let submission = &mut forward.submission;
        if !recipient.dsn_original.is_empty() {
            submission.attribute("dsn_orig_rcpt", &recipient.dsn_original).await?;
        }
        if recipient.dsn_notify != 0 {
            submission.attribute("notify_flags", recipient.dsn_notify.to_string().as_bytes()).await?;
        }
        if !recipient.original.is_empty() {
            submission.record(RecordType::OriginalRecipient, &recipient.original).await?;
        }
        submission.record(RecordType::Recipient, &recipient.address).await?;
        self.forwards.borrow_mut().0.push(forward);
        Ok(())
    }

    async fn open_forward(&self, state: &State, delivered: &[u8]) -> ipc::Result<Forward> {
        let request = &self.job.request;
        // What is wrong with it goes back to its sender, since here nobody knows all the recipients.
        let mut wanted = flags::BOUNCE | flags::MASK_INTERNAL;
        for (condition, flag) in [
            (self.config.autodetects_utf8, flags::AUTOUTF8),
            (request.sendopts & SENDOPT_REQUIRETLS != 0, flags::REQTLS),
            (request.sendopts & SENDOPT_SMTPUTF8 != 0, flags::SMTPUTF8),
        ] {
            if condition {
                wanted |= flag;
            }
        }
        let path = format!("public/{}", self.config.params.cleanup_service_name);
        let mut submission = Submission::open(&path, wanted).await?;
        let posted = sys::time::unix_duration();
        let time = format!("{} {}", posted.as_secs(), posted.subsec_micros());
        submission.record(RecordType::Time, time.as_bytes()).await?;
        submission.record(RecordType::Sender, &state.sender).await?;
        // As Postfix does, from the request: also for lists, whose owner the sender's own reports do not concern.
        if request.dsn_ret != 0 {
            submission.attribute("ret_flags", request.dsn_ret.to_string().as_bytes()).await?;
        }
        let client = &request.client;
        for (name, value) in [
            ("envelope_id", &request.dsn_envid),
            ("log_client_name", &client.name),
            ("log_client_address", &client.address),
            ("log_protocol_name", &client.protocol),
            ("log_helo_name", &client.helo),
            ("sasl_method", &client.sasl_method),
            ("sasl_username", &client.sasl_username),
            ("sasl_sender", &client.sasl_sender),
            ("log_ident", &request.log_ident),
            ("rewrite_context", &request.rewrite_context),
        ] {
            if !value.is_empty() {
                submission.attribute(name, value).await?;
            }
        }
        Ok(Forward { delivered: delivered.to_vec(), sender: state.sender.clone(), submission, posted })
    }

    /// Completes the new messages, unless the recipient is to be tried again anyway; those not completed never were.
    pub(crate) async fn send_forwards(&self, state: &State, verdict: Verdict) -> Verdict {
        let mut verdict = verdict;
        let forwards = std::mem::take(&mut *self.forwards.borrow_mut());
        for forward in forwards.0 {
            if verdict == Verdict::Keep {
                break;
            }
            let queue_id = forward.submission.queue_id().to_owned();
            verdict = match self.send(forward).await {
                Ok(()) => self.forwarded(state, &queue_id).await,
                Err(Unsent::Corrupt) => self.corrupt(),
                Err(Unsent::Refused(why)) => {
                    log::warning!("{queue_id}: {why}");
                    self.deferred(state, "4.3.0", "unable to forward message").await
                }
            };
        }
        verdict
    }

    async fn forwarded(&self, state: &State, queue_id: &str) -> Verdict {
        let mut state = state.clone();
        // The expansion has told the sender already.
        state.recipient.dsn_notify = without_success(state.recipient.dsn_notify);
        let dsn = Dsn::new(Status::new("2.0.0"), format!("forwarded as {queue_id}")).action("relayed");
        self.sent_as(&state, dsn).await
    }

    async fn send(&self, forward: Forward) -> Result<(), Unsent> {
        let Forward { delivered, mut submission, posted, .. } = forward;
        let params = &self.config.params;
        submission.record(RecordType::Content, b"").await?;
        let date = mail_date(i64::try_from(posted.as_secs()).unwrap_or(0));
        let lines = [
            format!("Received: by {} ({})", params.myhostname, params.mail_name).into_bytes(),
            format!("\tid {}; {date}", submission.queue_id()).into_bytes(),
        ];
        for line in lines {
            submission.record(RecordType::Norm, &line).await?;
        }
        if self.config.headers & delivered_header::FORWARD != 0 {
            let line = [b"Delivered-To: ", address::casefold(&delivered).as_slice()].concat();
            submission.record(RecordType::Norm, &line).await?;
        }
        let mut reader = RecordReader::new(&self.job.file);
        reader.seek(u64::try_from(self.job.request.data_offset).unwrap_or(0));
        loop {
            match reader.next() {
                Ok(Some(record)) if record.kind.is_text() => {
                    submission.record(record.kind, record.data).await?
                }
                Ok(Some(record)) if record.kind == RecordType::Extracted => break,
                Err(ReadError::Io(error)) => return Err(Unsent::Refused(sys::reason(&error))),
                other => {
                    let kind = other.ok().flatten().map_or(-1, |record| i32::from(record.kind.as_byte()));
                    log::warning!("{}: bad record type: {kind} in message content", submission.queue_id());
                    return Err(Unsent::Corrupt);
                }
            }
        }
        submission.record(RecordType::Extracted, b"").await?;
        submission.record(RecordType::End, b"").await?;
        // DURABILITY: an answer without fault means that the new message is on disk.
        let reply = submission.finish().await?;
        if reply.status.is_ok() {
            Ok(())
        } else {
            Err(Unsent::Refused(reply.status.detail().text.to_owned()))
        }
    }
}
