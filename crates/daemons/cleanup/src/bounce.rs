//! Outcomes that cleanup(8) reports itself: bad mail goes back, aliases were expanded.

use std::time::Duration;

use dsn::{Dsn, notify};
use ipc::bounce::{self, Request};
use ipc::cleanup::{Status, flags};
use ipc::deliver::Times;
use queue::{RecordReader, RecordType};

use crate::envelope::map_name;
use crate::peers::{About, LogService};
use crate::recipient::Recipient;
use crate::state::Message;

impl Message {
    /// Whether the message goes back to its sender, rather than being refused.
    pub(crate) fn can_bounce(&self) -> bool {
        !self.errors.intersects(Status::CANNOT_BOUNCE) && self.sender.is_some() && self.has(flags::BOUNCE)
    }

    /// Returns the message to its sender. When that worked, nothing is wrong any more and the message can go.
    pub(crate) async fn bounce(&mut self) {
        let dsn = self.failure();
        let queue_id = self.queue_id.clone();
        let about = self.about();
        let peers = std::rc::Rc::clone(&self.cx.peers);
        let mut recipients = self.written_recipients();
        if recipients.is_empty() {
            recipients.push(ipc::Recipient { address: b"unknown".to_vec(), ..ipc::Recipient::default() });
        }
        for recipient in &recipients {
            // The service logs its own trouble.
            if !peers.bounced(&about, recipient, dsn.clone()).await {
                self.errors |= Status::WRITE;
                break;
            }
        }
        if !self.errors.intersects(Status::WRITE) {
            // The bounce service takes the headers or the whole message from the queue file.
            let is_visible = self.draft.make_visible();
            if let Err(fault) = &is_visible {
                log::warning!("{queue_id}: write queue file: {}", queue::reason(fault));
            }
            if is_visible.is_err() || !peers.request(LogService::Bounce, &self.bounce_request()).await {
                log::warning!("{queue_id}: bounce message failure");
                self.errors |= Status::WRITE;
            }
        }
        self.errors = if self.errors.intersects(Status::WRITE) { Status::WRITE } else { Status::OK };
        if self.errors.is_ok() {
            self.flags |= flags::DISCARD;
        }
    }

    fn failure(&self) -> Dsn {
        match &self.reason {
            Some(reason) => Dsn::with_text(dsn::Status::new("5.0.0"), reason),
            None => {
                let detail = self.errors.detail();
                Dsn::new(dsn::Status::new(detail.dsn), detail.text)
            }
        }
    }

    fn bounce_request(&self) -> Request {
        let encoding = self.attribute("encoding").unwrap_or_default();
        // Content that was not inspected is not sent around either.
        let is_uninspected = self.errors.intersects(Status::CONT | Status::SIZE);
        let message = bounce::Message {
            queue: self.draft.queue().as_str().to_owned(),
            queue_id: self.queue_id.clone(),
            encoding: bytes::show(encoding).to_string(),
            sendopts: u32::try_from(self.send_options).unwrap_or(0),
            sender: self.sender.clone().unwrap_or_default(),
            dsn_envid: self.dsn_envid.clone().unwrap_or_default(),
            dsn_ret: if is_uninspected { dsn::ret::HDRS } else { self.dsn_ret },
        };
        match &self.verp_delimiters {
            Some(delimiters) if !self.cx.config.params.disable_verp_bounces => {
                Request::Verp { flags: bounce::FLAG_CLEAN, message, delimiters: delimiters.clone() }
            }
            _ => Request::Flush { flags: bounce::FLAG_CLEAN, message },
        }
    }

    /// The recipients in the queue file so far.
    fn written_recipients(&self) -> Vec<ipc::Recipient> {
        let mut recipients = Vec::new();
        let mut reader = RecordReader::new(&self.draft);
        let mut next = ipc::Recipient::default();
        // An unreadable rest is what we are about to throw away.
        while let Ok(Some(record)) = reader.next() {
            let text = record.text();
            let (kind, value) = match record.kind {
                RecordType::End => break,
                RecordType::Attr => match queue::envelope::split_attribute(text) {
                    Ok((name, value)) if !value.is_empty() => (map_name(name), value),
                    _ => continue,
                },
                kind => (kind, text),
            };
            match kind {
                RecordType::DsnOrcpt => next.dsn_original = value.to_vec(),
                RecordType::DsnNotify => {
                    let mask = bytes::decimal(value).filter(|&mask| mask != 0 && notify::is_valid(mask));
                    next.dsn_notify = mask.unwrap_or(0);
                }
                RecordType::OriginalRecipient => next.original = value.to_vec(),
                RecordType::Recipient => {
                    next.address = value.to_vec();
                    next.offset = i64::try_from(record.offset).unwrap_or(0);
                    if next.original.is_empty() {
                        next.original = value.to_vec();
                    }
                    recipients.push(std::mem::take(&mut next));
                }
                RecordType::Canceled | RecordType::Done => next = ipc::Recipient::default(),
                _ => {}
            }
        }
        recipients
    }

    /// An alias with several members was probed: that is answer enough.
    pub(crate) async fn report_deliverable(&mut self, recipient: &Recipient, dsn: Dsn) {
        let peers = std::rc::Rc::clone(&self.cx.peers);
        if !peers.verified(&self.about(), &recipient.to_ipc(0), dsn).await {
            log::warning!("{}: verify service update error", self.queue_id);
            self.errors |= Status::WRITE;
        }
    }

    /// The sender wanted to know of success, and this is how far we can tell. The queue manager sends the report.
    pub(crate) async fn report_expanded(&mut self, recipient: &Recipient, dsn: Dsn) {
        if !self.is_traced {
            self.remove_stale_logs();
            self.is_traced = true;
        }
        let request = Request::Append {
            flags: bounce::FLAG_CLEAN,
            queue_id: self.queue_id.clone(),
            recipient: recipient.to_ipc(0),
            dsn,
        };
        let peers = std::rc::Rc::clone(&self.cx.peers);
        if !peers.request(LogService::Trace, &request).await {
            let service = &self.cx.config.params.trace_service_name;
            log::warning!("{}: {service} service failure", self.queue_id);
            log::warning!("{}: trace logfile update error", self.queue_id);
            self.errors |= Status::WRITE;
        }
    }

    fn about(&self) -> About {
        let (seconds, micros) = self.arrival;
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let incoming_arrival = seconds + Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        About { queue_id: self.queue_id.clone(), times: Times { incoming_arrival, ..Times::default() } }
    }
}
