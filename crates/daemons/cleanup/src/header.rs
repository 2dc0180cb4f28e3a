//! One header of the message.

use std::rc::Rc;

use address::tok822::{self, Breaks};
use ipc::cleanup::{Status, flags};
use message::checks;
use message::header::{HeaderInfo, HeaderKind};
use message::mime::{Header, HeaderClass};
use queue::envelope::send_options;

use crate::action::{Action, Content};
use crate::rewrite::Role;
use crate::state::Message;

impl Message {
    pub(crate) async fn header(&mut self, header: Header) {
        let Header { mut info, mut text, class, .. } = header;
        let class = checks::table_class(class, info);
        // Counted before a check may drop it, or a loop would go unnoticed.
        if info.is_some_and(|info| info.kind == HeaderKind::Received) {
            self.hop_count += 1;
        }
        let cx = Rc::clone(&self.cx);
        let table = match class {
            HeaderClass::Primary => &cx.tables.header_checks,
            HeaderClass::Multipart => &cx.tables.mime_header_checks,
            HeaderClass::Nested => &cx.tables.nested_header_checks,
        };
        if let Some(table) = table.as_ref().filter(|_| self.has(flags::FILTER)) {
            match table.find(&text).await {
                Ok(Some(found)) => match self.act(Content::Header, &text, &found.value, table.title()) {
                    Action::Keep => {}
                    Action::Drop => return,
                    Action::Replace(new) => {
                        info = cx.config.headers.find(&new);
                        text = new;
                    }
                },
                Ok(None) => {}
                Err(_) => self.lookup_problem(table.title()),
            }
        }
        let Some(info) = info else { return self.out_header(&text) };
        let value_start = bytes::memchr::memchr(b':', &text).map_or(text.len(), |colon| colon + 1);
        let value = bytes::trim_start(text.get(value_start..).unwrap_or_default());
        if info.kind == HeaderKind::ContentTransferEncoding && cx.config.params.detect_8bit_encoding_header {
            // Binary is not a valid transfer encoding for us, but it certainly is not 7bit.
            if value.eq_ignore_ascii_case(b"8bit") || value.eq_ignore_ascii_case(b"binary") {
                self.set_attribute(b"encoding", b"8bit");
            }
        }
        if class != HeaderClass::Primary {
            return self.out_header(&text);
        }
        self.headers_seen.insert(info.kind);
        self.note_header(info.kind, &text, value);
        if !self.is_ok() {
            return;
        }
        self.resent |= info.is_resent();
        match self.rewrite_context {
            Some(rule) if info.is_sender() => {
                self.address_header(rule, Role::Sender, info, &text, value_start).await
            }
            Some(rule) if info.is_recipient() => {
                self.address_header(rule, Role::Recipient, info, &text, value_start).await;
            }
            _ if info.is_dropped() => {}
            _ => self.out_header(&text),
        }
    }

    /// What a header of the message's own block tells us.
    fn note_header(&mut self, kind: HeaderKind, text: &[u8], value: &[u8]) {
        let params = &self.cx.config.params;
        match kind {
            HeaderKind::MessageId => {
                log::info!("{}: message-id={}", self.queue_id, bytes::show(value));
                if self.message_id.is_none() {
                    self.message_id = balanced(value).map(|id| bytes::printable(id, b' '));
                }
            }
            HeaderKind::ResentMessageId => {
                log::info!("{}: resent-message-id={}", self.queue_id, bytes::show(value));
            }
            HeaderKind::Received if self.hop_count >= params.hopcount_limit => {
                log::warning!("{}: message rejected: hopcount exceeded", self.queue_id);
                self.errors |= Status::HOPS;
            }
            HeaderKind::TlsRequired if params.tls_required_enable => {
                if value.eq_ignore_ascii_case(b"no") {
                    self.send_options |= send_options::REQUIRETLS_HEADER;
                } else {
                    log::warning!("ignoring malformed header: '{}'", bytes::show_limited(text, 100));
                }
            }
            HeaderKind::RequireTlsEsmtp
                if params.requiretls_esmtp_header
                    && params.requiretls_enable
                    && value.eq_ignore_ascii_case(b"yes") =>
            {
                self.send_options |= send_options::REQUIRETLS_ESMTP;
                self.requiretls_header_seen = true;
            }
            _ => {}
        }
    }

    /// A header that holds addresses: each is rewritten, and the header is written anew if one has changed.
    async fn address_header(
        &mut self,
        rule: ipc::rewrite::Rule,
        role: Role,
        info: HeaderInfo,
        text: &[u8],
        value_start: usize,
    ) {
        let limit = crate::config::count(self.cx.config.params.header_address_token_limit);
        let mut tree = tok822::parse_limit(text.get(value_start..).unwrap_or_default(), limit);
        let mut has_changed = false;
        for address in tok822::addresses_mut(&mut tree) {
            has_changed |= self.rewrite_header_address(rule, role, address).await;
        }
        if info.is_dropped() {
            return;
        }
        if !has_changed {
            return self.out_header(text);
        }
        let (value, warnings) = tok822::externalize_header(&tree, Breaks::AfterComma);
        for warning in warnings {
            log::warning!("{warning}");
        }
        let name = text.get(..value_start).unwrap_or_default();
        self.out_folded([name, b" ", &value].concat());
    }
}

/// The text up to the `>` that closes the `<` at its start.
fn balanced(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 0usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return (at > 0).then(|| text.get(..=at)).flatten();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::balanced;

    #[test]
    fn message_ids_are_balanced() {
        assert_eq!(balanced(b"<a@b> x"), Some(&b"<a@b>"[..]));
        assert_eq!(balanced(b"<a<b>c>"), Some(&b"<a<b>c>"[..]));
        assert_eq!(balanced(b"a@b"), None);
        assert_eq!(balanced(b"<a"), None);
        assert_eq!(balanced(b""), None);
    }
}
