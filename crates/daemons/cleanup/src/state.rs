//! One message on its way into the queue.

use std::rc::Rc;

use dsn::notify;
use ipc::cleanup::{Status, flags};
use ipc::rewrite::Rule;
use message::header::HeaderKind;
use message::mime::{Machine, MimeErrors};
use queue::Draft;

use crate::config::{Config, Tables};
use crate::duplicates::Duplicates;
use crate::finish::Intake;
use crate::peers::Peers;
use crate::site::LocalSite;

/// What all messages share.
pub struct Context {
    /// The configuration.
    pub config: Config,
    /// The lookup tables.
    pub tables: Tables,
    /// Which addresses are local.
    pub site: LocalSite,
    /// The services that are asked on the way.
    pub peers: Rc<dyn Peers>,
    /// The queue.
    pub intake: Intake,
}

/// Which part of the message the next record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing came yet.
    Start,
    Envelope,
    /// The next record is the first of the content.
    ContentStart,
    Content,
    /// The next record is the first of the extracted part.
    ExtractedStart,
    Extracted,
}

/// Places in the queue file that a later change needs to know.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offsets {
    /// The first content record.
    pub(crate) content: u64,
    /// The `Extracted` record.
    pub(crate) extracted: u64,
}

/// A message in the making: records in, queue file and log lines out.
pub struct Message {
    pub(crate) cx: Rc<Context>,
    pub(crate) draft: Draft,
    pub(crate) queue_id: String,
    pub(crate) phase: Phase,
    pub(crate) flags: u32,
    /// The envelope is at its recipients.
    pub(crate) in_recipients: bool,
    pub(crate) warn_seen: bool,
    pub(crate) end_seen: bool,
    pub(crate) errors: Status,
    /// After these errors, the rest of the message is not looked at.
    pub(crate) error_mask: Status,
    pub(crate) reason: Option<Vec<u8>>,
    /// Whether room is left in the queue file for what milters may change.
    pub(crate) placeholders: bool,
    /// That room was left behind the envelope's recipients.
    pub(crate) has_recipient_placeholder: bool,
    pub(crate) milters_received: bool,
    /// What follows in the client's stream is not records.
    pub(crate) out_of_step: bool,

    pub(crate) arrival: (i64, i64),
    pub(crate) full_name: Option<Vec<u8>>,
    pub(crate) sender: Option<Vec<u8>>,
    /// The last recipient, after rewriting.
    pub(crate) recipient: Option<Vec<u8>>,
    pub(crate) original_recipient: Option<Vec<u8>>,
    pub(crate) dsn_orcpt: Option<Vec<u8>>,
    pub(crate) dsn_notify: u32,
    pub(crate) dsn_envid: Option<Vec<u8>>,
    pub(crate) dsn_ret: u32,
    pub(crate) verp_delimiters: Option<Vec<u8>>,
    pub(crate) trace_flags: i64,
    pub(crate) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) duplicates: Duplicates,
    pub(crate) recipient_count: i64,

    pub(crate) machine: Option<Box<Machine>>,
    pub(crate) mime_errors: MimeErrors,
    /// How header addresses are completed; `None` when headers are left alone.
    pub(crate) rewrite_context: Option<Rule>,
    pub(crate) headers_seen: HeadersSeen,
    pub(crate) hop_count: i64,
    pub(crate) resent: bool,
    pub(crate) message_id: Option<Vec<u8>>,
    pub(crate) requiretls_header_seen: bool,
    /// Scratch space for lines with characters removed.
    pub(crate) stripped: Vec<u8>,

    pub(crate) filter: Option<Vec<u8>>,
    pub(crate) redirect: Option<Vec<u8>>,
    pub(crate) bcc: Vec<Vec<u8>>,

    pub(crate) offsets: Offsets,
    pub(crate) content_length: u64,
    pub(crate) qmgr_options: i64,
    pub(crate) send_options: i64,
    /// The trace log of this message has entries of ours.
    pub(crate) is_traced: bool,
}

/// A set of headers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadersSeen(u64);

impl HeadersSeen {
    pub(crate) fn insert(&mut self, kind: HeaderKind) {
        self.0 |= 1 << kind as u64;
    }

    pub(crate) fn contains(self, kind: HeaderKind) -> bool {
        self.0 & 1 << kind as u64 != 0
    }
}

/// The queue manager must read the whole envelope before it begins.
pub(crate) const QMGR_MIXED: i64 = 1;

/// The queue manager's hint about a recipient's DSN flags.
pub(crate) fn qmgr_notify(mask: u32) -> i64 {
    debug_assert!(notify::is_valid(mask));
    i64::from(mask) << 1
}

impl Message {
    /// Begins a message whose queue file is `draft`.
    pub fn new(cx: Rc<Context>, draft: Draft) -> Self {
        let limit = crate::config::count(cx.config.params.duplicate_filter_limit);
        Self {
            queue_id: draft.id().to_string(),
            draft,
            phase: Phase::Start,
            flags: 0,
            in_recipients: false,
            warn_seen: false,
            end_seen: false,
            errors: Status::OK,
            error_mask: Status::OK,
            reason: None,
            placeholders: cx.config.milters,
            has_recipient_placeholder: false,
            milters_received: false,
            out_of_step: false,
            arrival: (0, 0),
            full_name: None,
            sender: None,
            recipient: None,
            original_recipient: None,
            dsn_orcpt: None,
            dsn_notify: 0,
            dsn_envid: None,
            dsn_ret: 0,
            verp_delimiters: None,
            trace_flags: 0,
            attributes: vec![(b"log_message_origin".to_vec(), b"local".to_vec())],
            duplicates: Duplicates::new(limit),
            recipient_count: 0,
            machine: None,
            mime_errors: MimeErrors::default(),
            rewrite_context: Some(Rule::Local),
            headers_seen: HeadersSeen::default(),
            hop_count: 0,
            resent: false,
            message_id: None,
            requiretls_header_seen: false,
            stripped: Vec::new(),
            filter: None,
            redirect: None,
            bcc: Vec::new(),
            offsets: Offsets::default(),
            content_length: 0,
            qmgr_options: 0,
            send_options: 0,
            is_traced: false,
            cx,
        }
    }

    /// The queue id.
    pub fn queue_id(&self) -> &str {
        &self.queue_id
    }

    /// Takes the client's [`flags`].
    pub fn control(&mut self, client_flags: u32) {
        self.flags = client_flags;
        // Who returns bad mail to the sender needs all recipients, and so reads on after errors that permit it.
        self.error_mask = if self.has(flags::BOUNCE) { Status::INCOMPLETE } else { Status::ALL };
        if self.has(flags::SMTPUTF8) {
            self.send_options |= queue::envelope::send_options::SMTPUTF8_REQUESTED;
        }
        if self.has(flags::REQTLS) {
            self.send_options |= queue::envelope::send_options::REQUIRETLS_ESMTP;
        }
        log::debug!("client flags = {}", flags::NAMES.text(client_flags));
    }

    /// Whether it makes sense to look at more of the message.
    pub fn is_ok(&self) -> bool {
        !self.errors.intersects(self.error_mask) && !self.has(flags::DISCARD)
    }

    /// Records a failure that the caller found.
    pub fn fail(&mut self, status: Status) {
        self.errors |= status;
    }

    /// Whether the client now sends something that we cannot read, so that the conversation must end.
    pub fn is_out_of_step(&self) -> bool {
        self.out_of_step
    }

    /// What went wrong so far.
    pub fn errors(&self) -> Status {
        self.errors
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&[u8]> {
        self.attributes.iter().find(|(found, _)| found == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn set_attribute(&mut self, name: &[u8], value: &[u8]) {
        match self.attributes.iter_mut().find(|(found, _)| found == name) {
            Some((_, old)) => *old = value.to_vec(),
            None => self.attributes.push((name.to_vec(), value.to_vec())),
        }
    }

    /// An address as log lines show it.
    pub(crate) fn logged(&self, address: &[u8]) -> String {
        bytes::show(&self.cx.config.log_form.address(address)).to_string()
    }
}
