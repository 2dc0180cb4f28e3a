//! Servers that answer lookups: Postfix's tcp_table protocol and Sendmail's socketmap.
//!
//! What is answered stands in rules. The reply `@close` ends the connection; `@number` is a reply that depends on the key,
//! and says of some keys that they are not there. The key `*` stands for all others.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

type Rules = Arc<BTreeMap<String, String>>;

/// Starts a server of the line protocol. The rules have its replies as they are sent, without the end of the line.
pub fn tcp_table(address: &str, rules: &str) {
    start(address, rules, |mut stream, rules| {
        let mut lines = BufReader::new(stream.try_clone()?);
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let key = line.trim_end().strip_prefix("get ").unwrap_or_default();
            let reply = match rule(rules, key) {
                "@close" => return Ok(()),
                "@number" => match number(key) {
                    Some(number) => format!("200 number%20{number}"),
                    None => "500 none".to_owned(),
                },
                reply => reply.to_owned(),
            };
            stream.write_all(format!("{reply}\n").as_bytes())?;
        }
    });
}

/// Starts a server of netstrings. The rules have its replies without their lengths, or as they are sent after `raw:`;
/// keys include the name of the map.
pub fn socketmap(address: &str, rules: &str) {
    start(address, rules, |mut stream, rules| {
        let mut input = BufReader::new(stream.try_clone()?);
        while let Some(key) = netstring(&mut input)? {
            let reply = match rule(rules, &key) {
                "@close" => return Ok(()),
                "@number" => match number(&key) {
                    Some(number) => format!("OK number {number}"),
                    None => "NOTFOUND ".to_owned(),
                },
                reply => reply.to_owned(),
            };
            match reply.strip_prefix("raw:") {
                Some(raw) => stream.write_all(raw.as_bytes())?,
                None => stream.write_all(format!("{}:{reply},", reply.len()).as_bytes())?,
            }
        }
        Ok(())
    });
}

fn start(address: &str, rules: &str, serve: fn(TcpStream, &Rules) -> io::Result<()>) {
    let pairs = rules.lines().filter_map(|line| line.split_once(" => "));
    let rules: Rules = Arc::new(pairs.map(|(key, reply)| (key.to_owned(), reply.to_owned())).collect());
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("bind {address}: {error}"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let rules = Arc::clone(&rules);
            // A client that goes away is no matter.
            std::thread::spawn(move || serve(stream, &rules).ok());
        }
    });
}

fn rule<'a>(rules: &'a Rules, key: &str) -> &'a str {
    rules.get(key).or_else(|| rules.get("*")).map_or("", String::as_str)
}

/// A number that belongs to a key, if one does.
fn number(key: &str) -> Option<u32> {
    let number = key.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    (!number.is_multiple_of(3)).then_some(number)
}

fn netstring(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut length = Vec::new();
    if input.read_until(b':', &mut length)? == 0 {
        return Ok(None);
    }
    let length = String::from_utf8_lossy(&length);
    let length: usize = length.trim_end_matches(':').parse().map_err(io::Error::other)?;
    let mut text = vec![0; length + 1];
    input.read_exact(&mut text)?;
    text.pop();
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}
