//! Envelope addresses: sender, recipients and automatic copies.

use dsn::notify;
use ipc::cleanup::{Status, flags};
use queue::RecordType;
use queue::envelope::send_options;
use table::Maps;

use crate::recipient::Recipient;
use crate::rewrite::Role;
use crate::state::Message;

impl Message {
    /// Takes the envelope sender, in internal form.
    pub(crate) async fn envelope_sender(&mut self, text: &[u8]) {
        let address = self.rewrite_envelope(Role::Sender, text).await;
        if self.cx.config.params.smtputf8_enable && is_utf8(&address) {
            self.send_options |= send_options::SMTPUTF8_SENDER;
            self.detect_smtputf8(&address);
        }
        self.out(RecordType::Sender, &address);
        if self.placeholders {
            self.out_padding(RecordType::Pointer, address.len());
        }
        self.sender = Some(address.clone());
        if self.must_ask_milters() {
            self.refuse_milters();
        }
        if self.has(flags::BCC_OK) && !address.is_empty() {
            let cx = std::rc::Rc::clone(&self.cx);
            self.mapped_bcc(cx.tables.sender_bcc.as_ref(), &address).await;
        }
    }

    /// Takes an envelope recipient, in internal form.
    pub(crate) async fn envelope_recipient(&mut self, text: &[u8]) {
        let cx = std::rc::Rc::clone(&self.cx);
        let text = if text.is_empty() { cx.config.params.empty_address_recipient.as_bytes() } else { text };
        let address = self.rewrite_envelope(Role::Recipient, text).await;
        self.detect_smtputf8(&address);
        if self.dsn_orcpt.is_none() && !address.is_empty() {
            let is_utf8 = !address.is_ascii() && self.send_options & send_options::SMTPUTF8_REQUESTED != 0;
            let kind: &[u8] = if is_utf8 { b"utf-8;" } else { b"rfc822;" };
            self.dsn_orcpt = Some([kind, &address].concat());
        }
        let recipient = Recipient {
            dsn_orcpt: self.dsn_orcpt.clone().unwrap_or_default(),
            dsn_notify: self.dsn_notify,
            original: self.original_recipient.clone().unwrap_or_default(),
            address: address.clone(),
        };
        self.out_recipient(recipient).await;
        self.recipient = Some(address.clone());
        if self.has(flags::BCC_OK) && !address.is_empty() {
            self.mapped_bcc(cx.tables.recipient_bcc.as_ref(), &address).await;
        }
    }

    /// Adds a recipient of our own, who gets no delivery status notifications.
    pub(crate) async fn automatic_bcc(&mut self, text: &[u8]) {
        let address = self.rewrite_envelope(Role::Recipient, text).await;
        self.detect_smtputf8(&address);
        let recipient = Recipient {
            dsn_orcpt: Vec::new(),
            dsn_notify: notify::NEVER,
            original: address.clone(),
            address,
        };
        self.out_recipient(recipient).await;
    }

    async fn mapped_bcc(&mut self, maps: Option<&Maps>, address: &[u8]) {
        let Some(maps) = maps else { return };
        let cx = std::rc::Rc::clone(&self.cx);
        match cx.find_address(maps, address).await {
            Ok(Some(bcc)) => self.automatic_bcc(&bcc).await,
            Ok(None) => {}
            Err(_) => self.lookup_problem(maps.title()),
        }
    }

    /// A table could not be searched: the message is not accepted now.
    pub(crate) fn lookup_problem(&mut self, title: &str) {
        log::warning!(
            "{}: {title} map lookup problem -- message not accepted, try again later",
            self.queue_id
        );
        self.errors |= Status::WRITE;
    }

    fn detect_smtputf8(&mut self, address: &[u8]) {
        if self.cx.config.params.smtputf8_enable && is_utf8(address) && self.has(flags::AUTOUTF8) {
            self.send_options |= send_options::SMTPUTF8_REQUESTED;
        }
    }

    /// Whether `non_smtpd_milters` apply to this message.
    fn must_ask_milters(&self) -> bool {
        self.cx.config.milters
            && !self.milters_received
            && self.has(flags::MILTER)
            && self.errors.is_ok()
            && !self.has(flags::DISCARD)
    }
}

fn is_utf8(address: &[u8]) -> bool {
    !address.is_ascii() && address::valid_utf8(address)
}
