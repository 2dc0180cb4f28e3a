//! What is asked for and what comes back.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::RecordType;

/// A record type that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// IPv4 address (RFC 1035).
    A,
    /// IPv6 address (RFC 3596).
    Aaaa,
    /// Mail exchanger.
    Mx,
    /// Text.
    Txt,
    /// Name of an address.
    Ptr,
    /// Alias.
    Cname,
    /// Name server.
    Ns,
    /// Start of authority.
    Soa,
    /// Service (RFC 2782).
    Srv,
    /// Certificate association (RFC 6698).
    Tlsa,
}

impl Type {
    /// The type called `name` in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        const ALL: [Type; 10] = [
            Type::A,
            Type::Aaaa,
            Type::Mx,
            Type::Txt,
            Type::Ptr,
            Type::Cname,
            Type::Ns,
            Type::Soa,
            Type::Srv,
            Type::Tlsa,
        ];
        ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// The type's name as it appears in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Ptr => "PTR",
            Self::Cname => "CNAME",
            Self::Ns => "NS",
            Self::Soa => "SOA",
            Self::Srv => "SRV",
            Self::Tlsa => "TLSA",
        }
    }

    pub(crate) fn code(self) -> RecordType {
        match self {
            Self::A => RecordType::A,
            Self::Aaaa => RecordType::AAAA,
            Self::Mx => RecordType::MX,
            Self::Txt => RecordType::TXT,
            Self::Ptr => RecordType::PTR,
            Self::Cname => RecordType::CNAME,
            Self::Ns => RecordType::NS,
            Self::Soa => RecordType::SOA,
            Self::Srv => RecordType::SRV,
            Self::Tlsa => RecordType::TLSA,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Mail exchanger.
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// Checked host name, no trailing dot.
        host: String,
    },
    /// All strings of the record joined, non-printable bytes replaced by a space.
    Txt(String),
    /// Checked host name, no trailing dot.
    Ptr(String),
    /// Checked host name, no trailing dot.
    Cname(String),
    /// Checked host name, no trailing dot.
    Ns(String),
    /// Times of the zone; the record's own TTL is that of negative answers.
    Soa {
        /// Zone version.
        serial: u32,
        /// Seconds.
        refresh: u32,
        /// Seconds.
        retry: u32,
        /// Seconds.
        expire: u32,
        /// Seconds a negative answer may be kept.
        minimum: u32,
    },
    /// Service location.
    Srv {
        /// Lower is tried first.
        priority: u16,
        /// Share among the same priority.
        weight: u16,
        /// TCP port.
        port: u16,
        /// Checked host name, no trailing dot.
        host: String,
    },
    /// Certificate association: usage, selector, matching type, then the data.
    Tlsa(Vec<u8>),
}

impl Data {
    /// The type of record this belongs to.
    pub fn kind(&self) -> Type {
        match self {
            Self::A(_) => Type::A,
            Self::Aaaa(_) => Type::Aaaa,
            Self::Mx { .. } => Type::Mx,
            Self::Txt(_) => Type::Txt,
            Self::Ptr(_) => Type::Ptr,
            Self::Cname(_) => Type::Cname,
            Self::Ns(_) => Type::Ns,
            Self::Soa { .. } => Type::Soa,
            Self::Srv { .. } => Type::Srv,
            Self::Tlsa(_) => Type::Tlsa,
        }
    }

    /// The address of an A or AAAA record.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::A(address) => Some(IpAddr::V4(*address)),
            Self::Aaaa(address) => Some(IpAddr::V6(*address)),
            _ => None,
        }
    }
}

/// One resource record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name that was asked for, before any alias.
    pub query: String,
    /// The record's own name, no trailing dot.
    pub name: String,
    /// Seconds the record may be kept.
    pub ttl: u32,
    /// The server vouched for this record and every alias on the way (DNSSEC AD bit); only if asked for.
    pub secure: bool,
    /// What the record says.
    pub data: Data,
}

/// The one-line text that `smtp_dns_reply_filter` and its kin match.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {} IN {} ", self.name, self.ttl, self.data.kind())?;
        match &self.data {
            Data::A(address) => write!(f, "{address}"),
            Data::Aaaa(address) => write!(f, "{address}"),
            Data::Mx { preference, host } => write!(f, "{preference} {host}."),
            Data::Txt(text) => f.write_str(text),
            Data::Ptr(host) | Data::Cname(host) | Data::Ns(host) => write!(f, "{host}."),
            Data::Soa { serial, refresh, retry, expire, minimum } => {
                write!(f, "- - {serial} {refresh} {retry} {expire} {minimum}")
            }
            Data::Srv { priority, weight, port, host } => write!(f, "{priority} {weight} {port} {host}."),
            Data::Tlsa(bytes) => match bytes.as_slice() {
                [usage, selector, matching, rest @ ..] => {
                    write!(f, "{usage} {selector} {matching} ")?;
                    rest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
                }
                _ => f.write_str("[truncated record]"),
            },
        }
    }
}

/// A lookup that succeeded: at least one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The records, in the order of the reply.
    pub records: Vec<Record>,
    /// The name that owns the last record: the fully qualified name after aliases and search domains.
    pub fqdn: String,
}

impl Answer {
    /// The addresses among the records.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.records.iter().filter_map(|record| record.data.address())
    }
}

/// Why there is no answer. Ordered: when several lookups fail, the greatest status is the one to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// A server said that there is no such name or no such record.
    NotFound,
    /// The name offers no such service (SRV with an empty target).
    NullSrv,
    /// The name does not accept mail (RFC 7505).
    NullMx,
    /// The lookup failed for good.
    Fail,
    /// The answer has no valid host name.
    Invalid,
    /// The lookup failed for now.
    Retry,
    /// A reply filter dropped every record.
    Policy,
}

/// A lookup that gave no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub status: Status,
    /// The reply code of the last server asked (RFC 1035), or the one that fits.
    pub rcode: u16,
    /// Text for a person.
    pub reason: String,
    /// For [`Status::NotFound`]: the zone's SOA record, whose TTL says how long this holds (RFC 2308).
    pub authority: Option<Box<Record>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}
