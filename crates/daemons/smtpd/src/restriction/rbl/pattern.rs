//! Patterns of IPv4 addresses: `127.0.0.[2;4..8]`.

use std::net::Ipv4Addr;

/// For each octet, the ranges that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern([Vec<(u8, u8)>; 4]);

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Pattern, String> {
        let fault = |why: &str| format!("{why} in \"{text}\"");
        let mut octets = [const { Vec::new() }; 4];
        let mut rest = text;
        for (number, octet) in octets.iter_mut().enumerate() {
            if number > 0 {
                rest = rest.strip_prefix('.').ok_or_else(|| fault("need \".\""))?;
            }
            if let Some(inside) = rest.strip_prefix('[') {
                let (members, after) = inside.split_once(']').ok_or_else(|| fault("need \"]\""))?;
                for member in members.split(';') {
                    let (low, high) = member.split_once("..").unwrap_or((member, member));
                    let range = (number_of(low), number_of(high));
                    match range {
                        (Some(low), Some(high)) if low <= high => octet.push((low, high)),
                        _ => return Err(fault("bad number or range")),
                    }
                }
                rest = after;
            } else {
                let length = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (digits, after) = rest.split_at(length);
                let value = number_of(digits).ok_or_else(|| fault("bad number"))?;
                octet.push((value, value));
                rest = after;
            }
        }
        if rest.is_empty() { Ok(Pattern(octets)) } else { Err(fault("garbage after pattern")) }
    }

    /// Whether an address matches.
    pub(super) fn matches(&self, address: Ipv4Addr) -> bool {
        let is_in = |(octet, ranges): (u8, &Vec<(u8, u8)>)| {
            ranges.iter().any(|&(low, high)| (low..=high).contains(&octet))
        };
        address.octets().into_iter().zip(&self.0).all(is_in)
    }
}

fn number_of(text: &str) -> Option<u8> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_ranges() {
        let pattern = Pattern::parse("127.0.[0;2].[2;4..8]").unwrap();
        assert!(pattern.matches(Ipv4Addr::new(127, 0, 2, 8)));
        assert!(!pattern.matches(Ipv4Addr::new(127, 0, 1, 8)));
        assert!(!pattern.matches(Ipv4Addr::new(127, 0, 0, 3)));
        for wrong in ["127.0.0", "127.0.0.256", "127.0.0.[4..2]", "127.0.0.1.", "127.0.0.[1"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
