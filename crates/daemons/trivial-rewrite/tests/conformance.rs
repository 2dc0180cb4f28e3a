//! Postfix's own test data for rewriting and resolving, where it is present beside the project.

mod site;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ipc::rewrite::{Purpose, Rule};
use site::{Site, shown};

fn data(name: &str) -> Option<String> {
    let dir =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/conformance/upstream/trivial_rewrite");
    let path: PathBuf = dir.join(name);
    if !path.is_file() {
        eprintln!("skipped: no conformance data in {}", path.display());
        return None;
    }
    Some(std::fs::read_to_string(path).unwrap())
}

/// The host that stands in the expected output.
fn named(text: &str) -> String {
    text.replace("MYDOMAIN", "example.com")
        .replace("MYHOSTNAME", "host.example.com")
        .replace("RELAYHOST", "example.com")
        .replace("INVALID_DOMAIN", "domain.invalid")
}

fn configured() -> Option<Site> {
    let text = data("rewrite.main.cf")?;
    let settings: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('=')).collect();
    Some(Site::new(settings.iter().map(|(name, value)| (name.trim(), value.trim()))))
}

#[track_caller]
fn same(got: &str, want: &str) {
    let mut context = "";
    for (got, want) in got.lines().zip(want.lines()) {
        if want.starts_with("address") {
            context = want;
        }
        assert_eq!(got, want, "{context}");
    }
    assert_eq!(got.lines().count(), want.lines().count());
}

#[test]
fn rewrite_clnt() {
    let (Some(site), Some(input), Some(want)) =
        (configured(), data("rewrite_clnt.in"), data("rewrite_clnt.ref"))
    else {
        return;
    };
    let mut out = String::new();
    for line in input.lines() {
        let (name, address) = line.split_once(' ').unwrap();
        let rule = Rule::from_name(name.as_bytes()).unwrap();
        let result = shown(&site.rewrite(rule, address));
        writeln!(out, "{:<10} {name}\n{:<10} {address}\n{:<10} {result}\n", "rule", "address", "result")
            .unwrap();
    }
    same(&out, &named(&want));
}

#[test]
fn resolve_clnt() {
    let (Some(site), Some(input), Some(want)) =
        (configured(), data("resolve_clnt.in"), data("resolve_clnt.ref"))
    else {
        return;
    };
    let mut out = String::new();
    for line in named(&input).lines() {
        let (class, address) = line.split_once(' ').unwrap();
        let purpose = if class == "verify" { Purpose::Verification } else { Purpose::Delivery };
        let resolved = site.resolve_for(purpose, "", address);
        let nexthop = shown(&resolved.nexthop);
        let nexthop = if nexthop.is_empty() { "[none]".to_owned() } else { nexthop };
        for (label, value) in [
            ("class", class),
            ("address", address),
            ("transport", &shown(&resolved.transport)),
            ("nexthop", &nexthop),
            ("recipient", &shown(&resolved.recipient)),
            ("flags", &format!("{} ", resolved.flags)),
        ] {
            writeln!(out, "{label:<10} {value}").unwrap();
        }
        out.push('\n');
    }
    same(&out, &named(&want));
}

#[test]
fn resolve_local() {
    let Some(want) = data("resolve_local.ref") else { return };
    let mut out = String::new();
    for (mydestination, domain) in [
        ("example.com", "example.com"),
        ("example.net", "example.com"),
        ("fail:1_resolve_local", "example.com"),
        ("fail:1_resolve_local", "example.com.."),
        ("fail:1_resolve_local", ""),
    ] {
        let site = Site::new([("mydestination", mydestination)]);
        let answer = match site.is_local(domain) {
            Ok(true) => "YES",
            Ok(false) => "NO",
            Err(_) => "ERROR",
        };
        writeln!(out, "mydestination={mydestination} destination={domain} {answer}").unwrap();
    }
    let want: Vec<&str> = want.lines().filter(|line| !line.starts_with("unknown: warning")).collect();
    same(&out, &want.join("\n"));
}
