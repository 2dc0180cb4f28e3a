//! The sender of probes, which may carry a time stamp so that nobody can send to it for long.

use std::time::Duration;

/// `address_verify_sender` and how often it changes.
#[derive(Clone, Debug)]
pub struct ProbeSender {
    address: String,
    ttl: u64,
}

impl ProbeSender {
    /// Checks the parameter; the error is Postfix's text.
    pub fn new(address: &str, ttl: Duration) -> Result<Self, String> {
        let wrong =
            |what| format!("parameter address_verify_sender: value \"{address}\" must not {what} with '@'");
        if address.starts_with('@') {
            return Err(wrong("start"));
        }
        if address.split_once('@').is_some_and(|(_, domain)| domain.is_empty()) {
            return Err(wrong("end"));
        }
        Ok(Self { address: address.to_owned(), ttl: ttl.as_secs() })
    }

    /// The sender at this time, still to be rewritten into standard form; nothing for the null sender, which has no
    /// time stamp.
    pub fn at(&self, now: u64) -> Option<String> {
        if self.address.is_empty() || self.address == "<>" {
            return None;
        }
        let Some(epoch) = now.checked_div(self.ttl) else { return Some(self.address.clone()) };
        let stamp = number(epoch);
        Some(match self.address.split_once('@') {
            Some((local, domain)) => format!("{local}{stamp}@{domain}"),
            None => format!("{}{stamp}", self.address),
        })
    }
}

/// A number to base 31, without vowels; what smtpd(8) reads.
fn number(mut value: u64) -> String {
    const DIGITS: &[u8; 31] = b"0123456789BCDFGHJKLMNPQRSTVWXYZ";
    let mut digits = Vec::new();
    loop {
        digits.extend(DIGITS.get((value % 31) as usize).copied().map(char::from));
        value /= 31;
        if value == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(address: &str, ttl: u64) -> ProbeSender {
        ProbeSender::new(address, Duration::from_secs(ttl)).unwrap()
    }

    #[test]
    fn the_time_stamp_is_part_of_the_local_part() {
        assert_eq!(sender("double-bounce", 0).at(5).unwrap(), "double-bounce");
        assert_eq!(sender("probe@example.com", 10).at(329).unwrap(), "probe11@example.com");
        assert_eq!(sender("probe", 1).at(30).unwrap(), "probeZ");
        assert_eq!(sender("probe", 100).at(0).unwrap(), "probe0");
    }

    #[test]
    fn the_null_sender_stays() {
        assert_eq!(sender("", 10).at(5), None);
        assert_eq!(sender("<>", 10).at(5), None);
    }

    #[test]
    fn bad_addresses_are_refused() {
        let error = |text| ProbeSender::new(text, Duration::ZERO).unwrap_err();
        assert_eq!(
            error("@example.com"),
            "parameter address_verify_sender: value \"@example.com\" must not start with '@'"
        );
        assert!(error("probe@").contains("must not end with '@'"));
    }
}
