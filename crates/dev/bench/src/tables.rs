//! Lookup tables: built and asked by `postmap`; and how long `postconf` takes to say one word.
//!
//! Tables and keys are made so that it is known how many keys are found, and a run that finds another number has failed.
//! Each question is one `postmap -q -`, so that its rate has the time in which the table was read in it.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, SystemTime};

use crate::inside::timed;
use crate::mailsystem::MailSystem;
use crate::outcome::Outcome;

const DIRECTORY: &str = "/var/mail/tables";
/// Types that Debian's Postfix loads from libraries; Ferrofix does not look there.
const DYNAMIC: &str = "lmdb /usr/lib/postfix/postfix-lmdb.so dict_lmdb_open mkmap_lmdb_open\n\
                       pcre /usr/lib/postfix/postfix-pcre.so dict_pcre_open\n";
const NETWORKS: u32 = 10_000;
const PATTERNS: usize = 1000;
const STARTS: u64 = 200;

/// Tables of so many rows, and fewer where each question takes longer.
pub(crate) fn measure(system: &MailSystem, rows: u64) -> Result<Vec<Outcome>, String> {
    fs::create_dir_all(DIRECTORY).map_err(|error| error.to_string())?;
    write("/etc/postfix/dynamicmaps.cf", DYNAMIC)?;
    let mut random = Random(1);
    let mut outcomes = Vec::new();

    write(&path("large"), &users(rows))?;
    let build = ["/usr/sbin/postmap", &format!("lmdb:{}", path("large"))];
    outcomes.push(timed(system, "table-build", rows, || system.output(&build).map(drop))?);

    write(&path("users"), &users(rows / 10))?;
    system.output(&["/usr/sbin/postmap", &format!("hash:{}", path("users"))])?;
    let keys = user_keys(&mut random, rows / 10, rows / 5);
    for (row, kind) in [("table-hash", "hash"), ("table-texthash", "texthash")] {
        outcomes.push(ask(system, row, &format!("{kind}:{}", path("users")), &keys)?);
    }

    write(&path("networks"), &networks())?;
    let keys = addresses(&mut random, rows / 50);
    outcomes.push(ask(system, "table-cidr", &format!("cidr:{}", path("networks")), &keys)?);

    let words: Vec<String> = (0..3 * PATTERNS).map(|_| random.word()).collect();
    write(&path("patterns"), &patterns(&words))?;
    let keys = headers(&mut random, &words, (rows / 300).max(10));
    for (row, kind) in [("table-pcre", "pcre"), ("table-regexp", "regexp")] {
        outcomes.push(ask(system, row, &format!("{kind}:{}", path("patterns")), &keys)?);
    }

    let command =
        format!("i=0; while [ $i -lt {STARTS} ]; do /usr/sbin/postconf myhostname; i=$((i + 1)); done");
    outcomes.push(timed(system, "postconf-name", STARTS, || {
        let output = system.output(&["/bin/sh", "-c", &command])?;
        let lines = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count();
        expect("postconf", lines, usize::try_from(STARTS).unwrap_or(0))
    })?);
    Ok(outcomes)
}

/// Keys, one a line, and how many of them are in the table.
struct Keys {
    text: String,
    count: u64,
    found: usize,
}

fn ask(system: &MailSystem, row: &str, table: &str, keys: &Keys) -> Result<Outcome, String> {
    write(&path("keys"), &keys.text)?;
    let (input, output) = (path("keys"), path("answers"));
    let command = format!("exec /usr/sbin/postmap -q - {table} <{input} >{output}");
    let outcome = timed(system, row, keys.count, || system.output(&["/bin/sh", "-c", &command]).map(drop))?;
    let answers = fs::read(&output).map_err(|error| format!("{output}: {error}"))?;
    expect(table, answers.iter().filter(|&&byte| byte == b'\n').count(), keys.found)?;
    Ok(outcome)
}

fn expect(what: &str, got: usize, wanted: usize) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got} answers, expected {wanted}")) }
}

fn path(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

fn write(path: &str, text: &str) -> Result<(), String> {
    let write = || {
        fs::write(path, text)?;
        // A file that has just been written is read more than once.
        fs::File::options()
            .append(true)
            .open(path)?
            .set_modified(SystemTime::now() - Duration::from_secs(1000))
    };
    write().map_err(|error: std::io::Error| format!("{path}: {error}"))
}

/// The address with this number, in no order that a table would like.
fn user(number: u64) -> String {
    let scattered = number.wrapping_mul(7919) % 1_000_003;
    format!("user{scattered:07}@example{}.com", number % 1000)
}

fn users(count: u64) -> String {
    let mut text = String::new();
    for number in 0..count {
        writeln!(text, "{}\tmailbox{number}@host.example.net", user(number)).ok();
    }
    text
}

fn user_keys(random: &mut Random, rows: u64, count: u64) -> Keys {
    let mut keys = Keys { text: String::new(), count, found: 0 };
    for _ in 0..count {
        // One in five is not there.
        let number = random.below(rows + rows / 4);
        keys.found += usize::from(number < rows);
        let key = if number < rows { user(number) } else { format!("nobody{number}@example.com") };
        writeln!(keys.text, "{key}").ok();
    }
    keys
}

/// Networks of different sizes in the lower half of the address space.
fn networks() -> String {
    let mut text = String::new();
    for number in 0..NETWORKS {
        let address = std::net::Ipv4Addr::from_bits(number << 17);
        writeln!(
            text,
            "{address}/{} REJECT network {number}",
            [16, 20, 24, 28, 32][number as usize % 5].max(17)
        )
        .ok();
    }
    text
}

fn addresses(random: &mut Random, count: u64) -> Keys {
    let mut keys = Keys { text: String::new(), count, found: 0 };
    for _ in 0..count {
        let network = random.below(2 * u64::from(NETWORKS)) as u32;
        keys.found += usize::from(network < NETWORKS);
        // The first address of a network, or one beyond all of them.
        let bits = if network < NETWORKS { network << 17 } else { 0xf000_0000 | network };
        writeln!(keys.text, "{}", std::net::Ipv4Addr::from_bits(bits)).ok();
    }
    keys
}

/// Rules as in a file of header checks that has grown for years.
fn patterns(words: &[String]) -> String {
    let mut text = String::new();
    for (number, words) in words.chunks(3).enumerate() {
        let [one, two, three] = words else { continue };
        let pattern = match number % 5 {
            0 => format!("^Subject:.*{one} {two}"),
            1 => format!("^(From|Reply-To):.*@({one}|{two})\\.(com|net)"),
            2 => format!("^X-Mailer: *{one} [0-9]+"),
            3 => format!("{one}[[:space:]]+{two}"),
            _ => format!("^Received: .*{one}{three}\\.example\\.(com|org)"),
        };
        writeln!(text, "/{pattern}/ REJECT rule {number}").ok();
    }
    text
}

fn headers(random: &mut Random, words: &[String], count: u64) -> Keys {
    let mut keys = Keys { text: String::new(), count, found: 0 };
    for _ in 0..count {
        // One in five matches. What fills the lines is in no rule.
        let filler: Vec<String> = (0..5).map(|_| random.word().to_uppercase() + "0").collect();
        let filler = filler.join(" ");
        let rule = usize::try_from(random.below(5 * PATTERNS as u64)).unwrap_or(0);
        let line = match words.chunks(3).nth(rule) {
            Some([one, two, three]) => match rule % 5 {
                0 => format!("Subject: {filler} {one} {two}"),
                1 => format!("From: {filler} <x@{one}.com>"),
                2 => format!("X-Mailer: {one} 17 {filler}"),
                3 => format!("Comments: {filler} {one}  {two}"),
                _ => format!("Received: from {filler} {one}{three}.example.org"),
            },
            _ => format!("{}: {filler}", ["Subject", "From", "To", "X-Mailer", "Received"][rule % 5]),
        };
        keys.found += usize::from(rule < PATTERNS);
        writeln!(keys.text, "{line}").ok();
    }
    keys
}

/// Numbers that are always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }

    fn word(&mut self) -> String {
        let length = 5 + self.below(5);
        (0..length).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_what_is_found() {
        let mut random = Random(1);
        let keys = user_keys(&mut random, 1000, 500);
        let table = users(1000);
        let rows: std::collections::HashSet<_> = table.lines().map(|line| line.split('\t').next()).collect();
        assert_eq!(rows.len(), 1000);
        assert_eq!(keys.text.lines().filter(|key| rows.contains(&Some(*key))).count(), keys.found);
        assert_eq!(networks().lines().count(), NETWORKS as usize);
        let words: Vec<String> = (0..3 * PATTERNS).map(|_| random.word()).collect();
        assert_eq!(patterns(&words).lines().count(), PATTERNS);
        let keys = headers(&mut random, &words, 1000);
        assert!((100..300).contains(&keys.found), "{}", keys.found);
    }
}
