//! Syntax of host names, network addresses and port numbers.
//!
//! The faults print as the warnings Postfix logs; log them with `log::warning!` where Postfix
//! "gripes", drop them where it does not.

use std::fmt;

use crate::shown::Shown;

/// A host name may not be longer.
pub const MAX_HOSTNAME_LENGTH: usize = 255;
/// One label of a host name may not be longer (RFC 1035).
pub const MAX_LABEL_LENGTH: usize = 63;

/// What is wrong with a name or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault<'a> {
    why: Why,
    text: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    EmptyHostname,
    LabelTooLong,
    Wildcard,
    Delimiter,
    Hyphen,
    NameCharacter(u8),
    Numeric,
    NameLength,
    EmptyAddress,
    Octet,
    Dot,
    FirstOctet,
    Ipv4Character(u8),
    OctetCount,
    FewColons,
    NullLast,
    Ipv4InIpv6,
    NullFirst,
    ManyColons,
    ManyNulls,
    Ipv6,
    Ipv6Character(u8),
    PortZero,
    PortText,
    PortRange,
    LiteralStart,
    LiteralEnd,
    LiteralTail,
    LiteralLength,
}

impl<'a> Fault<'a> {
    fn new<T>(why: Why, text: &'a [u8]) -> Result<T, Fault<'a>> {
        Err(Fault { why, text })
    }

    pub(crate) fn literal_start(text: &'a [u8]) -> Fault<'a> {
        Fault { why: Why::LiteralStart, text }
    }

    pub(crate) fn literal_end(text: &'a [u8]) -> Fault<'a> {
        Fault { why: Why::LiteralEnd, text }
    }

    pub(crate) fn literal_tail(text: &'a [u8]) -> Fault<'a> {
        Fault { why: Why::LiteralTail, text }
    }

    pub(crate) fn literal_length(text: &'a [u8]) -> Fault<'a> {
        Fault { why: Why::LiteralLength, text }
    }
}

impl std::error::Error for Fault<'_> {}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Shown(self.text);
        match self.why {
            Why::EmptyHostname => write!(f, "valid_hostname: empty hostname"),
            Why::LabelTooLong => write!(f, "valid_hostname: hostname label too long: {text}"),
            Why::Wildcard => write!(f, "valid_hostname: '*' can be the first label only: {text}"),
            Why::Delimiter => write!(f, "valid_hostname: misplaced delimiter: {text}"),
            Why::Hyphen => write!(f, "valid_hostname: misplaced hyphen: {text}"),
            Why::NameCharacter(byte) => {
                write!(f, "valid_hostname: invalid character {byte}(decimal): {text}")
            }
            Why::Numeric => write!(f, "valid_hostname: numeric hostname: {text}"),
            Why::NameLength => {
                write!(f, "valid_hostname: bad length {} for {text}...", self.text.len())
            }
            Why::EmptyAddress => write!(f, "valid_hostaddr: empty address"),
            Why::Octet => write!(f, "valid_ipv4_hostaddr: invalid octet value: {text}"),
            Why::Dot => write!(f, "valid_ipv4_hostaddr: misplaced dot: {text}"),
            Why::FirstOctet => write!(f, "valid_ipv4_hostaddr: bad initial octet value: {text}"),
            Why::Ipv4Character(byte) => {
                write!(f, "valid_ipv4_hostaddr: invalid character {byte}(decimal): {text}")
            }
            Why::OctetCount => write!(f, "valid_ipv4_hostaddr: invalid octet count: {text}"),
            Why::FewColons => write!(f, "valid_ipv6_hostaddr: too few `:' in IPv6 address: {text}"),
            Why::NullLast => {
                write!(f, "valid_ipv6_hostaddr: bad null last field in IPv6 address: {text}")
            }
            Why::Ipv4InIpv6 => {
                write!(f, "valid_ipv6_hostaddr: malformed IPv4-in-IPv6 address: {text}")
            }
            Why::NullFirst => {
                write!(f, "valid_ipv6_hostaddr: bad null first field in IPv6 address: {text}")
            }
            Why::ManyColons => write!(f, "valid_ipv6_hostaddr: too many `:' in IPv6 address: {text}"),
            Why::ManyNulls => write!(f, "valid_ipv6_hostaddr: too many `::' in IPv6 address: {text}"),
            Why::Ipv6 => write!(f, "valid_ipv6_hostaddr: malformed IPv6 address: {text}"),
            Why::Ipv6Character(byte) => {
                write!(f, "valid_ipv6_hostaddr: invalid character {byte}(decimal) in IPv6 address: {text}")
            }
            Why::PortZero => write!(f, "valid_hostport: leading zero in port number: {text}"),
            Why::PortText => write!(f, "valid_hostport: non-numeric port number: {text}"),
            Why::PortRange => write!(f, "valid_hostport: out-of-range port number: {text}"),
            Why::LiteralStart => write!(f, "valid_mailhost_literal: '[' expected at start: {text}"),
            Why::LiteralEnd => write!(f, "valid_mailhost_literal: ']' expected at end: {text}"),
            Why::LiteralTail => write!(f, "valid_mailhost_literal: unexpected text after ']': {text}"),
            Why::LiteralLength => write!(f, "valid_mailhost_literal: too much text: {text}"),
        }
    }
}

/// Whether `*.` may be the first label, as in some DNS records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wildcard {
    /// It may.
    Allow,
    /// It may not.
    Forbid,
}

/// Checks a host name: letters, digits, `_`, hyphens inside labels, single dots inside the name,
/// labels up to 63 bytes, 255 in all, and not digits only.
pub fn valid_hostname(name: &[u8]) -> Result<(), Fault<'_>> {
    valid_hostname_with(name, Wildcard::Forbid)
}

/// [`valid_hostname`] with a choice about wildcards.
pub fn valid_hostname_with(name: &[u8], wildcard: Wildcard) -> Result<(), Fault<'_>> {
    if name.is_empty() {
        return Fault::new(Why::EmptyHostname, name);
    }
    let mut label_length = 0;
    let mut labels = 0;
    let mut numeric = true;
    for (index, &byte) in name.iter().enumerate() {
        let next = name.get(index + 1).copied();
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {
                labels += usize::from(label_length == 0);
                label_length += 1;
                if label_length > MAX_LABEL_LENGTH {
                    return Fault::new(Why::LabelTooLong, name);
                }
                numeric &= byte.is_ascii_digit();
            }
            b'*' if wildcard == Wildcard::Allow => {
                if label_length > 0 || labels > 0 || next.is_some_and(|next| next != b'.') {
                    return Fault::new(Why::Wildcard, name);
                }
                labels += 1;
                label_length += 1;
                numeric = false;
            }
            b'.' => {
                if label_length == 0 || next.is_none() {
                    return Fault::new(Why::Delimiter, name);
                }
                label_length = 0;
            }
            b'-' => {
                numeric = false;
                label_length += 1;
                if label_length == 1 || matches!(next, None | Some(b'.')) {
                    return Fault::new(Why::Hyphen, name);
                }
            }
            _ => return Fault::new(Why::NameCharacter(byte), name),
        }
    }
    if numeric {
        return Fault::new(Why::Numeric, name);
    }
    if name.len() > MAX_HOSTNAME_LENGTH {
        return Fault::new(Why::NameLength, name);
    }
    Ok(())
}

/// Checks an IPv4 or IPv6 address, told apart by a `:`. No brackets, no `IPv6:` before it.
pub fn valid_hostaddr(address: &[u8]) -> Result<(), Fault<'_>> {
    if address.is_empty() {
        return Fault::new(Why::EmptyAddress, address);
    }
    if address.contains(&b':') { valid_ipv6_hostaddr(address) } else { valid_ipv4_hostaddr(address) }
}

/// Checks a dotted quad. The first octet is 0 only in `0.0.0.0`.
pub fn valid_ipv4_hostaddr(address: &[u8]) -> Result<(), Fault<'_>> {
    let mut in_octet = false;
    let mut count = 0;
    let mut value = 0u32;
    for (index, &byte) in address.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if !in_octet {
                    in_octet = true;
                    value = 0;
                    count += 1;
                }
                value = value * 10 + u32::from(byte - b'0');
                if value > 255 {
                    return Fault::new(Why::Octet, address);
                }
            }
            b'.' => {
                if !in_octet || index + 1 == address.len() {
                    return Fault::new(Why::Dot, address);
                }
                let all_zero = || address.iter().all(|byte| matches!(byte, b'0' | b'.'));
                if count == 1 && value == 0 && !all_zero() {
                    return Fault::new(Why::FirstOctet, address);
                }
                in_octet = false;
            }
            _ => return Fault::new(Why::Ipv4Character(byte), address),
        }
    }
    if count != 4 {
        return Fault::new(Why::OctetCount, address);
    }
    Ok(())
}

/// Checks eight hexadecimal fields, or fewer with one `::`, with a dotted quad for the last two if
/// need be.
///
/// COMPAT: as lenient as Postfix, which does not count fields when there is no `::`; what passes
/// here may still not parse as an address.
pub fn valid_ipv6_hostaddr(address: &[u8]) -> Result<(), Fault<'_>> {
    let mut null_field = 0;
    let mut field = 0;
    // Where the field that ends here began.
    let mut field_start = 0;
    let mut at = 0;
    loop {
        match address.get(at).copied() {
            None if field < 2 => return Fault::new(Why::FewColons, address),
            None if field_start == at && null_field != field - 1 => {
                return Fault::new(Why::NullLast, address);
            }
            None => return Ok(()),
            Some(b'.') if !(2..=6).contains(&field) => return Fault::new(Why::Ipv4InIpv6, address),
            Some(b'.') => return valid_ipv4_hostaddr(&address[field_start..]),
            Some(b':') => {
                let next = address.get(at + 1).copied();
                if field == 0 && field_start == at && next.is_some_and(|next| next.is_ascii_alphanumeric()) {
                    return Fault::new(Why::NullFirst, address);
                }
                field += 1;
                if field > 7 {
                    return Fault::new(Why::ManyColons, address);
                }
                at += 1;
                field_start = at;
                if next == Some(b':') {
                    if null_field > 0 {
                        return Fault::new(Why::ManyNulls, address);
                    }
                    null_field = field;
                }
            }
            Some(byte) => {
                let length = address[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                if length > 4 {
                    return Fault::new(Why::Ipv6, address);
                }
                if length == 0 {
                    return Fault::new(Why::Ipv6Character(byte), address);
                }
                field_start = at;
                at += length;
            }
        }
    }
}

/// Checks a decimal TCP or UDP port, 0 to 65535 without leading zeros.
pub fn valid_hostport(port: &[u8]) -> Result<(), Fault<'_>> {
    if port.len() > 1 && port[0] == b'0' {
        return Fault::new(Why::PortZero, port);
    }
    if port.is_empty() || !port.iter().all(u8::is_ascii_digit) {
        return Fault::new(Why::PortText, port);
    }
    let in_range =
        port.len() <= 5 && port.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0')) <= 65535;
    if in_range { Ok(()) } else { Fault::new(Why::PortRange, port) }
}
