//! What the cache holds about an address: `status:probed:updated:text`.

use std::time::Duration;

use ipc::verify::AddressStatus;

/// After so many seconds without a result a probe counts as lost.
const PROBE_TTL: i64 = 1000;

/// What is known about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How the last probe ended.
    pub status: AddressStatus,
    /// When the probe was sent that has not ended yet; 0 when there is none.
    pub probed: i64,
    /// When the last result came; 0 when there was none yet.
    pub updated: i64,
    /// The delivery agent's words.
    pub text: Vec<u8>,
}

impl Entry {
    /// Nothing is known yet.
    pub fn unknown() -> Self {
        let text = b"Address verification in progress".to_vec();
        Self { status: AddressStatus::Todo, probed: 0, updated: 0, text }
    }

    /// As the table holds it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("{}:{}:{}:", self.status.code(), self.probed, self.updated).into_bytes();
        out.extend_from_slice(&self.text);
        out
    }

    /// The inverse of [`to_bytes`](Self::to_bytes). An entry with no time at all was never written by this program.
    pub fn parse(raw: &[u8]) -> Option<Self> {
        let mut fields = raw.splitn(4, |&byte| byte == b':');
        let status = AddressStatus::from_code(bytes::decimal(fields.next()?)?)?;
        let probed = bytes::decimal(fields.next()?)?;
        let updated = bytes::decimal(fields.next()?)?;
        let text = fields.next()?.to_vec();
        (probed != 0 || updated != 0).then_some(Self { status, probed, updated, text })
    }
}

/// The status of a stored entry, whatever else is in it.
pub fn stored_status(raw: &[u8]) -> Option<AddressStatus> {
    AddressStatus::from_code(bytes::decimal(raw.split(|&byte| byte == b':').next()?)?)
}

/// How long results are good, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// `address_verify_positive_expire_time`
    pub positive_expire: i64,
    /// `address_verify_positive_refresh_time`
    pub positive_refresh: i64,
    /// `address_verify_negative_expire_time`
    pub negative_expire: i64,
    /// `address_verify_negative_refresh_time`
    pub negative_refresh: i64,
}

impl Lifetimes {
    /// From the values of the four parameters.
    pub fn new(positive: [Duration; 2], negative: [Duration; 2]) -> Self {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 4);
        let [positive_expire, positive_refresh] = positive.map(seconds);
        let [negative_expire, negative_refresh] = negative.map(seconds);
        Self { positive_expire, positive_refresh, negative_expire, negative_refresh }
    }

    /// Whether an entry can no longer be believed, and no probe is under way that will replace it.
    pub fn is_over(&self, entry: &Entry, now: i64) -> bool {
        is_free(entry, now) && self.is_expired(entry, now)
    }

    /// Whether it is time for a probe.
    pub fn wants_probe(&self, entry: &Entry, now: i64) -> bool {
        let refresh = match entry.status {
            AddressStatus::Ok => self.positive_refresh,
            _ => self.negative_refresh,
        };
        is_free(entry, now) && entry.updated.saturating_add(refresh) < now
    }

    /// Whether the cleanup keeps an entry.
    pub fn keeps(&self, entry: &Entry, now: i64) -> bool {
        now - entry.probed < PROBE_TTL || !self.is_expired(entry, now)
    }

    fn is_expired(&self, entry: &Entry, now: i64) -> bool {
        let expire = match entry.status {
            AddressStatus::Ok => self.positive_expire,
            _ => self.negative_expire,
        };
        entry.updated.saturating_add(expire) < now
    }
}

fn is_free(entry: &Entry, now: i64) -> bool {
    now - entry.probed > PROBE_TTL
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: Lifetimes = Lifetimes {
        positive_expire: 10_000,
        positive_refresh: 5_000,
        negative_expire: 3_000,
        negative_refresh: 2_000,
    };

    fn entry(status: AddressStatus, probed: i64, updated: i64) -> Entry {
        Entry { status, probed, updated, text: b"250 ok: really".to_vec() }
    }

    #[test]
    fn entries_are_postfixs() {
        let stored = b"2:0:1600000000:host mx said: 550 no (in reply to RCPT TO command)";
        let read = Entry::parse(stored).unwrap();
        assert_eq!((read.status, read.probed, read.updated), (AddressStatus::Bounce, 0, 1_600_000_000));
        assert_eq!(read.to_bytes(), stored);
        for wrong in ["", "2:0:0:text", "9:1:1:text", "2:1:1", "2:-1:1:text", "2:a:1:text", "x"] {
            assert_eq!(Entry::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(stored_status(stored), Some(AddressStatus::Bounce));
        assert_eq!(stored_status(b"junk"), None);
    }

    #[test]
    fn results_age() {
        let now = 100_000;
        let good = |age| entry(AddressStatus::Ok, 0, now - age);
        let bad = |age| entry(AddressStatus::Defer, 0, now - age);
        assert!(!LIVES.wants_probe(&good(5_000), now) && LIVES.wants_probe(&good(5_001), now));
        assert!(!LIVES.wants_probe(&bad(2_000), now) && LIVES.wants_probe(&bad(2_001), now));
        assert!(!LIVES.is_over(&good(10_000), now) && LIVES.is_over(&good(10_001), now));
        assert!(!LIVES.is_over(&bad(3_000), now) && LIVES.is_over(&bad(3_001), now));
        assert!(LIVES.keeps(&bad(3_000), now) && !LIVES.keeps(&bad(3_001), now));
    }

    #[test]
    fn one_probe_at_a_time() {
        let now = 100_000;
        let asked = entry(AddressStatus::Defer, now - 1_000, now - 50_000);
        assert!(!LIVES.wants_probe(&asked, now) && !LIVES.is_over(&asked, now));
        assert!(LIVES.wants_probe(&asked, now + 1) && LIVES.is_over(&asked, now + 1));
        assert!(LIVES.keeps(&asked, now - 1) && !LIVES.keeps(&asked, now));
        assert!(LIVES.wants_probe(&Entry::unknown(), now));
    }
}
