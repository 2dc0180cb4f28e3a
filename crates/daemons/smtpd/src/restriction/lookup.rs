//! Lookups that restrictions share: tables by name, addresses by the resolver.

use super::{Check, Cursor, Halt, Name, Verdict, class};
use crate::outside::Resolved;
use crate::session::Session;
use std::rc::Rc;

impl Session {
    /// The `type:table` after a restriction; without one the configuration is wrong.
    pub(super) fn table_argument(&mut self, name: Name, cursor: &mut Cursor) -> Result<String, Halt> {
        let word = cursor.take();
        match word {
            Some(word) if word.text.contains(':') => Ok(word.text),
            word => {
                let text = word.map_or_else(|| name.text().to_owned(), |word| word.text);
                log::warning!("restriction {}: bad argument \"{text}\": need maptype:mapname", name.text());
                Err(self.server_error())
            }
        }
    }

    /// The domain after a DNSBL restriction; without one there is nothing to do.
    pub(super) fn listing_argument(&self, name: Name, cursor: &mut Cursor) -> Option<String> {
        let word = cursor.take();
        if word.is_none() {
            log::warning!("restriction {} requires domain name argument", name.text());
        }
        word.map(|word| word.text)
    }

    /// Resolves an address in the light of the other one of the envelope.
    pub(super) async fn resolve_for(&mut self, address: &[u8], what: &str) -> Result<Rc<Resolved>, Halt> {
        let other = if what == class::SENDER { self.recipient.clone() } else { self.sender.clone() };
        let server = self.server.clone();
        let resolved = server.resolve(other.as_deref(), address).await;
        if resolved.failed {
            let shown = crate::text::show(address).into_owned();
            return Err(self.lookup_failure(&shown));
        }
        Ok(resolved)
    }

    /// A permission that an outsider could arrange for himself is a mistake.
    pub(super) fn forbid_permit(&mut self, name: Name, result: Check, target: &str) -> Check {
        if self.checks.discard || result != Ok(Verdict::Permit) {
            return result;
        }
        log::warning!("restriction {} returns OK for {target}", name.text());
        log::warning!("this is not allowed for security reasons");
        log::warning!("use DUNNO instead of OK if you want to make an exception");
        Err(self.server_error())
    }
}
