//! Addresses of MAIL, RCPT and VRFY.

use crate::session::Session;
use crate::text::{printable, split_domain};
use address::tok822;

/// How an address is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The null address is one.
    pub(crate) allow_empty: bool,
    /// Nothing but `<address>`.
    pub(crate) strict: bool,
    /// The domain may be in UTF-8.
    pub(crate) utf8: bool,
}

impl Session {
    /// The address in a command argument, in internal form; `None`, and a warning, when there is none.
    pub(crate) async fn extract_address(&self, argument: &[u8], how: Reading) -> Option<Vec<u8>> {
        let address = self.read_address(argument, how).await;
        if address.is_none() {
            log::warning!(
                "Illegal address syntax from {} in {} command: {}",
                self.peer.namaddr,
                self.stage_name,
                printable(argument, '?', self.server.encoding)
            );
        }
        address
    }

    async fn read_address(&self, argument: &[u8], how: Reading) -> Option<Vec<u8>> {
        let inside = argument.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or(argument);
        // A source route is obsolete; only its end counts.
        let text = match (inside.first(), inside.iter().position(|&byte| byte == b':')) {
            (Some(b'@'), Some(colon)) => &inside[colon + 1..],
            _ => inside,
        };
        let tree = tok822::parse(text);
        let mut addresses = tok822::addresses(&tree);
        let address = addresses.by_ref().last().map(|address| address.internalize()).unwrap_or_default();
        let count = tok822::addresses(&tree).count();
        let rubble =
            tree.iter().any(|token| token.as_address().is_none() && !token.is_op(b'<') && !token.is_op(b'>'));
        if count > 1 || (how.strict && (rubble || !argument.starts_with(b"<"))) {
            return None;
        }
        if address.is_empty() {
            return how.allow_empty.then_some(address);
        }
        if how.strict && address.starts_with(b"@") {
            return None;
        }
        if self.stand_alone {
            return Some(address);
        }
        let other =
            if self.stage_name == "MAIL" { self.recipient.as_deref() } else { self.sender.as_deref() };
        let resolved = self.server.resolve(other, &address).await;
        let is_foreign =
            split_domain(&resolved.recipient).is_some_and(|(_, domain)| !domain.is_ascii() && !how.utf8);
        (!resolved.error && !is_foreign).then_some(address)
    }

    /// `Some`: 8-bit addresses need SMTPUTF8 here. Where they are let through by an old default, that is logged.
    pub(crate) fn refuses_eight_bit(&self, address: &[u8], what: &str) -> bool {
        if self.smtputf8 || address.is_ascii() {
            return false;
        }
        if self.server.settings.strict_smtputf8 {
            return true;
        }
        if self.server.compat.smtputf8 {
            log::info!(
                "using backwards-compatible default setting smtputf8_enable=no to accept non-ASCII {what} \
                 address \"{}\" from {}",
                crate::text::show(address),
                self.peer.namaddr
            );
        }
        false
    }
}
