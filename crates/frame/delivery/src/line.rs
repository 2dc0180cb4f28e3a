//! The delivery line: the one that every log analyser reads.

use std::fmt::Write as _;
use std::time::Duration;

use address::AddressForm;
use ipc::Recipient;
use ipc::deliver::Times;

/// What a delivery line says.
#[derive(Debug)]
pub struct Line<'a> {
    /// The message.
    pub queue_id: &'a str,
    /// Its times.
    pub times: &'a Times,
    /// To whom.
    pub recipient: &'a Recipient,
    /// Through what: `host[address]:port`, `local`, `none`, ...
    pub relay: &'a str,
    /// The TLS feature summary after `tls=`, where it is logged.
    pub tls: Option<&'a str>,
    /// The outcome.
    pub dsn: &'a dsn::Dsn,
    /// `sent`, `deferred`, `bounced`, `SOFTBOUNCE`, `deliverable`, ...
    pub status: &'a str,
    /// `delay_logging_resolution_limit`: decimals at most.
    pub resolution: u32,
    /// `info_log_address_format`.
    pub form: AddressForm,
}

impl Line<'_> {
    /// The text after the log tag.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(256);
        let _infallible = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        write!(text, "{}: to=<{}>", self.queue_id, self.form.logged(&self.recipient.address))?;
        let original = &self.recipient.original;
        if !original.is_empty() && !address::fold::eq_fold(original, &self.recipient.address) {
            write!(text, ", orig_to=<{}>", self.form.logged(original))?;
        }
        write!(text, ", relay={}", self.relay)?;
        if self.times.reuse_count > 0 {
            write!(text, ", conn_use={}", self.times.reuse_count + 1)?;
        }
        let [delay, before, queued, connect, transfer] =
            delays(self.times).map(|delay| delay_text(delay, self.resolution));
        write!(text, ", delay={delay}, delays={before}/{queued}/{connect}/{transfer}")?;
        if let Some(tls) = self.tls {
            write!(text, ", tls={tls}")?;
        }
        let (code, reason) = (self.dsn.status, bytes::show(&self.dsn.reason));
        write!(text, ", dsn={code}, status={} ({reason})", self.status)
    }
}

/// In all; before the queue manager; in it; until connected; in transfer. A point that was not reached counts as now.
fn delays(times: &Times) -> [Duration; 5] {
    let since = |end: Duration, start: Duration| end.saturating_sub(start);
    let now = if times.deliver_done.is_zero() { sys::time::unix_duration() } else { times.deliver_done };
    let total = since(now, times.incoming_arrival);
    let none = Duration::ZERO;
    if times.active_arrival.is_zero() {
        return [total, total, none, none, none];
    }
    let before = since(times.active_arrival, times.incoming_arrival);
    if times.agent_handoff.is_zero() {
        return [total, before, since(now, times.active_arrival), none, none];
    }
    let queued = since(times.agent_handoff, times.active_arrival);
    if times.conn_setup_done.is_zero() {
        return [total, before, queued, none, since(now, times.agent_handoff)];
    }
    let connect = since(times.conn_setup_done, times.agent_handoff);
    [total, before, queued, connect, since(now, times.conn_setup_done)]
}

/// Seconds with two significant digits, whole numbers being exact, and `resolution` decimals at most: `0.05`, `1.3`, `123`.
pub fn delay_text(delay: Duration, resolution: u32) -> String {
    const SECOND: u64 = 1_000_000;
    let (mut seconds, mut micros) = (delay.as_secs(), u64::from(delay.subsec_micros()));
    // The smallest difference that shows.
    let mut grain = SECOND / 10u64.pow(resolution.min(6));
    if grain < SECOND {
        if seconds > 0 {
            grain = if seconds < 10 { SECOND / 10 } else { SECOND };
            grain = grain.max(SECOND / 10u64.pow(resolution.min(6)));
        } else {
            while micros >= 100 * grain {
                grain *= 10;
            }
        }
    }
    micros += grain / 2;
    if micros >= SECOND {
        seconds += 1;
        micros -= SECOND;
    }
    let mut text = seconds.to_string();
    if micros >= grain && grain < SECOND {
        text.push('.');
        let mut unit = SECOND / 10;
        while micros >= grain && unit > 0 {
            text.push(char::from(b'0' + (micros / unit) as u8));
            micros %= unit;
            unit /= 10;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_two_significant_digits() {
        for (micros, text) in [
            (0, "0"),
            (4_000, "0"),
            (5_000, "0.01"),
            (50_000, "0.05"),
            (123_456, "0.12"),
            (999_999, "1"),
            (1_250_000, "1.3"),
            (9_960_000, "10"),
            (12_600_000, "13"),
            (375_562_000_000, "375562"),
        ] {
            assert_eq!(delay_text(Duration::from_micros(micros), 2), text, "{micros}");
        }
        assert_eq!(delay_text(Duration::from_micros(1_600_000), 0), "2");
    }

    #[test]
    fn the_line_is_postfixs() {
        let at = |seconds| Duration::new(seconds, 0);
        let times = Times {
            incoming_arrival: at(10),
            active_arrival: at(11),
            agent_handoff: at(13),
            conn_setup_done: at(16),
            deliver_done: at(20),
            reuse_count: 1,
        };
        let recipient =
            Recipient { address: b"a@b".to_vec(), original: b"x@b".to_vec(), ..Recipient::default() };
        let dsn = dsn::Dsn::new(dsn::Status::new("2.0.0"), "250 ok");
        let line = Line {
            queue_id: "ABC",
            times: &times,
            recipient: &recipient,
            relay: "h[192.0.2.1]:25",
            tls: None,
            dsn: &dsn,
            status: "sent",
            resolution: 2,
            form: AddressForm::External,
        };
        assert_eq!(
            line.text(),
            "ABC: to=<a@b>, orig_to=<x@b>, relay=h[192.0.2.1]:25, conn_use=2, delay=10, delays=1/2/3/4, \
             dsn=2.0.0, status=sent (250 ok)"
        );
    }
}
