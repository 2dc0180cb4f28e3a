//! A report's lines, as queue file records (RFC 3462, RFC 3464, RFC 6533).
//!
//! In this order: [`header`](Report::header), [`introduction`](Report::introduction) (for people who did not ask for
//! mail systems), each recipient [for people](Report::recipient_text), [`status`](Report::status), each recipient
//! [for programs](Report::recipient_status), and the [original message](Report::original).

use daemon::Fatal;
use delivery::post::wrap;
use ipc::bounce::Message;
use message::date::mail_date;
use queue::bounce_log::Entry;
use queue::envelope::send_options;
use queue::{QueueId, QueueName, RecordType, encode_record};

use crate::original::{Extent, Original};
use crate::site::Site;
use crate::template::{Kind, Template};

const LINE_WIDTH: usize = 79;
const LINE_INDENT: usize = 4;

/// Whom a report is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Who sent the mail.
    Sender,
    /// The postmaster, who gets a copy, or what cannot go to a sender.
    Postmaster,
}

/// A report about one message. It can be written more than once, to different readers.
pub struct Report<'a> {
    pub(crate) site: &'a Site,
    pub(crate) id: &'a QueueId,
    pub(crate) original: Original,
    template: &'a Template,
    send_options: u32,
    envid: &'a [u8],
    /// The encoding of all parts; `None` when the message does not say.
    encoding: Option<&'static str>,
    boundary: String,
}

impl<'a> Report<'a> {
    /// Opens the message. One that has gone makes the report shorter.
    pub fn new(
        site: &'a Site,
        template: &'a Template,
        queue: QueueName,
        id: &'a QueueId,
        message: &'a Message,
    ) -> Result<Self, Fatal> {
        let encoding = match message.encoding.as_str() {
            // Addresses and $myhostname may be 8-bit, whatever the message is.
            _ if site.params.smtputf8_enable => Some("8bit"),
            "8bit" => Some("8bit"),
            "7bit" => Some("7bit"),
            "" => None,
            other => {
                log::warning!("{}: unknown encoding: {other:.200}", id.as_str());
                None
            }
        };
        let boundary = format!("{}.{}/{}", id.as_str(), sys::time::now(), site.params.myhostname);
        Ok(Self {
            site,
            id,
            original: Original::open(site, queue, id)?,
            template,
            send_options: message.sendopts,
            envid: &message.dsn_envid,
            encoding,
            boundary,
        })
    }

    /// What the report is about.
    pub fn kind(&self) -> Kind {
        self.template.kind
    }

    /// The header, and the start of the first part.
    pub fn header(&self, out: &mut Vec<u8>, recipient: &[u8], reader: Reader) {
        let (site, template) = (self.site, self.template);
        let subject = match reader {
            Reader::Sender => template.subject(),
            Reader::Postmaster => template.postmaster_subject(),
        };
        line(out, &[b"From: ", template.from(site.header_from)]);
        line(out, &[b"Subject: ", subject]);
        line(out, &[b"To: ", &address::quote::quote_822_local(recipient)]);
        if !self.original.message_id.is_empty() {
            line(out, &[b"References: ", &self.original.message_id]);
            line(out, &[b"In-Reply-To: ", &self.original.message_id]);
        }
        if site.params.tls_required_enable && self.has(send_options::REQUIRETLS_HEADER) {
            line(out, &[b"TLS-Required: no"]);
        }
        let auto_submitted: &[u8] = match reader {
            Reader::Sender => b"auto-replied",
            Reader::Postmaster => b"auto-generated",
        };
        line(out, &[b"Auto-Submitted: ", auto_submitted]);
        line(out, &[b"MIME-Version: 1.0"]);
        line(out, &[b"Content-Type: multipart/report; report-type=delivery-status;"]);
        line(out, &[b"\tboundary=\"", self.boundary.as_bytes(), b"\""]);
        if let Some(encoding) = self.encoding {
            let encoding = if encoding == "7bit" { template.encoding() } else { encoding };
            line(out, &[b"Content-Transfer-Encoding: ", encoding.as_bytes()]);
        }
        line(out, &[]);
        line(out, &[b"This is a MIME-encapsulated message."]);
        self.part(out, b"Notification");
        let charset: &[u8] = match template.charset() {
            charset if !charset.eq_ignore_ascii_case(b"us-ascii") => charset,
            _ if self.is_8bit() => b"utf-8",
            _ => b"us-ascii",
        };
        line(out, &[b"Content-Type: text/plain; charset=", charset]);
        self.part_encoding(out);
        line(out, &[]);
    }

    /// The template's text.
    pub fn introduction(&self, out: &mut Vec<u8>) -> Result<(), Fatal> {
        for text in self.template.lines(&self.site.names())? {
            line(out, &[&text]);
        }
        Ok(())
    }

    /// What became of a recipient, for people.
    pub fn recipient_text(&self, out: &mut Vec<u8>, entry: &Entry) {
        line(out, &[]);
        let Entry { recipient, original_recipient, reason, .. } = entry;
        if original_recipient.is_empty() {
            wrapped(out, &[b"<", recipient, b">: ", reason]);
        } else {
            wrapped(out, &[b"<", recipient, b"> (expanded from <", original_recipient, b">): ", reason]);
        }
    }

    /// In place of the recipients of a failure report when there is no log.
    pub fn no_recipients(&self, out: &mut Vec<u8>) {
        line(out, &[]);
        line(out, &[b"\t--- Delivery report unavailable ---"]);
    }

    /// The start of the second part: about the message.
    pub fn status(&self, out: &mut Vec<u8>) {
        let site = self.site;
        self.part(out, b"Delivery report");
        let global: &[u8] = if self.is_global() { b"global-" } else { b"" };
        line(out, &[b"Content-Type: message/", global, b"delivery-status"]);
        // A delivery status that is not global is ASCII, whatever the rest is.
        if self.is_global() {
            self.part_encoding(out);
        }
        line(out, &[]);
        let name = site.field_name.as_bytes();
        line(out, &[b"Reporting-MTA: dns; ", site.params.myhostname.as_bytes()]);
        if !self.envid.is_empty() {
            line(out, &[b"Original-Envelope-Id: ", self.envid]);
        }
        line(out, &[b"X-", name, b"-Queue-ID: ", self.id.as_bytes()]);
        let sender = &self.original.sender;
        if !sender.is_empty() {
            line(out, &[b"X-", name, b"-Sender: ", self.address_type(sender), b"; ", sender]);
        }
        if self.original.arrival > 0 {
            line(out, &[b"Arrival-Date: ", mail_date(self.original.arrival).as_bytes()]);
        }
    }

    /// What became of a recipient, for programs.
    pub fn recipient_status(&self, out: &mut Vec<u8>, entry: &Entry) {
        line(out, &[]);
        let Entry { recipient, original_recipient, .. } = entry;
        line(out, &[b"Final-Recipient: ", self.address_type(recipient), b"; ", recipient]);
        if !entry.dsn_orcpt.is_empty() {
            line(out, &[b"Original-Recipient: ", &entry.dsn_orcpt]);
        } else if !original_recipient.is_empty() {
            let kind = self.address_type(original_recipient);
            line(out, &[b"Original-Recipient: ", kind, b"; ", original_recipient]);
        }
        let action = if self.kind() == Kind::Failure { b"failed" } else { entry.action.as_slice() };
        line(out, &[b"Action: ", action]);
        line(out, &[b"Status: ", &entry.status]);
        if !entry.mta_type.is_empty() && !entry.mta.is_empty() {
            wrapped(out, &[b"Remote-MTA: ", &entry.mta_type, b"; ", &entry.mta]);
        }
        if !entry.diagnostic_type.is_empty() && !entry.diagnostic.is_empty() {
            wrapped(out, &[b"Diagnostic-Code: ", &entry.diagnostic_type, b"; ", &entry.diagnostic]);
        } else {
            let name = self.site.field_name.as_bytes();
            wrapped(out, &[b"Diagnostic-Code: X-", name, b"; ", &entry.reason]);
        }
        if self.kind() == Kind::Delay {
            let lifetime = i64::try_from(self.site.params.maximal_queue_lifetime.as_secs()).unwrap_or(0);
            let until = mail_date(self.original.arrival.saturating_add(lifetime));
            line(out, &[b"Will-Retry-Until: ", until.as_bytes()]);
        }
    }

    /// The start of the third part. What follows is [`Original::copy`] and [`end`](Self::end), when there is something to
    /// copy: the result says how much.
    pub fn original(&mut self, out: &mut Vec<u8>, ret: u32) -> Option<Extent> {
        let limit = self.site.params.bounce_size_limit;
        let is_too_large =
            limit > 0 && self.original.is_there() && (self.original.size <= 0 || self.original.size > limit);
        // Part of a message would not be good MIME; its headers are.
        let extent = if is_too_large || ret == dsn::ret::HDRS { Extent::Headers } else { Extent::Full };
        let undelivered: &[u8] = match self.kind() {
            Kind::Failure | Kind::Delay => b"Undelivered ",
            Kind::Success | Kind::Verify => b"",
        };
        let (what, media_type): (&[u8], &[u8]) = match (extent, self.is_global()) {
            (Extent::Full, false) => (b"Message", b"message/rfc822"),
            (Extent::Full, true) => (b"Message", b"message/global"),
            (Extent::Headers, false) => (b"Message Headers", b"text/rfc822-headers"),
            (Extent::Headers, true) => (b"Message Headers", b"message/global-headers"),
        };
        self.part(out, &[undelivered, what].concat());
        line(out, &[b"Content-Type: ", media_type]);
        self.part_encoding(out);
        line(out, &[]);
        if !self.original.rewind() {
            // COMPAT: the last boundary is missing then. Test: `a_message_that_has_gone`.
            line(out, &[b"\t--- Undelivered message unavailable ---"]);
            return None;
        }
        // Cleanup removes the header of this name from mail that is not from SMTP, so that there is only this one.
        line(out, &[b"Return-Path: <", &self.original.sender, b">"]);
        Some(extent)
    }

    /// The last line.
    pub fn end(&self, out: &mut Vec<u8>) {
        line(out, &[]);
        line(out, &[b"--", self.boundary.as_bytes(), b"--"]);
    }

    /// SMTPUTF8 and REQUIRETLS requests for the report itself.
    pub(crate) fn send_options(&self) -> u32 {
        self.send_options
    }

    fn part(&self, out: &mut Vec<u8>, description: &[u8]) {
        line(out, &[]);
        line(out, &[b"--", self.boundary.as_bytes()]);
        line(out, &[b"Content-Description: ", description]);
    }

    fn part_encoding(&self, out: &mut Vec<u8>) {
        if let Some(encoding) = self.encoding.filter(|_| self.is_8bit()) {
            line(out, &[b"Content-Transfer-Encoding: ", encoding.as_bytes()]);
        }
    }

    fn is_8bit(&self) -> bool {
        self.encoding.is_some_and(|encoding| encoding != "7bit")
    }

    fn is_global(&self) -> bool {
        self.has(send_options::SMTPUTF8_REQUESTED)
    }

    fn has(&self, options: i64) -> bool {
        i64::from(self.send_options) & options != 0
    }

    fn address_type(&self, address: &[u8]) -> &'static [u8] {
        let is_utf8 = !address.is_ascii() && address::valid_utf8(address);
        if is_utf8 && self.has(send_options::SMTPUTF8_ALL) { b"utf-8" } else { b"rfc822" }
    }
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    match parts {
        [] => encode_record(out, RecordType::Norm, b""),
        [text] => encode_record(out, RecordType::Norm, text),
        _ => encode_record(out, RecordType::Norm, &parts.concat()),
    }
}

fn wrapped(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for text in wrap(&parts.concat(), LINE_WIDTH, LINE_INDENT) {
        line(out, &[&text]);
    }
}
