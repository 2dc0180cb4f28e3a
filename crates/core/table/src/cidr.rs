//! Address patterns: `192.0.2.0/24`, `[2001:db8::]/32`, `192.0.2.1`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network address and how many of its bits count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CidrPattern {
    network: Address,
    length: u32,
}

/// An address of one of the two families as a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Address {
    V4(u32),
    V6(u128),
}

impl Address {
    /// Reads an address as inet_pton(3) does; one with a colon is IPv6.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.contains(':') {
            return Some(Self::V6(text.parse::<Ipv6Addr>().ok()?.to_bits()));
        }
        Some(Self::V4(text.parse::<Ipv4Addr>().ok()?.to_bits()))
    }

    fn bits(self) -> u32 {
        match self {
            Self::V4(_) => u32::BITS,
            Self::V6(_) => u128::BITS,
        }
    }

    /// The address with all but the first `length` bits zero.
    pub(crate) fn network(self, length: u32) -> Self {
        match self {
            Self::V4(bits) => {
                Self::V4(bits & u32::MAX.checked_shl(u32::BITS.saturating_sub(length)).unwrap_or(0))
            }
            Self::V6(bits) => {
                Self::V6(bits & u128::MAX.checked_shl(u128::BITS.saturating_sub(length)).unwrap_or(0))
            }
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6(address.to_bits()),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::V4(bits) => Ipv4Addr::from_bits(*bits).fmt(f),
            // As inet_ntop(3) writes what may be an IPv4 address.
            Self::V6(bits) if (0x1_0000..=u128::from(u32::MAX)).contains(bits) => {
                write!(f, "::{}", Ipv4Addr::from_bits(*bits as u32))
            }
            Self::V6(bits) => Ipv6Addr::from_bits(*bits).fmt(f),
        }
    }
}

impl CidrPattern {
    /// Reads a pattern. The error is Postfix's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, mask) = split(text)?;
        let is_v6 = address.contains(':');
        let Some(mask) = mask else {
            let network =
                Address::parse(address).ok_or_else(|| format!("bad address pattern: \"{address}\""))?;
            return Ok(Self { network, length: network.bits() });
        };
        let bad = |what: &str| format!("{what} in \"{address}/{mask}\"");
        if mask.is_empty() || !mask.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad("bad mask value"));
        }
        let limit = if is_v6 { u128::BITS } else { u32::BITS };
        let length = mask.parse().ok().filter(|&length: &u32| length <= limit);
        let length = length.ok_or_else(|| bad("bad mask length"))?;
        let given = Address::parse(address).ok_or_else(|| bad("bad network value"))?;
        let network = given.network(length);
        if network != given {
            return Err(format!(
                "non-null host address bits in \"{address}/{mask}\", perhaps you should use \"{network}/{length}\" instead"
            ));
        }
        Ok(Self { network, length })
    }

    /// Whether an address is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.matches(address.into())
    }

    /// How many bits count.
    pub fn prefix_length(&self) -> u32 {
        self.length
    }

    pub(crate) fn matches(&self, address: Address) -> bool {
        address.network(self.length) == self.network
    }

    pub(crate) fn network(&self) -> (Address, u32) {
        (self.network, self.length)
    }
}

/// The address and the mask of a pattern, brackets around the address, or around both, removed.
fn split(text: &str) -> Result<(&str, Option<&str>), String> {
    let Some(inner) = text.strip_prefix('[') else {
        return Ok(split_mask(text));
    };
    let Some((inside, after)) = inner.split_once(']') else {
        return Err(format!("missing ']' character after \"[{inner}\""));
    };
    match after.strip_prefix('/') {
        Some(mask) => Ok((inside, Some(mask))),
        None if after.is_empty() => Ok(split_mask(inside)),
        None => Err(format!("garbage after \"[{inside}]\"")),
    }
}

fn split_mask(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postfix_error_texts() {
        let error = |text| CidrPattern::parse(text).unwrap_err();
        assert_eq!(
            error("10.0.0.1/8"),
            "non-null host address bits in \"10.0.0.1/8\", perhaps you should use \"10.0.0.0/8\" instead"
        );
        assert!(error("::1.2.3.4/120").ends_with("use \"::1.2.3.0/120\" instead"));
        assert_eq!(error("10.0.0.0/33"), "bad mask length in \"10.0.0.0/33\"");
        assert_eq!(error("10.0.0.0/x"), "bad mask value in \"10.0.0.0/x\"");
        assert_eq!(error("1.2.3"), "bad address pattern: \"1.2.3\"");
        assert_eq!(error("[::1"), "missing ']' character after \"[::1\"");
        assert_eq!(error("[::1]x"), "garbage after \"[::1]\"");
    }

    #[test]
    fn membership() {
        let pattern = CidrPattern::parse("[2001:db8::]/32").unwrap();
        assert!(pattern.contains("2001:db8::1".parse().unwrap()));
        assert!(!pattern.contains("10.0.0.1".parse().unwrap()));
        assert!(CidrPattern::parse("0.0.0.0/0").unwrap().contains("10.0.0.1".parse().unwrap()));
        assert!(!CidrPattern::parse("0.0.0.0/0").unwrap().contains("::1".parse().unwrap()));
    }
}
