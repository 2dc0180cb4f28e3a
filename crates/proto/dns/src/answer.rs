//! From a name server's reply to checked records.

use hickory_proto::op::Message;
use hickory_proto::rr::{RData, Record as Raw};

use crate::RECORD_LIMIT;
use crate::hostname::acceptable;
use crate::record::{Data, Record, Status, Type};

/// What one reply means for the question.
pub(crate) enum Reading {
    Found { records: Vec<Record>, fqdn: String },
    Alias { target: String, secure: bool },
    Bad(Status),
}

/// One record of the wanted type: usable, not usable, or one that ends the search at once.
enum Item {
    Good(Data),
    Unusable(Status),
    Final(Status),
}

/// Reads the answer section. Names of records are not compared with the question: an answer's chain of aliases is what the server says it is.
pub(crate) fn read(query: &str, asked: &str, kind: Type, reply: &Message, trusted: bool) -> Reading {
    let authentic = reply.metadata.authentic_data;
    let mut secure = trusted;
    let mut records = Vec::new();
    let mut fqdn = String::new();
    let mut alias = None;
    let mut worst = Status::NotFound;
    for raw in &reply.answers {
        let name = plain(&raw.name.to_ascii());
        let type_name = raw.record_type().to_string();
        let is_root = query == "." && name.is_empty();
        if !is_root && !acceptable(&name, "resource name", &type_name, asked) {
            return Reading::Bad(Status::Invalid);
        }
        fqdn.clone_from(&name);
        if raw.record_type() == kind.code() {
            match item(&raw.data, asked) {
                Item::Good(data) => {
                    if records.len() == RECORD_LIMIT {
                        warn_truncated(query, kind);
                        break;
                    }
                    records.push(Record {
                        query: query.to_owned(),
                        name,
                        ttl: raw.ttl,
                        secure: secure && authentic,
                        data,
                    });
                }
                Item::Final(status) => return Reading::Bad(status),
                Item::Unusable(status) if worst != Status::Retry => worst = status,
                Item::Unusable(_) => {}
            }
        } else if let RData::CNAME(target) = &raw.data {
            let target = plain(&target.to_ascii());
            if !acceptable(&target, "resource data", "CNAME", asked) {
                return Reading::Bad(Status::Invalid);
            }
            secure &= authentic;
            alias = Some(target);
        }
    }
    if !records.is_empty() {
        return Reading::Found { records, fqdn };
    }
    match alias {
        Some(target) => Reading::Alias { target, secure },
        None => Reading::Bad(worst),
    }
}

/// Says that an answer was longer than anybody needs.
pub(crate) fn warn_truncated(query: &str, kind: Type) {
    log::warning!(
        "DNS record count limit ({RECORD_LIMIT}) exceeded -- dropping excess record(s) after qname={query} qtype={kind}"
    );
}

/// The zone's SOA record of a negative answer, as far as it can be used.
pub(crate) fn authority(query: &str, raw: &Raw<hickory_proto::rr::rdata::SOA>) -> Record {
    let soa = &raw.data;
    Record {
        query: query.to_owned(),
        name: plain(&raw.name.to_ascii()),
        ttl: raw.ttl,
        secure: false,
        data: Data::Soa {
            serial: soa.serial,
            refresh: soa.refresh.cast_unsigned(),
            retry: soa.retry.cast_unsigned(),
            expire: soa.expire.cast_unsigned(),
            minimum: soa.minimum,
        },
    }
}

fn item(data: &RData, asked: &str) -> Item {
    let host = |name: &hickory_proto::rr::Name, kind: &str, make: &dyn Fn(String) -> Data| {
        let name = plain(&name.to_ascii());
        if acceptable(&name, "resource data", kind, asked) {
            Item::Good(make(name))
        } else {
            Item::Unusable(Status::Invalid)
        }
    };
    match data {
        RData::A(address) => Item::Good(Data::A(address.0)),
        RData::AAAA(address) => Item::Good(Data::Aaaa(address.0)),
        RData::MX(mx) if mx.exchange.is_root() => Item::Final(Status::NullMx),
        RData::MX(mx) => host(&mx.exchange, "MX", &|host| Data::Mx { preference: mx.preference, host }),
        RData::TXT(text) => {
            let printable = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { ' ' };
            Item::Good(Data::Txt(text.txt_data.iter().flat_map(|part| part.iter().map(printable)).collect()))
        }
        RData::PTR(name) => host(name, "PTR", &Data::Ptr),
        RData::CNAME(name) => host(name, "CNAME", &Data::Cname),
        RData::NS(name) => host(name, "NS", &Data::Ns),
        RData::SRV(srv) if srv.target.is_root() => Item::Final(Status::NullSrv),
        RData::SRV(srv) => host(&srv.target, "SRV", &|host| Data::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            host,
        }),
        RData::SOA(soa) => Item::Good(Data::Soa {
            serial: soa.serial,
            refresh: soa.refresh.cast_unsigned(),
            retry: soa.retry.cast_unsigned(),
            expire: soa.expire.cast_unsigned(),
            minimum: soa.minimum,
        }),
        RData::TLSA(tlsa) => {
            let mut bytes = vec![u8::from(tlsa.cert_usage), u8::from(tlsa.selector), u8::from(tlsa.matching)];
            bytes.extend_from_slice(&tlsa.cert_data);
            Item::Good(Data::Tlsa(bytes))
        }
        _ => Item::Unusable(Status::Retry),
    }
}

/// A name as host names are written: without the dot of the root.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_owned()
}
