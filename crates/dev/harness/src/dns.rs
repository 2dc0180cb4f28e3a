//! A name server with one zone: the world of the test.
//!
//! A zone is text, one record a line: `NAME TYPE DATA`. Types: A, AAAA, MX (`10 host`), TXT, PTR, CNAME, and what a
//! server does instead of answering: `SERVFAIL`, `REFUSED`, `NXDOMAIN`, `SILENCE`. A name `*.zone` stands for all below. A name that
//! has records has no others; a name that has none does not exist. `#` begins a comment line.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

/// A record as written: name, type, data.
type Row = (String, String, String);

/// The server. It lives as long as the test.
#[derive(Clone, Default)]
pub struct Dns {
    zone: Arc<Mutex<Vec<Row>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Dns {
    /// Answers at 127.0.0.1, port 53, by UDP and TCP.
    pub fn start() -> Self {
        let dns = Self::default();
        let socket = UdpSocket::bind("127.0.0.1:53").expect("port 53");
        let listener = TcpListener::bind("127.0.0.1:53").expect("port 53");
        let server = dns.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = server.answer(&buffer[..length]) {
                    socket.send_to(&answer, peer).ok();
                }
            }
        });
        let server = dns.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                server.stream(stream);
            }
        });
        dns
    }

    /// Adds records; a line `-NAME` takes all of the name's away.
    pub fn add(&self, zone: &str) {
        let mut rows = self.zone.lock().expect("the zone");
        for line in zone.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('-') {
                rows.retain(|row| row.0 != name.to_ascii_lowercase());
                continue;
            }
            let mut fields = line.splitn(3, char::is_whitespace);
            let mut field = || fields.next().unwrap_or_default().trim().to_owned();
            rows.push((field().to_ascii_lowercase(), field(), field()));
        }
    }

    /// What was asked so far: `NAME TYPE`, the type by number.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the questions").clone()
    }

    fn stream(&self, mut stream: TcpStream) -> Option<()> {
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length).ok()?;
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).ok()?;
            let answer = self.answer(&query)?;
            stream.write_all(&u16::try_from(answer.len()).ok()?.to_be_bytes()).ok()?;
            stream.write_all(&answer).ok()?;
        }
    }

    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, after) = read_name(query, 12)?;
        let kind = u16::from_be_bytes([*query.get(after)?, *query.get(after + 1)?]);
        let question = query.get(12..after + 4)?;
        self.asked.lock().ok()?.push(format!("{name} {kind}"));
        let zone = self.zone.lock().ok()?.clone();
        let mut code = 0;
        let mut records = Vec::new();
        let mut owner = name;
        // Aliases are followed as a real server does.
        for _ in 0..8 {
            let rows = rows_of(&zone, &owner);
            if rows.is_empty() {
                code = 3;
                break;
            }
            match rows[0].1.as_str() {
                "SERVFAIL" => code = 2,
                "REFUSED" => code = 5,
                "NXDOMAIN" => code = 3,
                "SILENCE" => return None,
                _ => {}
            }
            if rows[0].1 == "CNAME" && kind != 5 {
                records.push(record(&owner, 5, &write_name(&rows[0].2)));
                owner = rows[0].2.to_ascii_lowercase();
                continue;
            }
            for row in rows {
                let (number, data) = encode(&row.1, &row.2)?;
                if number == kind {
                    records.push(record(&owner, number, &data));
                }
            }
            break;
        }
        let mut answer = query.get(..2)?.to_vec();
        answer.extend_from_slice(&[0x85, 0x80 | code, 0, 1]);
        answer.extend_from_slice(&u16::try_from(records.len()).ok()?.to_be_bytes());
        answer.extend_from_slice(&[0, 0, 0, 0]);
        answer.extend_from_slice(question);
        for record in records {
            answer.extend_from_slice(&record);
        }
        Some(answer)
    }
}

fn rows_of(zone: &[Row], name: &str) -> Vec<Row> {
    let exact: Vec<Row> = zone.iter().filter(|row| row.0 == name).cloned().collect();
    if !exact.is_empty() {
        return exact;
    }
    let matches = |row: &&Row| row.0.strip_prefix('*').is_some_and(|end| name.ends_with(end));
    zone.iter().filter(matches).cloned().collect()
}

fn read_name(query: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}

fn write_name(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).expect("a label's length"));
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

fn encode(kind: &str, data: &str) -> Option<(u16, Vec<u8>)> {
    Some(match kind {
        "A" => match data.parse().ok()? {
            IpAddr::V4(address) => (1, address.octets().to_vec()),
            IpAddr::V6(_) => return None,
        },
        "AAAA" => match data.parse().ok()? {
            IpAddr::V6(address) => (28, address.octets().to_vec()),
            IpAddr::V4(_) => return None,
        },
        "CNAME" => (5, write_name(data)),
        "PTR" => (12, write_name(data)),
        "MX" => {
            let (preference, host) = data.split_once(' ')?;
            let mut wire = preference.parse::<u16>().ok()?.to_be_bytes().to_vec();
            wire.extend_from_slice(&write_name(host.trim()));
            (15, wire)
        }
        "TXT" => {
            let mut wire = vec![u8::try_from(data.len()).ok()?];
            wire.extend_from_slice(data.as_bytes());
            (16, wire)
        }
        _ => (0, Vec::new()),
    })
}

fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let mut wire = write_name(owner);
    wire.extend_from_slice(&kind.to_be_bytes());
    wire.extend_from_slice(&[0, 1, 0, 0, 0x0e, 0x10]);
    wire.extend_from_slice(&u16::try_from(data.len()).expect("a record's length").to_be_bytes());
    wire.extend_from_slice(data);
    wire
}
