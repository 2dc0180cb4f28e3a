//! Checks that the house stays in order: layers, file sizes, pages. The checks themselves are the tests of this crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate of the workspace.
#[derive(Debug)]
pub struct Member {
    /// Its directory's name, by which others depend on it.
    pub name: String,
    /// The layer it is in: the directory above.
    pub layer: String,
    /// Where it is.
    pub path: PathBuf,
    /// The names under `[dependencies]` that are members too.
    pub depends_on: Vec<String>,
}

/// The layers, lowest first. A crate may use its own layer and those below.
pub const LAYERS: [&str; 7] = ["base", "core", "proto", "frame", "daemons", "tools", "dev"];

/// The top of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// All crates of the workspace.
pub fn members() -> Vec<Member> {
    let mut found = Vec::new();
    for layer in LAYERS {
        for path in directories(&root().join("crates").join(layer)) {
            let Ok(manifest) = fs::read_to_string(path.join("Cargo.toml")) else { continue };
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            found.push(Member { name, layer: layer.to_owned(), depends_on: dependencies(&manifest), path });
        }
    }
    let names: BTreeMap<String, ()> = found.iter().map(|member| (member.name.clone(), ())).collect();
    for member in &mut found {
        member.depends_on.retain(|name| names.contains_key(name));
    }
    found
}

/// All Rust files below a directory.
pub fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn dependencies(manifest: &str) -> Vec<String> {
    let section =
        manifest.split("\n[").find(|section| section.trim_start_matches('[').starts_with("dependencies]"));
    let lines = section.unwrap_or_default().lines().skip(1);
    lines
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
