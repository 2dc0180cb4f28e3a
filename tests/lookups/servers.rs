//! Tables that a server answers: `tcp`, `socketmap`, `memcache`, and `proxy` in front of others.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{System, answers};

use crate::cases::{Case, KEYS};
use crate::indexed::{key, tidy_source, usual_key};
use crate::random::Random;

const MEMCACHED: &str = "/usr/bin/memcached";
const MEMCACHED_AT: &str = "127.0.0.1:11211";
/// The tables behind proxymap.
const PROXIED: &[&str] = &["lmdb", "texthash"];

/// Cases that cannot run here, with the reason.
pub(crate) fn obstacle(case: &Case) -> Option<String> {
    let is_missing = case.name.starts_with("memcache") && !Path::new(MEMCACHED).exists();
    is_missing.then(|| format!("{MEMCACHED} is not there (scripts/test installs it)"))
}

/// Starts what the cases need.
pub(crate) fn start(cases: &[Case], system: &System) {
    let needs = |kind: &str| cases.iter().any(|case| case.name.starts_with(kind));
    if needs("tcp") {
        answers::tcp_table("127.0.0.1:1601", "* => @number\n");
    }
    if needs("socketmap") {
        answers::socketmap("127.0.0.1:1602", "* => @number\n");
    }
    if needs("memcache") {
        fill_memcached();
    }
    if needs("proxy") {
        let tables: Vec<String> = PROXIED
            .iter()
            .map(|kind| format!("proxy:{kind}:{}", Case::new(&format!("proxy::{kind}")).path("table")))
            .collect();
        system.main_cf(&format!("proxy_read_maps = proxy:static:all, {}\n", tables.join(", ")));
        system.start();
    }
}

fn memcached_keys(random: &mut Random) -> Vec<String> {
    (0..KEYS).map(|_| usual_key(random)).collect()
}

/// Half of the keys have a value.
fn fill_memcached() {
    Command::new(MEMCACHED)
        .args(["-d", "-u", "root", "-U", "0", "-l", "127.0.0.1", "-p", "11211"])
        .status()
        .expect("memcached");
    let begin = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(MEMCACHED_AT) {
            Ok(stream) => break stream,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(10), "memcached: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let random = &mut Random::new(73);
    let mut text = String::new();
    for key in memcached_keys(random).iter().step_by(2) {
        let value = random.address();
        text.push_str(&format!("set {key} 0 0 {} noreply\r\n{value}\r\n", value.len()));
    }
    stream.write_all((text + "quit\r\n").as_bytes()).expect("memcached takes values");
    let mut complaints = String::new();
    stream.read_to_string(&mut complaints).expect("its end");
    assert_eq!(complaints, "");
}

/// A source without keys that come again: the reference does not tell proxymap that they may.
fn source(random: &mut Random) -> Vec<u8> {
    let text = String::from_utf8(tidy_source(random, 300)).expect("text");
    let mut seen = BTreeSet::new();
    let is_new = |line: &&str| seen.insert(line.split('\t').next().unwrap_or_default().to_lowercase());
    text.lines().filter(is_new).map(|line| format!("{line}\n")).collect::<String>().into_bytes()
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (seed, name, table) in
        [(70, "tcp::all", "tcp:127.0.0.1:1601"), (71, "socketmap::all", "socketmap:inet:127.0.0.1:1602:map")]
    {
        let random = &mut Random::new(seed);
        let asked: Vec<Vec<u8>> = (0..KEYS).map(|_| key(random)).collect();
        let case = Case::new(name).ask("", table, &asked).ask("-f", table, &asked[..400]);
        cases.push(case.ask("-u", table, &asked[..400]).ask_each(table, &asked));
    }
    let random = &mut Random::new(73);
    let known = memcached_keys(random);
    let asked: Vec<Vec<u8>> = known
        .iter()
        .map(|known| if random.one_in(4) { key(random) } else { random.case(known).into_bytes() })
        .collect();
    let table = "memcache:@/settings";
    let case = Case::new("memcache::all").file("settings", format!("memcache = inet:{MEMCACHED_AT}\n"));
    cases.push(case.ask("", table, &asked).ask("-f", table, &asked[..400]).ask_each(table, &asked));
    for (seed, kind) in (75..).zip(PROXIED) {
        let random = &mut Random::new(seed);
        let mut case = Case::new(&format!("proxy::{kind}")).file("table", source(random));
        if *kind == "lmdb" {
            case = case.run("postmap lmdb:@/table");
        }
        let mut asked: Vec<Vec<u8>> = (0..KEYS).map(|_| key(random)).collect();
        // As in the tables themselves; see `indexed`.
        asked.retain(|key| !(key.is_empty() || key[0] == 0));
        let table = format!("proxy:{kind}:@/table");
        cases.push(case.ask("", &table, &asked).ask("-f", &table, &asked[..400]).ask_each(&table, &asked));
    }
    cases.push(
        Case::new("proxy::other")
            .run("postmap -q key proxy:static:all")
            .run("postmap -q key proxy:static:other")
            .run("postmap -q key proxy:nosuch:x")
            .run("postmap -q key proxy:"),
    );
    cases
}
