//! The rules of the house.

use std::fs;

use ferrofix_house::{LAYERS, members, root, sources};

/// Longer files need a reason here.
const LINE_LIMIT: usize = 1000;
const LONG_FILES: [(&str, &str); 0] = [];

/// Crates that may hold unsafe code: bindings to C, and what Unix offers and the standard library does not wrap.
const UNSAFE_CRATES: [&str; 4] = ["sys", "lmdb", "pcre", "posix-regex"];

#[test]
fn crates_use_lower_layers_only() {
    let members = members();
    assert!(members.len() > 20, "the workspace was not found");
    let rank = |layer: &str| LAYERS.iter().position(|known| *known == layer).unwrap();
    let mut wrong = Vec::new();
    for member in &members {
        for name in &member.depends_on {
            let Some(used) = members.iter().find(|other| other.name == *name) else { continue };
            let is_program = matches!(used.layer.as_str(), "daemons" | "tools" | "dev");
            if rank(&used.layer) > rank(&member.layer) || is_program {
                wrong.push(format!("{}/{} uses {}/{}", member.layer, member.name, used.layer, used.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_is_where_it_may_be() {
    let mut wrong = Vec::new();
    for member in members() {
        let manifest = fs::read_to_string(member.path.join("Cargo.toml")).unwrap();
        let forbids = manifest.contains("[lints]\nworkspace = true");
        if forbids == UNSAFE_CRATES.contains(&member.name.as_str()) {
            wrong.push(member.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn files_fit_in_the_head() {
    let mut long = Vec::new();
    for path in sources(&root().join("crates")) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        if lines > LINE_LIMIT && !LONG_FILES.iter().any(|(known, _)| *known == name) {
            long.push(format!("{name}: {lines} lines"));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_crate_opens_with_its_page() {
    let mut silent = Vec::new();
    for member in members() {
        let page = fs::read_to_string(member.path.join("src/lib.rs")).unwrap_or_default();
        if !page.starts_with("//! ") || page.contains("Being laid out") {
            silent.push(member.name);
        }
    }
    assert!(silent.is_empty(), "{silent:?}");
}
