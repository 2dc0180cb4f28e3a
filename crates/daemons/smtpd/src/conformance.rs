//! Postfix's own test data, where it is present beside the project.

use crate::outside::Outside;
use crate::params::Settings;
use crate::peer::{AddressFamily, NameStatus, Passed, Peer};
use crate::server::Server;
use crate::session::Session;
use crate::testing::{Lines, Script, run, settings};
use crate::token::tokenize;
use crate::transaction::Transaction;
use conf::MainCf;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, MX, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use table::Env;
use tokio::net::UdpSocket;

fn corpus(area: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream");
    let path = root.join(area);
    if path.is_dir() {
        return path.canonicalize().ok();
    }
    println!("skipped: no conformance data at {}", path.display());
    None
}

#[test]
fn smtpd_token() {
    let Some(corpus) = corpus("smtpd_token") else { return };
    let read = |name: &str| std::fs::read_to_string(corpus.join(name)).unwrap();
    let mut out = String::new();
    for line in read("smtpd_token.in").lines().filter(|line| !line.starts_with('#')) {
        out += &format!("{line}\n");
        for token in tokenize(line.as_bytes()) {
            let kind = if token.malformed { "error" } else { "other" };
            out += &format!("Token type:  {kind}\nToken value: {}\n", String::from_utf8_lossy(&token.text));
        }
    }
    assert_eq!(out, read("smtpd_token.ref"));
}

/// One `[[vector]]` of a file of simple `key = value` lines.
type Vector = Vec<(String, String)>;

fn vectors(text: &str) -> Vec<Vector> {
    let blocks = text.split("[[vector]]").skip(1);
    let pairs = |block: &str| {
        let pair = |line: &str| {
            let (name, value) = line.split_once(" = ")?;
            Some((name.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
        };
        block.lines().filter(|line| !line.starts_with('#')).filter_map(pair).collect()
    };
    blocks.map(pairs).collect()
}

#[test]
fn smtpd_peer() {
    let Some(corpus) = corpus("smtpd_peer") else { return };
    let text = std::fs::read_to_string(corpus.join("smtpd_peer.toml")).unwrap();
    let (mut passed, mut left_out) = (0, Vec::new());
    for vector in vectors(&text) {
        let value = |name: &str| vector.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let name = value("name").unwrap().to_owned();
        let kind = value("kind").unwrap();
        if kind.contains("PROXY") || kind.contains("proxy") {
            left_out.push(name);
            continue;
        }
        run(async {
            let (log, _guard) = Lines::listen();
            let protocols = value("inet_protocols").unwrap_or("ipv4, ipv6");
            let mut main = settings(&[]);
            main.set("inet_protocols", protocols);
            main.set("smtpd_peername_lookup", "no");
            main.set("inet_interfaces", "loopback-only");
            let server = opened(&main, dns::Resolver::with(dns::ResolvConf::parse("")));
            let peer = match kind {
                "not a socket (pipe)" => Peer::local(&server),
                "socket that is not connected" => Peer::connected(&server, None).await,
                "attributes from postscreen" => {
                    let attributes = value("attributes").unwrap();
                    Peer::passed(&server, &said(attributes)).await
                }
                other => panic!("{other}"),
            };
            let status = |status| match status {
                NameStatus::Ok => "ok",
                NameStatus::Temporary => "temporary",
                NameStatus::Permanent => "permanent",
                NameStatus::Forged => "forged",
            };
            let hang_up = if peer.hang_up { "true" } else { "false" };
            for (key, want) in &vector {
                let got = match key.as_str() {
                    "want_client_name" => &peer.name,
                    "want_client_name_status" => status(peer.name_status),
                    "want_client_reverse_name" => &peer.reverse_name,
                    "want_client_reverse_name_status" => status(peer.reverse_name_status),
                    "want_client_addr" => &peer.address,
                    "want_client_rfc_addr" => &peer.rfc_address,
                    "want_client_port" => &peer.port,
                    "want_server_addr" => &peer.server_address,
                    "want_server_port" => &peer.server_port,
                    "want_hangup" => hang_up,
                    "want_sockaddr" if peer.family != AddressFamily::Unspecified => "true",
                    "want_warning" => {
                        let log = log.take().join("\n");
                        assert!(log.contains(want), "{name}: {log}");
                        continue;
                    }
                    _ => continue,
                };
                assert_eq!(got, want, "{name}: {key}");
            }
        });
        passed += 1;
    }
    println!("smtpd_peer: {passed} passed; without PROXY protocol: {left_out:?}");
    assert!(passed > 8);
}

fn said(attributes: &str) -> Passed {
    let mut said = Passed::default();
    for pair in attributes.trim_matches(['{', '}', ' ']).split(", ") {
        let (name, value) = pair.split_once(" = ").unwrap();
        let value = Some(value.trim_matches('"').to_owned());
        match name {
            "client_address" => said.client_address = value,
            "client_port" => said.client_port = value,
            "server_address" => said.server_address = value,
            "server_port" => said.server_port = value,
            other => panic!("{other}"),
        }
    }
    said
}

fn opened(main: &MainCf, resolver: dns::Resolver) -> Rc<Server> {
    let env = Env::load(main).unwrap();
    let script = Rc::new(Script::new(main, &env));
    let mut server = Server::open(main, &env, script as Rc<dyn Outside>, resolver).unwrap();
    server.site.add_own([168, 100, 3, 7].into());
    Rc::new(server)
}

/// The driver of Postfix's `smtpd_check` tests.
struct Driver {
    main: MainCf,
    resolver: dns::Resolver,
    session: Session,
    log: Lines,
}

impl Driver {
    fn new(resolver: dns::Resolver, log: Lines) -> Driver {
        let mut main = settings(&[
            ("smtpd_delay_reject", "yes"),
            ("smtpd_relay_before_recipient_restrictions", "no"),
            ("smtputf8_enable", "no"),
            ("smtpd_relay_restrictions", ""),
            ("mydestination", "localhost"),
            ("mynetworks", ""),
            ("relay_domains", ""),
            ("inet_interfaces", "all"),
        ]);
        main.set("smtpd_reject_unlisted_recipient", "yes");
        let server = opened(&main, resolver.clone());
        let peer = Peer::local(&server);
        let mut session = Session::new(server, "smtpd".into(), peer);
        let mail = Transaction { queue_id: Some("<queue id>".to_owned()), ..Transaction::default() };
        session.mail = Some(Box::new(mail));
        Driver { main, resolver, session, log }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.main.set(name, value);
        self.session.server = opened(&self.main, self.resolver.clone());
    }

    async fn line(&mut self, line: &str) -> Option<String> {
        let words: Vec<&str> = bytes::list::split_braced(line, " \t\r\n").collect();
        let decided = |decision: Result<Option<String>, _>| match decision {
            Ok(Some(reply)) => reply,
            Ok(None) => "OK".to_owned(),
            Err(crate::restriction::Hangup) => "hangup".to_owned(),
        };
        let trimmed = |address: &str| match address.strip_prefix('<') {
            Some(rest) => rest.strip_suffix('>').unwrap_or(rest).as_bytes().to_vec(),
            None => address.as_bytes().to_vec(),
        };
        Some(match words.as_slice() {
            [] => return None,
            ["rewrite"] => match self.session.choose_rewrite_context().await {
                Ok(()) => "OK".to_owned(),
                Err(reply) => reply.to_owned(),
            },
            ["flush_dnsxl_cache"] => {
                self.set("flush", "x");
                "OK".to_owned()
            }
            ["client", name, address, code @ ..] => {
                self.session.stage_name = "CONNECT";
                let status = match (code, *name) {
                    (["5"], _) => NameStatus::Permanent,
                    (["4"], _) | ([], "unknown") => NameStatus::Temporary,
                    _ => NameStatus::Ok,
                };
                let server = self.session.server.clone();
                let peer = &mut self.session.peer;
                peer.name = (*name).to_owned();
                peer.reverse_name = (*name).to_owned();
                peer.address = (*address).to_owned();
                peer.name_status = status;
                peer.reverse_name_status = status;
                peer.update_namaddr(&server);
                decided(self.session.check_client().await)
            }
            ["helo", name] => {
                self.session.stage_name = "HELO";
                let reply = decided(self.session.check_helo(name).await);
                self.session.helo_name = Some((*name).to_owned());
                reply
            }
            ["mail", address] => {
                self.session.stage_name = "MAIL";
                let address = trimmed(address);
                self.session.sender = Some(address.clone());
                decided(self.session.check_mail(&address).await)
            }
            ["rcpt", address] => {
                self.session.stage_name = "RCPT";
                decided(self.session.check_rcpt(&trimmed(address)).await)
            }
            ["fingerprint", digest] => {
                let digest = (*digest).to_owned();
                let peer = tls::Peer {
                    subject: String::new(),
                    issuer: String::new(),
                    certificate_digest: digest.clone(),
                    key_digest: digest,
                    problem: None,
                };
                self.session.tls = Some(Box::new(tls::Summary {
                    role: tls::Role::Server,
                    protocol: "TLSv1.3",
                    cipher: "",
                    bits: 0,
                    key_exchange: None,
                    server_signature: None,
                    client_signature: None,
                    standing: tls::Standing::Untrusted,
                    peer: Some(peer),
                    resumed: false,
                    sni: None,
                }));
                "OK".to_owned()
            }
            ["restriction_class", definition] => {
                let (name, list) = definition.split_once(',').unwrap();
                self.main.set(name, list);
                let known = self.session.server.settings.smtpd_restriction_classes.clone();
                self.set("smtpd_restriction_classes", &format!("{known} {name}"));
                "OK".to_owned()
            }
            // Its addresses are there without interfaces that have them.
            ["inet_interfaces", _] => "OK".to_owned(),
            [name, value] => {
                let name = match name.strip_suffix("_restrictions") {
                    Some(stage) if !stage.starts_with("smtpd") => format!("smtpd_{stage}_restrictions"),
                    _ => (*name).to_owned(),
                };
                let is_boolean =
                    ["smtpd_delay_reject", "allow_untrusted_routing", "smtpd_reject_unlisted_sender"]
                        .contains(&name.as_str())
                        || name == "smtpd_reject_unlisted_recipient"
                        || name == "show_user_unknown_table_name";
                let others =
                    ["maps_rbl_domains", "mydestination", "virtual_alias_domains", "virtual_mailbox_domains"];
                if !Settings::NAMES.contains(&name.as_str()) && !others.contains(&name.as_str()) {
                    return Some("bad command".to_owned());
                }
                let value = match (is_boolean, *value) {
                    (true, "0") => "no",
                    (true, "1") => "yes",
                    (_, value) => value,
                };
                self.set(&name, value);
                "OK".to_owned()
            }
            _ => "bad command".to_owned(),
        })
    }

    async fn script(&mut self, input: &str) -> String {
        let mut out = String::new();
        for line in input.lines() {
            out += &format!(">>> {line}\n");
            if line.starts_with(['#', '!']) {
                continue;
            }
            let answer = self.line(line).await;
            // The original keeps no side effects of table entries from one line to the next.
            self.session.actions = None;
            self.session.checks.discard = false;
            for text in self.log.take() {
                out += &format!("./smtpd_check: {text}\n");
            }
            if let Some(answer) = answer {
                out += &format!("{answer}\n");
            }
        }
        out
    }
}

fn same(got: &str, want: &str) {
    let mut context = "";
    for (got, want) in got.lines().zip(want.lines()) {
        assert_eq!(got, want, "after {context}");
        if want.starts_with(">>>") {
            context = want;
        }
    }
    assert_eq!(got.lines().count(), want.lines().count());
}

fn check(input: &str, want: &str) {
    check_with(input, want, |text| text.to_owned());
}

fn check_with(input: &str, want: &str, filter: impl Fn(&str) -> String) {
    let Some(corpus) = corpus("smtpd_check") else { return };
    let read = |name: &str| {
        let text = std::fs::read_to_string(corpus.join(name)).unwrap();
        // An indexed table would have to be built first, and relative names would depend on the directory.
        let table = format!("texthash:{}", corpus.join("smtpd_check_access").display());
        text.replace("hash:./smtpd_check_access", &table)
            .replace("hash:smtpd_check_access", &table)
            .replace("../dns/", &format!("{}/", corpus.display()))
    };
    run(async {
        let (log, _guard) = Lines::listen();
        let resolver = stub(&read("zone.txt")).await;
        let got = Driver::new(resolver, log).script(&read(input)).await;
        same(&filter(&got), &filter(&read(want)));
    });
}

#[test]
fn smtpd_acl() {
    check("smtpd_acl.in", "smtpd_acl.ref");
}

#[test]
fn smtpd_addr_valid() {
    check("smtpd_addr_valid.in", "smtpd_addr_valid.ref");
}

#[test]
fn smtpd_check_test4() {
    check("smtpd_check.in4", "smtpd_check.ref4");
}

#[test]
fn smtpd_error() {
    check("smtpd_error.in", "smtpd_error.ref");
}

#[test]
fn smtpd_check_backup() {
    check("smtpd_check_backup.in", "smtpd_check_backup.ref");
}

#[test]
fn smtpd_deprecated() {
    check("smtpd_deprecated.in", "smtpd_deprecated.ref");
}

#[test]
fn smtpd_exp() {
    check("smtpd_exp.in", "smtpd_exp.ref");
}

#[test]
fn smtpd_nullmx() {
    check_with("smtpd_nullmx.in", "smtpd_nullmx.ref", |text| {
        text.replace("No address associated with hostname", "hostname nor servname provided, or not known")
            .replace("Name or service not known", "hostname nor servname provided, or not known")
    });
}

#[test]
fn smtpd_dns_filter() {
    check_with("smtpd_dns_filter.in", "smtpd_dns_filter.ref", |text| {
        let ttl = |line: &str| match line.split_once(". ") {
            Some((head, rest)) => match rest.split_once(" IN") {
                Some((digits, tail)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    format!("{head}. TTL IN{tail}\n")
                }
                _ => format!("{line}\n"),
            },
            None => format!("{line}\n"),
        };
        text.lines().map(ttl).collect()
    });
}

/// A name server with the zone that comes with the data.
async fn stub(zone: &str) -> dns::Resolver {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut conf = dns::ResolvConf::parse("nameserver 127.0.0.1");
    conf.port = socket.local_addr().unwrap().port();
    conf.timeout = Duration::from_secs(2);
    let zone = entries(zone);
    tokio::task::spawn_local(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            if let Ok(query) = Message::from_vec(&buffer[..length]) {
                let reply = answer(&zone, &query).to_vec().unwrap();
                socket.send_to(&reply, peer).await.unwrap();
            }
        }
    });
    dns::Resolver::with(conf)
}

type Entry = (String, u32, RData);

fn entries(text: &str) -> Vec<Entry> {
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
            "SOA" => {
                let times = [3, 4, 5].map(|at| number(at) as i32);
                let [refresh, retry, expire] = times;
                RData::SOA(SOA::new(
                    name(data[0]),
                    name(data[1]),
                    number(2),
                    refresh,
                    retry,
                    expire,
                    number(6),
                ))
            }
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
        let is_above = |owner: &str| asked == owner || asked.ends_with(&format!(".{owner}"));
        let soa =
            zone.iter().find(|(owner, _, data)| data.record_type() == RecordType::SOA && is_above(owner));
        if let Some((owner, ttl, data)) = soa {
            let name = Name::from_ascii(format!("{owner}.")).unwrap();
            reply.add_authority(Record::from_rdata(name, *ttl, data.clone()));
        }
    }
    reply.add_query(question);
    reply
}
