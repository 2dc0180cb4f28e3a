//! Postfix's own test data for addresses and host names, where it is present beside the project.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use address::fold::{FoldPart, casefold, cmp_fold, fold_address};
use address::host_port::host_port;
use address::hostname::{Wildcard, valid_hostaddr, valid_hostname_with};
use address::inet::{Families, parse_address, printable_network};
use address::mailhost::normalize_mailhost_addr;
use address::tok822::{Breaks, Token, externalize_header, internalize, parse_limit};
use address::{AddressForm, QuoteFlags, Splitter, crunch, idn, quote, uri};

use ferrofix_address as address;

/// The folder with the data, or none with the reason printed.
fn data() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no conformance data in {}", path.display());
    None
}

fn read(path: &Path) -> String {
    // Some inputs are not UTF-8: keep their bytes apart in the private use area.
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for &byte in chunk.invalid() {
            text.push(char::from_u32(0xf8000 + u32::from(byte)).unwrap());
        }
    }
    text
}

fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for ch in text.chars() {
        match u32::from(ch) {
            code @ 0xf8080..=0xf80ff => out.push((code - 0xf8000) as u8),
            _ => out.extend_from_slice(ch.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for &byte in chunk.invalid() {
            out.push(char::from_u32(0xf8000 + u32::from(byte)).unwrap());
        }
    }
    out
}

/// Lines joined with the continuation lines that follow; no comments, no empty lines.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push_str(line);
            }
            _ => lines.push(line.to_string()),
        }
    }
    lines
}

/// The `[[vector]]` tables of a file: strings, numbers and truth values only.
fn vectors(path: &Path) -> Vec<Vec<(String, String)>> {
    let mut tables = Vec::new();
    for line in read(path).lines() {
        if line == "[[vector]]" {
            tables.push(Vec::new());
            continue;
        }
        let (Some(table), Some((key, value))) = (tables.last_mut(), line.split_once(" = ")) else { continue };
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        Vec::push(table, (key.to_string(), value.replace("\\\"", "\"").replace("\\\\", "\\")));
    }
    assert!(!tables.is_empty(), "no vectors in {}", path.display());
    tables
}

fn key<'a>(vector: &'a [(String, String)], name: &str) -> Option<&'a str> {
    vector.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[track_caller]
fn same(got: &str, want: &str) {
    for (number, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "line {}", number + 1);
    }
    assert_eq!(got.lines().count(), want.lines().count(), "number of lines");
    assert!(got == want, "line ends differ");
}

fn show_tree(list: &[Token], indent: usize, out: &mut String) {
    for token in list {
        write!(out, "{:indent$} ", "").unwrap();
        match token {
            Token::Op(op) => writeln!(out, "OP \"{}\"", *op as char).unwrap(),
            Token::Address(address) => {
                out.push_str("address\n");
                show_tree(&address.tokens, indent + 2, out);
            }
            Token::GroupStart => out.push_str("group \":\"\n"),
            Token::Comment(shown) => writeln!(out, "comment \"{}\"", text(shown)).unwrap(),
            Token::Atom(shown) => writeln!(out, "atom \"{}\"", text(shown)).unwrap(),
            Token::Quoted(shown) => writeln!(out, "quoted string \"{}\"", text(shown)).unwrap(),
            Token::DomainLiteral(shown) => writeln!(out, "domain literal \"{}\"", text(shown)).unwrap(),
        }
    }
}

fn tok822_case(name: &str, warnings_too: bool) {
    let Some(data) = data() else { return };
    let dir = data.join("tok822");
    let mut out = String::new();
    for line in logical_lines(&read(&dir.join(format!("{name}.in")))) {
        let tree = parse_limit(&bytes(&line), 20);
        write!(out, ">>>{line}<<<\n\nParse tree:\n").unwrap();
        show_tree(&tree, 0, &mut out);
        write!(out, "\nInternalized:\n{}\n\n", text(&internalize(&tree))).unwrap();
        let cases = [("no newlines inserted", Breaks::None), ("newlines inserted", Breaks::AfterComma)];
        for (title, breaks) in cases {
            let (shown, warnings) = externalize_header(&tree, breaks);
            if warnings_too {
                warnings.iter().for_each(|warning| writeln!(out, "unknown: warning: {warning}").unwrap());
            }
            write!(out, "Externalized, {title}:\n{}\n\n", text(&shown)).unwrap();
        }
    }
    same(&out, &read(&dir.join(format!("{name}.ref"))));
}

#[test]
fn tok822_parse() {
    tok822_case("tok822_parse", true);
}

#[test]
fn tok822_limit() {
    tok822_case("tok822_limit", false);
}

#[test]
fn quote_822_local() {
    let Some(data) = data() else { return };
    let dir = data.join("address");
    let mut out = String::new();
    for line in read(&dir.join("quote_822_local.in")).lines() {
        let (command, rest) = line.split_once(' ').unwrap();
        let rest = if rest == "<>" { "" } else { rest };
        match command {
            "quote" => {
                let quoted = quote::quote_822_local(&bytes(rest));
                writeln!(out, "'{rest}' quoted '{}'", text(&quoted)).unwrap();
            }
            "unquote" => {
                let plain = quote::unquote_822_local(&bytes(rest));
                writeln!(out, "'{rest}' unquoted '{}'", text(&plain)).unwrap();
            }
            "quote_with_flags" => {
                let (flags, rest) = rest.split_once(' ').unwrap();
                let flags = QuoteFlags::parse(flags).unwrap();
                let quoted = quote::quote_822_local_flags(&bytes(rest), flags);
                writeln!(out, "'{rest}' quoted flags={flags} '{}'", text(&quoted)).unwrap();
            }
            other => panic!("command {other}"),
        }
    }
    same(&out, &read(&dir.join("quote_822_local.ref")));
}

#[test]
fn fold_addr() {
    let Some(data) = data() else { return };
    let dir = data.join("address");
    let mut out = String::new();
    for line in read(&dir.join("fold_addr_test.in")).lines() {
        writeln!(out, "> {line}").unwrap();
        if line.starts_with('#') {
            continue;
        }
        let (command, rest) = line.split_once(' ').unwrap();
        let folded = match command {
            "host" => fold_address(&bytes(rest), FoldPart::Host),
            "user" => fold_address(&bytes(rest), FoldPart::User),
            "all" => fold_address(&bytes(rest), FoldPart::All),
            _ => bytes(rest),
        };
        writeln!(out, "\"{rest}\" -> \"{}\"", text(&folded)).unwrap();
    }
    same(&out, &read(&dir.join("fold_addr_test.ref")));
}

#[test]
fn strip_addr() {
    let Some(data) = data() else { return };
    for vector in vectors(&data.join("address/strip_addr.toml")) {
        let splitter = Splitter::new(key(&vector, "delimiters").unwrap());
        let address = key(&vector, "address").unwrap();
        let stripped = splitter.strip(address.as_bytes());
        let got = stripped.as_ref().map(|stripped| (text(&stripped.address), text(stripped.extension)));
        let want = key(&vector, "want_stripped")
            .map(|want| (want.to_string(), key(&vector, "want_extension").unwrap().to_string()));
        assert_eq!(got, want, "{vector:?}");
    }
}

#[test]
fn mail_addr_crunch() {
    let Some(data) = data() else { return };
    let list = "foo@example.com, \"foo bar\"@example.com, foo+ext@example.com";
    let mut out = String::new();
    for (input, output, lines) in [
        (AddressForm::External, AddressForm::Internal, vec![list]),
        (AddressForm::External, AddressForm::External, vec![list]),
        (AddressForm::Internal, AddressForm::Internal, vec!["foo@example.com", "foo+ext@example.com"]),
    ] {
        for (words, extension) in [("with", "+extension"), ("without", "")] {
            writeln!(out, "==== {input} to {output}, {words} extension").unwrap();
            for line in &lines {
                for address in crunch::split_list(line.as_bytes(), input) {
                    let done = crunch::finish(&address, extension.as_bytes(), output);
                    writeln!(out, "|{}|", text(&done)).unwrap();
                }
            }
        }
    }
    same(&out, &read(&data.join("address/mail_addr_crunch.ref")));
}

#[test]
fn valid_hostname() {
    let Some(data) = data() else { return };
    let dir = data.join("hostname");
    let mut out = String::new();
    for line in read(&dir.join("valid_hostname.in")).lines() {
        writeln!(out, "./valid_hostname: testing: \"{line}\"").unwrap();
        if let Err(fault) = valid_hostname_with(line.as_bytes(), Wildcard::Allow) {
            writeln!(out, "./valid_hostname: warning: {fault}").unwrap();
        }
        if line.contains('*') {
            continue;
        }
        if let Err(fault) = valid_hostaddr(line.as_bytes()) {
            writeln!(out, "./valid_hostname: warning: {fault}").unwrap();
        }
    }
    // COMPAT: 3.12 complains about a lone `*`; 3.11, which is the reference, does not.
    let newer = "./valid_hostname: warning: valid_hostname: '*' can be the first label only: *\n";
    same(&out, read(&dir.join("valid_hostname.ref")).strip_suffix(newer).unwrap());
}

#[test]
fn host_and_port() {
    let Some(data) = data() else { return };
    let dir = data.join("hostname");
    let mut out = String::new();
    for line in read(&dir.join("host_port.in")).lines() {
        writeln!(out, ">> {line}").unwrap();
        if line.starts_with('#') {
            continue;
        }
        match host_port(line, None, Some("default-service")) {
            Ok(found) => writeln!(out, "host {} port {}", found.host, found.port).unwrap(),
            Err(reason) => writeln!(out, "unknown: warning: {reason} in {line}").unwrap(),
        }
    }
    same(&out, &read(&dir.join("host_port.ref")));
}

#[test]
fn midna_domain() {
    let Some(data) = data() else { return };
    let dir = data.join("hostname");
    let mut out = String::new();
    // A conversion that failed is remembered, and reported once.
    let mut reported: Vec<String> = Vec::new();
    for line in read(&dir.join("midna_domain_test.in")).lines() {
        writeln!(out, "./midna_domain: > {line}").unwrap();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut convert = |to: &str, name: &str, out: &mut String| {
            let result =
                if to == "utf8" { idn::to_utf8(name.as_bytes()) } else { idn::to_ascii(name.as_bytes()) };
            result.map_err(|fault| {
                let fault = fault.to_string();
                if !reported.contains(&fault) {
                    writeln!(out, "./midna_domain: warning: {fault}").unwrap();
                    reported.push(fault);
                }
            })
        };
        out.push_str("./midna_domain: unconditional conversions:\n");
        let utf8 = convert("utf8", line, &mut out);
        let shown = utf8.as_deref().unwrap_or("(error)");
        writeln!(out, "./midna_domain: \"{line}\" ->utf8 \"{shown}\"").unwrap();
        let ascii = convert("ascii", line, &mut out);
        let shown = ascii.as_deref().unwrap_or("(error)");
        writeln!(out, "./midna_domain: \"{line}\" ->ascii \"{shown}\"").unwrap();
        out.push_str("./midna_domain: conditional conversions:\n");
        let round = match (line.is_ascii(), &utf8, &ascii) {
            (false, _, Ok(ascii)) => Some((convert("utf8", ascii, &mut out), "ascii", ascii, "utf8")),
            (true, Ok(utf8), _) => Some((convert("ascii", utf8, &mut out), "utf8", utf8, "ascii")),
            _ => None,
        };
        if let Some((Ok(back), first, middle, last)) = round {
            writeln!(out, "./midna_domain: \"{line}\" ->{first} \"{middle}\" ->{last} \"{back}\"").unwrap();
            if back != line {
                writeln!(out, "./midna_domain: warning: \"{line}\" != \"{back}\"").unwrap();
            }
        }
    }
    same(&out, &read(&dir.join("midna_domain_test.ref")));
}

#[test]
fn casefolding() {
    let Some(data) = data() else { return };
    let dir = data.join("hostname");
    let mut out = String::new();
    let mut verbose = false;
    for line in read(&dir.join("casefold_test.in")).lines() {
        writeln!(out, "> {line}").unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["fold", shown] => {
                writeln!(out, "\"{shown}\" ->fold \"{}\"", text(&casefold(&bytes(shown)))).unwrap();
            }
            ["verbose", flag] => verbose = flag == "1",
            ["range", first, last] => {
                let number = |text: &str| u32::from_str_radix(&text[2..], 16).unwrap();
                let (first, last) = (number(first), number(last));
                for code in first..=last {
                    let Some(ch) = char::from_u32(code) else {
                        out.push_str("skipping surrogate range\n");
                        continue;
                    };
                    let folded = casefold(ch.to_string().as_bytes());
                    if verbose {
                        writeln!(out, "U+{code:X} -> {}", text(&folded)).unwrap();
                    }
                }
                writeln!(out, "range completed: 0x{first:x}..0x{last:x}").unwrap();
            }
            _ => (),
        }
    }
    same(&out, &read(&dir.join("casefold_test.ref")));
}

#[test]
fn strcasecmp_utf8() {
    let Some(data) = data() else { return };
    let dir = data.join("hostname");
    let mut out = String::new();
    for line in read(&dir.join("strcasecmp_utf8_test.in")).lines() {
        writeln!(out, "> {line}").unwrap();
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let cut = |text: &str| match words.get(3) {
            Some(length) => bytes(text)[..length.parse().unwrap()].to_vec(),
            None => bytes(text),
        };
        let (left, right) = (cut(words[1]), cut(words[2]));
        let order = match cmp_fold(&left, &right) {
            std::cmp::Ordering::Less => "<",
            std::cmp::Ordering::Equal => "==",
            std::cmp::Ordering::Greater => ">",
        };
        writeln!(out, "\"{}\" {order} \"{}\"", text(&left), text(&right)).unwrap();
    }
    same(&out, &read(&dir.join("strcasecmp_utf8_test.ref")));
}

#[test]
fn uri_scheme() {
    let Some(data) = data() else { return };
    for vector in vectors(&data.join("hostname/valid_uri_scheme.toml")) {
        let length = uri::valid_uri_scheme(key(&vector, "input").unwrap().as_bytes());
        assert_eq!(length.to_string(), key(&vector, "want").unwrap(), "{vector:?}");
    }
}

#[test]
fn inet_prefix_top() {
    let Some(data) = data() else { return };
    for vector in vectors(&data.join("hostname/inet_prefix_top.toml")) {
        let ones = match key(&vector, "family").unwrap() {
            "inet" => "255.255.255.255",
            _ => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        };
        let length = key(&vector, "prefix_length").unwrap().parse().unwrap();
        let shown = printable_network(parse_address(ones.as_bytes()).unwrap(), length);
        assert_eq!(shown, key(&vector, "want").unwrap(), "{vector:?}");
    }
}

#[test]
fn normalized_mailhost_addr() {
    let Some(data) = data() else { return };
    for vector in vectors(&data.join("hostname/normalize_mailhost_addr.toml")) {
        let protocols = key(&vector, "inet_protocols").unwrap();
        let families = Families { ipv4: protocols.contains("ipv4"), ipv6: protocols.contains("ipv6") };
        let got = normalize_mailhost_addr(key(&vector, "address").unwrap().as_bytes(), families);
        let Some(got) = got else {
            assert_eq!(key(&vector, "want_error"), Some("true"), "{vector:?}");
            continue;
        };
        assert_eq!(key(&vector, "want_error"), None, "{vector:?}");
        if let Some(want) = key(&vector, "want_mailhost_address") {
            assert_eq!(got.mailhost, want);
        }
        if let Some(want) = key(&vector, "want_bare_address") {
            assert_eq!(got.bare, want);
        }
        if let Some(want) = key(&vector, "want_family") {
            assert_eq!(if got.address.is_ipv4() { "inet" } else { "inet6" }, want);
        }
    }
}
