//! Postfix's own DNS test cases, against a stub server with the zone that comes with them.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use dns::{Filter, Lookup, ResolvConf, Resolver, Stop, Type};
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, MX, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use ferrofix_dns as dns;

fn corpus() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream/dns");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no conformance data at {}", path.display());
    None
}

/// One line of the zone: owner, TTL, data.
type Entry = (String, u32, RData);

fn zone(text: &str) -> Vec<Entry> {
    let name = |text: &str| Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).unwrap();
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [owner, ttl, kind, data @ ..] = words.as_slice() else { return None };
        let number = |at: usize| data[at].parse::<u32>().unwrap();
        let data = match *kind {
            "A" => RData::A(A(data[0].parse().unwrap())),
            "AAAA" => RData::AAAA(AAAA(data[0].parse().unwrap())),
            "NS" => RData::NS(NS(name(data[0]))),
            "TXT" => RData::TXT(TXT::new(vec![data.join(" ")])),
            "MX" => {
                let host = if data[1] == "." { Name::root() } else { name(data[1]) };
                RData::MX(MX::new(data[0].parse().unwrap(), host))
            }
            "SOA" => RData::SOA(SOA::new(
                name(data[0]),
                name(data[1]),
                number(2),
                number(3) as i32,
                number(4) as i32,
                number(5) as i32,
                number(6),
            )),
            _ => return None,
        };
        Some(((*owner).to_ascii_lowercase(), ttl.parse().ok()?, data))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(entry).collect()
}

fn answer(zone: &[Entry], query: &Message) -> Message {
    let question = query.queries[0].clone();
    let asked = question.name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.message_type = MessageType::Response;
    reply.metadata.recursion_available = true;
    let own: Vec<&Entry> = zone.iter().filter(|(owner, ..)| *owner == asked).collect();
    for (_, ttl, data) in &own {
        if data.record_type() == question.query_type {
            reply.add_answer(Record::from_rdata(question.name.clone(), *ttl, data.clone()));
        }
    }
    if reply.answers.is_empty() {
        let below = zone.iter().any(|(owner, ..)| owner.ends_with(&format!(".{asked}")));
        if own.is_empty() && !below {
            reply.metadata.response_code = ResponseCode::NXDomain;
        }
        let soa = zone.iter().find(|(owner, _, data)| {
            data.record_type() == RecordType::SOA
                && (asked == *owner || asked.ends_with(&format!(".{owner}")))
        });
        if let Some((owner, ttl, data)) = soa {
            reply.add_authority(Record::from_rdata(
                Name::from_ascii(format!("{owner}.")).unwrap(),
                *ttl,
                data.clone(),
            ));
        }
    }
    reply.add_query(question);
    reply
}

async fn serve(socket: UdpSocket, zone: Vec<Entry>) {
    let mut buffer = [0; 4096];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        if let Ok(query) = Message::from_vec(&buffer[..length]) {
            let reply = answer(&zone, &query).to_vec().unwrap();
            socket.send_to(&reply, peer).await.unwrap();
        }
    }
}

/// What `test_dns_lookup` prints, less its trace.
async fn test_dns_lookup(
    resolver: &Resolver,
    kinds: &str,
    name: &str,
    filter: Option<Filter>,
    negative: bool,
) -> Vec<String> {
    let kinds: Vec<Type> = kinds.split(',').map(|kind| Type::by_name(kind).unwrap()).collect();
    let mut how = Lookup::new().dnssec();
    if let Some(filter) = filter {
        how = how.filter("DNS reply filter", filter);
    }
    let mut lines = Vec::new();
    match resolver.lookup_types(name, &kinds, &how, Stop::default()).await {
        Ok(answer) => {
            lines.push(format!("{name}: fqdn: {}", answer.fqdn));
            lines.extend(
                answer.records.iter().map(|record| format!("ad: {}, rr: {record}", u8::from(record.secure))),
            );
        }
        Err(failure) => {
            lines.push(format!("./test_dns_lookup: warning: {} (rcode={})", failure.reason, failure.rcode));
            if let (true, Some(record)) = (negative, failure.authority) {
                lines.push(format!("{name}: fqdn: {}", record.name));
                lines.push(format!("ad: 0, rr: {record}"));
            }
        }
    }
    lines
}

fn expected(corpus: &std::path::Path, file: &str) -> Vec<String> {
    let trace = [
        "lookup ",
        "dns_query: ",
        "dns_get_answer: ",
        "dict_regexp_lookup: ",
        "maps_find: ",
        "ignoring DNS RR",
    ];
    let text = std::fs::read_to_string(corpus.join(file)).unwrap();
    let is_trace = |line: &str| {
        line.strip_prefix("./test_dns_lookup: ")
            .is_some_and(|rest| trace.iter().any(|word| rest.starts_with(word)))
    };
    text.lines().filter(|line| !is_trace(line)).map(str::to_owned).collect()
}

/// Replaces the numbers that the reference leaves open.
fn open_numbers(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let Some(at) = words.iter().position(|word| *word == "IN") else { return line.to_owned() };
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    words[at - 1] = "TTL".to_owned();
    match words[at + 1].as_str() {
        "SOA" => words[at + 4..].iter_mut().for_each(|word| *word = "D".to_owned()),
        _ => words[at + 2] = "127.0.0.D".to_owned(),
    }
    words.join(" ")
}

fn ignore_type(word: &'static str) -> Filter {
    Rc::new(move |text: String| {
        let hit = text.split(' ').any(|part| part == word);
        Box::pin(async move { Ok(hit.then(|| "ignore".to_owned())) })
    })
}

#[tokio::test(flavor = "current_thread")]
async fn upstream_cases() {
    let Some(corpus) = corpus() else { return };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let zone = zone(&std::fs::read_to_string(corpus.join("zone.txt")).unwrap());
    tokio::spawn(serve(socket, zone));
    let resolver = Resolver::with(ResolvConf {
        servers: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        port,
        timeout: Duration::from_secs(2),
        ..ResolvConf::default()
    });
    let failed = RefCell::new(Vec::new());
    let compare = |case: &str, mut got: Vec<String>, mut want: Vec<String>, sort: bool| {
        if sort {
            got.sort();
            want.sort();
        }
        if got != want {
            failed.borrow_mut().push(format!("{case}: got {got:#?}, want {want:#?}"));
        }
    };
    let simple = [
        ("no-a.ref", "a,aaaa", "spike.porcupine.org", Some("A")),
        ("no-mx.ref", "mx", "porcupine.org", Some("MX")),
        ("nullmx_test.ref", "mx,a", "nullmx.porcupine.org", None),
        ("nxdomain_test.ref", "mx,a", "nxdomain.porcupine.org", None),
        ("mxonly_test.ref", "mx,a", "porcupine.org", None),
    ];
    for (reference, kinds, name, filter) in simple {
        let got = test_dns_lookup(&resolver, kinds, name, filter.map(ignore_type), false).await;
        compare(reference, got, expected(&corpus, reference), true);
    }
    let blocklists = [
        ("dnsbl_ttl_127.0.0.1_bind_plain.ref", "1.0.0.127", false),
        ("dnsbl_ttl_127.0.0.1_bind_ncache.ref", "1.0.0.127", true),
        ("dnsbl_ttl_127.0.0.2_bind_plain.ref", "2.0.0.127", false),
        ("dnsbl_ttl_127.0.0.2_bind_plain.ref", "2.0.0.127", true),
    ];
    for (reference, address, negative) in blocklists {
        let mut got = Vec::new();
        for list in ["zen.spamhaus.org", "bl.spamcop.net"] {
            got.extend(test_dns_lookup(&resolver, "a", &format!("{address}.{list}"), None, negative).await);
        }
        let mut got: Vec<String> = got.iter().map(|line| open_numbers(line)).collect();
        got.dedup();
        compare(reference, got, expected(&corpus, reference), false);
    }
    let input = std::fs::read_to_string(corpus.join("dns_rr_to_pa.in")).unwrap();
    let mut got = Vec::new();
    for line in input.lines() {
        let (kind, name) = line.split_once(' ').unwrap();
        let answer = resolver.lookup(name, Type::by_name(kind).unwrap(), &Lookup::new()).await.unwrap();
        got.push(format!("{name} -> {}", answer.addresses().next().unwrap()));
    }
    compare("dns_rr_to_pa", got, expected(&corpus, "dns_rr_to_pa.ref"), false);
    let failed = failed.into_inner();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_dead_server_means_try_again() {
    // Bound but never read: questions vanish.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let resolver = Resolver::with(ResolvConf {
        servers: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        port: socket.local_addr().unwrap().port(),
        timeout: Duration::from_millis(300),
        attempts: 2,
        ..ResolvConf::default()
    });
    let failure = resolver.mx("example.org").await.unwrap_err();
    assert_eq!(failure.status, dns::Status::Retry);
    assert_eq!(
        failure.reason,
        "Host or domain name not found. Name service error for name=example.org type=MX: Host not found, try again"
    );
    let failure = resolver.a("192.0.2.1").await.unwrap_err();
    assert_eq!(failure.status, dns::Status::NotFound);
}
