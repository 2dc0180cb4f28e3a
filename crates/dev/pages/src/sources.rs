//! Which program reads which parameters, by what the sources say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crates whose parameters a program reads because it uses them.
const SHARED_LAYERS: [&str; 2] = ["frame", "core"];

/// What a program reads.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// By its own lists.
    pub own: BTreeSet<String>,
    /// By the lists of what it is built on.
    pub shared: BTreeSet<String>,
}

/// The sources of the workspace.
#[derive(Debug)]
pub struct Sources {
    /// By crate directory name: its layer, its names, what it depends on.
    crates: BTreeMap<String, Crate>,
    /// All program text outside the registry, without comments.
    words: BTreeSet<String>,
}

#[derive(Debug)]
struct Crate {
    layer: String,
    names: BTreeSet<String>,
    depends_on: Vec<String>,
}

impl Sources {
    /// Reads them.
    pub fn read(root: &Path) -> Result<Self, String> {
        let renamed = renamed(root);
        let mut sources = Self { crates: BTreeMap::new(), words: BTreeSet::new() };
        for layer in ["base", "core", "proto", "frame", "daemons", "tools"] {
            for path in directories(&root.join("crates").join(layer)) {
                let Ok(manifest) = fs::read_to_string(path.join("Cargo.toml")) else { continue };
                let name =
                    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let mut found = Crate {
                    layer: layer.to_owned(),
                    names: BTreeSet::new(),
                    depends_on: dependencies(&manifest),
                };
                // The registry declares everything, and postconf knows everything; neither reads.
                let only_knows = matches!(name.as_str(), "conf" | "postconf");
                for file in files(&path.join("src")) {
                    let text =
                        fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                    let text = without_comments(&text);
                    if name != "conf" {
                        found.names.extend(param_sets(&text, &renamed));
                    }
                    let is_registry =
                        only_knows && file.components().any(|part| part.as_os_str() == "params");
                    if !(is_registry || file.ends_with("common.rs") || name == "postconf") {
                        sources.words.extend(
                            words(&text)
                                .map(|word| renamed.get(word).cloned().unwrap_or_else(|| word.to_owned())),
                        );
                    }
                }
                sources.crates.insert(name, found);
            }
        }
        Ok(sources)
    }

    /// What a program reads, if there is one of that name.
    pub fn program(&self, name: &str) -> Option<Reads> {
        let program =
            self.crates.get(name).filter(|found| matches!(found.layer.as_str(), "daemons" | "tools"))?;
        let mut reads = Reads { own: program.names.clone(), shared: BTreeSet::new() };
        for used in program.depends_on.iter().filter_map(|name| self.crates.get(name)) {
            if SHARED_LAYERS.contains(&used.layer.as_str()) {
                reads.shared.extend(used.names.iter().cloned());
            }
        }
        Some(reads)
    }

    /// Those of the parameters (names and defaults) that something reads, itself or by way of another's default.
    pub fn names_read(&self, parameters: &BTreeMap<&'static str, &'static str>) -> BTreeSet<String> {
        let mut read = BTreeSet::new();
        let mut new: Vec<String> = parameters
            .keys()
            .filter(|name| self.words.contains(**name) || self.words.contains(&as_smtp(name)))
            .map(|name| (*name).to_owned())
            .collect();
        while let Some(name) = new.pop() {
            if let Some(default) = parameters.get(name.as_str()) {
                let named = default.split('$').skip(1).filter_map(|rest| words(rest).next());
                new.extend(
                    named
                        .filter(|name| parameters.contains_key(name) && !read.contains(*name))
                        .map(str::to_owned),
                );
            }
            read.insert(name);
        }
        read
    }
}

/// The name under which the sources have an `lmtp_` parameter that the SMTP client has too.
fn as_smtp(name: &str) -> String {
    let Some(rest) = name.strip_prefix("lmtp_") else { return name.to_owned() };
    format!("smtp_{}", rest.replace("lhlo", if rest.starts_with("discard") { "ehlo" } else { "helo" }))
}

/// Names that Rust cannot spell, by what they are called in the sources: `name ("written"): Kind`.
fn renamed(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in files(&root.join("crates/core/conf/src/params")) {
        let text = fs::read_to_string(file).unwrap_or_default();
        for line in without_comments(&text).lines() {
            if let Some((name, rest)) = line.trim().split_once(" (\"")
                && let Some((written, _)) = rest.split_once("\"):")
            {
                found.insert(name.to_owned(), written.to_owned());
            }
        }
    }
    found
}

/// The names in all `param_set!` lists of a source text.
fn param_sets(text: &str, renamed: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for part in text.split("param_set!").skip(1) {
        let Some((_, list)) = part.split_once("struct ").and_then(|(_, rest)| rest.split_once('{')) else {
            continue;
        };
        let (list, _) = list.split_once('}').unwrap_or((list, ""));
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            names.insert(renamed.get(name).cloned().unwrap_or_else(|| name.to_owned()));
        }
    }
    names
}

/// Without lines that are comments, and without the tests at the end.
fn without_comments(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
        .filter(|word| !word.is_empty())
}

fn dependencies(manifest: &str) -> Vec<String> {
    let section =
        manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
    section.lines().skip(1).filter_map(|line| line.split(['.', ' ', '=']).next()).map(str::to_owned).collect()
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// The Rust files below a directory that are not for tests.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if matches!(name.as_str(), "tests" | "testing" | "conformance" | "registry_tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_found() {
        let text = "conf::param_set! {\n    /// What.\n    mirrored struct P {\n        a_b, // c, d\n        e, odd\n    }\n}\n";
        let renamed = BTreeMap::from([("odd".to_owned(), "2odd".to_owned())]);
        let text = without_comments(&text.replace(" // c, d", ""));
        let names: Vec<_> = param_sets(&text, &renamed).into_iter().collect();
        assert_eq!(names, ["2odd", "a_b", "e"]);
    }

    #[test]
    fn programs_are_known() {
        let sources = Sources::read(&crate::root()).unwrap();
        let flush = sources.program("flush").unwrap();
        assert!(flush.own.contains("fast_flush_refresh_time") && flush.shared.contains("mail_owner"));
        assert!(sources.program("conf").is_none());
        assert_eq!(as_smtp("lmtp_discard_lhlo_keywords"), "smtp_discard_ehlo_keywords");
        assert_eq!(as_smtp("lmtp_lhlo_name"), "smtp_helo_name");
    }

    #[test]
    fn reading_goes_on_through_defaults() {
        let words = BTreeSet::from(["a".to_owned(), "smtp_x".to_owned()]);
        let sources = Sources { crates: BTreeMap::new(), words };
        let read = sources.names_read(&BTreeMap::from([
            ("a", "${b}, $c"),
            ("b", ""),
            ("c", "$a"),
            ("d", ""),
            ("lmtp_x", ""),
        ]));
        assert_eq!(read.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "lmtp_x"]);
    }
}
