//! Postfix's own test cases for tables, where the data are at hand.
//!
//! What the data call functions are here test drivers around the public interface, which print what the data expect.

mod support;

use std::fmt::Write as _;
use std::rc::Rc;

use address::{AddressForm, Splitter};
use ferrofix_table as table;
use support::{Call, Case, Journal, run_area};
use table::address::{Extension, Search, Site, Strategy};
use table::build::{self, Format};
use table::{
    Env, Error, FindFlags, Flags, HostList, ListFlags, LocalFuture, MapSearch, Maps, Mode, Seek, StringList,
    Table, Trust, Update,
};

/// Cases that are not run, and why.
const SKIPPED: &[(&str, &str)] = &[
    ("mail_dict_surrogate", "run by the databases crate"),
    ("nbdb_util_init", NO_REDIRECTION),
    ("nbdb_is_legacy_type", NO_REDIRECTION),
    ("nbdb_find_non_leg_suffix", NO_REDIRECTION),
    ("nbdb_map_leg_type", NO_REDIRECTION),
    ("nbdb_surrogate", NO_REDIRECTION),
    (
        "allowed_prefix_test",
        "where a service builds tables for others; here who opens a table builds its index",
    ),
    ("login_sender_match_test", "run by the postdrop crate"),
    ("yana_policy_test", "3.12 only"),
    ("quote_822_local_test", "run by the address crate"),
    ("fold_addr_test", "run by the address crate"),
    ("mail_addr_crunch_test", "run by the address crate"),
    ("strip_addr_test", "run by the address crate"),
];

/// What Postfix 3.11 does for systems without Berkeley DB.
const NO_REDIRECTION: &str = "hash and btree tables are LMDB files here; there is nothing to redirect";

#[test]
fn cases_of_postfix() {
    let areas =
        ["dict_cidr", "dict_misc", "dict_pcre", "dict_regexp", "maps", "access_lists", "address", "nbdb"];
    let mut failures = Vec::new();
    let mut count = 0;
    for area in areas {
        let Some(results) = run_area(area, SKIPPED, &drive) else { return };
        for (name, result) in results {
            count += 1;
            if let Err(why) = result {
                failures.push(format!("{area}/{name}: {why}"));
            }
        }
    }
    eprintln!("{count} cases of Postfix run");
    assert!(failures.is_empty(), "{} of {count} failed:\n{}", failures.len(), failures.join("\n"));
}

fn drive(case: &Case, call: &Call, journal: &Journal) {
    match call.function.as_str() {
        "dict_open" => dict_open(call, journal),
        "postmap" => postmap(call),
        "maps" => maps(call, journal),
        "namadr_list" => host_list(call, journal),
        "dict_lookup" => vectors(case),
        "map_search" => map_search(case),
        "mail_addr_find" => mail_addr_find(call, journal),
        "smtp_map11" => smtp_map11(call, journal),
        other => panic!("no driver for {other}"),
    }
}

fn environment() -> Rc<Env> {
    Rc::new(Env { smtputf8_enable: true, ..Env::default() })
}

fn dict_open(call: &Call, journal: &Journal) {
    let env = environment();
    let mode = match call.args[1].as_str() {
        "read" => Mode::Read,
        "write" => Mode::Write,
        _ => Mode::Truncate,
    };
    let mut flags = Flags::NONE;
    for name in call.args.get(2).into_iter().flat_map(|names| names.split(',')) {
        flags |= Flags::by_name(name).unwrap();
    }
    flags |= Flags::LOCK | Flags::UTF8_REQUEST;
    if !flags.intersects(Flags::DUP_WARN | Flags::DUP_IGNORE) {
        flags |= Flags::DUP_REPLACE;
    }
    let table = Table::open_mode(&call.args[0], &env, mode, flags);
    let owner = table.owner();
    let trust = match owner.trust {
        Trust::Trusted => "trusted",
        Trust::Untrusted => "untrusted",
        Trust::Unknown => "unspecified",
    };
    journal.line(format!("owner={trust} (uid={})", owner.uid));
    for line in call.lines() {
        journal.bytes(&[b"> ", line.as_slice()].concat());
        command(&table, &line, journal);
    }
}

fn command(table: &Table, line: &[u8], journal: &Journal) {
    if line.starts_with(b"#") {
        return;
    }
    let mut words = line.splitn(2, |&byte| byte == b' ');
    let verb = words.next().unwrap();
    let mut words =
        words.next().unwrap_or_default().split(|byte| b" =".contains(byte)).filter(|word| !word.is_empty());
    let key = words.next().map(unescape);
    let value = words.next();
    let key = key.as_deref();
    let say = |key: &[u8], what: &str| journal.bytes(&[key, b": ", what.as_bytes()].concat());
    let pair = |key: &[u8], value: &[u8]| journal.bytes(&[key, b"=", value].concat());
    match (verb, key, value) {
        (b"get", Some(key), None) => match table.lookup_blocking(key) {
            Ok(Some(value)) => pair(key, &value),
            Ok(None) => say(key, "not found"),
            Err(_) => say(key, "error"),
        },
        (b"put", Some(key), Some(value)) => match table.update_blocking(key, value) {
            Ok(Update::Stored) => {}
            Ok(Update::Kept) => say(key, "not updated"),
            Err(_) => say(key, "error"),
        },
        (b"del", Some(key), None) => match table.delete_blocking(key) {
            Ok(true) => say(key, "deleted"),
            Ok(false) => say(key, "not found"),
            Err(_) => say(key, "error"),
        },
        (b"first" | b"next", None, None) => {
            match table.sequence_blocking(if verb == b"first" { Seek::First } else { Seek::Next }) {
                Ok(Some((key, value))) => pair(&key, &value),
                Ok(None) => journal.line("not found"),
                Err(_) => journal.line("error"),
            }
        }
        (b"flags", None, None) => journal.line(format!("dict flags {}", table.flags())),
        (b"verbose", None, None) => {}
        _ => journal.line("usage: verbose|del key|get key|put key=value|first|next|masks|flags"),
    }
}

/// Removes backslashes, as in C strings.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(first @ b'0'..=b'7') => {
                let mut number = u32::from(first - b'0');
                for _ in 0..2 {
                    let Some(digit) = rest.next_if(|byte| (b'0'..=b'7').contains(byte)) else { break };
                    number = number * 8 + u32::from(digit - b'0');
                }
                out.push(number as u8);
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

fn postmap(call: &Call) {
    let nul = if call.args[0].contains('N') { Flags::TRY1NULL } else { Flags::TRY0NULL };
    let (kind, name) = call.args[1].split_once(':').unwrap();
    let text = std::fs::read(name).unwrap();
    let flags = nul | Flags::DUP_WARN | Flags::FOLD_FIX;
    build::create(&environment(), (kind, name), flags, Format::Map, (name, &text)).unwrap();
}

fn maps(call: &Call, journal: &Journal) {
    let maps = Maps::open("whatever", &call.args[0], &environment(), Flags::LOCK);
    for line in call.lines() {
        let key = String::from_utf8(line.clone()).unwrap();
        let result = match maps.find_blocking(&line, FindFlags::Any) {
            Ok(Some(found)) => String::from_utf8(found.value).unwrap(),
            Ok(None) => "not found".to_owned(),
            Err(_) => "lookup error".to_owned(),
        };
        journal.line(format!("\"{key}\": {result}"));
    }
}

fn host_list(call: &Call, journal: &Journal) {
    let [patterns, host, address] = call.args.as_slice() else { panic!() };
    let list = HostList::open("command line", patterns, &environment(), ListFlags::Parent);
    let result = match list.matches_blocking(host.as_bytes(), address.as_bytes()) {
        Ok(true) => "YES",
        Ok(false) => "NO",
        Err(_) => "ERROR",
    };
    journal.line(format!("{host}/{address}: {result}"));
}

/// Lookups in tables that the vector file names.
fn vectors(case: &Case) {
    for vector in case.vectors() {
        let table = Table::open(vector["table"].as_str().unwrap(), &environment(), Flags::LOCK);
        for probe in vector["probes"].as_array().unwrap() {
            let query = probe["query"].as_str().unwrap();
            let got = table.lookup_blocking(query.as_bytes());
            match probe.get("want").and_then(|want| want.as_str()) {
                Some(want) => assert_eq!(got, Ok(Some(want.into())), "{query}"),
                None if probe.get("want_none").is_some() => assert_eq!(got, Ok(None), "{query}"),
                None => assert!(matches!(got, Err(Error::Retry { .. })), "{query}: {got:?}"),
            }
        }
    }
}

fn map_search(case: &Case) {
    for vector in case.vectors() {
        let spec = vector["spec"].as_str().unwrap();
        let journal = Journal::new("");
        let mut found = None;
        journal.record(|| found = MapSearch::parse(spec, &["one", "two"]));
        let logged = String::from_utf8(journal.take()).unwrap();
        for text in vector.get("want_log").into_iter().flat_map(|texts| texts.as_array().unwrap()) {
            let text = text.as_str().unwrap();
            assert!(logged.contains(text), "{spec}: {logged}");
        }
        let order = vector.get("want_search_order").map(|codes| {
            codes.as_array().unwrap().iter().map(|code| code.as_integer().unwrap() as usize - 1).collect()
        });
        let wanted = vector
            .get("want_map")
            .map(|table| MapSearch { table: table.as_str().unwrap().to_owned(), order });
        assert_eq!(found, wanted, "{spec}");
    }
}

/// The site of the address cases.
struct Here {
    splitter: Splitter,
    mydestination: StringList,
}

impl Here {
    fn new() -> Self {
        let mydestination =
            StringList::open("mydestination", "localhost.localdomain", &environment(), ListFlags::Exact);
        Self { splitter: Splitter::new("+"), mydestination }
    }
}

impl Site for Here {
    fn splitter(&self) -> &Splitter {
        &self.splitter
    }

    fn is_local<'a>(&'a self, domain: &'a [u8]) -> LocalFuture<'a, Result<bool, Error>> {
        Box::pin(async move { Ok(domain == b"localdomain" || self.mydestination.matches(domain).await?) })
    }

    fn canonicalize<'a>(&'a self, address: &'a [u8]) -> LocalFuture<'a, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            let has_domain = address::domain(&address::unquote_822_local(address)).is_some();
            Ok(if has_domain { address.to_vec() } else { [address, b"@localdomain"].concat() })
        })
    }
}

const STRATEGIES: &[(&str, Strategy)] = &[
    ("full", Strategy::FULL),
    ("noext", Strategy::WITHOUT_EXTENSION),
    ("localpart_if_local", Strategy::LOCAL_PART_IF_LOCAL),
    ("localpart_at_if_local", Strategy::LOCAL_PART_AT_IF_LOCAL),
    ("at_domain", Strategy::AT_DOMAIN),
    ("domain", Strategy::DOMAIN),
    ("pdms", Strategy::PARENTS),
    ("pddms", Strategy::DOT_PARENTS),
    ("localpart_at", Strategy::LOCAL_PART_AT),
    ("default", Strategy::DEFAULT),
];

fn strategy(names: &str) -> Strategy {
    let one = |name: &str| STRATEGIES.iter().find(|(known, _)| *known == name).unwrap().1;
    names.split('|').map(one).reduce(Strategy::and).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn mail_addr_find(call: &Call, journal: &Journal) {
    let mut maps = None;
    for line in call.lines() {
        let line = String::from_utf8(line).unwrap();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (verb, rest) = line.split_once(' ').unwrap();
        match verb {
            "echo" => journal.line(rest),
            "maps" => {
                let flags = Flags::LOCK | Flags::FOLD_FIX | Flags::UTF8_REQUEST;
                maps = Some(Maps::open("maps", rest, &environment(), flags));
                journal.line(rest);
            }
            _ => journal.line(test_find(maps.as_ref().unwrap(), rest)),
        }
    }
}

fn test_find(maps: &Maps, test: &str) -> String {
    let fields: Vec<&str> = test.split(':').collect();
    let form = |name: &str| AddressForm::parse(name).unwrap();
    let search = Search {
        input: form(fields[0]),
        query: form(fields[1]),
        output: form(fields[2]),
        strategy: strategy(fields[3]),
    };
    let result = block_on(table::address::find(maps, fields[4].as_bytes(), search, &Here::new()));
    let mut line = format!("{}:{} -{}-> {}:", fields[0], fields[4], fields[1], fields[2]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match &result {
        Ok(Some(found)) => line.push_str(&text(&found.value)),
        Ok(None) => line.push_str("(not found)"),
        Err(_) => line.push_str("(try again)"),
    }
    let extension = result.ok().flatten().and_then(|found| found.extension);
    write!(line, " ({})", extension.map_or("null extension".into(), |extension| text(&extension))).unwrap();
    line
}

fn smtp_map11(call: &Call, journal: &Journal) {
    let mut maps = None;
    let mut lines: Vec<String> = Vec::new();
    for line in call.lines().into_iter().map(|line| String::from_utf8(line).unwrap()) {
        match lines.last_mut() {
            Some(last) if line.starts_with(' ') => last.push_str(&line),
            _ if line.is_empty() || line.starts_with('#') => {}
            _ => lines.push(line),
        }
    }
    for line in &lines {
        let (verb, rest) = line.split_once(' ').unwrap();
        if verb == "maps" {
            maps = Some(Maps::open("maps", rest, &environment(), Flags::LOCK | Flags::FOLD_FIX));
            journal.line(rest);
            continue;
        }
        let key = rest.split(':').next().unwrap();
        let form = if verb == "internal" { AddressForm::Internal } else { AddressForm::External };
        let search = Search { input: form, output: form, query: AddressForm::ExternalFirst, ..Search::USUAL };
        let maps = maps.as_ref().unwrap();
        let mapped =
            block_on(table::address::map(maps, key.as_bytes(), search, Extension::Propagate, &Here::new()));
        let shown = match mapped {
            Ok(Some(results)) => String::from_utf8(results.concat()).unwrap(),
            Ok(None) => "(no match)".to_owned(),
            Err(_) => "(error)".to_owned(),
        };
        journal.line(format!("{verb}:{key} -> {shown}"));
    }
}
