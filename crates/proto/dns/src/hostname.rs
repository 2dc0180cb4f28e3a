//! Host names in questions and answers.
//!
//! The rules and warnings are those of Postfix's `valid_hostname`, with `*` allowed as first label.

use std::net::{Ipv4Addr, Ipv6Addr};

const LABEL_LIMIT: usize = 63;
const NAME_LIMIT: usize = 255;

/// Whether `name` is an address in numeric form.
pub(crate) fn is_address(name: &str) -> bool {
    name.parse::<Ipv6Addr>().is_ok() || name.parse::<Ipv4Addr>().is_ok()
}

/// `Err` says what is wrong with `name` as a DNS host name.
pub(crate) fn check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("empty hostname".to_owned());
    }
    let shown: String = name.chars().take(100).collect();
    let bytes = name.as_bytes();
    let mut label = 0;
    let mut labels = 0;
    let mut numeric = true;
    for (at, &byte) in bytes.iter().enumerate() {
        let next = bytes.get(at + 1).copied();
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                labels += usize::from(label == 0);
                label += 1;
                if label > LABEL_LIMIT {
                    return Err(format!("hostname label too long: {shown}"));
                }
                numeric &= byte.is_ascii_digit();
            }
            b'*' => {
                if label > 0 || labels > 0 || next.is_some_and(|next| next != b'.') {
                    return Err(format!("'*' can be the first label only: {shown}"));
                }
                labels += 1;
                label += 1;
                numeric = false;
            }
            b'.' => {
                if label == 0 || next.is_none() {
                    return Err(format!("misplaced delimiter: {shown}"));
                }
                label = 0;
            }
            b'-' => {
                numeric = false;
                label += 1;
                if label == 1 || next.is_none_or(|next| next == b'.') {
                    return Err(format!("misplaced hyphen: {shown}"));
                }
            }
            other => return Err(format!("invalid character {other}(decimal): {shown}")),
        }
    }
    if numeric {
        return Err(format!("numeric hostname: {shown}"));
    }
    if bytes.len() > NAME_LIMIT {
        return Err(format!("bad length {} for {shown}...", bytes.len()));
    }
    Ok(())
}

/// Checks a name found in an answer, with warnings; false means that it must not be used.
pub(crate) fn acceptable(name: &str, place: &str, kind: &str, query: &str) -> bool {
    let shown: String = name.chars().take(100).collect();
    if is_address(name) {
        // People are not supposed to publish addresses as names, but some do, and their mail has always been delivered.
        log::warning!("numeric domain name in {place} of {kind} record for {query}: {shown}");
        return true;
    }
    match check(name) {
        Ok(()) => true,
        Err(gripe) => {
            log::warning!("valid_hostname: {gripe}");
            log::warning!("malformed domain name in {place} of {kind} record for {query}: {shown}");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_valid_hostname() {
        for good in ["a", "a_b.example", "*.example", "xn--1xa.example", "1.2.a", "a-b"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "a..b", ".a", "a.", "-a", "a-", "a-.b", "a.*", "a b", "1.2.3.4", "a\\032b", "a*"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check(&"a".repeat(64)).is_err());
    }
}
