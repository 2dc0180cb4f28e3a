//! The manual pages are complete, current and well formed.

use std::collections::BTreeSet;

use ferrofix_pages::{installed, pages, roff, root, stale};

/// Pages of other packages that ours refer to.
const ELSEWHERE: [&str; 4] = ["pcre2pattern.3", "regex.7", "services.5", "strftime.3"];

#[test]
fn pages_are_up_to_date() {
    let stale: Vec<_> = stale(&root()).unwrap().into_iter().map(|(path, _)| path).collect();
    assert!(stale.is_empty(), "run \"cargo run -p ferrofix-pages\" for {stale:?}");
}

#[test]
fn every_program_has_a_page() {
    let there: BTreeSet<String> = pages(&root()).unwrap().into_iter().map(|(name, _)| name).collect();
    let (daemons, tools) = installed(&root()).unwrap();
    assert!(daemons.len() > 10 && tools.len() > 5, "scripts/install is not understood");
    let wanted =
        daemons.iter().map(|name| format!("{name}.8")).chain(tools.iter().map(|name| format!("{name}.1")));
    let missing: Vec<_> = wanted.filter(|name| !there.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn pages_are_well_formed() {
    let mut wrong = Vec::new();
    for (name, text) in pages(&root()).unwrap() {
        wrong.extend(roff::faults(&text).into_iter().map(|fault| format!("man/{name}: {fault}")));
        let title =
            name.rsplit_once('.').map(|(stem, section)| format!(".TH {} {section}", stem.to_uppercase()));
        let is_titled = title.is_some_and(|title| text.lines().any(|line| line.starts_with(&title)));
        if !is_titled && !text.starts_with(".so ") {
            wrong.push(format!("man/{name}: .TH says otherwise"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pages_refer_to_pages() {
    let all = pages(&root()).unwrap();
    let there: BTreeSet<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let mut wrong = Vec::new();
    for (name, text) in &all {
        let named = match text.strip_prefix(".so ") {
            Some(target) => vec![target.trim().rsplit('/').next().unwrap_or_default().to_owned()],
            None => roff::references(text),
        };
        for other in named {
            if !there.contains(other.as_str()) && !ELSEWHERE.contains(&other.as_str()) {
                wrong.push(format!("man/{name} refers to {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
