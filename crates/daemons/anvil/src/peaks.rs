//! The largest counts since the last report, as anvil logs them.

use std::time::Duration;

use ipc::anvil::{Counts, Event};
use sys::time::LocalTime;

/// The peaks of one reporting period.
#[derive(Debug)]
pub struct Peaks {
    unit: Duration,
    connection_rate: Peak,
    connection_count: Peak,
    message_rate: Peak,
    recipient_rate: Peak,
    new_tls_rate: Peak,
    auth_rate: Peak,
    cache_size: Peak,
}

#[derive(Debug, Default)]
struct Peak {
    value: i64,
    ident: Vec<u8>,
    time: i64,
}

impl Peaks {
    /// No peaks yet; `unit` is `anvil_rate_time_unit`.
    pub fn new(unit: Duration) -> Self {
        let none = Peak::default;
        Self {
            unit,
            connection_rate: none(),
            connection_count: none(),
            message_rate: none(),
            recipient_rate: none(),
            new_tls_rate: none(),
            auth_rate: none(),
            cache_size: none(),
        }
    }

    /// Takes note of a client's counts after an event, and of how many clients are remembered.
    pub fn note(&mut self, event: Event, ident: &[u8], counts: &Counts, clients: usize, now: i64) {
        match event {
            Event::Connect => {
                self.connection_rate.raise(counts.rate, ident, now);
                self.connection_count.raise(counts.connections, ident, now);
                self.cache_size.raise(clients as i64, b"", now);
            }
            Event::Message => self.message_rate.raise(counts.messages, ident, now),
            Event::Recipient => self.recipient_rate.raise(counts.recipients, ident, now),
            Event::NewTls => self.new_tls_rate.raise(counts.new_tls, ident, now),
            Event::Auth => self.auth_rate.raise(counts.auths, ident, now),
            Event::Disconnect | Event::NewTlsStatus | Event::Lookup => {}
        }
    }

    /// Logs the peaks and begins a new period.
    pub fn report(&mut self) {
        for line in self.take_lines() {
            log::info!("{line}");
        }
    }

    fn take_lines(&mut self) -> Vec<String> {
        let unit = self.unit.as_secs();
        let mut lines = Vec::new();
        let mut rate = |peak: &mut Peak, what: &str| {
            if let Some(peak) = peak.take() {
                let ident = bytes::show(&peak.ident);
                let (value, time) = (peak.value, stamp(peak.time));
                lines.push(format!("statistics: max {what} rate {value}/{unit}s for ({ident}) at {time}"));
            }
        };
        rate(&mut self.connection_rate, "connection");
        let count = self.connection_count.take().map(|peak| {
            let ident = bytes::show(&peak.ident);
            format!("statistics: max connection count {} for ({ident}) at {}", peak.value, stamp(peak.time))
        });
        rate(&mut self.message_rate, "message");
        rate(&mut self.recipient_rate, "recipient");
        rate(&mut self.new_tls_rate, "newtls");
        rate(&mut self.auth_rate, "auth");
        let after_first = lines.len().min(1);
        lines.splice(after_first..after_first, count);
        lines.extend(
            self.cache_size
                .take()
                .map(|peak| format!("statistics: max cache size {} at {}", peak.value, stamp(peak.time))),
        );
        lines
    }
}

impl Peak {
    fn raise(&mut self, value: i64, ident: &[u8], now: i64) {
        if value > self.value {
            *self = Self { value, ident: ident.to_vec(), time: now };
        }
    }

    fn take(&mut self) -> Option<Self> {
        (self.value > 0).then(|| std::mem::take(self))
    }
}

fn stamp(time: i64) -> String {
    let t = LocalTime::at(time);
    format!("{} {:>2} {:02}:{:02}:{:02}", t.month_name(), t.day, t.hour, t.minute, t.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_has_postfixs_lines_in_postfixs_order() {
        let mut peaks = Peaks::new(Duration::from_secs(60));
        let counts = Counts { connections: 2, rate: 3, messages: 4, ..Counts::default() };
        peaks.note(Event::Connect, b"smtp:192.0.2.1", &counts, 5, 0);
        peaks.note(Event::Message, b"smtp:192.0.2.1", &counts, 5, 0);
        let at = stamp(0);
        assert_eq!(
            peaks.take_lines(),
            [
                format!("statistics: max connection rate 3/60s for (smtp:192.0.2.1) at {at}"),
                format!("statistics: max connection count 2 for (smtp:192.0.2.1) at {at}"),
                format!("statistics: max message rate 4/60s for (smtp:192.0.2.1) at {at}"),
                format!("statistics: max cache size 5 at {at}"),
            ]
        );
        assert!(peaks.take_lines().is_empty());
    }
}
