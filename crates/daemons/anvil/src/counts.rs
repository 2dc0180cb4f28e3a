//! What each client did: connections that are open, events in the present time unit.

use std::collections::HashMap;
use std::time::Duration;

use ipc::anvil::{Counts, Event};

/// The counts of all clients of the last time unit.
#[derive(Debug)]
pub struct Remotes {
    unit: i64,
    by_ident: HashMap<Vec<u8>, Remote>,
    next_sweep: i64,
}

#[derive(Debug)]
struct Remote {
    counts: Counts,
    /// When the present time unit began.
    start: i64,
    /// The last event; a client without connections is forgotten one time unit later.
    seen: i64,
}

impl Remotes {
    /// No clients yet; `unit` is `anvil_rate_time_unit`.
    pub fn new(unit: Duration) -> Self {
        Self { unit: unit.as_secs() as i64, by_ident: HashMap::new(), next_sweep: 0 }
    }

    /// How many clients are remembered.
    pub fn len(&self) -> usize {
        self.by_ident.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_ident.is_empty()
    }

    /// Counts an event at `now`, in seconds, and returns the client's counts after it.
    pub fn record(&mut self, event: Event, ident: &[u8], now: i64) -> Counts {
        if now >= self.next_sweep {
            self.expire(now);
            self.next_sweep = now + self.unit.max(1);
        }
        if matches!(event, Event::Lookup | Event::NewTlsStatus | Event::Disconnect)
            && !self.by_ident.contains_key(ident)
        {
            return Counts::default();
        }
        let fresh = || Remote { counts: Counts::default(), start: now, seen: now };
        let remote = self.by_ident.entry(ident.to_vec()).or_insert_with(fresh);
        remote.count(event, now, self.unit);
        remote.counts
    }

    /// Forgets clients that have no connection and did nothing for a time unit.
    pub fn expire(&mut self, now: i64) {
        let unit = self.unit;
        self.by_ident.retain(|_, remote| remote.counts.connections > 0 || remote.seen + unit >= now);
    }
}

impl Remote {
    fn count(&mut self, event: Event, now: i64, unit: i64) {
        if event != Event::Disconnect && self.start + unit < now {
            self.counts = Counts { connections: self.counts.connections, ..Counts::default() };
            self.start = now;
        }
        self.seen = now;
        let counts = &mut self.counts;
        match event {
            Event::Connect => {
                counts.connections += 1;
                counts.rate += 1;
            }
            Event::Disconnect => counts.connections = (counts.connections - 1).max(0),
            Event::Message => counts.messages += 1,
            Event::Recipient => counts.recipients += 1,
            Event::NewTls => counts.new_tls += 1,
            Event::Auth => counts.auths += 1,
            Event::NewTlsStatus | Event::Lookup => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &[u8] = b"smtp:192.0.2.1";

    #[test]
    fn rates_begin_anew_with_each_unit_and_connections_do_not() {
        let mut remotes = Remotes::new(Duration::from_secs(60));
        remotes.record(Event::Connect, CLIENT, 100);
        let counts = remotes.record(Event::Connect, CLIENT, 160);
        assert_eq!((counts.connections, counts.rate), (2, 2));
        let counts = remotes.record(Event::Connect, CLIENT, 161);
        assert_eq!((counts.connections, counts.rate), (3, 1));
    }

    #[test]
    fn an_idle_client_is_forgotten_after_a_unit() {
        let mut remotes = Remotes::new(Duration::from_secs(60));
        remotes.record(Event::Connect, CLIENT, 100);
        remotes.expire(1000);
        assert_eq!(remotes.len(), 1);
        remotes.record(Event::Disconnect, CLIENT, 1000);
        remotes.expire(1061);
        assert!(remotes.is_empty());
    }

    #[test]
    fn questions_leave_no_trace() {
        let mut remotes = Remotes::new(Duration::from_secs(60));
        assert_eq!(remotes.record(Event::Lookup, CLIENT, 1), Counts::default());
        assert!(remotes.is_empty());
    }
}
