//! Forwarding loops: the `Delivered-To:` headers that a message already has.

use crate::Ending;
use crate::header::{self, HeaderKind, HeaderTable};
use address::quote_822_local;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// More addresses than this are not remembered, whatever the message says.
const LIMIT: usize = 1000;

/// The addresses found in `Delivered-To:` headers.
pub struct DeliveredTo {
    fold: fn(&[u8]) -> Vec<u8>,
    found: HashSet<Vec<u8>>,
    previous: Ending,
    headers: HeaderTable,
}

impl DeliveredTo {
    /// An empty set whose addresses are compared after `fold`.
    pub fn new(fold: fn(&[u8]) -> Vec<u8>) -> Self {
        Self { fold, found: HashSet::new(), previous: Ending::Line, headers: HeaderTable::default() }
    }

    /// Takes one record of the message, from its first on; says `Break` when the headers have ended.
    pub fn record(&mut self, ending: Ending, text: &[u8]) -> ControlFlow<()> {
        let previous = std::mem::replace(&mut self.previous, ending);
        if self.found.len() >= LIMIT {
            return ControlFlow::Break(());
        }
        if previous == Ending::Part {
            return ControlFlow::Continue(());
        }
        if !header::is_header(text) {
            let is_continuation = text.first().is_some_and(|&byte| bytes::is_space(byte));
            return if is_continuation { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        }
        if self.headers.find(text).is_some_and(|info| info.kind == HeaderKind::DeliveredTo) {
            let value = bytes::split_once(text, b':').map_or(&b""[..], |(_, value)| value);
            self.found.insert((self.fold)(bytes::trim_start(value)));
        }
        ControlFlow::Continue(())
    }

    /// Whether the message has been delivered to `address` (internal form) before.
    pub fn contains(&self, address: &[u8]) -> bool {
        self.found.contains(&(self.fold)(&quote_822_local(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_starts_of_header_lines_count() {
        let mut delivered = DeliveredTo::new(<[u8]>::to_ascii_lowercase);
        assert!(delivered.record(Ending::Part, b"Delivered-To: One").is_continue());
        assert!(delivered.record(Ending::Line, b"Delivered-To: two").is_continue());
        assert!(delivered.record(Ending::Line, b"Delivered-To:\tthree x@example").is_continue());
        assert!(delivered.record(Ending::Line, b" folded").is_continue());
        assert!(delivered.record(Ending::Line, b"").is_break());
        assert!(delivered.contains(b"one") && !delivered.contains(b"two"));
    }
}
