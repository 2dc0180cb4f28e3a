//! The third part of a message: recipients that came after the content, and copies for other people.

use ipc::cleanup::flags;
use queue::RecordType;

use crate::envelope::until_nul;
use crate::state::{Message, QMGR_MIXED};

impl Message {
    pub(crate) async fn extracted_record(&mut self, kind: RecordType, data: &[u8]) {
        let text = until_nul(data);
        if kind == RecordType::Flags {
            return self.extra_flags(text);
        }
        if !kind.is_in(RecordType::EXTRACTED) {
            self.reject(format_args!("unexpected record type {} in extracted envelope", kind.as_byte()));
            return;
        }
        let Some(mapped) = self.map_attribute(kind, text) else { return };
        if !self.in_recipients && kind.is_in(RecordType::EXTRACTED_RECIPIENTS) {
            self.out_findings();
        }
        if self.recipient_record(kind, text, &mapped).await {
            return;
        }
        if kind == RecordType::End {
            self.in_recipients = false;
            self.end_seen = true;
            return self.end_record().await;
        }
        if self.in_recipients {
            self.qmgr_options |= QMGR_MIXED;
        }
        self.out(kind, data);
    }

    /// What was found in headers and body goes before the recipients.
    fn out_findings(&mut self) {
        if let Some(filter) = self.filter.clone() {
            self.out(RecordType::FILTER, &filter);
        }
        if let Some(target) = self.redirect.clone() {
            self.out(RecordType::Redirect, &target);
        }
        if let Some(message_id) = self.message_id.clone() {
            self.out_attribute("message_id", &message_id);
        }
        if let Some(encoding) = self.attribute("encoding").map(<[u8]>::to_vec) {
            self.out_attribute("encoding", &encoding);
        }
        self.in_recipients = true;
        if self.placeholders {
            self.out_placeholder();
        }
    }

    async fn end_record(&mut self) {
        if self.placeholders && !self.has_recipient_placeholder {
            self.out_placeholder();
        }
        if self.has(flags::BCC_OK) && self.recipient.is_some() && !self.cx.config.params.always_bcc.is_empty()
        {
            let address = self.cx.config.params.always_bcc.clone();
            self.automatic_bcc(address.as_bytes()).await;
        }
        let copies = std::mem::take(&mut self.bcc);
        if self.is_ok() && self.recipient.is_some() {
            for address in &copies {
                self.automatic_bcc(address).await;
            }
        }
        self.out(RecordType::End, b"");
    }
}
