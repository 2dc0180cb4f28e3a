//! The requests.

use std::time::Duration;

use address::verp::{VerpDelimiters, verp_sender};
use daemon::Fatal;
use dsn::{Dsn, Status, notify, ret};
use ipc::bounce::{self, Message, PROTOCOL, Request};
use ipc::{Attrs, Recipient, Stream, deliver};
use queue::envelope::send_options;
use queue::{QueueId, QueueName};

use crate::entries::Entries;
use crate::notice::{EVERYONE, Notice, Outcome};
use crate::report::{Reader, Report};
use crate::site::{Site, class};

/// The sender of reports to senders.
const NOBODY: &[u8] = b"";

/// The status of a request that cannot be carried out.
const REJECTED: i64 = -1;

/// How long a client waits before it hears that the system is in trouble, so that nobody tries again in a hurry.
const BACKOFF: Duration = Duration::from_secs(1);

/// Serves one client.
pub(crate) async fn converse(site: &Site, stream: &mut Stream) -> ipc::Result<()> {
    stream.greet(PROTOCOL).await?;
    let Some(attrs) = stream.receive_or_end().await? else { return Ok(()) };
    // What to remove when the request fails: the client will then take care of the message in another way.
    let mut to_clean = None;
    let status = match Request::from_attrs(&attrs) {
        Ok(request) => site.perform(request, &mut to_clean).await,
        Err(_) => {
            match attrs.int32("nrequest") {
                Ok(command) if !(0..=5).contains(&command) => log::warning!("unknown command: {command}"),
                _ => log::warning!("malformed request"),
            }
            Ok(REJECTED)
        }
    };
    let sent = match &status {
        Ok(status) => stream.send(&Attrs::new().int("status", *status)).await,
        Err(fatal) => {
            log::fatal!("{fatal}");
            Ok(())
        }
    };
    let is_done = matches!(status, Ok(0)) && sent.is_ok();
    if let Some(id) = to_clean.filter(|_| !is_done) {
        // It may not have been made yet, or be gone already.
        drop(site.spool.remove(site.logs, &id));
    }
    if status.is_err() {
        tokio::time::sleep(BACKOFF).await;
    }
    sent
}

/// A checked request about a message.
struct About {
    flags: u32,
    message: Message,
    queue: QueueName,
    id: QueueId,
}

impl Site {
    async fn perform(&self, request: Request, to_clean: &mut Option<QueueId>) -> Result<i64, Fatal> {
        let mut to_clean = |flags: u32, id: &QueueId| {
            if flags & bounce::FLAG_CLEAN != 0 {
                *to_clean = Some(id.clone());
            }
        };
        match request {
            Request::Append { flags, queue_id, recipient, dsn } => {
                let Some(id) = checked_id(&queue_id) else { return Ok(REJECTED) };
                to_clean(flags, &id);
                let (recipient, dsn) = self.neutered(recipient, dsn);
                self.append(id, recipient, dsn).await.map(|()| 0)
            }
            Request::Flush { flags, message } => {
                let Some(about) = self.about(flags, message) else { return Ok(REJECTED) };
                to_clean(flags, &about.id);
                self.flush(&about).await
            }
            Request::Warn { flags, message } => {
                let Some(about) = self.about(flags, message) else { return Ok(REJECTED) };
                to_clean(flags, &about.id);
                self.warn(&about).await
            }
            Request::Trace { flags, message } => {
                let Some(about) = self.about(flags, message) else { return Ok(REJECTED) };
                to_clean(flags, &about.id);
                self.trace(&about).await
            }
            Request::Verp { flags, message, mut delimiters } => {
                let Some(about) = self.about(flags, message) else { return Ok(REJECTED) };
                self.neuter(&mut delimiters);
                let &[name, at] = delimiters.as_slice() else {
                    log::warning!("malformed verp delimiter string: {}", bytes::show(&delimiters));
                    return Ok(REJECTED);
                };
                to_clean(flags, &about.id);
                if about.message.sender.is_empty() || self.is_double_bounce(&about.message.sender) {
                    log::warning!("request to send VERP-style notification of bounced mail");
                    return self.flush(&about).await;
                }
                self.verp(&about, VerpDelimiters { name, at }).await
            }
            Request::One { flags, message, recipient, dsn } => {
                if self.logs != QueueName::Bounce {
                    log::warning!("wrong service name \"{}\" for one-recipient bouncing", self.logs);
                    return Ok(REJECTED);
                }
                let Some(about) = self.about(flags, message) else { return Ok(REJECTED) };
                let (recipient, dsn) = self.neutered(*recipient, *dsn);
                self.one(&about, recipient, dsn).await
            }
        }
    }

    /// Checks what a request says about its message; a problem is logged.
    fn about(&self, flags: u32, mut message: Message) -> Option<About> {
        let Some(queue) = QueueName::parse(&message.queue) else {
            log::warning!("malformed queue name: {}", bytes::show(message.queue.as_bytes()));
            return None;
        };
        let id = checked_id(&message.queue_id)?;
        self.neuter(&mut message.sender);
        self.neuter(&mut message.dsn_envid);
        self.protect(&mut message);
        Some(About { flags, message, queue, id })
    }

    // A report is not to show more than REQUIRETLS allows, or else it needs REQUIRETLS itself and may not arrive.
    fn protect(&self, message: &mut Message) {
        let is_required = i64::from(message.sendopts) & send_options::REQUIRETLS_ESMTP != 0;
        if !self.params.requiretls_enable || !is_required {
            return;
        }
        message.sendopts &= !(send_options::REQUIRETLS_HEADER as u32);
        if self.params.requiretls_redact_dsn {
            message.sendopts &= !(send_options::REQUIRETLS_ESMTP as u32);
            message.dsn_ret = ret::HDRS;
        }
    }

    fn neutered(&self, mut recipient: Recipient, mut dsn: Dsn) -> (Recipient, Dsn) {
        for text in [&mut recipient.address, &mut recipient.original, &mut recipient.dsn_original] {
            self.neuter(text);
        }
        for text in [&mut dsn.reason, &mut dsn.dtext, &mut dsn.mname] {
            self.neuter(text);
        }
        for text in [&mut dsn.action, &mut dsn.dtype, &mut dsn.mtype] {
            *text = bytes::show(text.as_bytes()).to_string();
        }
        (recipient, dsn)
    }

    /// Reports failures: to the sender, or to the postmaster when it was a report itself; and the log goes.
    async fn flush(&self, about: &About) -> Result<i64, Fatal> {
        let classes = self.notify_classes()?;
        let About { message, id, .. } = about;
        let mut report = Report::new(self, &self.templates.failure, about.queue, id, message)?;
        let entries = Entries::open(self, id)?;
        let status = self.report_failure(about, &mut report, &entries, classes).await?;
        if status == 0 && about.flags & bounce::FLAG_DELETE_RECIPIENT != 0 {
            for entry in entries.iter().into_iter().flatten() {
                report.original.mark_done(entry.offset)?;
            }
        }
        if status == 0 {
            // DURABILITY: cleanup has the report on disk, or there is nobody to send one to.
            self.remove_log(id)?;
        }
        Ok(status)
    }

    /// Reports one recipient's failure, without a log.
    async fn one(&self, about: &About, recipient: Recipient, dsn: Dsn) -> Result<i64, Fatal> {
        let classes = self.notify_classes()?;
        let mut report = Report::new(self, &self.templates.failure, about.queue, &about.id, &about.message)?;
        let offset = recipient.offset;
        let entries = Entries::one(recipient, dsn);
        let status = self.report_failure(about, &mut report, &entries, classes).await?;
        if status == 0 && about.flags & bounce::FLAG_DELETE_RECIPIENT != 0 {
            report.original.mark_done(offset)?;
        }
        Ok(status)
    }

    async fn report_failure(
        &self,
        about: &About,
        report: &mut Report<'_>,
        entries: &Entries,
        classes: u32,
    ) -> Result<i64, Fatal> {
        let sender = about.message.sender.as_slice();
        let id = about.id.as_str();
        // A notice to the postmaster that fails goes nowhere: else there would be no end.
        if self.is_double_bounce(sender) {
            log::warning!("{id}: undeliverable postmaster notification discarded");
            return Ok(0);
        }
        if sender.is_empty() {
            if classes & (class::DOUBLE_BOUNCE | class::BOUNCE) == 0 {
                return Ok(0);
            }
            let notice = self.failure_to_postmaster(&self.params.double_bounce_notice_recipient, ret::FULL);
            let outcome = report.post(entries, notice).await?;
            warn_postmaster_failed(id, outcome);
            return Ok(outcome.code());
        }
        let outcome = report.post(entries, failure_to_sender(sender, about.message.dsn_ret)).await?;
        warn_sender_failed(id, sender, outcome);
        if outcome.is_fine() && classes & class::BOUNCE != 0 {
            self.copy_failure(about, report, entries).await?;
        }
        Ok(outcome.code())
    }

    // The sender knows already: this copy is not worth a second report to the sender.
    async fn copy_failure(
        &self,
        about: &About,
        report: &mut Report<'_>,
        entries: &Entries,
    ) -> Result<(), Fatal> {
        let notice = self.failure_to_postmaster(&self.params.bounce_notice_recipient, ret::HDRS);
        if !report.post(entries, notice).await?.is_fine() {
            let (id, sender) = (about.id.as_str(), bytes::show(&about.message.sender));
            log::warning!("{id}: postmaster notice failed while bouncing to {sender}");
        }
        Ok(())
    }

    fn failure_to_postmaster<'a>(&'a self, postmaster: &'a str, ret: u32) -> Notice<'a> {
        Notice {
            sender: &self.double_bounce,
            recipient: postmaster.as_bytes(),
            reader: Reader::Postmaster,
            title: "postmaster non-delivery notification",
            about: EVERYONE,
            ret,
        }
    }

    /// Reports failures, one report a recipient, each to a sender address of its own.
    async fn verp(&self, about: &About, delimiters: VerpDelimiters) -> Result<i64, Fatal> {
        let classes = self.notify_classes()?;
        let About { message, id, .. } = about;
        let mut report = Report::new(self, &self.templates.failure, about.queue, id, message)?;
        let log = Entries::open(self, id)?;
        let Some(entries) = log.iter() else {
            // Nobody to make sender addresses from. Something must be sent, or else the mail is gone without a trace.
            drop(report);
            let recipient =
                Recipient { address: b"(recipient address unavailable)".to_vec(), ..Recipient::default() };
            let dsn = Dsn::new(Status::new("5.0.0"), "(error report unavailable)");
            return self.one(about, recipient, dsn).await;
        };
        for entry in entries {
            let original = Some(&entry.original_recipient).filter(|original| !original.is_empty());
            let recipient = original.unwrap_or(&entry.recipient);
            let sender = verp_sender(delimiters, &message.sender, recipient);
            let is_wanted = entry.dsn_notify == 0 || entry.dsn_notify & i64::from(notify::FAILURE) != 0;
            let offset = entry.offset;
            let one = Entries::One(Box::new(entry));
            if is_wanted {
                let outcome = report.post(&one, failure_to_sender(&sender, message.dsn_ret)).await?;
                warn_sender_failed(id.as_str(), &sender, outcome);
                // More of the same would only make things worse.
                if !outcome.is_fine() {
                    return Ok(outcome.code());
                }
                if about.flags & bounce::FLAG_DELETE_RECIPIENT != 0 {
                    report.original.mark_done(offset)?;
                }
            }
            if classes & class::BOUNCE != 0 {
                self.copy_failure(about, &mut report, &one).await?;
            }
        }
        // DURABILITY: cleanup has every report on disk.
        self.remove_log(id)?;
        Ok(0)
    }

    /// Reports delays; the log stays, since deliveries go on.
    async fn warn(&self, about: &About) -> Result<i64, Fatal> {
        let classes = self.notify_classes()?;
        let About { message, id, .. } = about;
        let sender = message.sender.as_slice();
        let mut report = Report::new(self, &self.templates.delay, about.queue, id, message)?;
        let entries = Entries::open(self, id)?;
        let to_postmaster = |ret| Notice {
            sender: &self.double_bounce,
            recipient: self.params.delay_notice_recipient.as_bytes(),
            reader: Reader::Postmaster,
            title: "postmaster delay notification",
            about: EVERYONE,
            ret,
        };
        let id = id.as_str();
        if self.is_double_bounce(sender) {
            log::warning!("{id}: undeliverable postmaster notification discarded");
            return Ok(0);
        }
        if sender.is_empty() {
            if classes & class::DELAY == 0 {
                return Ok(0);
            }
            let outcome = report.post(&entries, to_postmaster(ret::FULL)).await?;
            warn_postmaster_failed(id, outcome);
            return Ok(outcome.code());
        }
        let notice = Notice {
            sender: NOBODY,
            recipient: sender,
            reader: Reader::Sender,
            title: "sender delay notification",
            about: notify::DELAY,
            ret: ret::HDRS,
        };
        let outcome = report.post(&entries, notice).await?;
        warn_sender_failed(id, sender, outcome);
        if outcome.is_fine()
            && classes & class::DELAY != 0
            && !report.post(&entries, to_postmaster(ret::HDRS)).await?.is_fine()
        {
            log::warning!("{id}: postmaster notice failed while warning {}", bytes::show(sender));
        }
        Ok(outcome.code())
    }

    /// Reports deliveries, done or only tried out; and the log goes.
    async fn trace(&self, about: &About) -> Result<i64, Fatal> {
        let classes = self.notify_classes()?;
        let About { message, id, .. } = about;
        if self.is_double_bounce(&message.sender) {
            let id = id.as_str();
            log::info!("{id}: not sending trace/success notification for double-bounce message");
            return Ok(0);
        }
        let (sender, recipient): (&[u8], &[u8]) = if !message.sender.is_empty() {
            (NOBODY, &message.sender)
        } else if classes & class::DOUBLE_BOUNCE != 0 {
            (&self.double_bounce, self.params.double_bounce_notice_recipient.as_bytes())
        } else {
            let shown = id.as_str();
            log::info!("{shown}: not sending trace/success notification for single-bounce message");
            self.remove_log(id)?;
            return Ok(0);
        };
        let is_asked_for = about.flags & (deliver::FLAG_USER_VERIFY | deliver::FLAG_RECORD) != 0;
        let template = if is_asked_for { &self.templates.verify } else { &self.templates.success };
        let mut report = Report::new(self, template, about.queue, id, message)?;
        let entries = Entries::open(self, id)?;
        // Some recipients want to hear of success and some do not; there may have been only the latter.
        if matches!(entries, Entries::Unavailable) {
            log::debug!("{}: no trace file -- not sending a notification", id.as_str());
            return Ok(0);
        }
        let notice = Notice {
            sender,
            recipient,
            reader: Reader::Sender,
            title: "sender delivery status notification",
            about: EVERYONE,
            ret: ret::HDRS,
        };
        let outcome = report.post(&entries, notice).await?;
        warn_sender_failed(id.as_str(), recipient, outcome);
        if outcome.is_fine() {
            // DURABILITY: cleanup has the report on disk.
            self.remove_log(id)?;
        }
        Ok(outcome.code())
    }
}

fn checked_id(text: &str) -> Option<QueueId> {
    let id = QueueId::parse(text);
    if id.is_none() {
        log::warning!("malformed queue id: {}", bytes::show(text.as_bytes()));
    }
    id
}

fn failure_to_sender(sender: &[u8], ret: u32) -> Notice<'_> {
    Notice {
        sender: NOBODY,
        recipient: sender,
        reader: Reader::Sender,
        title: "sender non-delivery notification",
        about: notify::FAILURE,
        ret: if ret == 0 { ret::FULL } else { ret },
    }
}

fn warn_sender_failed(id: &str, sender: &[u8], outcome: Outcome) {
    let sender = bytes::show(sender);
    match outcome {
        Outcome::Sent | Outcome::Nobody => {}
        Outcome::Refused(status) => {
            log::warning!("{id}: sender notification failed to {sender}: {}", status.detail().text);
        }
        Outcome::Unreachable => log::warning!("{id}: sender notification failed to {sender}"),
    }
}

fn warn_postmaster_failed(id: &str, outcome: Outcome) {
    match outcome {
        Outcome::Sent | Outcome::Nobody => {}
        Outcome::Refused(status) => {
            log::warning!("{id}: postmaster notification failed: {}", status.detail().text);
        }
        Outcome::Unreachable => log::warning!("{id}: postmaster notification failed"),
    }
}
