//! Network addresses: parsing, printing, masking.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The protocols in use (`inet_protocols`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4 is in use.
    pub ipv4: bool,
    /// IPv6 is in use.
    pub ipv6: bool,
}

impl Families {
    /// Both protocols.
    pub const ALL: Families = Families { ipv4: true, ipv6: true };

    /// Whether the protocol of this address is in use.
    pub fn includes(self, address: IpAddr) -> bool {
        if address.is_ipv4() { self.ipv4 } else { self.ipv6 }
    }
}

/// Reads an IPv4 or IPv6 address. Octets with leading zeros are decimal (`01.02.03.04`), as the
/// syntax checks of [`crate::hostname`] have it.
pub fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if text.contains(':') {
        let (head, quad) = text.rsplit_once(':')?;
        let quad = parse_quad(quad)?;
        return format!("{head}:{quad}").parse().ok();
    }
    parse_quad(text).map(IpAddr::V4)
}

/// An address as `getnameinfo` prints it.
pub fn printable_address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            // COMPAT: inet_ntop shows what lies in ::/96 as a dotted quad.
            let segments = v6.segments();
            if segments[..6] == [0; 6] && segments[6] != 0 {
                let [.., a, b, c, d] = v6.octets();
                return format!("::{}", Ipv4Addr::new(a, b, c, d));
            }
            v6.to_string()
        }
    }
}

/// The IPv4 address inside `::ffff:a.b.c.d` when IPv4 is in use, else the address itself.
pub fn unmap(address: IpAddr, families: Families) -> IpAddr {
    match address {
        IpAddr::V6(v6) if families.ipv4 => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        _ => address,
    }
}

/// `[address]:port`, as log lines show an endpoint.
pub fn printable_endpoint(endpoint: SocketAddr) -> String {
    format!("[{}]:{}", printable_address(endpoint.ip()), endpoint.port())
}

/// The address with all bits behind the prefix cleared.
pub fn mask(address: IpAddr, prefix_length: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let clear = 32u32.saturating_sub(prefix_length);
            let keep = u32::MAX.checked_shl(clear).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & keep))
        }
        IpAddr::V6(v6) => {
            let clear = 128u32.saturating_sub(prefix_length);
            let keep = u128::MAX.checked_shl(clear).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & keep))
        }
    }
}

/// The network of an address as text: `address/length`, no length when it is that of a host.
pub fn printable_network(address: IpAddr, prefix_length: u32) -> String {
    let shown = printable_address(mask(address, prefix_length));
    let full = if address.is_ipv4() { 32 } else { 128 };
    if prefix_length < full { format!("{shown}/{prefix_length}") } else { shown }
}

fn parse_quad(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = part.trim_start_matches('0');
        *octet = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    }
    parts.next().is_none().then(|| Ipv4Addr::from_octets(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_forms() {
        let shown = |text: &str| printable_address(parse_address(text.as_bytes()).unwrap());
        assert_eq!(shown("::ffff:1.2.3.4"), "::ffff:1.2.3.4");
        assert_eq!(shown("::1.2.3.4"), "::1.2.3.4");
        assert_eq!(shown("::1"), "::1");
        assert_eq!(shown("1:0:2:0:0:3:0:0"), "1:0:2::3:0:0");
        assert_eq!(shown("001.2.3.4"), "1.2.3.4");
        assert_eq!(printable_endpoint("[::1]:25".parse().unwrap()), "[::1]:25");
    }
}
