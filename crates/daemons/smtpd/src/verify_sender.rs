//! The sender of address probes: our own, or another Postfix's, must not be rejected.

use crate::server::Server;
use address::eq_fold;
use std::time::{SystemTime, UNIX_EPOCH};

impl Server {
    /// The probe sender without its time stamp, if an address is one. The null sender is one if probes have it.
    pub(crate) async fn probe_sender(&self, address: &[u8]) -> Option<Vec<u8>> {
        let own = self.settings.address_verify_sender.as_bytes();
        if own.is_empty() || own == b"<>" {
            return address.is_empty().then(Vec::new);
        }
        if address.is_empty() {
            return None;
        }
        let template = match self.probe_template.get() {
            Some(template) => template,
            None => {
                let rewritten = self.outside.rewrite(own).await;
                self.probe_template.get_or_init(|| rewritten)
            }
        };
        let ttl = self.settings.address_verify_sender_ttl.as_secs();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        matches(template, address, now.checked_div(ttl)).then(|| template.clone())
    }
}

/// Whether an address is the template with a recent time stamp after the local part, or without one.
fn matches(template: &[u8], address: &[u8], epoch: Option<u64>) -> bool {
    let split = |text: &[u8]| text.iter().position(|&byte| byte == b'@').unwrap_or(text.len());
    let (local, domain) = template.split_at(split(template));
    let (their_local, their_domain) = address.split_at(split(address));
    let Some((base, stamp)) = their_local.split_at_checked(local.len()) else {
        return false;
    };
    if !eq_fold(base, local) || !eq_fold(their_domain, domain) {
        return false;
    }
    match epoch {
        None => stamp.is_empty(),
        Some(now) => number(stamp).is_some_and(|then| then + 1 >= now && then <= now + 1),
    }
}

/// A number to base 31, without vowels.
fn number(text: &[u8]) -> Option<u64> {
    const DIGITS: &[u8] = b"0123456789BCDFGHJKLMNPQRSTVWXYZ";
    text.iter().try_fold(0u64, |value, byte| {
        let digit = DIGITS.iter().position(|known| known.eq_ignore_ascii_case(byte))?;
        value.checked_mul(31)?.checked_add(digit as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_recognized() {
        assert!(matches(b"double-bounce@example.com", b"Double-Bounce@EXAMPLE.com", None));
        assert!(!matches(b"double-bounce@example.com", b"double-bounce1@example.com", None));
        assert!(matches(b"double-bounce@example.com", b"double-bounce10@example.com", Some(32)));
        assert!(!matches(b"double-bounce@example.com", b"double-bounce10@example.com", Some(33)));
        assert!(!matches(b"double-bounce@example.com", b"d", None));
    }
}
